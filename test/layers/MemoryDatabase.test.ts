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

describe("a random plan agrees with the model", () => {
  for (const [name, options] of extremes) {
    it.effect(`with ${name}`, () =>
      Effect.forEach(
        [1, 2, 3, 4, 5, 6],
        (seed) =>
          runPlan({ seed, steps: 150, longest: 700, open: opener(options) }).pipe(
            Effect.catchCause((cause) => Effect.die(new Error(`seed ${seed}`, { cause })))
          ),
        { discard: true }
      )
    )
  }
})
