// The file of the ballast (ballast.ts): made in slices, each of them synced, of bytes that no file system can make
// smaller. It is worth nothing but its room, so its name need not be durable, and nobody looks what is in it.
//
// A database that is closed keeps it, and the next open takes it over, or what a crash has left of it: to make it again
// would write up to 32 MiB with every open. Where that open may need its room, it goes before recovery writes.
//
// After a failed sync of the manifest it stays, as everything does.
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { AppendFile, DiskError, DiskService } from "../../services/Disk.ts"
import type { ManifestService } from "../../services/Manifest.ts"
import { ballastFileName } from "../format/fileName.ts"
import { SeededRandom } from "../structure/random.ts"
import { directoryState, type OwnFile } from "./directoryState.ts"

/** Made up in a third of a millisecond, and written in less. */
const sliceBytes = 256 * 1024

export interface BallastFileParts {
  readonly disk: DiskService
  readonly manifest: ManifestService
  /** Somebody needs its room: it is not made any further. */
  readonly isUnwanted: () => boolean
  /** It could not be removed. */
  readonly stuck: (error: DiskError) => Effect.Effect<void>
}

export class BallastFile {
  /** What it takes, and while it is made, has taken so far. */
  bytes = 0
  /** How often room was made. */
  removals = 0
  /** What an earlier open left was looked for. */
  isFound = false
  /** Of the file there is, whole or not. */
  number: number | undefined = undefined
  private readonly parts: BallastFileParts

  constructor(parts: BallastFileParts) {
    this.parts = parts
  }

  /** Takes over what an earlier open left, if so many bytes are free beside it; removes it otherwise. */
  find(spareBytes: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { disk, manifest } = this.parts
      if (this.isFound) return Effect.void
      this.isFound = true
      if (!manifest.exists) return Effect.void
      const found = Effect.flatMap(
        Effect.all([disk.list(manifest.directory), disk.freeBytes(manifest.directory)]),
        ([entries, freeBytes]) => {
          const [largest, ...rest] = directoryState(entries).ballasts.toSorted((a, b) => b.bytes - a.bytes)
          if (largest === undefined) return Effect.void
          const isTaken = largest.bytes > 0 && freeBytes >= spareBytes
          if (isTaken) {
            this.number = largest.number
            this.bytes = largest.bytes
          }
          return this.removeAll(isTaken ? rest : [largest, ...rest])
        }
      )
      // What is left here is removed with the orphans.
      return Effect.ignore(found)
    })
  }

  private removeAll(files: ReadonlyArray<OwnFile>): Effect.Effect<void, DiskError> {
    const { disk, manifest } = this.parts
    return Effect.forEach(
      files,
      ({ name }) =>
        Effect.map(disk.remove(disk.join(manifest.directory, name)), () => {
          this.removals += 1
        }),
      { discard: true }
    )
  }

  /** In the place of the one there is. True if it is whole. One at a time, as `remove`. */
  make(bytes: number): Effect.Effect<boolean, DiskError> {
    return Effect.flatMap(this.remove, (isGone) =>
      isGone
        ? Effect.acquireUseRelease(
            this.create,
            (file) => this.fill(file, bytes),
            (file) =>
              Effect.andThen(
                Effect.ignore(file.close),
                Effect.suspend(() => (this.bytes < bytes ? this.remove : Effect.void))
              )
          )
        : Effect.succeed(false)
    )
  }

  /** True if there is none afterwards. */
  readonly remove: Effect.Effect<boolean> = Effect.suspend(() => {
    const { disk, manifest, stuck } = this.parts
    const { number } = this
    if (number === undefined) return Effect.succeed(true)
    const path = disk.join(manifest.directory, ballastFileName(number))
    const removal = Effect.catch(disk.remove(path), (error) =>
      error.code === "ENOENT" ? Effect.void : Effect.fail(error)
    )
    const noted = Effect.matchEffect(removal, {
      onFailure: stuck,
      onSuccess: () =>
        Effect.sync(() => {
          this.number = undefined
          this.bytes = 0
          this.removals += 1
        })
    })
    return Effect.map(manifest.ifSound(noted), () => this.number === undefined)
  })

  private readonly create: Effect.Effect<AppendFile, DiskError> = Effect.suspend(() => {
    const { disk, manifest } = this.parts
    const number = manifest.allocateFileNumber()
    this.number = number
    return Effect.tapError(disk.create(disk.join(manifest.directory, ballastFileName(number))), () =>
      Effect.sync(() => {
        this.number = undefined
      })
    )
  })

  private readonly fill = Effect.fnUntraced(
    { self: this as BallastFile },
    function* (this: BallastFile, file: AppendFile, bytes: number) {
      const random = new SeededRandom(yield* Random.nextIntBetween(0, 2 ** 32))
      const words = new Uint32Array(sliceBytes / 4)
      while (this.bytes < bytes && !this.parts.isUnwanted()) {
        const slice = new Uint8Array(words.buffer, 0, Math.min(sliceBytes, bytes - this.bytes))
        for (let at = 0; at * 4 < slice.length; at++) words[at] = random.next32()
        yield* file.append([slice])
        yield* file.sync
        this.bytes += slice.length
        yield* Effect.yieldNow
      }
      return this.bytes === bytes
    }
  )
}
