import { describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import * as LsmDatabase from "../../src/layers/LsmDatabase.ts"
import * as MemoryDatabase from "../../src/layers/MemoryDatabase.ts"
import * as MemoryDisk from "../../src/layers/MemoryDisk.ts"
import * as NoEncryption from "../../src/layers/NoEncryption.ts"
import { Database } from "../../src/services/Database.ts"
import { Maintenance } from "../../src/services/Maintenance.ts"
import type { OptionsInput } from "../../src/services/Options.ts"
import { databaseSuite } from "../suites/databaseSuite.ts"
import { runPlan } from "../support/databasePlan.ts"
import { tinyValues } from "../support/valueKit.ts"

databaseSuite("MemoryDatabase", () => MemoryDatabase.layer())

/** Opens the database of one memory disk again and again. */
const opener = (options: OptionsInput) => {
  const { layer } = MemoryDisk.make()
  const database = LsmDatabase.layerWith({ ...options, directory: "/db" }).pipe(
    Layer.provide([layer, NoEncryption.layer])
  )
  return Effect.map(Layer.build(Layer.fresh(database)), (context) => ({
    database: Context.get(context, Database),
    maintenance: Context.get(context, Maintenance)
  }))
}

const extremes: ReadonlyArray<readonly [string, OptionsInput]> = [
  ["the defaults", {}],
  ["tiny arenas", { arenaBytes: 4096, arenaCount: 2 }],
  ["tiny blocks and no cache", { arenaBytes: 4096, blockBytes: 64, indexBytesMax: 64, cacheBytes: 0 }],
  ["no filters, large blocks", { arenaBytes: 8192, blockBytes: 32768, filterBitsPerKey: 0 }],
  ["a tiny cache", { arenaBytes: 4096, blockBytes: 128, indexBytesMax: 200, cacheBytes: 1024, openFilesMax: 8 }],
  ["few sequences, one commit at a time", { arenaBytes: 4096, sequencesReserved: 16, commitsPendingMax: 1 }],
  ["always flushed at close, a tiny manifest", { arenaBytes: 4096, flushOnCloseBytesMin: 0, manifestBytesMax: 256 }]
]

/** Every threshold is crossed, by values that are longer than a memtable too. */
const withValueFiles: ReadonlyArray<readonly [string, OptionsInput]> = [
  ["the thresholds of value files", {}],
  ["values of 17 bytes in files of a few", { valueThreshold: 16, directValueBytesMin: 1024, valueFileBytesMax: 1024 }],
  [
    "values of 64 bytes in files of their own",
    { valueThreshold: 16, directValueBytesMin: 64, valueFileBytesMax: 1024 }
  ],
  ["every value in a file", { valueThreshold: 0, directValueBytesMin: 1, valueFileBytesMax: 64 }],
  ["every value in a large file, after a flush", { valueThreshold: 0, directValueBytesMin: 4096 }],
  ["value files, and eight files open", { ...tinyValues, openFilesMax: 8, cacheBytes: 0 }],
  ["value files in tiny memtables", { ...tinyValues, arenaBytes: 1024, arenaCount: 2 }]
]

describe("a random plan agrees with the model", () => {
  const plans = [
    ...extremes.map(([name, options]) => ({ name, options, longest: 700 })),
    ...withValueFiles.map(([name, options]) => {
      const small = { arenaBytes: 4096, valueBytesMax: 8192, ...options }
      return { name, options: small, longest: "values" as const }
    })
  ]
  for (const { longest, name, options } of plans) {
    it.effect(`with ${name}`, () =>
      Effect.forEach(
        [1, 2, 3, 4, 5, 6],
        (seed) =>
          runPlan({ seed, steps: 150, longest, open: opener(options) }).pipe(
            Effect.catchCause((cause) => Effect.die(new Error(`seed ${seed}`, { cause })))
          ),
        { discard: true }
      )
    )
  }
})
