// The isolation anomalies as scripted interleavings, with the documented outcome for each level. Names follow Adya's
// thesis (1999) and the Hermitage tests.
//
//   anomaly                            serializable   snapshot
//   G0    dirty write                  prevented      prevented
//   G1a   aborted read                 prevented      prevented
//   G1b   intermediate read            prevented      prevented
//   G1c   circular information flow    prevented      prevented
//   OTV   observed transaction vanishes prevented     prevented
//   P4    lost update                  prevented      prevented
//   G-single  read skew                prevented      prevented
//   G2-item   write skew               prevented      allowed
//   G2    phantom (predicate)          prevented      allowed
//
// Those of range removals are in isolationRanges.test.ts.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Schedule, type Scope, Stream } from "effect"
import * as MemoryDatabase from "../src/layers/MemoryDatabase.ts"
import { Database, type Reader } from "../src/services/Database.ts"
import { Conflict, type DatabaseError, fail } from "../src/services/DatabaseError.ts"
import { commit, keysOf, read, script } from "./support/isolationScript.ts"

describe("isolation", () => {
  script("G0: the writes of two transactions are not interleaved", (begin) =>
    Effect.gen(function* () {
      const database = yield* Database
      const [a, b] = [yield* begin, yield* begin]
      yield* a.set("1", "11")
      yield* b.set("1", "12")
      yield* a.set("2", "21")
      yield* b.set("2", "22")
      assert.strictEqual(yield* commit(a), "committed")
      const second = yield* commit(b)
      const both = [yield* read(database, "1"), yield* read(database, "2")]
      assert.deepStrictEqual(both, second === "committed" ? ["12", "22"] : ["11", "21"])
    })
  )

  script("G1a: nobody reads what is discarded", (begin) =>
    Effect.gen(function* () {
      const [a, b] = [yield* begin, yield* begin]
      yield* a.set("1", "101")
      assert.strictEqual(yield* read(b, "1"), "10")
      yield* a.discard
      assert.strictEqual(yield* read(b, "1"), "10")
      assert.strictEqual(yield* commit(b), "committed")
      assert.strictEqual(yield* read(yield* Database, "1"), "10")
    })
  )

  script("G1b: nobody reads a value that was overwritten before its commit", (begin) =>
    Effect.gen(function* () {
      const [a, b] = [yield* begin, yield* begin]
      yield* a.set("1", "101")
      assert.strictEqual(yield* read(b, "1"), "10")
      yield* a.set("1", "11")
      assert.strictEqual(yield* commit(a), "committed")
      assert.strictEqual(yield* read(b, "1"), "10")
      assert.strictEqual(yield* read(yield* Database, "1"), "11")
    })
  )

  script("G1c: two transactions do not read each other's writes", (begin) =>
    Effect.gen(function* () {
      const [a, b] = [yield* begin, yield* begin]
      yield* a.set("1", "11")
      yield* b.set("2", "22")
      assert.strictEqual(yield* read(a, "2"), "20")
      assert.strictEqual(yield* read(b, "1"), "10")
    })
  )

  script("OTV: a transaction that was seen does not vanish", (begin) =>
    Effect.gen(function* () {
      const [a, b] = [yield* begin, yield* begin]
      yield* a.set("1", "11")
      yield* a.set("2", "19")
      yield* b.set("1", "12")
      assert.strictEqual(yield* commit(a), "committed")
      const c = yield* begin
      assert.strictEqual(yield* read(c, "1"), "11")
      yield* b.set("2", "18")
      yield* commit(b)
      assert.strictEqual(yield* read(c, "2"), "19")
      assert.strictEqual(yield* read(c, "1"), "11")
    })
  )

  script("P4: an update is not lost", (begin) =>
    Effect.gen(function* () {
      const [a, b] = [yield* begin, yield* begin]
      assert.strictEqual(yield* read(a, "1"), "10")
      assert.strictEqual(yield* read(b, "1"), "10")
      yield* a.set("1", "11")
      yield* b.set("1", "11")
      assert.strictEqual(yield* commit(a), "committed")
      assert.strictEqual(yield* commit(b), "Conflict")
    })
  )

  script("G-single: reads are of one moment", (begin) =>
    Effect.gen(function* () {
      const [a, b] = [yield* begin, yield* begin]
      assert.strictEqual(yield* read(a, "1"), "10")
      yield* b.set("1", "12")
      yield* b.set("2", "18")
      assert.strictEqual(yield* commit(b), "committed")
      assert.strictEqual(yield* read(a, "2"), "20")
      assert.deepStrictEqual(yield* keysOf(a, ""), ["1", "2"])
      assert.strictEqual(yield* commit(a), "committed")
    })
  )

  script("G2-item: write skew is prevented by serializable only", (begin, isolation) =>
    Effect.gen(function* () {
      const [a, b] = [yield* begin, yield* begin]
      for (const transaction of [a, b]) {
        assert.strictEqual(yield* read(transaction, "1"), "10")
        assert.strictEqual(yield* read(transaction, "2"), "20")
      }
      yield* a.set("1", "11")
      yield* b.set("2", "21")
      assert.strictEqual(yield* commit(a), "committed")
      assert.strictEqual(yield* commit(b), isolation === "serializable" ? "Conflict" : "committed")
    })
  )

  script("G2: a phantom is prevented by serializable only", (begin, isolation) =>
    Effect.gen(function* () {
      const [a, b] = [yield* begin, yield* begin]
      assert.deepStrictEqual(yield* keysOf(a, "3"), [])
      assert.deepStrictEqual(yield* keysOf(b, "3"), [])
      yield* a.set("31", "30")
      yield* b.set("32", "42")
      assert.strictEqual(yield* commit(a), "committed")
      assert.strictEqual(yield* commit(b), isolation === "serializable" ? "Conflict" : "committed")
    })
  )
})

describe("serializable transactions", () => {
  const use = (name: string, body: (database: Database["Service"]) => Effect.Effect<void, unknown, Scope.Scope>) =>
    it.effect(name, () => Effect.flatMap(Database, body).pipe(Effect.scoped, Effect.provide(MemoryDatabase.layer())))

  use("conflict with a write into a range that a count, a cursor or a reverse scan read", (database) =>
    Effect.gen(function* () {
      const reads: ReadonlyArray<(reader: Reader) => Effect.Effect<unknown, DatabaseError, Scope.Scope>> = [
        (reader) => reader.count({ prefix: "r" }),
        (reader) => Stream.runDrain(reader.scan({ prefix: "r", reverse: true })),
        (reader) => Stream.runDrain(reader.keys({ from: "q", to: "s" })),
        (reader) => Effect.flatMap(reader.cursor({ prefix: "r" }), (cursor) => cursor.seek("r5")),
        (reader) => Effect.flatMap(reader.cursor({ prefix: "r" }), (cursor) => cursor.next),
        (reader) => Effect.flatMap(reader.cursor({ prefix: "r", reverse: true }), (cursor) => cursor.next),
        (reader) => Effect.flatMap(reader.cursor({ prefix: "r" }), (cursor) => cursor.seekExact("r7")),
        (reader) => reader.has("r7"),
        (reader) => reader.getMany(["r7"]),
        (reader) => Effect.sync(() => reader.getUnsafe("r7"))
      ]
      for (const one of reads) {
        yield* database.remove("r7")
        const transaction = yield* database.begin()
        yield* one(transaction)
        yield* transaction.set("other", "x")
        yield* database.set("r7", "phantom")
        assert.strictEqual(yield* commit(transaction), "Conflict", String(one))
      }
    })
  )

  use("do not conflict with writes beyond what a limited scan handed out", (database) =>
    Effect.gen(function* () {
      for (const key of ["a1", "a2", "a3"]) yield* database.set(key, key)
      const transaction = yield* database.begin()
      yield* Stream.runDrain(transaction.scan({ prefix: "a", limit: 2 }))
      yield* transaction.set("other", "x")
      yield* database.set("a3", "new")
      yield* database.set("a25", "new")
      assert.strictEqual(yield* commit(transaction), "committed")
    })
  )

  use("that only read never conflict", (database) =>
    Effect.gen(function* () {
      const transaction = yield* database.begin()
      yield* transaction.get("k")
      yield* database.set("k", "v")
      assert.strictEqual(yield* commit(transaction), "committed")
    })
  )

  use("run again on conflict and count right", (database) =>
    Effect.gen(function* () {
      yield* database.set("counter", "0")
      const increment = database.transaction(
        (transaction) =>
          Effect.gen(function* () {
            const count = Number(yield* read(transaction, "counter"))
            yield* Effect.yieldNow
            yield* transaction.set("counter", String(count + 1))
          }),
        { retry: Schedule.recurs(1000) }
      )
      yield* Effect.all(
        Array.from({ length: 20 }, () => increment),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(yield* read(database, "counter"), "20")
    })
  )

  use("give up after the schedule, with Conflict", (database) =>
    Effect.gen(function* () {
      let runs = 0
      const error = yield* Effect.flip(
        database.transaction(
          (transaction) =>
            Effect.gen(function* () {
              runs += 1
              yield* transaction.get("k")
              yield* database.set("k", String(runs))
              yield* transaction.set("other", "x")
            }),
          { retry: Schedule.recurs(3) }
        )
      )
      assert.strictEqual(error.reason._tag, "Conflict")
      assert.isTrue(error.isRetryable)
      assert.strictEqual(runs, 4)
    })
  )

  use("do not run again for the conflict of another database", (database) =>
    Effect.gen(function* () {
      let runs = 0
      const foreign = fail(new Conflict({ message: "elsewhere", sequence: 1 }))
      const error = yield* Effect.flip(
        database.transaction(() =>
          Effect.suspend(() => {
            runs += 1
            return Effect.fail(foreign)
          })
        )
      )
      assert.strictEqual(error, foreign)
      assert.strictEqual(runs, 1)
    })
  )

  use("whose body fails or is interrupted leave nothing behind", (database) =>
    Effect.gen(function* () {
      const failed = yield* Effect.exit(
        database.transaction((transaction) => Effect.andThen(transaction.set("k", "v"), Effect.fail("no")))
      )
      assert.isTrue(Exit.isFailure(failed))
      const fiber = yield* Effect.forkChild(
        database.transaction((transaction) => Effect.andThen(transaction.set("k", "v"), Effect.never))
      )
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      assert.isUndefined(yield* database.get("k"))
    })
  )
})
