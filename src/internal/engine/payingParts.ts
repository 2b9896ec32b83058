// The services of an engine that has a ballast (ballast.ts): what meets a full disk has the ballast removed, and is
// done again. And the ballast of the open before is found before a recovery writes, and is no orphan.
//
//   a flush                        is always worth the ballast: without it nothing gets smaller
//   a compaction, a collection     if the disk is full also when what it wrote is gone; else it was too large
//   the manifest, a new segment    always: a few bytes, for what is done already
//   a group of the log             is up to the committer: removals only are written again (`roomForRemovals`)
//   a commit's value file          never: what it is for would be refused then
//   a keyring                      never: it is as it was, and a change of keys is not what frees space
import * as Effect from "effect/Effect"
import type { FileEncryption } from "../../services/Encryption.ts"
import type { JobsService } from "../../services/Jobs.ts"
import type { ManifestService } from "../../services/Manifest.ts"
import type { OptionsShape } from "../../services/Options.ts"
import type { WalService } from "../../services/Wal.ts"
import { recoveryBytes } from "../structure/ballastChoice.ts"
import type { Ballast } from "./ballast.ts"

/** What may meet a full disk. */
export interface Paying {
  readonly jobs: JobsService
  readonly manifest: ManifestService
  readonly wal: WalService
}

/** A recovery has the keyring made durable, if there is one, before it writes anything. */
const finding = (ballast: Ballast, encryption: FileEncryption, options: OptionsShape): FileEncryption => {
  const persist: FileEncryption["persist"] = (allocate) =>
    Effect.andThen(ballast.file.find(recoveryBytes(options)), encryption.persist(allocate))
  // All else is that of the encryption, whatever it has.
  return Object.assign(Object.create(encryption) as FileEncryption, { persist })
}

export const payingParts = (ballast: Ballast, { jobs, manifest, wal }: Paying, options: OptionsShape): Paying => ({
  jobs: {
    ...jobs,
    run: (job) => ballast.payFor(jobs.run(job), job.memtables.length > 0 ? undefined : ballast.isDiskFull),
    collect: (job) => ballast.payFor(jobs.collect(job), ballast.isDiskFull)
  },
  manifest: {
    ...manifest,
    encryption: finding(ballast, manifest.encryption, options),
    publish: (change) => ballast.payFor(manifest.publish(change)),
    removeOrphans: (keep) =>
      manifest.removeOrphans((kind, number) =>
        kind === "ballast" ? number === ballast.file.number : keep(kind, number)
      )
  },
  wal: {
    ...wal,
    switchSegment: ballast.payFor(wal.switchSegment)
  }
})
