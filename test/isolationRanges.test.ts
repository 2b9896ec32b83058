// The isolation anomalies (isolation.test.ts) of range removals. One reads nothing, and writes every key between its
// bounds, also those that are not there.
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { Database, type ManualTransaction } from "../src/services/Database.ts"
import type { DatabaseError } from "../src/services/DatabaseError.ts"
import { commit, keysOf, read, script, text } from "./support/isolationScript.ts"

type Write = (transaction: ManualTransaction) => Effect.Effect<void, DatabaseError>

describe("isolation of range removals", () => {
  script("G1a: nobody reads that a range is gone which a discarded transaction removed", (begin) =>
    Effect.gen(function* () {
      const [a, b] = [yield* begin, yield* begin]
      yield* a.removeRange({ from: "1" })
      assert.deepStrictEqual(yield* keysOf(a, ""), [])
      assert.deepStrictEqual(yield* keysOf(b, ""), ["1", "2"])
      yield* a.discard
      assert.strictEqual(yield* commit(b), "committed")
      assert.deepStrictEqual(yield* keysOf(yield* Database, ""), ["1", "2"])
    })
  )

  script("G-single: a moment keeps what is removed after it", (begin) =>
    Effect.gen(function* () {
      const [a, b] = [yield* begin, yield* begin]
      assert.strictEqual(yield* read(a, "1"), "10")
      yield* b.removeRange({})
      assert.strictEqual(yield* commit(b), "committed")
      assert.strictEqual(yield* read(a, "2"), "20")
      assert.deepStrictEqual(yield* keysOf(a, ""), ["1", "2"])
      assert.strictEqual(yield* commit(a), "committed")
      assert.deepStrictEqual(yield* keysOf(yield* Database, ""), [])
    })
  )

  script("own writes are removed and set again in their order, in every read", (begin) =>
    Effect.gen(function* () {
      const a = yield* begin
      const cursor = yield* a.cursor()
      assert.isTrue(yield* cursor.next)
      yield* a.set("3", "30")
      yield* a.removeRange({ from: "2", to: "3", toInclusive: true })
      assert.deepStrictEqual(yield* keysOf(a, ""), ["1"])
      assert.isUndefined(yield* a.get("2"))
      assert.isUndefined(yield* a.get("3"))
      assert.isUndefined(a.getUnsafe("3"))
      yield* a.set("2", "21")
      assert.deepStrictEqual(yield* keysOf(a, ""), ["1", "2"])
      assert.strictEqual((yield* a.getEntry("2"))?.sequence, 0)
      assert.isTrue(yield* cursor.next, "a cursor keeps to the moment it was made")
      assert.strictEqual(text(cursor.value), "20")
      assert.strictEqual(yield* commit(a), "committed")
      assert.deepStrictEqual(yield* keysOf(yield* Database, ""), ["1", "2"])
    }).pipe(Effect.scoped)
  )

  script("P4: a key that was read is not set over its removal", (begin) =>
    Effect.gen(function* () {
      const [a, b] = [yield* begin, yield* begin]
      assert.strictEqual(yield* read(b, "1"), "10")
      yield* a.removeRange({ prefix: "1" })
      yield* b.set("1", "11")
      assert.strictEqual(yield* commit(a), "committed")
      assert.strictEqual(yield* commit(b), "Conflict")
    })
  )

  script("G2-item: a key that was read is removed meanwhile: prevented by serializable only", (begin, isolation) =>
    Effect.gen(function* () {
      const [a, b] = [yield* begin, yield* begin]
      assert.strictEqual(yield* read(b, "1"), "10")
      yield* a.removeRange({ to: "2" })
      yield* b.set("4", "40")
      assert.strictEqual(yield* commit(a), "committed")
      assert.strictEqual(yield* commit(b), isolation === "serializable" ? "Conflict" : "committed")
    })
  )

  script("G2: a range that was read is removed meanwhile: prevented by serializable only", (begin, isolation) =>
    Effect.gen(function* () {
      for (const removed of [{ prefix: "3" }, { from: "2", fromExclusive: true }, { from: "30", to: "300" }]) {
        const [a, b] = [yield* begin, yield* begin]
        // Whether there was anything or not: who reads that a range is empty relies on it.
        assert.deepStrictEqual(yield* keysOf(b, "3"), [])
        yield* a.removeRange(removed)
        yield* b.set("0", "40")
        assert.strictEqual(yield* commit(a), "committed")
        assert.strictEqual(yield* commit(b), isolation === "serializable" ? "Conflict" : "committed")
      }
    })
  )

  script("G2: write skew over ranges is prevented by serializable only", (begin, isolation) =>
    Effect.gen(function* () {
      const [a, b] = [yield* begin, yield* begin]
      for (const transaction of [a, b]) assert.strictEqual(yield* transaction.count(), 2)
      yield* a.removeRange({ prefix: "1" })
      yield* b.removeRange({ prefix: "2" })
      assert.strictEqual(yield* commit(a), "committed")
      assert.strictEqual(yield* commit(b), isolation === "serializable" ? "Conflict" : "committed")
      const left = yield* keysOf(yield* Database, "")
      assert.deepStrictEqual(left, isolation === "serializable" ? ["2"] : [])
    })
  )

  script(
    "G0: what two transactions write is checked under snapshot isolation, ranges and keys alike",
    (begin, isolation) =>
      Effect.gen(function* () {
        const writes: ReadonlyArray<readonly [first: Write, second: Write, overlap: boolean]> = [
          [(tx) => tx.set("1", "11"), (tx) => tx.removeRange({ prefix: "1" }), true],
          [(tx) => tx.removeRange({ prefix: "1" }), (tx) => tx.set("15", "11"), true],
          [(tx) => tx.remove("1"), (tx) => tx.removeRange({ to: "2" }), true],
          [(tx) => tx.removeRange({ to: "2" }), (tx) => tx.removeRange({ from: "1", to: "5" }), true],
          [(tx) => tx.removeRange({ to: "2" }), (tx) => tx.removeRange({ from: "2" }), false],
          [(tx) => tx.removeRange({ to: "2" }), (tx) => tx.set("2", "22"), false],
          [(tx) => tx.set("2", "22"), (tx) => tx.removeRange({ to: "2" }), false]
        ]
        for (const [first, second, overlap] of writes) {
          const [a, b] = [yield* begin, yield* begin]
          yield* first(a)
          yield* second(b)
          assert.strictEqual(yield* commit(a), "committed")
          // Nothing was read: one after the other is serial.
          const outcome = isolation === "snapshot" && overlap ? "Conflict" : "committed"
          assert.strictEqual(yield* commit(b), outcome, `${first} ${second}`)
        }
      })
  )

  script("a removal over nothing, between equal bounds, conflicts with nobody", (begin) =>
    Effect.gen(function* () {
      const [a, b] = [yield* begin, yield* begin]
      assert.strictEqual(yield* read(b, "1"), "10")
      yield* a.removeRange({ from: "1", to: "1" })
      yield* b.set("2", "22")
      assert.strictEqual(yield* commit(a), "committed")
      assert.strictEqual(yield* commit(b), "committed")
      yield* (yield* Database).removeRange({ from: "1", fromExclusive: true, to: "1\u0000" })
      assert.deepStrictEqual(yield* keysOf(yield* Database, ""), ["1", "2"])
    })
  )
})
