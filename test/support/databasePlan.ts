// One fiber against the model: a random plan of everything a user can call, compared call by call.
import { assert } from "@effect/vitest"
import { Clock, Effect, Exit, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { Cursor, DatabaseService, LazyEntry, Reader } from "../../src/services/Database.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import type { MaintenanceService } from "../../src/services/Maintenance.ts"
import { bytes, hex, inRange, Model, type ModelEntry, toModelEntry } from "./model.ts"
import { Dice, randomKey, randomLongValue, randomRange, randomWrites, toOperation, writeIn } from "./randomPlan.ts"
import { piecesOf, streamed } from "./valueKit.ts"

export interface Opened {
  readonly database: DatabaseService
  readonly maintenance: MaintenanceService
}

export interface PlanOptions {
  readonly seed: number
  readonly steps: number
  /** Of the values, in bytes. `values`: at every threshold of value files, and longer than a memtable. */
  readonly longest: number | "values"
  /** Opens the same database again and again. */
  readonly open: Effect.Effect<Opened, unknown, Scope.Scope>
}

interface Held {
  readonly reader: Reader
  readonly expected: ReadonlyArray<ModelEntry>
  readonly scope: Scope.Closeable
}

/** Compares every kind of read of the reader with what the model expects of it. */
const compareReads = Effect.fnUntraced(function* (reader: Reader, expected: ReadonlyArray<ModelEntry>, dice: Dice) {
  const byKey = new Map(expected.map((entry) => [entry.key, entry]))
  const keys = Array.from({ length: 4 }, () => randomKey(dice))
  const values = keys.map((key) => byKey.get(key)?.value)
  const found = yield* reader.getMany(keys.map(bytes))
  assert.deepStrictEqual(
    found.map((value) => value && hex(value)),
    values,
    "getMany"
  )
  const entry = yield* reader.getEntry(bytes(keys[0]!))
  assert.deepStrictEqual(entry && toModelEntry(entry), byKey.get(keys[0]!), "getEntry")
  assert.strictEqual(yield* reader.has(bytes(keys[1]!)), byKey.has(keys[1]!), "has")
  const value = yield* reader.get(bytes(keys[2]!))
  assert.strictEqual(value && hex(value), values[2], "get")
  const unsafe = reader.getUnsafe(bytes(keys[3]!))
  if (typeof unsafe !== "symbol") assert.strictEqual(unsafe && hex(unsafe), values[3], "getUnsafe")
  const pieces = yield* streamed(reader, bytes(keys[0]!))
  assert.strictEqual(pieces && hex(pieces), values[0], "getStream")
  const range = randomRange(dice)
  const inside = inRange(expected, range)
  const scanned = yield* Stream.runCollect(reader.scan(range))
  assert.deepStrictEqual(Array.from(scanned, toModelEntry), inside, `scan ${describeRange(range)}`)
  const lazy = yield* Stream.runCollect(Stream.mapEffect(reader.scanLazy(range), readLazy))
  assert.deepStrictEqual(
    Array.from(lazy),
    inside.map(({ key, sequence, value }) => ({ key, sequence, value })),
    "lazy"
  )
  const scannedKeys = yield* Stream.runCollect(reader.keys(range))
  assert.deepStrictEqual(
    Array.from(scannedKeys, hex),
    inside.map((one) => one.key),
    "keys"
  )
  assert.strictEqual(yield* reader.count(range), inside.length, "count")
  const whole = { ...range, limit: undefined }
  const all = inRange(expected, whole)
  if (dice.chance(50)) {
    yield* Effect.scoped(Effect.flatMap(reader.cursor(whole), (cursor) => compareCursor(cursor, all, dice)))
  } else {
    const walk = (cursor: Cursor) => compareCursor(cursor, all, dice, compareUnread(cursor))
    yield* Effect.scoped(Effect.flatMap(reader.cursor({ ...whole, lazy: true }), walk))
  }
})

const readLazy = (entry: LazyEntry) =>
  Effect.map(entry.value, (value) => {
    assert.strictEqual(value.length, entry.valueBytes)
    return { key: hex(entry.key), sequence: entry.sequence, value: hex(value) }
  })

/** Compares an entry whose value may be read or not. */
const compareUnread = (cursor: Cursor) =>
  Effect.fnUntraced(function* (expected: ModelEntry | undefined) {
    assert.strictEqual(cursor.key && hex(cursor.key), expected?.key, "lazy cursor")
    if (expected === undefined) return
    assert.strictEqual(cursor.valueBytes, expected.value.length / 2)
    assert.strictEqual(hex(yield* cursor.readValue), expected.value)
  })

const describeRange = (range: object): string =>
  JSON.stringify(range, (_, value: unknown) => (value instanceof Uint8Array ? hex(value) : value))

/** A random walk. Positions -1 and `length` are before and after the range. */
const compareCursor = Effect.fnUntraced(function* (
  cursor: Cursor,
  entries: ReadonlyArray<ModelEntry>,
  dice: Dice,
  compare: (expected: ModelEntry | undefined) => Effect.Effect<void, DatabaseError> = (expected) =>
    Effect.sync(() => assert.deepStrictEqual(cursor.entry && toModelEntry(cursor.entry), expected, "cursor"))
) {
  const reverse = entries.length > 1 && entries[0]!.key > entries[1]!.key
  let at = -1
  for (let step = 0; step < 12; step++) {
    const move = dice.below(4)
    let found: boolean
    if (move === 0 && entries.length > 1) {
      const key = randomKey(dice)
      found = yield* cursor.seek(bytes(key))
      const index = entries.findIndex((entry) => (reverse ? entry.key <= key : entry.key >= key))
      at = index < 0 ? entries.length : index
    } else if (move === 1) {
      found = yield* cursor.previous
      at = Math.max(-1, at - 1)
    } else {
      found = yield* cursor.next
      at = Math.min(entries.length, at + 1)
    }
    const expected = entries[at]
    assert.strictEqual(found, expected !== undefined, `cursor step ${step} to ${at} of ${entries.length}`)
    yield* compare(expected)
  }
})

const write = Effect.fnUntraced(function* (opened: Opened, model: Model, dice: Dice, longest: PlanOptions["longest"]) {
  const now = yield* Clock.currentTimeMillis
  const writes = randomWrites(dice, { now, longest })
  const durability = dice.pick(["disk", "os", "buffered"] as const)
  const commit = yield* opened.database.write(writes.map(toOperation), { durability })
  model.commit(commit.sequence, writes)
})

/** One value in pieces, of a size that is not known before. */
const writeStream = Effect.fnUntraced(function* (opened: Opened, model: Model, dice: Dice) {
  const { database } = opened
  const [key, value] = [randomKey(dice), randomLongValue(dice)]
  const userMeta = dice.below(256)
  yield* database.setStream(bytes(key), piecesOf(bytes(value), [1 + dice.below(50), 1 + dice.below(999)]), { userMeta })
  const entry = yield* database.getEntry(bytes(key))
  model.commit(entry!.sequence, [{ key, value, userMeta }])
})

/** A transaction that reads its own writes over what was there, and sometimes fails. */
const transact = Effect.fnUntraced(function* (
  opened: Opened,
  model: Model,
  dice: Dice,
  longest: PlanOptions["longest"]
) {
  const now = yield* Clock.currentTimeMillis
  const writes = randomWrites(dice, { now, longest })
  const fails = dice.chance(20)
  const scope = yield* Scope.make()
  const transaction = yield* Scope.provide(opened.database.begin(), scope)
  const own = new Model()
  own.commit(1, model.at(Number.MAX_SAFE_INTEGER, now))
  const before = new Map(model.at(Number.MAX_SAFE_INTEGER, now).map((entry) => [entry.key, entry.sequence]))
  for (const one of writes) yield* writeIn(transaction, one)
  own.commit(2, writes)
  const expected = own
    .at(2, now)
    .map((entry) => ({ ...entry, sequence: entry.sequence === 2 ? 0 : before.get(entry.key)! }))
  yield* compareReads(transaction, expected, dice)
  if (!fails) model.commit((yield* transaction.commit).sequence, writes)
  yield* Scope.close(scope, Exit.void)
})

/** Runs the plan and returns the contents at its end. */
export const runPlan = Effect.fnUntraced(function* (options: PlanOptions) {
  const { longest, open, seed, steps } = options
  const dice = new Dice(seed)
  const model = new Model()
  const held: Array<Held> = []
  let scope = yield* Scope.make()
  let opened = yield* Scope.provide(open, scope)
  const present = Effect.map(Clock.currentTimeMillis, (now) => model.at(Number.MAX_SAFE_INTEGER, now))
  const release = Effect.forEach(held, (one) => Scope.close(one.scope, Exit.void), { discard: true })
  for (let step = 0; step < steps; step++) {
    const kind = dice.below(100)
    if (kind < 42) yield* write(opened, model, dice, longest)
    else if (kind < 45) yield* writeStream(opened, model, dice)
    else if (kind < 60) yield* compareReads(opened.database, yield* present, dice)
    else if (kind < 72) yield* transact(opened, model, dice, longest)
    else if (kind < 80) {
      const own = yield* Scope.make()
      const reader = yield* Scope.provide(opened.database.snapshot, own)
      held.push({ reader, expected: yield* present, scope: own })
    } else if (kind < 90 && held.length > 0) {
      const one = dice.pick(held)
      yield* compareReads(one.reader, one.expected, dice)
    } else if (kind < 92) yield* opened.maintenance.flush
    else if (kind < 93) yield* opened.database.sync
    else if (kind < 94) yield* opened.maintenance.compact()
    else if (kind < 95) yield* opened.maintenance.collectValues({ garbageRatioMin: dice.pick([0, 0.3]) })
    else if (kind < 97) yield* TestClock.adjust(dice.chance(10) ? "2 minutes" : dice.below(500))
    else {
      yield* release
      held.length = 0
      yield* Scope.close(scope, Exit.void)
      scope = yield* Scope.make()
      opened = yield* Scope.provide(open, scope)
    }
  }
  yield* release
  const all = yield* Stream.runCollect(opened.database.scan())
  assert.deepStrictEqual(Array.from(all, toModelEntry), yield* present, "the whole content")
  const report = yield* opened.maintenance.verify
  assert.deepStrictEqual(report.damage, [])
  yield* Scope.close(scope, Exit.void)
  return Array.from(all, (entry) => `${hex(entry.key)}=${hex(entry.value)}`)
})
