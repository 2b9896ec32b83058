// Range removals over everything that moves data: the log, flushes, tables, crashes.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as MemoryDisk from "../src/layers/MemoryDisk.ts"
import * as SimDisk from "../src/layers/SimDisk.ts"
import type { DatabaseService, Operation, Range } from "../src/services/Database.ts"
import { smallOptions, visibleImage } from "./support/opened.ts"
import {
  type Body,
  closedAfter,
  contentsAfter,
  cuttingDisk,
  distinct,
  numbered,
  pathsOf,
  simulate,
  stateOf,
  textOf,
  using
} from "./support/scenario.ts"

const set = (key: string, value: string): Operation => ({ type: "set", key, value })

const scan = (database: DatabaseService, range: Range) =>
  Effect.map(Stream.runCollect(database.scan(range)), (entries) =>
    Array.from(entries, ({ key, value }) => `${textOf(key)}=${textOf(value)}`)
  )

describe("range removals", () => {
  it("a range tombstone that forgets duplicates", () => {
    // Versions of each key on both sides of the removal, in memtables and in tables of their own.
    for (const flushed of [0, 1, 2, 4, 7]) {
      const at = (step: number) => (flushed & step) > 0
      const body: Body<void> = ({ database, maintenance }) =>
        Effect.gen(function* () {
          const keys = ["a", "b", "b\u0000", "c", "d"]
          for (let version = 1; version <= 3; version++) {
            for (const key of keys) yield* database.set(key, `${version}`)
            yield* database.snapshot
            if (at(1)) yield* maintenance.flush
          }
          yield* database.removeRange({ from: "b", to: "d" })
          if (at(2)) yield* maintenance.flush
          assert.deepStrictEqual(yield* scan(database, {}), ["a=3", "d=3"])
          assert.deepStrictEqual(yield* scan(database, { from: "b", reverse: true }), ["d=3"])
          yield* database.write([set("b\u0000", "4"), set("d", "4")])
          if (at(4)) yield* maintenance.flush
          assert.deepStrictEqual(yield* scan(database, { reverse: true }), ["d=4", "b\u0000=4", "a=3"])
          assert.isUndefined(yield* database.get("b"))
          assert.strictEqual(textOf(yield* database.get("b\u0000")), "4")
        })
      const image = closedAfter(body)
      assert.deepStrictEqual(contentsAfter(image), { a: "3", "b\u0000": "4", d: "4" })
    }
  })

  it("of a killed process are replayed in the order of their commits", () => {
    const device = SimDisk.make()
    const image = simulate(
      using(device, ({ database }) =>
        Effect.gen(function* () {
          yield* database.write([set("a", "1"), set("b", "1"), set("c", "1")])
          yield* database.removeRange({ from: "b" })
          yield* database.set("c", "2")
          yield* database.write([set("a", "2"), { type: "removeRange", prefix: "a" }, set("d", "1")])
          yield* database.transaction((tx) => Effect.andThen(tx.removeRange({ from: "d" }), tx.set("d", "2")))
          return visibleImage(device)
        })
      )
    )
    assert.deepStrictEqual(contentsAfter(image), { c: "2", d: "2" })
  })

  it("alone become a table, which hides what older ones hold, at every moment", () => {
    const image = closedAfter(({ database, maintenance }) =>
      Effect.gen(function* () {
        for (const key of numbered(20)) yield* database.set(key, "v")
        yield* maintenance.flush
        const before = yield* database.snapshot
        yield* database.removeRange({ from: "key005", to: "key015" })
        const { entries, removals } = yield* maintenance.stats
        yield* maintenance.flush
        const after = yield* maintenance.stats
        assert.deepStrictEqual([after.entries - entries, after.removals - removals], [1, 1])
        assert.strictEqual(yield* database.count(), 10)
        assert.strictEqual(yield* before.count(), 20)
        assert.strictEqual(textOf(yield* before.get("key010")), "v")
        assert.isUndefined(yield* database.get("key010"))
        assert.deepStrictEqual((yield* maintenance.verify).damage, [])
      })
    )
    const expected = numbered(20).filter((key) => key < "key005" || key >= "key015")
    assert.deepStrictEqual(Object.keys(contentsAfter(image)), expected)
  })

  it("and sets around them survive a power cut as a prefix of the commits", () => {
    const { cuts, device, state } = cuttingDisk()
    const states: Array<string> = ["{}"]
    simulate(
      using(device, ({ database, maintenance }) =>
        Effect.gen(function* () {
          const step = (write: Effect.Effect<unknown, unknown>) =>
            Effect.flatMap(Effect.orDie(write), () =>
              Effect.map(stateOf(database), (now) => {
                states.push(JSON.stringify(now))
                state.promised = states.length - 1
              })
            )
          for (let round = 0; round < 3; round++) {
            yield* step(database.write(numbered(8).map((key) => set(key, `${round}`.repeat(40)))))
            yield* step(database.removeRange({ from: `key00${round}`, to: "key006" }))
            if (round === 1) yield* maintenance.flush
            yield* step(database.set("key004", "x"))
          }
        })
      )
    )
    for (const { image, promised, where } of distinct(cuts).filter((_, index) => index % 7 === 0)) {
      const found = states.lastIndexOf(JSON.stringify(contentsAfter(image)))
      assert.isAtLeast(found, promised, where)
    }
  })

  it("over many keys cost a scan of them next to nothing, in whatever tables these lie", () => {
    const count = 20_000
    const keys = Array.from({ length: count }, (_, index) => `k${index + 100_000}`)
    const disk = MemoryDisk.make()
    const options = { ...smallOptions, arenaBytes: 1024 * 1024, transactionBytesMax: 1024 * 1024, cacheBytes: 1 << 24 }
    simulate(
      using(
        disk,
        ({ database, maintenance }) =>
          Effect.gen(function* () {
            for (let from = 0; from < count; from += 5000) {
              yield* database.write(keys.slice(from, from + 5000).map((key) => set(key, "value")))
              yield* maintenance.flush
            }
            yield* database.set("z", "last")
            yield* database.removeRange({ prefix: "k" })
            const before = (yield* maintenance.stats).counters
            for (const reverse of [false, true]) {
              assert.deepStrictEqual(yield* scan(database, { reverse }), ["z=last"])
              assert.deepStrictEqual(yield* scan(database, { prefix: "k", reverse }), [])
              assert.deepStrictEqual(yield* scan(database, { prefix: "k10000", reverse, limit: 5 }), [])
            }
            const after = (yield* maintenance.stats).counters
            const blocks = after.cacheHits + after.cacheMisses - before.cacheHits - before.cacheMisses
            // Six scans of four tables of hundreds of blocks each.
            assert.isBelow(blocks, 60)
          }),
        options
      )
    )
    assert.isAbove(pathsOf(disk.image(), "table").length, 3)
  })
})
