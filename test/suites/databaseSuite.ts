// The contract of `Database` and its readers, one test for each numbered invariant in the contract's words. Every layer
// passes all of them.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, type Layer, type Scope, Stream } from "effect"
import {
  type Bounds,
  Database,
  type DatabaseService,
  type Operation,
  type Reader
} from "../../src/services/Database.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import { Maintenance } from "../../src/services/Maintenance.ts"

type Body = (database: DatabaseService) => Effect.Effect<void, unknown, Maintenance | Scope.Scope>

const text = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : new TextDecoder().decode(value)

const set = (key: string, value: string): Operation => ({ type: "set", key, value })

const contents = (database: DatabaseService) =>
  Effect.map(Stream.runCollect(database.scan()), (entries) =>
    Array.from(entries, (entry) => `${text(entry.key)}=${text(entry.value)}`)
  )

export const databaseSuite = (name: string, layer: () => Layer.Layer<Database | Maintenance, DatabaseError>): void => {
  const use = (title: string, body: Body) =>
    it.live(title, () => Effect.flatMap(Database, body).pipe(Effect.scoped, Effect.provide(layer())))
  describe(`Reader (${name})`, () => reads(use))
  describe(`Database (${name})`, () => writes(use))
}

/** Of the keys, every kind of read finds these. */
const seenAs = Effect.fnUntraced(function* (reader: Reader, keys: ReadonlyArray<string>, expected: Array<string>) {
  const values = yield* reader.getMany(keys)
  const found = keys.filter((_, index) => values[index] !== undefined)
  assert.deepStrictEqual(found, expected, "getMany")
  assert.deepStrictEqual(Array.from(yield* Stream.runCollect(reader.keys()), text), expected, "keys")
  const downwards = Array.from(yield* Stream.runCollect(reader.keys({ reverse: true })), text)
  assert.deepStrictEqual(downwards.reverse(), expected, "keys in reverse")
  assert.strictEqual(yield* reader.count(), expected.length, "count")
  const walked: Array<string | undefined> = []
  yield* Effect.scoped(
    Effect.gen(function* () {
      const cursor = yield* reader.cursor()
      while (yield* cursor.next) walked.push(text(cursor.key))
    })
  )
  assert.deepStrictEqual(walked, expected, "cursor")
})

const reads = (use: (title: string, body: Body) => void): void => {
  use("1. a read sees all the writes of a commit or none, and every commit acknowledged before it began", (database) =>
    Effect.gen(function* () {
      const write = Effect.forEach(
        Array.from({ length: 50 }, (_, index) => String(index)),
        (value) => database.write([set("a", value), set("b", value)], { durability: "os" })
      )
      const writer = yield* Effect.forkChild(write)
      let last = -1
      while (writer.pollUnsafe() === undefined) {
        const [a, b] = yield* database.getMany(["a", "b"])
        assert.strictEqual(text(a), text(b))
        assert.isAtLeast(Number(text(a) ?? -1), last)
        last = Number(text(a) ?? -1)
        yield* Effect.yieldNow
      }
      yield* Fiber.join(writer)
      assert.strictEqual(text(yield* database.get("a")), "49")
    })
  )

  use("2. a scan, count or cursor sees one moment, however long it runs", (database) =>
    Effect.gen(function* () {
      const maintenance = yield* Maintenance
      const keys = Array.from({ length: 3000 }, (_, index) => `k${String(index).padStart(5, "0")}`)
      yield* database.write(
        keys.map((key) => set(key, "old")),
        { durability: "os" }
      )
      const cursor = yield* database.cursor()
      let seen = 0
      yield* Stream.runForEachArray(database.scan(), (entries) =>
        Effect.gen(function* () {
          for (const entry of entries) assert.strictEqual(text(entry.value), "old")
          seen += entries.length
          yield* database.write(
            keys.map((key) => set(key, "new")),
            { durability: "os" }
          )
          yield* database.set(`later${seen}`, "new")
          yield* maintenance.flush
        })
      )
      assert.strictEqual(seen, 3000)
      let steps = 0
      while (yield* cursor.next) {
        assert.strictEqual(text(cursor.value), "old")
        steps += 1
      }
      assert.strictEqual(steps, 3000)
    })
  )

  use("2. lazy values and streams are of the moment that they were asked for", (database) =>
    Effect.gen(function* () {
      const maintenance = yield* Maintenance
      const sizes = [0, 10, 2000, 40_000, 300_000]
      const write = (fill: string) =>
        database.write(sizes.map((size) => set(`k${String(size).padStart(6, "0")}`, fill.repeat(size))))
      yield* write("a")
      yield* maintenance.flush
      const cursor = yield* database.cursor({ lazy: true })
      const stream = yield* database.getStream("k300000")
      const snapshot = yield* database.snapshot
      const entries = Array.from(yield* Stream.runCollect(snapshot.scanLazy()))
      for (const fill of ["b", "c"]) {
        yield* write(fill)
        yield* maintenance.compact()
      }
      for (const [index, { value, valueBytes }] of entries.entries()) {
        assert.strictEqual(valueBytes, sizes[index])
        assert.strictEqual(text(yield* value), "a".repeat(valueBytes))
        assert.isTrue(yield* cursor.next)
        assert.strictEqual(text(yield* cursor.readValue), "a".repeat(valueBytes))
      }
      const pieces = Array.from(yield* Stream.runCollect(stream!), text)
      assert.strictEqual(pieces.join(""), "a".repeat(300_000))
      assert.strictEqual(text(yield* database.get("k300000")), "c".repeat(300_000))
    })
  )

  use("3. keys come in unsigned byte order, each once", (database) =>
    Effect.gen(function* () {
      const maintenance = yield* Maintenance
      const keys = [[0], [0, 0], [1], [0x7f], [0x80], [0xff], [0xff, 0], [0xff, 0xff]].map((key) =>
        Uint8Array.from(key)
      )
      for (const round of [1, 2]) {
        yield* database.write([...keys].reverse().map((key) => ({ type: "set", key, value: String(round) })))
        yield* maintenance.flush
      }
      const found = yield* Stream.runCollect(database.keys())
      assert.deepStrictEqual(Array.from(found), keys)
      const reversed = yield* Stream.runCollect(database.keys({ reverse: true }))
      assert.deepStrictEqual(Array.from(reversed), [...keys].reverse())
    })
  )

  use("4. returned values are the caller's: nothing Strata does later changes them", (database) =>
    Effect.gen(function* () {
      const maintenance = yield* Maintenance
      const large = "z".repeat(5000)
      yield* database.write([set("a", "first"), set("b", "x".repeat(700)), set("l1", large), set("l2", large)])
      yield* maintenance.flush
      const [l1, twice, l2] = yield* database.getMany(["l1", "l1", "l2"])
      l1!.fill(0)
      for (const other of [twice, l2, yield* database.get("l1")]) assert.strictEqual(text(other), large)
      const value = yield* database.get("a")
      const [scanned] = yield* Stream.runCollect(database.scan())
      for (let round = 0; round < 5; round++) {
        yield* database.write(Array.from({ length: 50 }, (_, index) => set(`a${index}`, "y".repeat(500))))
        yield* maintenance.flush
      }
      assert.strictEqual(text(value), "first")
      assert.strictEqual(text(scanned?.value), "first")
      value!.fill(0)
      scanned!.value.fill(0)
      assert.strictEqual(text(yield* database.get("a")), "first")
    })
  )

  use("5. an empty value is a value; a key that is a prefix of another is a key of its own", (database) =>
    Effect.gen(function* () {
      const maintenance = yield* Maintenance
      yield* database.write([set("k", ""), set("kk", "1"), set("kkk", "")])
      for (const flushed of [false, true]) {
        if (flushed) yield* maintenance.flush
        assert.deepStrictEqual(yield* contents(database), ["k=", "kk=1", "kkk="])
        assert.isTrue(yield* database.has("k"))
        assert.deepStrictEqual(yield* database.get("k"), new Uint8Array(0))
      }
      yield* database.remove("kk")
      assert.deepStrictEqual(yield* contents(database), ["k=", "kkk="])
    })
  )
}

const writes = (use: (title: string, body: Body) => void): void => {
  use("6. a commit is visible as a whole, in sequence order, and before it is acknowledged", (database) =>
    Effect.gen(function* () {
      const sequences: Array<number> = []
      const write = (writer: number) =>
        Effect.forEach(Array.from({ length: 20 }), (_, index) =>
          Effect.gen(function* () {
            const durability = (["disk", "os", "buffered"] as const)[(writer + index) % 3]!
            const commit = yield* database.write([set(`w${writer}`, String(index))], { durability })
            sequences.push(commit.sequence)
            assert.strictEqual(text(yield* database.get(`w${writer}`)), String(index))
            const entry = yield* database.getEntry(`w${writer}`)
            assert.strictEqual(entry?.sequence, commit.sequence)
          })
        )
      yield* Effect.all(
        Array.from({ length: 6 }, (_, writer) => write(writer)),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(new Set(sequences).size, 120)
    })
  )

  use("7. a serializable transaction commits only if nothing that it read was written since its moment", (database) =>
    Effect.gen(function* () {
      yield* database.set("a", "0")
      const [first, second] = [yield* database.begin(), yield* database.begin()]
      for (const transaction of [first, second]) {
        yield* transaction.get("a")
        yield* transaction.set("a", "1")
      }
      yield* first.commit
      const error = yield* Effect.flip(second.commit)
      assert.strictEqual(error.reason._tag, "Conflict")
    })
  )

  use("8. a transaction whose body fails or is interrupted leaves nothing behind", (database) =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(
        database.transaction((transaction) => Effect.andThen(transaction.set("a", "1"), Effect.fail("no")))
      )
      assert.isTrue(Exit.isFailure(exit))
      assert.isFalse(yield* database.has("a"))
    })
  )

  use("9. a failed argument check writes nothing and fails Invalid", (database) =>
    Effect.gen(function* () {
      const invalid = [
        database.set("", "v"),
        database.set(new Uint8Array(65_536), "v"),
        database.set("\ud800", "v"),
        database.set("k", "\ud800"),
        database.set("k", "v", { ttlMillis: 1, expiresAt: 1 }),
        database.set("k", "v", { ttlMillis: 0 }),
        database.set("k", "v", { userMeta: 256 }),
        database.set("k", new Uint8Array(database.options.valueBytesMax + 1)),
        database.write([set("k", "v"), set("", "v")]),
        database.get(""),
        database.count({ from: "b", to: "a" }),
        database.removeRange({ from: "b", to: "a" }),
        database.removeRange({ prefix: "a", limit: 1 } as Bounds),
        database.write([set("k", "v"), { type: "removeRange", to: "\ud800" }]),
        database.count({ limit: -1 }),
        Stream.runDrain(database.scan({ limit: 1.5 }))
      ]
      for (const effect of invalid) {
        const error = yield* Effect.flip(effect as Effect.Effect<unknown, DatabaseError>)
        assert.strictEqual(error.reason._tag, "Invalid")
        assert.isFalse(error.isRetryable)
      }
      assert.deepStrictEqual(yield* contents(database), [])
      yield* database.set(new Uint8Array(65_535), "v")
      assert.strictEqual(yield* database.count(), 1)
    })
  )

  use("10. a range removal removes exactly the keys between its bounds that were set before it", (database) =>
    Effect.gen(function* () {
      const maintenance = yield* Maintenance
      const keys = ["a", "b", "b\u0000", "ba", "c", "ca", "d"]
      const cases: ReadonlyArray<readonly [Bounds, left: string]> = [
        [{ prefix: "b" }, "a c ca d"],
        [{ from: "b", to: "c" }, "a c ca d"],
        [{ from: "b", fromExclusive: true, to: "c", toInclusive: true }, "a b ca d"],
        [{ from: "b", to: "b" }, "a b b\u0000 ba c ca d"],
        [{ from: "b", to: "b", toInclusive: true }, "a b\u0000 ba c ca d"],
        [{ from: "b", fromExclusive: true, to: "b\u0000" }, "a b b\u0000 ba c ca d"],
        [{ prefix: "c", from: "c", fromExclusive: true }, "a b b\u0000 ba c d"],
        [{ from: "ba" }, "a b b\u0000"],
        [{ to: "ba" }, "ba c ca d"],
        [{}, ""]
      ]
      for (const [bounds, left] of cases) {
        const expected = left === "" ? [] : left.split(" ")
        yield* database.write(keys.map((key) => set(key, "old")))
        const before = yield* database.snapshot
        yield* database.removeRange(bounds)
        for (const flushed of [false, true]) {
          if (flushed) yield* maintenance.flush
          yield* seenAs(database, keys, expected)
          yield* seenAs(before, keys, [...keys])
        }
        yield* database.write([set("ba", "new"), { type: "removeRange", ...bounds }, set("c", "new")])
        const again = keys.filter((key) => expected.includes(key) || key === "c")
        yield* seenAs(database, keys, again)
        const transaction = yield* database.begin()
        yield* transaction.set("b", "own")
        yield* transaction.removeRange({ to: "c" })
        yield* transaction.set("a", "own")
        const own = ["a", ...again.filter((key) => key >= "c")]
        yield* seenAs(transaction, keys, own)
        yield* transaction.commit
        yield* seenAs(database, keys, own)
      }
    })
  )

  use("11. a stream that is set is one value, of whatever length: all that it gave, or nothing", (database) =>
    Effect.gen(function* () {
      const maintenance = yield* Maintenance
      const lengths = [0, 1, 1024, 1025, 300_000, 1_500_000]
      const value = (length: number) => Uint8Array.from({ length }, (_, index) => (index * 31 + length) & 0xff)
      const pieces = (bytes: Uint8Array) =>
        Stream.fromIterable(
          Array.from({ length: Math.ceil(bytes.length / 99_999) }, (_, index) =>
            bytes.subarray(index * 99_999, (index + 1) * 99_999)
          )
        )
      yield* Effect.forEach(lengths, (length) => database.setStream(`s${length}`, pieces(value(length))), {
        concurrency: "unbounded"
      })
      yield* database.transaction((tx) => tx.setStream("tx", pieces(value(400_000))))
      const failing = Stream.concat(pieces(value(700_000)), Stream.fail("broken"))
      assert.deepStrictEqual(yield* Effect.exit(database.setStream("s1", failing)), Exit.fail("broken"))
      for (const flushed of [false, true]) {
        if (flushed) yield* maintenance.flush
        for (const length of lengths) {
          const found = yield* database.get(`s${length}`)
          assert.isTrue(found !== undefined && Buffer.from(found).equals(value(length)), `${length} bytes`)
        }
        assert.strictEqual((yield* database.get("tx"))?.length, 400_000)
        assert.strictEqual(yield* database.count(), lengths.length + 1)
      }
    })
  )

  use("everything fails Closed after the scope, and nothing hangs", (database) =>
    Effect.gen(function* () {
      const cursor = yield* Effect.scoped(database.cursor())
      const snapshot = yield* Effect.scoped(database.snapshot)
      const transaction = yield* Effect.scoped(database.begin())
      const late: ReadonlyArray<Effect.Effect<unknown, DatabaseError>> = [
        cursor.next,
        cursor.seek("a"),
        snapshot.get("a"),
        snapshot.count(),
        Stream.runDrain(snapshot.scan()),
        transaction.get("a"),
        transaction.set("a", "1"),
        transaction.commit
      ]
      for (const effect of late) assert.strictEqual((yield* Effect.flip(effect)).reason._tag, "Closed")
    })
  )
}
