import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { Layout } from "../../../src/internal/format/storedBlock.ts"
import * as MemoryDisk from "../../../src/layers/MemoryDisk.ts"
import { DatabaseError } from "../../../src/services/DatabaseError.ts"
import type { DiskService } from "../../../src/services/Disk.ts"
import type { TableMeta } from "../../../src/services/Manifest.ts"
import type { OptionsInput } from "../../../src/services/Options.ts"
import * as memoryManifest from "../../support/memoryManifest.ts"
import { readAll } from "../format/entries.ts"
import {
  entriesOf,
  footerOf,
  inMemory,
  numbered,
  openTables,
  reasonOf,
  reseal,
  simulated,
  tablesOn,
  writeEntries,
  openTable
} from "../../support/tables.ts"

describe("tableReader", () => {
  const opened = Effect.fnUntraced(function* (options: OptionsInput, disk?: DiskService) {
    const parts = { disk: disk ?? (yield* inMemory), manifest: memoryManifest.make("/db"), options }
    const { cache, tables } = yield* openTables(parts)
    const table = yield* openTable(tables, yield* writeEntries(tables, numbered(2000)))
    const { blockCount } = yield* table.open
    return { cache, tables, table, blockCount }
  })

  it.live("a loaded block is a hit without a search until it is evicted", () =>
    Effect.gen(function* () {
      const { cache, table } = yield* opened({})
      assert.isUndefined(table.blockUnsafe(3))
      const block = yield* table.load(3, true)
      assert.strictEqual(table.blockUnsafe(3), block)
      assert.strictEqual(yield* table.load(3, true), block)
      assert.strictEqual(table.loadUnsafe(3, true), block)
      assert.deepInclude(cache.stats(), { hits: 3, misses: 1 })
    }).pipe(Effect.scoped)
  )

  it.live("a block that is looked at once is lent when the cache is full, and kept when it is missed again", () =>
    Effect.gen(function* () {
      const { blockCount, cache, table } = yield* opened({ cacheBytes: 60_000 })
      // In half a table's blocks the cache is full.
      for (let ordinal = 0; ordinal < blockCount; ordinal++) table.loadUnsafe(ordinal, true)
      const { bytes } = cache.stats()
      const gone = Array.from({ length: blockCount }, (_, ordinal) => ordinal).filter(
        (ordinal) => table.blockUnsafe(ordinal) === undefined
      )
      const [first, second] = [gone[0]!, gone[1]!]
      const lent = table.lendUnsafe(first)!
      assert.isTrue(lent.isLent)
      const entries = readAll(lent)
      assert.isUndefined(table.blockUnsafe(first))
      assert.strictEqual(cache.stats().bytes, bytes)
      assert.isTrue(table.lendUnsafe(second)!.isLent)
      const kept = table.lendUnsafe(first)!
      assert.isFalse(kept.isLent)
      assert.deepStrictEqual(readAll(kept), entries)
      assert.strictEqual(table.blockUnsafe(first), kept)
      assert.strictEqual(table.lendUnsafe(first), kept)
    }).pipe(Effect.scoped)
  )

  it.live("a block that is looked at once is kept while there is room", () =>
    Effect.gen(function* () {
      const { table } = yield* opened({})
      const block = table.lendUnsafe(0)!
      assert.isFalse(block.isLent)
      assert.strictEqual(table.blockUnsafe(0), block)
    }).pipe(Effect.scoped)
  )

  it.live("a scan that does not fill the cache leaves nothing in it", () =>
    Effect.gen(function* () {
      const { cache, table } = yield* opened({})
      const { bytes } = cache.stats()
      yield* table.load(0, false)
      table.loadUnsafe(1, false)
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
      const { blockCount, cache, table } = yield* opened({ cacheBytes: 40_000 })
      for (let round = 0; round < 3; round++) assert.deepStrictEqual(yield* entriesOf(table), numbered(2000))
      const { budget, bytes, evictions } = cache.stats()
      assert.isAtMost(bytes, budget)
      assert.isAbove(evictions, 10)
      const kept = Array.from({ length: blockCount }, (_, ordinal) => table.blockUnsafe(ordinal) !== undefined)
      assert.isAbove(kept.filter(Boolean).length, 3)
      assert.isBelow(kept.filter(Boolean).length, blockCount)
    }).pipe(Effect.scoped)
  )

  it.live("loads of one block at the same time share one read, also when the first is interrupted", () =>
    Effect.gen(function* () {
      const sim = yield* simulated()
      const { table } = yield* opened({}, sim.disk)
      assert.isUndefined(table.loadUnsafe(2, false))
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

  it.live("a block that is loaded in two ways at the same time is kept once", () =>
    Effect.gen(function* () {
      const sim = yield* simulated({ synchronousReads: true })
      const { cache, table } = yield* opened({}, sim.disk)
      const { bytes } = cache.stats()
      const later = yield* Effect.forkChild(table.load(2, true), { startImmediately: true })
      const block = table.loadUnsafe(2, true)!
      const kept = cache.stats().bytes - bytes
      assert.isAbove(kept, block.bytes.length)
      yield* Fiber.join(later)
      assert.strictEqual(cache.stats().bytes - bytes, kept)
      assert.isTrue(table.blockUnsafe(2) === block)
    }).pipe(Effect.scoped)
  )

  it.live("a block that is hit between other loads stays, and those that are not go", () =>
    Effect.gen(function* () {
      const { blockCount, cache, table } = yield* opened({ cacheBytes: 30_000 })
      for (let ordinal = 0; ordinal < blockCount; ordinal++) {
        yield* table.load(ordinal, true)
        assert.isDefined(table.blockUnsafe(0))
      }
      assert.isAbove(cache.stats().evictions, 5)
      assert.isUndefined(table.blockUnsafe(1))
    }).pipe(Effect.scoped)
  )

  it.live("a block that does not end as the index says is Corruption", () =>
    Effect.gen(function* () {
      const { disk, image } = MemoryDisk.make()
      yield* disk.makeDirectory("/db")
      const manifest = memoryManifest.make("/db")
      const meta = yield* writeEntries(yield* tablesOn(disk, manifest), numbered(300))
      const [file, bytes] = [...image()][0]!
      const damaged = MemoryDisk.fromImage(new Map([[file, withOtherIndex(bytes, meta)]]))
      const tables = yield* tablesOn(damaged.disk, manifest)
      const table = yield* openTable(tables, meta)
      const reason = yield* reasonOf(table.load(0, true))
      assert.deepInclude(reason, { _tag: "Corruption", file, offset: 96 })
      assert.match(reason.message, /does not end with the key/)
      yield* table.load(1, true)
      assert.lengthOf((yield* tables.verify(meta)).damage, 1)
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
      assert.throws(() => table.loadUnsafe(0, true), DatabaseError, /^Closed/)
      assert.strictEqual((yield* reasonOf(openTable(tables, { ...table.meta, number: 1 })))._tag, "Closed")
    })
  )
})

/** The table with a sound index in which the last key of the first block is one higher. */
const withOtherIndex = (bytes: Uint8Array, meta: TableMeta): Uint8Array => {
  const { index } = footerOf(bytes)
  return reseal(bytes, { meta, layout: Layout.index, offset: index.offset, length: index.bytes }, (plain) => {
    // count: u32, then of the first block length: u32, keyLength: u8, key.
    plain[4 + 4 + plain[8]!]! += 1
  })
}
