// Reads that hold a value across a collection that moves it to another file: they get its bytes all the same, and the
// old file stays as long as something reads it, and no longer.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Latch, Layer, Scope, Stream } from "effect"
import * as SimDisk from "../src/layers/SimDisk.ts"
import { concatBytes } from "../src/internal/format/bytes.ts"
import type { DatabaseService } from "../src/services/Database.ts"
import type { DatabaseError } from "../src/services/DatabaseError.ts"
import { Disk, type DiskService, type ReadFile } from "../src/services/Disk.ts"
import type { OptionsInput } from "../src/services/Options.ts"
import { directory, open } from "./support/opened.ts"
import { Dice } from "./internal/format/support.ts"
import { reasonOf } from "./support/tables.ts"
import { patterned } from "./support/valueLogs.ts"

const options: OptionsInput = {
  arenaBytes: 4 * 1024 * 1024,
  transactionBytesMax: 4 * 1024 * 1024,
  valueThreshold: 100,
  directValueBytesMin: 2 * 1024 * 1024
}

const keys = Array.from({ length: 40 }, (_, index) => `key-${index + 10}`)
const long = "long"
const expected = new Map([
  ...keys.map((key, at) => [key, patterned(1000, at)] as const),
  [long, patterned(600_000, 99)]
])
const decoder = new TextDecoder()

const same = (value: Uint8Array, key: Uint8Array | string, what: string) => {
  const name = typeof key === "string" ? key : decoder.decode(key)
  assert.isTrue(Buffer.from(value).equals(expected.get(name)!), `${what} of ${name}`)
}

/** One value file of which half is garbage. */
const setup = Effect.fnUntraced(function* (synchronousReads: boolean, change = (disk: DiskService) => disk) {
  const device = SimDisk.make({ synchronousReads })
  const { database, maintenance } = yield* open(Layer.succeed(Disk, change(device.disk)), options)
  const garbage = Array.from({ length: 10 }, (_, index) => `old-${index}`)
  for (const [key, value] of expected) yield* database.set(key, value, { durability: "os" })
  for (const key of garbage) yield* database.set(key, patterned(80_000, 5), { durability: "os" })
  yield* maintenance.flush
  for (const key of garbage) yield* database.remove(key)
  yield* maintenance.compact()
  const files = () => device.files.list(directory).flatMap(({ name }) => (name.startsWith("value-") ? [name] : []))
  const [old, ...others] = files()
  assert.lengthOf(others, 0)
  const collect = Effect.map(maintenance.collectValues({ garbageRatioMin: 0.1 }), ({ files }) =>
    assert.strictEqual(files, 1)
  )
  return { database, maintenance, collect, isGone: () => !files().includes(old!) }
})

/** A disk that can hold up the next read of a value file. */
const holdingUp = () => {
  const gate = { armed: false, held: Latch.makeUnsafe(false) }
  const held = (file: ReadFile): ReadFile => ({
    ...file,
    read: (offset, length) =>
      Effect.suspend(() => {
        if (!gate.armed || !file.path.endsWith(".val")) return file.read(offset, length)
        gate.armed = false
        return Effect.andThen(gate.held.await, file.read(offset, length))
      })
  })
  const change = (disk: DiskService): DiskService => ({ ...disk, open: (path) => Effect.map(disk.open(path), held) })
  return { gate, change }
}

const waiting: Record<
  string,
  (database: DatabaseService) => Effect.Effect<ReadonlyArray<Uint8Array | undefined>, DatabaseError, Scope.Scope>
> = {
  get: (database) => Effect.map(database.get(keys[3]!), (value) => [value]),
  getEntry: (database) => Effect.map(database.getEntry(keys[3]!), (entry) => [entry?.value]),
  getMany: (database) => database.getMany([keys[3]!]),
  scan: (database) =>
    Effect.map(Stream.runCollect(database.scan({ from: keys[3]!, limit: 1 })), ([entry]) => [entry?.value]),
  scanLazy: (database) =>
    Effect.map(
      Stream.runCollect(Stream.mapEffect(database.scanLazy({ from: keys[3]!, limit: 1 }), (entry) => entry.value)),
      (values) => Array.from(values)
    ),
  cursor: (database) =>
    Effect.gen(function* () {
      const cursor = yield* database.cursor()
      yield* cursor.seek(keys[3]!)
      return [cursor.value]
    })
}

const bothWays = (name: string, body: (synchronousReads: boolean) => Effect.Effect<void, unknown, Scope.Scope>) => {
  for (const synchronousReads of [true, false]) {
    it.live(`${name}, ${synchronousReads ? "a synchronous" : "an asynchronous"} disk`, () => body(synchronousReads))
  }
}

/** What is done in the background has had its turns. */
const settled = Effect.repeat(Effect.yieldNow, { times: 200 })

const close = (scope: Scope.Closeable) => Effect.andThen(Scope.close(scope, Exit.void), settled)

describe("across a collection", () => {
  bothWays("lazy values of scans, cursors and snapshots are read", (synchronousReads) =>
    Effect.gen(function* () {
      const { collect, database, isGone } = yield* setup(synchronousReads)
      const scope = yield* Scope.make()
      const inScope = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) => Scope.provide(effect, scope)
      const pull = yield* inScope(Stream.toPull(database.scanLazy()))
      const chunk = yield* pull
      const cursor = yield* inScope(database.cursor({ lazy: true }))
      yield* cursor.next
      const ofCursor = cursor.lazyEntry!
      const snapshot = yield* inScope(database.snapshot)
      const ofSnapshot = Array.from(yield* Stream.runCollect(snapshot.scanLazy()))
      yield* collect
      // They hold no file: each finds the new one.
      yield* settled
      assert.isTrue(isGone())
      for (const { key, value } of [...chunk, ...ofSnapshot, ofCursor]) same(yield* value, key, "lazy value")
      same(yield* cursor.readValue, keys[0]!, "readValue")
      while (yield* cursor.next) same(yield* cursor.readValue, cursor.key!, "readValue")
      yield* close(scope)
      for (const { value } of [chunk[0], ofSnapshot[0]!, ofCursor]) {
        assert.strictEqual((yield* reasonOf(value))._tag, "Closed")
      }
    })
  )

  bothWays("a stream goes on in the old file, which goes with it", (synchronousReads) =>
    Effect.gen(function* () {
      const { collect, database, isGone } = yield* setup(synchronousReads)
      const scope = yield* Scope.make()
      const inScope = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) => Scope.provide(effect, scope)
      const pull = yield* inScope(Stream.toPull((yield* inScope(database.getStream(long)))!))
      const first = yield* pull
      yield* collect
      yield* settled
      assert.isFalse(isGone())
      const pieces = [...first, ...(yield* pull), ...(yield* pull)]
      same(concatBytes(pieces), long, "stream")
      yield* close(scope)
      assert.isTrue(isGone())
      const again = yield* database.getStream(long)
      same(concatBytes(Array.from(yield* Stream.runCollect(again!))), long, "another stream")
    })
  )

  bothWays("reads of every kind that run meanwhile find every value", (synchronousReads) =>
    Effect.gen(function* () {
      const { database, maintenance } = yield* setup(synchronousReads)
      const running = { ended: false }
      const read = (seed: number): Effect.Effect<void, DatabaseError> =>
        Effect.gen(function* () {
          const dice = new Dice(seed)
          while (!running.ended) {
            const key = dice.pick([...keys, long])
            switch (dice.below(4)) {
              case 0:
                same((yield* database.get(key))!, key, "get")
                break
              case 1:
                for (const [at, value] of (yield* database.getMany(keys)).entries()) same(value!, keys[at]!, "getMany")
                break
              case 2:
                yield* Stream.runForEach(database.scan({ from: key, to: "m" }), (entry) =>
                  Effect.sync(() => same(entry.value, entry.key, "scan"))
                )
                break
              default:
                yield* Stream.runForEach(database.scanLazy({ to: key, reverse: true }), (entry) =>
                  Effect.map(entry.value, (value) => same(value, entry.key, "scanLazy"))
                )
            }
            yield* Effect.yieldNow
          }
        })
      const readers = yield* Effect.forEach([1, 2, 3, 4], (seed) => Effect.forkChild(read(seed)))
      for (let count = 0; count < 6; count++) {
        yield* database.set("p", patterned(300_000, count), { durability: "os" })
        yield* maintenance.flush
        yield* maintenance.compact()
        yield* maintenance.collectValues({ garbageRatioMin: 0 })
      }
      running.ended = true
      for (const reader of readers) yield* Fiber.join(reader)
      assert.deepStrictEqual((yield* maintenance.verify).damage, [])
    })
  )

  for (const [name, read] of Object.entries(waiting)) {
    it.live(`${name} that waits for the disk keeps the file until it has its value`, () =>
      Effect.gen(function* () {
        const { change, gate } = holdingUp()
        const { collect, database, isGone } = yield* setup(false, change)
        gate.armed = true
        const reader = yield* Effect.forkChild(Effect.scoped(read(database)))
        yield* settled
        assert.isFalse(gate.armed, "it waits")
        yield* collect
        yield* settled
        assert.isFalse(isGone())
        gate.held.openUnsafe()
        const [value] = yield* Fiber.join(reader)
        same(value!, keys[3]!, name)
        yield* settled
        assert.isTrue(isGone())
      })
    )
  }
})
