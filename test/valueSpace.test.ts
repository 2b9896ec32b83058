// What becomes of large values that nobody needs any more, and of those that somebody still reads: space comes back by
// itself, and not before.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope, Stream } from "effect"
import type { Opened } from "./support/opened.ts"
import { numbered, reasonOf, textOf } from "./support/scenario.ts"
import {
  longValue,
  onValues,
  separatedOptions,
  valueFileBytes,
  valueFilesOf,
  valueOptions,
  withValues
} from "./support/valueKit.ts"
import { seenByAll } from "./support/valueReads.ts"

/** Files that hold a few dozen values each, so that what a file takes beside its values is little. */
const spacious = withValues(
  { directValueBytesMin: 64 * 1024, valueFileBytesMax: 32 * 1024 },
  { ...separatedOptions, arenaBytes: 32 * 1024, arenaCount: 3, durability: "buffered" }
)

const setAll = ({ database }: Opened, round: number, keys = numbered(200)) =>
  Effect.forEach(keys, (key) => database.set(key, longValue(`${key} ${round}`, 1000)), { discard: true })

describe("space comes back without a call", () => {
  it(
    "of what was removed: a minute later there is no value file",
    onValues(
      (opened, device) =>
        Effect.gen(function* () {
          yield* setAll(opened, 0)
          yield* opened.maintenance.flush
          assert.isAbove(valueFileBytes(device), 200_000)
          for (const key of numbered(200)) yield* opened.database.remove(key)
          yield* Effect.sleep("60 seconds")
          assert.deepStrictEqual(valueFilesOf(device), [])
          assert.strictEqual(yield* opened.database.count(), 0)
        }),
      spacious
    )
  )

  it(
    "of what a range removal hides",
    onValues(
      (opened, device) =>
        Effect.gen(function* () {
          yield* setAll(opened, 0)
          yield* opened.maintenance.flush
          yield* opened.database.removeRange({})
          yield* Effect.sleep("60 seconds")
          assert.deepStrictEqual(valueFilesOf(device), [])
        }),
      spacious
    )
  )

  it(
    "of what expired",
    onValues(
      ({ database, maintenance }, device) =>
        Effect.gen(function* () {
          // Too few to be merged down before they expire: what is there by then stays until it is written again.
          for (const key of numbered(60)) yield* database.set(key, longValue(key, 1000), { ttlMillis: 1000 })
          yield* maintenance.flush
          yield* Effect.sleep("5 minutes")
          assert.strictEqual(yield* database.count(), 0)
          yield* maintenance.compact()
          yield* Effect.sleep("60 seconds")
          assert.deepStrictEqual(valueFilesOf(device), [])
        }),
      spacious
    )
  )

  it(
    "of what was overwritten, down to a quarter more than is live",
    onValues(
      (opened, device) =>
        Effect.gen(function* () {
          for (let round = 0; round <= 5; round++) yield* setAll(opened, round)
          yield* Effect.sleep("5 minutes")
          assert.isAtMost(valueFileBytes(device), 200 * 1007 * 1.25)
          assert.strictEqual(textOf(yield* opened.database.get("key007")), longValue("key007 5", 1000))
          assert.deepStrictEqual((yield* opened.maintenance.verify).damage, [])
        }),
      spacious
    )
  )

  it(
    "of direct values too",
    onValues(
      (opened, device) =>
        Effect.gen(function* () {
          const keys = numbered(20)
          for (let round = 0; round < 3; round++) yield* setAll(opened, round, keys)
          yield* opened.maintenance.flush
          yield* Effect.sleep("2 minutes")
          assert.isAtMost(valueFileBytes(device), 20 * 1300)
          for (const key of keys) yield* opened.database.remove(key)
          yield* Effect.sleep("60 seconds")
          assert.deepStrictEqual(valueFilesOf(device), [])
        }),
      withValues({ directValueBytesMin: 512 }, spacious)
    )
  )

  it(
    "and a call says how many files and bytes it gave back",
    onValues(
      (opened, device) =>
        Effect.gen(function* () {
          yield* setAll(opened, 0)
          yield* opened.maintenance.flush
          yield* setAll(opened, 1, numbered(100))
          yield* opened.maintenance.flush
          // Compaction tells what is garbage; what is collected beside it is not counted twice.
          const before = yield* opened.maintenance.stats
          yield* opened.maintenance.compact()
          const { bytes, files } = yield* opened.maintenance.collectValues({ garbageRatioMin: 0.01 })
          yield* Effect.sleep("1 second")
          const { counters, valueFiles } = yield* opened.maintenance.stats
          assert.isAtLeast(counters.reclaimedBytes - before.counters.reclaimedBytes, bytes)
          assert.strictEqual(bytes > 0, files > 0)
          assert.isAtMost(valueFileBytes(device), 200 * 1007 * 1.1)
          assert.strictEqual(valueFiles.garbageBytes, 0)
          assert.strictEqual(valueFiles.liveBytes, 200 * 1000)
          assert.strictEqual(valueFiles.liveValues, 200)
          const again = yield* opened.maintenance.collectValues({ garbageRatioMin: 0.01 })
          assert.deepStrictEqual(again, { files: 0, bytes: 0 })
        }),
      spacious
    )
  )
})

/** Everything is overwritten but for the last keys, which are removed; no older version is needed by a new reader. */
const replaceAll = Effect.fnUntraced(function* (opened: Opened, keys: ReadonlyArray<string>) {
  for (const key of keys.slice(0, -2)) yield* opened.database.set(key, longValue(`${key} new`, 100))
  for (const key of keys.slice(-2)) yield* opened.database.remove(key)
  yield* opened.maintenance.flush
  yield* opened.maintenance.compact()
  yield* opened.maintenance.collectValues({ garbageRatioMin: 0 })
})

describe("a reader keeps what it saw across collections", () => {
  const keys = numbered(12)
  const old = (key: string) => longValue(`${key} old`, 100)
  const prepared = Effect.fnUntraced(function* ({ database, maintenance }: Opened) {
    for (const key of keys) yield* database.set(key, old(key))
    yield* maintenance.flush
  })
  const modes = [
    ["separated", separatedOptions],
    ["direct", valueOptions]
  ] as const

  for (const [name, options] of modes) {
    it(
      `a snapshot opened before a collection reads old values after it, and then their files go (${name})`,
      onValues(
        (opened, device) =>
          Effect.gen(function* () {
            yield* prepared(opened)
            const before = valueFilesOf(device)
            const scope = yield* Scope.make()
            const snapshot = yield* Scope.provide(opened.database.snapshot, scope)
            for (let round = 0; round < 3; round++) yield* replaceAll(opened, keys)
            for (const key of keys) assert.strictEqual(textOf(yield* snapshot.get(key)), old(key))
            for (const key of keys) yield* seenByAll(snapshot, key, new TextEncoder().encode(old(key)))
            yield* Scope.close(scope, Exit.void)
            yield* replaceAll(opened, keys)
            yield* Effect.sleep("60 seconds")
            assert.deepStrictEqual(
              before.filter((file) => valueFilesOf(device).includes(file)),
              []
            )
            assert.deepStrictEqual((yield* opened.maintenance.verify).damage, [])
          }),
        options
      )
    )

    it(
      `a scan of lazy entries reads them late (${name})`,
      onValues(
        (opened) =>
          Effect.gen(function* () {
            yield* prepared(opened)
            let replaced = false
            const found: Array<string | undefined> = []
            yield* Stream.runForEachArray(opened.database.scanLazy(), (entries) =>
              Effect.gen(function* () {
                if (!replaced) yield* replaceAll(opened, keys)
                replaced = true
                for (const { value, valueBytes } of entries) {
                  const read = yield* value
                  assert.strictEqual(read.length, valueBytes)
                  found.push(textOf(read))
                }
              })
            )
            assert.deepStrictEqual(found, keys.map(old))
          }),
        options
      )
    )

    it(
      `a cursor reads its value late (${name})`,
      onValues(
        (opened) =>
          Effect.gen(function* () {
            yield* prepared(opened)
            const cursor = yield* opened.database.cursor({ lazy: true })
            for (const key of keys) {
              assert.isTrue(yield* cursor.next)
              assert.isUndefined(cursor.value)
              if (key === keys[0] || key === keys[6]) yield* replaceAll(opened, keys)
              assert.strictEqual(textOf(yield* cursor.readValue), old(key))
            }
          }),
        options
      )
    )

    it(
      `a stream of a value goes on (${name})`,
      onValues(
        (opened) =>
          Effect.gen(function* () {
            const value = longValue("streamed old", 200_000)
            yield* opened.database.set("streamed", value)
            yield* opened.maintenance.flush
            const stream = yield* opened.database.getStream("streamed")
            yield* replaceAll(opened, ["streamed", "a", "b"])
            let text = ""
            yield* Stream.runForEach(stream!, (piece) => Effect.sync(() => void (text += textOf(piece))))
            assert.strictEqual(text, value)
          }),
        options
      )
    )
  }

  it(
    "but what is not read to its end holds no file when it is left",
    onValues(
      (opened, device) =>
        Effect.gen(function* () {
          const { database } = opened
          yield* prepared(opened)
          yield* database.set("long", longValue("long", 600_000))
          const first = Effect.flatMap(database.getStream("long"), (pieces) => Stream.runHead(pieces!))
          const [one] = yield* Stream.runCollect(Stream.take(database.scanLazy(), 1))
          assert.strictEqual(one?.valueBytes, 100)
          yield* Effect.scoped(Effect.andThen(database.getStream("long"), first))
          yield* Effect.scoped(Effect.flatMap(database.cursor({ lazy: true }), (cursor) => cursor.next))
          yield* database.removeRange({})
          yield* Effect.sleep("60 seconds")
          assert.deepStrictEqual(valueFilesOf(device), [])
          assert.strictEqual((yield* reasonOf(one!.value))._tag, "Closed")
        }),
      { ...separatedOptions, valueBytesMax: 1024 * 1024 }
    )
  )

  it(
    "and after its scope a lazy value fails Closed",
    onValues((opened) =>
      Effect.gen(function* () {
        yield* prepared(opened)
        const cursor = yield* Effect.scoped(Effect.tap(opened.database.cursor({ lazy: true }), (cursor) => cursor.next))
        assert.strictEqual((yield* reasonOf(cursor.readValue))._tag, "Closed")
      })
    )
  )
})
