// Stores the demo's files, batch by batch: one batch in memory at a time, and of a long file a piece.
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import { Database, type Operation, type WriteOptions } from "../../services/Database.ts"
import { onFile } from "../failure.ts"
import * as Files from "../files.ts"
import { type FileBatch, isLong, type Source, type SourceFile } from "./source.ts"

export const readSource = Effect.fnUntraced(function* (source: Source, { path }: SourceFile) {
  const files = yield* FileSystem.FileSystem
  const paths = yield* Path.Path
  return yield* onFile(path)(files.readFile(paths.join(source.root, path)))
})

const storeLong = Effect.fnUntraced(function* (source: Source, { path }: SourceFile, options: WriteOptions) {
  const database = yield* Database
  const paths = yield* Path.Path
  yield* onFile(path)(database.setStream(path, Files.pieces(paths.join(source.root, path)), options))
})

// Every so many batches one waits for the disk; what the others promise, surviving a killed process, is what is tested.
const batchesPerSync = 8

const storeBatch = Effect.fnUntraced(function* (source: Source, batch: FileBatch, number: number) {
  const options: WriteOptions = { durability: number % batchesPerSync === 0 ? "disk" : "os" }
  const first = source.files[batch.start]!
  if (isLong(first)) return yield* storeLong(source, first, options)
  const database = yield* Database
  const operations: Array<Operation> = []
  for (const file of source.files.slice(batch.start, batch.end)) {
    operations.push({ type: "set", key: file.path, value: yield* readSource(source, file) })
  }
  yield* database.write(operations, options)
})

/** Stores the batches from a number on; `acknowledged` is told after each how many there are now. */
export const storeFrom = Effect.fnUntraced(function* <E, R>(
  source: Source,
  first: number,
  acknowledged: (batches: number) => Effect.Effect<void, E, R>
) {
  for (let number = first; number < source.batches.length; number += 1) {
    yield* storeBatch(source, source.batches[number]!, number)
    yield* acknowledged(number + 1)
  }
  const database = yield* Database
  yield* database.sync
})
