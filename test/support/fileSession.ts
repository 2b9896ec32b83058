// A manifest and a log on a disk, opened and driven the way the engine does it, with payloads that are words.
import { assert } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Layer, Logger, type Scope } from "effect"
import * as FileManifest from "../../src/layers/FileManifest.ts"
import * as FileWal from "../../src/layers/FileWal.ts"
import * as NoEncryption from "../../src/layers/NoEncryption.ts"
import { SeededRandom } from "../../src/internal/structure/random.ts"
import { outcomes, type SimulatedFiles } from "../../src/internal/structure/simulatedFiles.ts"
import { DatabaseError, type Reason } from "../../src/services/DatabaseError.ts"
import { Directory } from "../../src/services/Directory.ts"
import { Disk, type DiskService } from "../../src/services/Disk.ts"
import type { Encryption } from "../../src/services/Encryption.ts"
import { Manifest, type ManifestService, type TableMeta, type ValueFileMeta } from "../../src/services/Manifest.ts"
import * as Options from "../../src/services/Options.ts"
import { Wal, type WalService } from "../../src/services/Wal.ts"
import { hashOf } from "./imageHash.ts"

export interface Session {
  readonly manifest: ManifestService
  readonly wal: WalService
}

export const directory = "/db"

export const quiet = Effect.provide(Logger.layer([]))

/** Open until the scope closes. */
export const openFiles = (
  disk: DiskService,
  options: Partial<Options.OptionsShape> = {},
  at: { readonly directory?: string; readonly encryption?: Layer.Layer<Encryption> } = {}
): Effect.Effect<Session, DatabaseError, Scope.Scope> =>
  Layer.build(
    FileWal.layer.pipe(
      Layer.provideMerge(FileManifest.layer),
      Layer.provide([
        Layer.succeed(Disk, disk),
        at.encryption ?? NoEncryption.layer,
        Layer.succeed(Directory, { path: at.directory ?? directory }),
        Layer.succeed(Options.Options, { ...Options.defaults, ...options })
      ])
    )
  ).pipe(
    Effect.map((context) => ({ manifest: Context.get(context, Manifest), wal: Context.get(context, Wal) })),
    quiet
  )

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

/** What replays, as one text, and by group. */
export const replayed = Effect.fnUntraced(function* (wal: WalService) {
  const groups: Array<string> = []
  const report = yield* wal.replay((payload) => Effect.sync(() => void groups.push(new TextDecoder().decode(payload))))
  return { groups, text: groups.join(""), report }
})

/** Replays, writes it again and begins, as recovery does. */
export const recover = Effect.fnUntraced(function* ({ manifest, wal }: Session) {
  const found = yield* replayed(wal)
  yield* wal.start(found.text === "" ? [] : [bytesOf(found.text)])
  yield* manifest.begin({ logNumberMin: wal.segment(), lsnDurable: wal.syncedLsn() })
  return found
})

/** Opens, uses and closes. */
export const session = <A>(
  disk: DiskService,
  body: (session: Session) => Effect.Effect<A, DatabaseError>,
  options: Partial<Options.OptionsShape> = {}
): Effect.Effect<A, DatabaseError> => quiet(Effect.scoped(Effect.flatMap(openFiles(disk, options), body)))

/** The text that replays when the database is opened for reading. */
export const textOn = (disk: DiskService): Effect.Effect<string, DatabaseError> =>
  session(disk, ({ wal }) => Effect.map(replayed(wal), ({ text }) => text), { readOnly: true })

export const reasonOf = <A>(effect: Effect.Effect<A, DatabaseError>): Effect.Effect<Reason | undefined> =>
  Effect.map(Effect.exit(effect), (exit) => {
    if (Exit.isSuccess(exit)) return undefined
    const error = Cause.squash(exit.cause)
    assert.instanceOf(error, DatabaseError, `not a DatabaseError: ${Cause.pretty(exit.cause)}`)
    return error.reason
  })

export const tagOf = <A>(effect: Effect.Effect<A, DatabaseError>): Effect.Effect<string> =>
  Effect.map(reasonOf(effect), (reason) => reason?._tag ?? "success")

export const tableMeta = (number: number): TableMeta => ({
  number,
  level: 0,
  bytes: 4096,
  fileId: new Uint8Array(32).fill(number),
  footerCrc: number,
  smallest: bytesOf("a"),
  largest: bytesOf("z"),
  entryCount: 2,
  removeCount: 1,
  rangeRemovalCount: 1,
  hiddenCount: 0,
  sequenceMin: 1,
  sequenceMax: 2,
  epoch: 1,
  keyGeneration: 0,
  codec: 0,
  valueRefs: []
})

export const valueFileMeta = (number: number, ids: ReadonlyArray<number> = [number]): ValueFileMeta => ({
  number,
  bytes: 4096,
  fileId: new Uint8Array(32).fill(number),
  footerCrc: number,
  epoch: 1,
  keyGeneration: 0,
  sections: ids.map((id) => ({ id, count: 2, bytes: 30 }))
})

/** With a reference to a value of each of the files. */
export const namingTable = (number: number, files: ReadonlyArray<number>): TableMeta => ({
  ...tableMeta(number),
  entryCount: 2 + files.length,
  valueRefs: files.map((file) => ({ file, count: 1, bytes: 10 }))
})

export type Image = Map<string, Uint8Array>

/** Every image that a power cut now can leave, each given once for what is `promised` in the life of `seen`. */
export const freshImages = (
  files: SimulatedFiles,
  seen: Set<string>,
  { promised, seed }: { readonly promised: string; readonly seed: number }
): Array<{ readonly image: Image; readonly outcome: string }> => {
  const fresh: Array<{ image: Image; outcome: string }> = []
  for (const [index, outcome] of outcomes.entries()) {
    const image = new Map(
      [...files.crash(outcome, new SeededRandom(seed * 64 + index))].map(([name, bytes]) => [name, bytes.slice()])
    )
    const key = hashOf(image, promised)
    if (seen.has(key)) continue
    seen.add(key)
    fresh.push({ image, outcome: outcome.name })
  }
  return fresh
}
