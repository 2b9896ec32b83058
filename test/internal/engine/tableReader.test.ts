import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { DatabaseError } from "../../../src/services/DatabaseError.ts"
import type { DiskService } from "../../../src/services/Disk.ts"
import type { OptionsInput } from "../../../src/services/Options.ts"
import * as memoryManifest from "../../support/memoryManifest.ts"
import { entriesOf, inMemory, numbered, openTables, reasonOf, simulated, writeEntries } from "../../support/tables.ts"

describe("tableReader", () => {
  const opened = Effect.fnUntraced(function* (options: OptionsInput, disk?: DiskService) {
    const parts = { disk: disk ?? (yield* inMemory), manifest: memoryManifest.make("/db"), options }
    const { cache, tables } = yield* openTables(parts)
    return { cache, tables, table: yield* tables.open(yield* writeEntries(tables, numbered(2000))) }
  })

  it.live("a loaded block is a hit without a search until it is evicted", () =>
    Effect.gen(function* () {
      const { cache, table } = yield* opened({})
      assert.isUndefined(table.blockUnsafe(3))
      const block = yield* table.load(3, true)
      assert.strictEqual(table.blockUnsafe(3), block)
      assert.strictEqual(yield* table.load(3, true), block)
      assert.strictEqual(table.loadUnsafe!(3, true), block)
      assert.deepInclude(cache.stats(), { hits: 3, misses: 1 })
    }).pipe(Effect.scoped)
  )

  it.live("a scan that does not fill the cache leaves nothing in it", () =>
    Effect.gen(function* () {
      const { cache, table } = yield* opened({})
      const { bytes } = cache.stats()
      yield* table.load(0, false)
      table.loadUnsafe!(1, false)
      assert.isUndefined(table.blockUnsafe(0))
      assert.isUndefined(table.blockUnsafe(1))
      assert.strictEqual(cache.stats().bytes, bytes)
    }).pipe(Effect.scoped)
  )

  it.live("works with no room for a single block", () =>
    Effect.gen(function* () {
      const { cache, table } = yield* opened({ cacheBytes: 0 })
      assert.deepStrictEqual(yield* entriesOf(table), numbered(2000))
      assert.isUndefined(table.blockUnsafe(0))
      assert.isAbove(cache.stats().bytes, 2000)
    }).pipe(Effect.scoped)
  )

  it.live("a small budget keeps some blocks, and what was evicted is read again", () =>
    Effect.gen(function* () {
      const { cache, table } = yield* opened({ cacheBytes: 40_000 })
      for (let round = 0; round < 3; round++) assert.deepStrictEqual(yield* entriesOf(table), numbered(2000))
      const { budget, bytes, evictions } = cache.stats()
      assert.isAtMost(bytes, budget)
      assert.isAbove(evictions, 10)
      const kept = Array.from({ length: table.blockCount }, (_, ordinal) => table.blockUnsafe(ordinal) !== undefined)
      assert.isAbove(kept.filter(Boolean).length, 3)
      assert.isBelow(kept.filter(Boolean).length, table.blockCount)
    }).pipe(Effect.scoped)
  )

  it.live("loads of one block at the same time share one read, also when the first is interrupted", () =>
    Effect.gen(function* () {
      const sim = yield* simulated()
      const { table } = yield* opened({}, sim.disk)
      assert.isUndefined(table.loadUnsafe)
      const before = sim.log.length
      const first = yield* Effect.forkChild(table.load(2, false), { startImmediately: true })
      const others = yield* Effect.forEach([false, true, false], (fillCache) =>
        Effect.forkChild(table.load(2, fillCache), { startImmediately: true })
      )
      yield* Fiber.interrupt(first)
      const blocks = yield* Effect.forEach(others, (fiber) => Fiber.join(fiber))
      assert.strictEqual(new Set(blocks).size, 1)
      assert.lengthOf(sim.log.slice(before), 1)
      // One of them wanted it kept.
      assert.strictEqual(table.blockUnsafe(2), blocks[0])
    }).pipe(Effect.scoped)
  )

  it.live("everything is given back when the layer's scope closes", () =>
    Effect.gen(function* () {
      const sim = yield* simulated({ synchronousReads: true })
      const scope = yield* Scope.make()
      const { cache, table, tables } = yield* Scope.provide(opened({}, sim.disk), scope)
      yield* table.load(0, true)
      assert.isAbove(cache.stats().bytes, 4096)
      assert.lengthOf(sim.openHandles(), 1)
      const loading = yield* Effect.forkChild(Effect.exit(table.load(1, true)), { startImmediately: true })
      yield* Scope.close(scope, Exit.void)
      yield* Fiber.await(loading)
      assert.lengthOf(sim.openHandles(), 0)
      assert.strictEqual(cache.stats().bytes, 0)
      assert.isUndefined(table.blockUnsafe(0))
      assert.strictEqual((yield* reasonOf(table.load(0, true)))._tag, "Closed")
      assert.throws(() => table.loadUnsafe!(0, true), DatabaseError)
      assert.strictEqual((yield* reasonOf(tables.open({ ...table.meta, number: 1 })))._tag, "Closed")
    })
  )
})
