// Stores the demo's files, batch by batch: one batch in memory at a time.
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import { Database, type Operation } from "../../services/Database.ts"
import { onFile } from "../failure.ts"
import type { FileBatch, Source } from "./source.ts"

export const readSource = Effect.fnUntraced(function* (source: Source, index: number) {
  const files = yield* FileSystem.FileSystem
  const paths = yield* Path.Path
  const { path } = source.files[index]!
  return yield* onFile(path)(files.readFile(paths.join(source.root, path)))
})

// Every so many batches one waits for the disk; what the others promise, surviving a killed process, is what is tested.
const batchesPerSync = 8

const storeBatch = Effect.fnUntraced(function* (source: Source, batch: FileBatch, number: number) {
  const database = yield* Database
  const operations: Array<Operation> = []
  for (let index = batch.start; index < batch.end; index += 1) {
    const value = yield* readSource(source, index)
    operations.push({ type: "set", key: source.files[index]!.path, value })
  }
  yield* database.write(operations, { durability: number % batchesPerSync === 0 ? "disk" : "os" })
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
