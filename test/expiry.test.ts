// `ttlMillis`, `expiresAt` and `userMeta` over time: flushes, openings and a clock that is set back.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SimClock } from "../src/layers/SimClock.ts"
import * as SimDisk from "../src/layers/SimDisk.ts"
import type { DatabaseService, Reader } from "../src/services/Database.ts"
import { contentsOf, smallOptions } from "./support/opened.ts"
import { simulate, stateOf, using } from "./support/scenario.ts"

const start = 1_800_000_000_000
const tenYears = 10 * 365 * 86_400_000

/** One disk and one clock, and the database opened on them again and again. */
const world = () => {
  const [device, clock] = [SimDisk.make(), new SimClock(start)]
  const session = <A>(body: Parameters<typeof using<A>>[1], options = smallOptions): A =>
    simulate(using(device, body, options), { clock })
  return { clock, device, session }
}

/** Every way of reading agrees on what is there. */
const keysOf = Effect.fnUntraced(function* (reader: Reader, keys: ReadonlyArray<string>) {
  const there = []
  for (const key of keys) if ((yield* reader.get(key)) !== undefined) there.push(key)
  const many = yield* reader.getMany(keys)
  assert.deepStrictEqual(
    keys.filter((_, index) => many[index] !== undefined),
    there
  )
  assert.strictEqual(yield* reader.count(), there.length)
  for (const key of keys) assert.strictEqual(yield* reader.has(key), there.includes(key))
  return there
})

const state = (database: DatabaseService) => keysOf(database, ["for ever", "long", "short"])

const fill = (database: DatabaseService) =>
  Effect.gen(function* () {
    yield* database.set("short", "1", { ttlMillis: 1000, userMeta: 7 })
    yield* database.set("long", "1", { expiresAt: start + 10_000_000, userMeta: 255 })
    yield* database.set("for ever", "1", { userMeta: 1 })
  })

describe("expiry", () => {
  it("ends when its time comes, in memory", () => {
    const { clock, session } = world()
    session(({ database }) =>
      Effect.gen(function* () {
        yield* fill(database)
        clock.jump(999)
        assert.deepStrictEqual(yield* state(database), ["for ever", "long", "short"])
        clock.jump(1)
        assert.deepStrictEqual(yield* state(database), ["for ever", "long"])
        clock.jump(tenYears)
        assert.deepStrictEqual(yield* state(database), ["for ever"])
      })
    )
  })

  for (const flushes of [false, true]) {
    const where = flushes ? "from tables" : "from the log"
    it(`is honoured when the database is opened again (${where})`, () => {
      const { clock, session } = world()
      const options = flushes ? smallOptions : { ...smallOptions, flushOnCloseBytesMin: 1024 * 1024 }
      session(
        ({ database, maintenance }) => Effect.andThen(fill(database), flushes ? maintenance.flush : Effect.void),
        options
      )
      const found = session(({ database }) => contentsOf(database), options)
      const values = found.map(({ expiresAt, userMeta }) => [expiresAt, userMeta])
      assert.deepStrictEqual(values, [
        [undefined, 1],
        [start + 10_000_000, 255],
        [found[2]!.expiresAt, 7]
      ])
      assert.closeTo(found[2]!.expiresAt!, start + 1000, 100)
      clock.jump(2000)
      assert.deepStrictEqual(
        session(({ database }) => state(database), options),
        ["for ever", "long"]
      )
      clock.jump(20_000_000)
      assert.deepStrictEqual(
        session(({ database }) => state(database), options),
        ["for ever"]
      )
    })
  }

  it("an expired version hides the older ones, and a later set is there again", () => {
    const { clock, session } = world()
    session(({ database, maintenance }) =>
      Effect.gen(function* () {
        yield* database.set("a", "old")
        yield* maintenance.flush
        yield* database.set("a", "new", { ttlMillis: 1000 })
        yield* maintenance.flush
        clock.jump(5000)
        assert.deepStrictEqual(yield* stateOf(database), {})
        yield* maintenance.flush
      })
    )
    assert.deepStrictEqual(
      session(({ database }) => stateOf(database)),
      {}
    )
    session(({ database }) => database.set("a", "again"))
    assert.deepStrictEqual(
      session(({ database }) => stateOf(database)),
      { a: "again" }
    )
  })

  it("a snapshot and a transaction keep the time of their beginning", () => {
    const { clock, session } = world()
    session(({ database, maintenance }) =>
      Effect.gen(function* () {
        yield* fill(database)
        const [snapshot, transaction] = [yield* database.snapshot, yield* database.begin()]
        clock.jump(tenYears)
        yield* database.set("other", "1")
        yield* maintenance.flush
        assert.deepStrictEqual(yield* keysOf(snapshot, ["for ever", "long", "short"]), ["for ever", "long", "short"])
        assert.deepStrictEqual(yield* keysOf(transaction, ["for ever", "long", "short"]), ["for ever", "long", "short"])
        assert.deepStrictEqual(Object.keys(yield* stateOf(database)), ["for ever", "other"])
      })
    )
  })

  for (const flushes of [false, true]) {
    it(`what is expired stays so when the clock is set back ten years (${flushes ? "flushed" : "in the log"})`, () => {
      const { clock, session } = world()
      const options = flushes ? smallOptions : { ...smallOptions, flushOnCloseBytesMin: 1024 * 1024 }
      const first = session(
        ({ database, maintenance }) =>
          Effect.gen(function* () {
            yield* fill(database)
            clock.jump(5000)
            const commit = yield* database.write([{ type: "set", key: "other", value: "1" }])
            if (flushes) yield* maintenance.flush
            clock.jump(-tenYears)
            assert.deepStrictEqual(Object.keys(yield* stateOf(database)), ["for ever", "long", "other"], "while open")
            return commit
          }),
        options
      )
      session(
        ({ database }) =>
          Effect.gen(function* () {
            assert.deepStrictEqual(Object.keys(yield* stateOf(database)), ["for ever", "long", "other"], "opened again")
            const commit = yield* database.write([{ type: "set", key: "later", value: "1", ttlMillis: 1000 }])
            assert.isAtLeast(commit.commitMillis, first.commitMillis, "commit times do not go back")
            assert.isAbove(commit.sequence, first.sequence)
            assert.deepStrictEqual(Object.keys(yield* stateOf(database)), ["for ever", "later", "long", "other"])
          }),
        options
      )
    })
  }

  it("the clock orders nothing: jumps either way change neither sequences nor durability", () => {
    const { clock, device, session } = world()
    const jumps = [tenYears, -tenYears, 86_400_000, -86_400_000, -3, 5]
    session(({ database }) =>
      Effect.gen(function* () {
        let last = 0
        for (const [index, millis] of jumps.entries()) {
          clock.jump(millis)
          const { sequence } = yield* database.write([{ type: "set", key: `k${index}`, value: `${millis}` }])
          assert.isAbove(sequence, last)
          last = sequence
        }
      })
    )
    assert.strictEqual(Object.keys(session(({ database }) => stateOf(database))).length, jumps.length)
    assert.deepStrictEqual(device.openHandles(), [])
  })
})
