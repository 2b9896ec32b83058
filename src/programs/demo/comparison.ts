// One file of the demo and its value in the database, byte by byte.
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import type * as PlatformError from "effect/PlatformError"
import * as Stream from "effect/Stream"
import { compareBytes } from "../../internal/format/compare.ts"
import { Database } from "../../services/Database.ts"
import { onFile } from "../failure.ts"
import { pieceBytes } from "../files.ts"
import { isLong, type Source, type SourceFile } from "./source.ts"
import { readSource } from "./store.ts"

export interface Compared {
  readonly isEqual: boolean
  /** Of the value. */
  readonly bytes: number
  /** That the database took, without the reading of the file and the comparing. */
  readonly nanos: number
}

const equal = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && compareBytes(a, 0, a.length, b, 0, b.length) === 0

/** Holds a file against bytes that come in pieces of any lengths. */
class FileComparison {
  bytes = 0
  isEqual = true
  readonly #file: FileSystem.File
  readonly #buffer = new Uint8Array(pieceBytes)

  constructor(file: FileSystem.File) {
    this.#file = file
  }

  /** The file is to go on with this piece. */
  feed(piece: Uint8Array): Effect.Effect<void, PlatformError.PlatformError> {
    this.bytes += piece.length
    return this.#compare(piece)
  }

  /** The file is to have nothing left. */
  readonly end: Effect.Effect<void, PlatformError.PlatformError> = Effect.suspend(() =>
    Effect.map(this.#file.read(this.#buffer), (bytes) => {
      if (bytes > 0) this.isEqual = false
    })
  )

  #compare(piece: Uint8Array): Effect.Effect<void, PlatformError.PlatformError> {
    if (piece.length === 0 || !this.isEqual) return Effect.void
    return Effect.flatMap(this.#file.read(this.#buffer.subarray(0, piece.length)), (bytes) => {
      this.isEqual = bytes > 0 && equal(piece.subarray(0, bytes), this.#buffer.subarray(0, bytes))
      return this.#compare(piece.subarray(bytes))
    })
  }
}

const compareWhole = Effect.fnUntraced(function* (source: Source, file: SourceFile) {
  const database = yield* Database
  const clock = yield* Clock.Clock
  const start = clock.monotonicTimeNanosUnsafe()
  const value = yield* database.get(file.path)
  const nanos = Number(clock.monotonicTimeNanosUnsafe() - start)
  const isEqual = value !== undefined && equal(value, yield* readSource(source, file))
  return { isEqual, bytes: value?.length ?? 0, nanos } satisfies Compared
})

const compareLong = Effect.fnUntraced(function* (source: Source, { path }: SourceFile) {
  const database = yield* Database
  const clock = yield* Clock.Clock
  const files = yield* FileSystem.FileSystem
  const paths = yield* Path.Path
  const comparison = new FileComparison(yield* files.open(paths.join(source.root, path)))
  let nanos = 0
  let since = clock.monotonicTimeNanosUnsafe()
  const stop = () => {
    nanos += Number(clock.monotonicTimeNanosUnsafe() - since)
  }
  const goOn = () => {
    since = clock.monotonicTimeNanosUnsafe()
  }
  const value = yield* database.getStream(path)
  yield* Stream.runForEach(value ?? Stream.empty, (piece) => {
    stop()
    return Effect.map(comparison.feed(piece), goOn)
  })
  stop()
  yield* comparison.end
  return { isEqual: value !== undefined && comparison.isEqual, bytes: comparison.bytes, nanos } satisfies Compared
}, Effect.scoped)

/** A long one piece by piece, so that neither the file nor the value is in memory as a whole. */
export const compare = (source: Source, file: SourceFile) =>
  onFile(file.path)(isLong(file) ? compareLong(source, file) : compareWhole(source, file))
