// Values that are not where their keys are, read in every way that there is, on disks that answer at once and others.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope, Stream } from "effect"
import * as SimDisk from "../src/layers/SimDisk.ts"
import { concatBytes } from "../src/internal/format/bytes.ts"
import { type LazyEntry, NotInMemory, type Reader } from "../src/services/Database.ts"
import type { DatabaseError, Reason } from "../src/services/DatabaseError.ts"
import type { OptionsInput } from "../src/services/Options.ts"
import { directory, type Opened, open } from "./support/opened.ts"
import { reasonOf, rewrite } from "./support/tables.ts"
import { patterned } from "./support/valueLogs.ts"

/** Values of 101 bytes and more go to value files when they are flushed, of 100,000 and more before their commit. */
const options: OptionsInput = {
  arenaBytes: 512 * 1024,
  transactionBytesMax: 512 * 1024,
  blockBytes: 1024,
  valueThreshold: 100,
  directValueBytesMin: 100_000
}

const lengths = [0, 1, 99, 100, 101, 1024, 5000, 64 * 1024, 64 * 1024 + 1, 99_999, 100_000, 300_000, 1_500_000]
const expected = new Map(
  lengths.map((length, index) => [`key-${String(index).padStart(3, "0")}`, patterned(length, index)])
)
const keys = [...expected.keys()]
const decoder = new TextDecoder()

const same = (value: Uint8Array | undefined, key: string, what: string) =>
  assert.isTrue(value !== undefined && Buffer.from(value).equals(expected.get(key)!), `${what} of ${key}`)

const disks = { "a synchronous disk": true, "an asynchronous disk": false }
type Body = (opened: Opened, device: SimDisk.SimDisk) => Effect.Effect<void, unknown, Scope.Scope>

const use = (name: string, body: Body, given: OptionsInput = {}) => {
  for (const [disk, synchronousReads] of Object.entries(disks)) {
    it.live(`${name}, on ${disk}`, () =>
      Effect.gen(function* () {
        const device = SimDisk.make({ synchronousReads })
        yield* body(yield* open(device.layer, { ...options, ...given }), device)
      })
    )
  }
}

const fill = ({ database }: Opened) =>
  Effect.forEach(expected, ([key, value]) => database.set(key, value), { discard: true })

const bytesOf = (pieces: Iterable<Uint8Array>): Uint8Array => concatBytes([...pieces])

/** Reads everything in every way. */
const checkAll = Effect.fnUntraced(function* (reader: Reader) {
  for (const key of keys) {
    same(yield* reader.get(key), key, "get")
    same((yield* reader.getEntry(key))?.value, key, "getEntry")
    const now = reader.getUnsafe(key)
    if (now !== NotInMemory) same(now, key, "getUnsafe")
    const pieces = yield* reader.getStream(key)
    same(bytesOf(yield* Stream.runCollect(pieces!)), key, "getStream")
  }
  assert.isUndefined(yield* reader.getStream("absent"))
  const many = yield* reader.getMany([...keys].reverse())
  for (const [at, value] of many.entries()) same(value, keys.at(-1 - at)!, "getMany")
  for (const reverse of [false, true]) {
    const inOrder = reverse ? [...keys].reverse() : keys
    const entries = Array.from(yield* Stream.runCollect(reader.scan({ reverse })))
    assert.deepStrictEqual(
      entries.map(({ key }) => decoder.decode(key)),
      inOrder
    )
    for (const { key, value } of entries) same(value, decoder.decode(key), "scan")
    const lazy = reader.scanLazy({ reverse }).pipe(
      Stream.mapEffect((entry) => Effect.map(entry.value, (value) => ({ ...entry, value }))),
      Stream.runCollect
    )
    const read = Array.from(yield* lazy)
    assert.deepStrictEqual(
      read.map(({ key }) => decoder.decode(key)),
      inOrder
    )
    for (const { key, value, valueBytes } of read) {
      same(value, decoder.decode(key), "scanLazy")
      assert.strictEqual(valueBytes, value.length)
    }
  }
  yield* checkCursors(reader)
})

const checkCursors = Effect.fnUntraced(function* (reader: Reader) {
  for (const lazy of [false, true]) {
    const cursor = yield* reader.cursor({ lazy })
    assert.deepInclude(yield* reasonOf(cursor.readValue), { _tag: "Invalid" })
    const found: Array<LazyEntry> = []
    while (yield* cursor.next) {
      const key = decoder.decode(cursor.key)
      if (lazy) assert.isUndefined(cursor.value ?? cursor.entry)
      else same(cursor.value, key, "cursor")
      if (!lazy) same(cursor.entry?.value, key, "entry of a cursor")
      same(yield* cursor.readValue, key, "readValue")
      assert.strictEqual(cursor.valueBytes, expected.get(key)!.length)
      found.push(cursor.lazyEntry!)
    }
    assert.isUndefined(cursor.lazyEntry ?? cursor.valueBytes)
    assert.lengthOf(found, keys.length)
    // They may be kept.
    for (const { key, value } of found) same(yield* value, decoder.decode(key), "lazyEntry")
    assert.isTrue(yield* cursor.seekExact(keys[11]!))
    assert.isTrue(yield* cursor.previous)
    same(yield* cursor.readValue, keys[10]!, "previous")
  }
})

describe("separated values", () => {
  use("are read as others are, before and after flushes, compactions and in every reader", (opened) =>
    Effect.gen(function* () {
      const { database, maintenance } = opened
      yield* fill(opened)
      yield* checkAll(database)
      yield* maintenance.flush
      yield* checkAll(database)
      yield* database.set("zzz", "x")
      yield* maintenance.compact()
      yield* database.remove("zzz")
      yield* checkAll(yield* database.snapshot)
      yield* checkAll(yield* database.begin({ readOnly: true }))
    })
  )

  use("are read among a transaction's own writes", ({ database }) =>
    Effect.gen(function* () {
      const transaction = yield* database.begin()
      for (const [key, value] of expected) yield* transaction.set(key, value)
      yield* checkAll(transaction)
      const kept = Array.from(yield* Stream.runCollect(transaction.scanLazy()))
      yield* transaction.commit
      yield* checkAll(database)
      assert.strictEqual((yield* reasonOf(kept[11]!.value))._tag, "Closed")
    })
  )

  use("are there after the database was opened again", (_, device) =>
    Effect.gen(function* () {
      const inTurn = (given: OptionsInput, body: (opened: Opened) => Effect.Effect<void, unknown, Scope.Scope>) =>
        Effect.scoped(Effect.flatMap(open(device.layer, { ...options, ...given }, "/other"), body))
      yield* inTurn({}, (opened) =>
        Effect.gen(function* () {
          yield* fill(opened)
          yield* opened.maintenance.flush
          yield* opened.database.set("key-012", expected.get("key-012")!)
        })
      )
      yield* inTurn({}, ({ database }) => checkAll(database))
      yield* inTurn({ readOnly: true }, ({ database }) => checkAll(database))
    })
  )

  use("of a moment stay readable while they are overwritten and compacted away", (opened) =>
    Effect.gen(function* () {
      const { database, maintenance } = opened
      yield* fill(opened)
      yield* maintenance.flush
      const snapshot = yield* database.snapshot
      const cursor = yield* database.cursor({ lazy: true })
      const entries = Array.from(yield* Stream.runCollect(snapshot.scanLazy()))
      const streamed = yield* database.getStream(keys[12]!)
      for (let round = 0; round < 3; round++) {
        for (const key of keys) yield* database.set(key, patterned(2000, round))
        yield* maintenance.compact()
      }
      for (const { key, value } of entries) same(yield* value, decoder.decode(key), "a snapshot's lazy value")
      yield* checkAll(snapshot)
      while (yield* cursor.next) same(yield* cursor.readValue, decoder.decode(cursor.key), "a cursor's value")
      same(bytesOf(yield* Stream.runCollect(streamed!)), keys[12]!, "the stream")
    })
  )
})

const failsClosed = Effect.fnUntraced(function* (value: Effect.Effect<unknown, DatabaseError>) {
  assert.strictEqual((yield* reasonOf(value))._tag, "Closed")
})

describe("lazy values", () => {
  use("are read as long as the stream, the cursor or the snapshot is open, and then fail Closed", (opened) =>
    Effect.gen(function* () {
      const { database, maintenance } = opened
      yield* fill(opened)
      yield* maintenance.flush
      const large = { from: keys[6], to: keys[9] }
      const ended = Array.from(yield* Stream.runCollect(database.scanLazy(large)))
      for (const { value } of ended) yield* failsClosed(value)
      const scope = yield* Scope.make()
      const inScope = <A>(effect: Effect.Effect<A, DatabaseError, Scope.Scope>) => Scope.provide(effect, scope)
      const cursor = yield* inScope(database.cursor({ ...large, lazy: true }))
      yield* cursor.next
      const snapshot = yield* inScope(database.snapshot)
      const kept = Array.from(yield* Stream.runCollect(snapshot.scanLazy(large)))
      const [ofCursor, ofSnapshot] = [cursor.lazyEntry!, kept[0]!]
      const stream = yield* inScope(database.getStream(keys[6]!))
      same(yield* ofCursor.value, keys[6]!, "a cursor's")
      same(yield* ofSnapshot.value, keys[6]!, "a snapshot's")
      yield* Scope.close(scope, Exit.void)
      yield* failsClosed(ofCursor.value)
      yield* failsClosed(ofSnapshot.value)
      yield* failsClosed(cursor.readValue)
      yield* failsClosed(Stream.runDrain(stream!))
    })
  )
})

const readsOf = ({ log }: SimDisk.SimDisk) =>
  log.filter(({ operation, path }) => operation === "read" && path.endsWith(".val")).length

describe("value files", () => {
  use("are not read for keys, counts and has", (opened, device) =>
    Effect.gen(function* () {
      const { database, maintenance } = opened
      yield* fill(opened)
      yield* maintenance.flush
      const before = readsOf(device)
      assert.deepStrictEqual(
        Array.from(yield* Stream.runCollect(database.keys()), (key) => decoder.decode(key)),
        keys
      )
      assert.strictEqual(yield* database.count(), keys.length)
      for (const key of keys) assert.isTrue(yield* database.has(key))
      const lazy = yield* Stream.runCollect(database.scanLazy())
      assert.deepStrictEqual(
        Array.from(lazy, ({ valueBytes }) => valueBytes),
        lengths
      )
      const cursor = yield* database.cursor({ lazy: true })
      while (yield* cursor.next) assert.isDefined(cursor.valueBytes)
      assert.strictEqual(readsOf(device), before)
    })
  )

  use("are read once for the values of neighbouring keys", (opened, device) =>
    Effect.gen(function* () {
      const { database, maintenance } = opened
      const some = Array.from({ length: 200 }, (_, index) => `n${String(index).padStart(4, "0")}`)
      for (const key of some) yield* database.set(key, patterned(1000, key.length), { durability: "os" })
      yield* maintenance.flush
      yield* database.get(some[0]!)
      const before = readsOf(device)
      assert.strictEqual((yield* Stream.runCollect(database.scan({ prefix: "n" }))).length, 200)
      assert.isAtMost(readsOf(device) - before, 3)
      assert.lengthOf(yield* database.getMany(some), 200)
      assert.isAtMost(readsOf(device) - before, 6)
    })
  )

  use("bound the chunks of a scan by what their values weigh", (opened) =>
    Effect.gen(function* () {
      const { database, maintenance } = opened
      for (let index = 0; index < 30; index++) {
        yield* database.set(`w${index}`, patterned(90_000, index), { durability: "os" })
        if (index % 4 === 0) yield* maintenance.flush
      }
      yield* maintenance.flush
      yield* Stream.runForEachArray(database.scan({ prefix: "w" }), (entries) =>
        Effect.sync(() => assert.isAtMost(entries.length, 3))
      )
      // Of values that are not read there may be many.
      yield* Stream.runForEachArray(database.scanLazy({ prefix: "w" }), (entries) =>
        Effect.sync(() => assert.lengthOf(entries, 30))
      )
    })
  )
})

describe("on the calling stack", () => {
  it.live("a synchronous disk answers reads of values", () =>
    Effect.gen(function* () {
      const opened = yield* open(SimDisk.make({ synchronousReads: true }).layer, options)
      const { database, maintenance } = opened
      yield* fill(opened)
      yield* maintenance.flush
      for (const key of keys) {
        const now = database.getUnsafe(key)
        if (expected.get(key)!.length > 64 * 1024) assert.strictEqual(now, NotInMemory)
        else same(now as Uint8Array, key, "getUnsafe")
      }
      // Not one of them waits for anything.
      const { runSync } = Effect
      same(runSync(database.get(keys[6]!)), keys[6]!, "get")
      const range = { from: keys[3], to: keys[8] }
      for (const { key, value } of runSync(Stream.runCollect(database.scan(range))))
        same(value, decoder.decode(key), "scan")
      for (const [at, value] of runSync(database.getMany(keys.slice(0, 8))).entries()) same(value, keys[at]!, "getMany")
    })
  )
})

describe("damage in a value file", () => {
  const hurt = [keys[6]!, keys[11]!]

  /** The database, opened again after a byte of a flushed value and one of a direct value have changed. */
  const damaged = Effect.fnUntraced(function* (synchronousReads: boolean) {
    const { disk, layer } = SimDisk.make({ synchronousReads })
    yield* Effect.scoped(
      Effect.gen(function* () {
        const opened = yield* open(layer, options)
        yield* fill(opened)
        yield* opened.maintenance.flush
      })
    )
    const found: Array<string> = []
    for (const { name } of yield* disk.list(directory)) {
      if (!name.endsWith(".val")) continue
      yield* rewrite(disk, disk.join(directory, name), (bytes) => {
        for (const key of hurt) {
          const at = Buffer.from(bytes).indexOf(expected.get(key)!.subarray(100, 200))
          if (at < 0) continue
          bytes[at + 50]! ^= 0x20
          found.push(key)
        }
        return bytes
      })
    }
    assert.sameMembers(found, hurt)
    return (yield* open(layer, options)).database
  })

  it.live("fails that value only, with file and offset, however it is read", () =>
    Effect.forEach([true, false], (synchronousReads) =>
      Effect.gen(function* () {
        const database = yield* damaged(synchronousReads)
        const isHurt = (key: string) => hurt.includes(key)
        const refused = (reason: Reason) => {
          assert.strictEqual(reason._tag, "Corruption")
          assert.match(reason.message, /value-[0-9a-f]{16}\.val:\d+: /)
        }
        for (const key of keys) {
          if (isHurt(key)) {
            refused(yield* reasonOf(database.get(key)))
            refused(yield* reasonOf(database.getEntry(key)))
            refused(yield* reasonOf(database.getMany([keys[5]!, key])))
            refused(yield* reasonOf(Stream.runDrain((yield* database.getStream(key))!)))
          } else {
            same(yield* database.get(key), key, "get")
          }
        }
        refused(yield* reasonOf(Stream.runDrain(database.scan())))
        yield* Stream.runForEach(database.scanLazy(), ({ key, value }) =>
          isHurt(decoder.decode(key))
            ? Effect.map(reasonOf(value), refused)
            : Effect.map(value, (found) => same(found, decoder.decode(key), "scanLazy"))
        )
        const cursor = yield* database.cursor()
        for (const key of keys) {
          if (isHurt(key)) {
            refused(yield* reasonOf(cursor.next))
            assert.isUndefined(cursor.entry)
          } else {
            assert.isTrue(yield* cursor.next)
            same(cursor.value, key, "cursor")
          }
        }
        assert.isFalse(yield* cursor.next)
        assert.strictEqual(yield* database.count(), keys.length)
      }).pipe(Effect.scoped)
    )
  )
})
