// Readers of separated values against writers, flushes, compactions and collections, under seeded schedulers: whatever
// happens to the files, each reader sees the values of one commit.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, type Scope, Stream } from "effect"
import * as SimDisk from "../src/layers/SimDisk.ts"
import { concatBytes } from "../src/internal/format/bytes.ts"
import type { DatabaseService, LazyEntry } from "../src/services/Database.ts"
import type { DatabaseError } from "../src/services/DatabaseError.ts"
import type { OptionsInput } from "../src/services/Options.ts"
import { Dice } from "./internal/format/support.ts"
import { directory, type Opened, open } from "./support/opened.ts"
import { simulate } from "./support/scenario.ts"
import { patterned } from "./support/valueLogs.ts"

const options: OptionsInput = {
  arenaBytes: 32 * 1024,
  transactionBytesMax: 32 * 1024,
  blockBytes: 512,
  cacheBytes: 2000,
  openFilesMax: 8,
  valueThreshold: 50,
  directValueBytesMin: 4000,
  valueFileBytesMax: 8192,
  level0TablesMin: 2
}

/** Of every kind: with its record, moved at the flush, and written before the commit. */
const lengths = [10, 60, 400, 1500, 3000, 5000]
const keys = lengths.map((_, index) => `key-${index}`)
const rounds = 10

const valueOf = (at: number, round: number): Uint8Array => patterned(lengths[at]!, 100 * round + at)

/** Which round's value of its key it is. Fails if it is none. */
const roundOf = (at: number, value: Uint8Array): number => {
  for (let round = 0; round < rounds; round++) if (Buffer.from(value).equals(valueOf(at, round))) return round
  return assert.fail(`${keys[at]} has a value of ${value.length} bytes that was never written`)
}

const checkSame = (values: ReadonlyArray<Uint8Array>, what: string): void => {
  assert.lengthOf(values, keys.length, what)
  const found = values.map((value, at) => roundOf(at, value))
  assert.strictEqual(new Set(found).size, 1, `${what}: rounds ${found.join(" ")}`)
}

const pause = (dice: Dice) => Effect.repeat(Effect.yieldNow, { times: dice.below(40) })

const writeAll = ({ database, maintenance }: Opened, dice: Dice) =>
  Effect.gen(function* () {
    for (let round = 1; round < rounds; round++) {
      yield* database.write(keys.map((key, at) => ({ type: "set", key, value: valueOf(at, round) })))
      if (dice.chance(0.5)) yield* maintenance.flush
      if (dice.chance(0.4)) yield* maintenance.compact()
      for (let left = dice.below(4); left > 0; left--) {
        // Garbage of its own, beside what others still read.
        yield* database.set("other", valueOf(3, round))
        yield* maintenance.flush
        yield* database.remove("other")
        yield* maintenance.compact()
        yield* maintenance.collectValues({ garbageRatioMin: 0 })
      }
      yield* pause(dice)
    }
  })

const lazily = (entries: Iterable<LazyEntry>, dice: Dice) =>
  Effect.forEach([...entries], ({ value }) => Effect.andThen(pause(dice), value))

const ways: Record<
  string,
  (
    database: DatabaseService,
    dice: Dice
  ) => Effect.Effect<ReadonlyArray<Uint8Array | undefined>, DatabaseError, Scope.Scope>
> = {
  getMany: (database) => database.getMany(keys),
  scan: (database) =>
    Effect.map(Stream.runCollect(database.scan({ prefix: "key" })), (entries) =>
      Array.from(entries, ({ value }) => value)
    ),
  cursor: (database, dice) =>
    Effect.gen(function* () {
      const cursor = yield* database.cursor({ prefix: "key", lazy: dice.chance(0.5) })
      const values: Array<Uint8Array> = []
      while (yield* cursor.next) {
        yield* pause(dice)
        values.push(yield* cursor.readValue)
      }
      return values
    }),
  snapshot: (database, dice) =>
    Effect.gen(function* () {
      const snapshot = yield* database.snapshot
      const entries = yield* Stream.runCollect(snapshot.scanLazy({ prefix: "key" }))
      return yield* lazily(entries, dice)
    }),
  streams: (database, dice) =>
    Effect.gen(function* () {
      const snapshot = yield* database.snapshot
      const streams = yield* Effect.forEach(keys, (key) => snapshot.getStream(key))
      yield* pause(dice)
      return yield* Effect.forEach(streams, (stream) =>
        Effect.map(Stream.runCollect(stream!), (pieces) => concatBytes(Array.from(pieces)))
      )
    }),
  transaction: (database, dice) =>
    Effect.gen(function* () {
      const transaction = yield* database.begin({ isolation: "snapshot" })
      yield* pause(dice)
      const entries = yield* Stream.runCollect(transaction.scan({ prefix: "key" }))
      return Array.from(entries, ({ value }) => value)
    })
}

const readAll = (database: DatabaseService, dice: Dice, running: { readonly ended: boolean }) =>
  Effect.gen(function* () {
    do {
      const way = dice.pick(Object.keys(ways))
      checkSame((yield* Effect.scoped(ways[way]!(database, dice))) as ReadonlyArray<Uint8Array>, way)
      const at = dice.below(keys.length)
      roundOf(at, (yield* database.get(keys[at]!))!)
      yield* pause(dice)
    } while (!running.ended)
  })

const run = (seed: number, synchronousReads: boolean) =>
  Effect.gen(function* () {
    const dice = new Dice(seed)
    const device = SimDisk.make({ synchronousReads })
    const opened = yield* open(device.layer, options)
    const { database, maintenance } = opened
    yield* database.write(keys.map((key, at) => ({ type: "set", key, value: valueOf(at, 0) })))
    const running = { ended: false }
    const readers = yield* Effect.forEach([1, 2, 3], (reader) =>
      Effect.forkChild(readAll(database, new Dice(seed * 10 + reader), running))
    )
    yield* writeAll(opened, dice)
    running.ended = true
    for (const reader of readers) yield* Fiber.join(reader)
    yield* maintenance.flush
    yield* maintenance.compact()
    yield* maintenance.collectValues({ garbageRatioMin: 0 })
    assert.deepStrictEqual((yield* maintenance.verify).damage, [])
    const { valueFiles } = yield* maintenance.stats
    assert.strictEqual(valueFiles.garbageBytes, 0)
    // What nobody reads any more is gone.
    yield* Effect.repeat(Effect.yieldNow, { times: 200 })
    const files = device.files.list(directory).filter(({ name }) => name.startsWith("value-"))
    assert.lengthOf(files, valueFiles.files)
  })

describe("readers of separated values see one commit, whatever happens to the files", () => {
  for (const synchronousReads of [true, false]) {
    it(synchronousReads ? "on a synchronous disk" : "on an asynchronous disk", () => {
      for (let seed = 1; seed <= 12; seed++) {
        try {
          simulate(run(seed, synchronousReads), { seed, stepsMax: 3_000_000 })
        } catch (error) {
          throw new Error(`seed ${seed}: ${String(error)}`, { cause: error })
        }
      }
    })
  }
})
