import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as SieveBlockCache from "../../src/layers/SieveBlockCache.ts"
import { BlockCache } from "../../src/services/BlockCache.ts"
import * as Options from "../../src/services/Options.ts"
import { blockCacheSuite } from "../suites/blockCacheSuite.ts"

blockCacheSuite("SieveBlockCache", SieveBlockCache.make)

describe("SieveBlockCache", () => {
  it.effect("has the budget of the options", () =>
    Effect.gen(function* () {
      const cache = yield* BlockCache
      assert.strictEqual(cache.stats().budget, 123)
    }).pipe(
      Effect.provide(
        Layer.provide(SieveBlockCache.layer, Layer.succeed(Options.Options, { ...Options.defaults, cacheBytes: 123 }))
      )
    )
  )
})
