// Strata as its users meet it: every call is yielded inside one fiber, and what the scheduler adds is part of the
// figure. `view` loops use `getUnsafe` and cursors, which answer on the calling stack with bytes that are valid until
// the next call.
//
// A mode is a durability, and what is not as by default behind it: "os", "disk", "os, encrypted".
import { Effect, ManagedRuntime, Redacted, Stream } from "effect"
import * as AeadEncryption from "../../src/layers/AeadEncryption.ts"
import { layer, type Location } from "../../src/layers/LsmDatabase.ts"
import * as ZstdCompression from "../../src/layers/ZstdCompression.ts"
import { Database, type DatabaseService, NotInMemory, type Transaction } from "../../src/services/Database.ts"
import { Maintenance } from "../../src/services/Maintenance.ts"
import type { Durability } from "../../src/services/Options.ts"
import { emptyTally, type Tally, tallyKey, tallyValue } from "../data.ts"
import { type Driver, keptAfterKill, type RangeRun, type Session, type WriteRun } from "./driver.ts"

/** Sets and transactions under way at once in the `in flight` loops. */
const inFlightMax = 1000
const transactionsMax = 64

type Run = <A, E>(effect: Effect.Effect<A, E>) => Promise<A>

const gets = (db: DatabaseService, run: Run): Session["get"] => ({
  owned: (keys) =>
    run(
      Effect.gen(function* () {
        const tally = emptyTally()
        for (const key of keys) {
          const value = yield* db.get(key)
          if (value !== undefined) tallyValue(tally, value)
        }
        return tally
      })
    ),
  view: (keys) =>
    run(
      Effect.gen(function* () {
        const tally = emptyTally()
        for (const key of keys) {
          let value = db.getUnsafe(key)
          if (value === NotInMemory) value = yield* db.get(key)
          if (value !== undefined) tallyValue(tally, value)
        }
        return tally
      })
    )
})

const chunkTallied = (tally: Tally) => (chunk: ReadonlyArray<{ readonly value: Uint8Array }>) =>
  Effect.sync(() => {
    for (const entry of chunk) tallyValue(tally, entry.value)
  })

const rangeOwned = (db: DatabaseService, { limit, starts }: RangeRun) =>
  Effect.gen(function* () {
    const tally = emptyTally()
    const consume = chunkTallied(tally)
    for (const from of starts) yield* Stream.runForEachArray(db.scan({ from, limit }), consume)
    return tally
  })

const rangeByCursor = (db: DatabaseService, { limit, starts }: RangeRun) =>
  Effect.scoped(
    Effect.gen(function* () {
      const tally = emptyTally()
      const cursor = yield* db.cursor()
      for (const start of starts) {
        if (!(yield* cursor.seek(start))) continue
        tallyValue(tally, cursor.value!)
        for (let count = 1; count < limit && (yield* cursor.next); count++) tallyValue(tally, cursor.value!)
      }
      return tally
    })
  )

const scanByCursor = (db: DatabaseService) =>
  Effect.scoped(
    Effect.gen(function* () {
      const tally = emptyTally()
      const cursor = yield* db.cursor()
      while (yield* cursor.next) tallyValue(tally, cursor.value!)
      return tally
    })
  )

const keysByCursor = (db: DatabaseService) =>
  Effect.scoped(
    Effect.gen(function* () {
      const tally = emptyTally()
      const cursor = yield* db.cursor({ lazy: true })
      while (yield* cursor.next) tallyKey(tally, cursor.key!)
      return tally
    })
  )

const keysOwned = (db: DatabaseService) => {
  const tally = emptyTally()
  const consume = (keys: ReadonlyArray<Uint8Array>) =>
    Effect.sync(() => {
      for (const key of keys) tallyKey(tally, key)
    })
  return Effect.as(Stream.runForEachArray(db.keys(), consume), tally)
}

const reads = (db: DatabaseService, run: Run): Pick<Session, "count" | "get" | "keys" | "ranges" | "scan"> => ({
  get: gets(db, run),
  scan: {
    owned: async () => {
      const tally = emptyTally()
      await run(Stream.runForEachArray(db.scan(), chunkTallied(tally)))
      return tally
    },
    view: () => run(scanByCursor(db))
  },
  keys: { owned: () => run(Effect.suspend(() => keysOwned(db))), view: () => run(keysByCursor(db)) },
  ranges: { owned: (ranges) => run(rangeOwned(db, ranges)), view: (ranges) => run(rangeByCursor(db, ranges)) },
  count: ({ prefix }) => run(db.count({ prefix }))
})

const setOneByOne = (db: DatabaseService, { keys, values }: WriteRun) =>
  Effect.gen(function* () {
    for (let index = 0; index < keys.length; index++) yield* db.set(keys[index]!, values[index]!)
  })

const setConcurrently = (db: DatabaseService, { keys, values }: WriteRun, concurrency: number) => {
  let next = 0
  const writer = Effect.gen(function* () {
    while (next < keys.length) {
      const index = next++
      yield* db.set(keys[index]!, values[index]!)
    }
  })
  return Effect.all(
    Array.from({ length: Math.min(concurrency, keys.length) }, () => writer),
    { concurrency: "unbounded", discard: true }
  )
}

const readTwoSetTwo = (db: DatabaseService, { keys, values }: WriteRun, fibers: number) => {
  const tally = emptyTally()
  let next = 0
  const fiber = Effect.gen(function* () {
    while (next < keys.length) {
      const at = next
      next += 4
      // Of the try that commits: one that met a conflict is run again.
      const [first, second] = yield* db.transaction(function (transaction: Transaction) {
        return Effect.gen(function* () {
          const first = (yield* transaction.get(keys[at]!))!
          const second = (yield* transaction.get(keys[at + 1]!))!
          yield* transaction.set(keys[at + 2]!, values[at + 2]!)
          yield* transaction.set(keys[at + 3]!, values[at + 3]!)
          return [first, second] as const
        })
      })
      tallyValue(tally, first)
      tallyValue(tally, second)
    }
  })
  if (fibers === 1) return Effect.as(fiber, tally)
  return Effect.as(
    Effect.all(
      Array.from({ length: fibers }, () => fiber),
      { concurrency: "unbounded", discard: true }
    ),
    tally
  )
}

const getAndSet = (db: DatabaseService, { keys, millis, values }: WriteRun & { readonly millis: Float64Array }) =>
  Effect.gen(function* () {
    const tally = emptyTally()
    for (let index = 0; index < keys.length; index++) {
      const start = performance.now()
      const value = yield* db.get(keys[index]!)
      millis[index] = performance.now() - start
      tallyValue(tally, value!)
      yield* db.set(keys[index]!, values[index]!)
    }
    return tally
  })

const writes = (
  db: DatabaseService,
  run: Run
): Pick<Session, "getAndSet" | "set" | "transact" | "write" | "writers"> => ({
  write: ({ keys, values }) =>
    run(
      Effect.suspend(() =>
        Effect.asVoid(db.write(keys.map((key, index) => ({ type: "set" as const, key, value: values[index]! }))))
      )
    ),
  set: {
    "one by one": (pairs) => run(setOneByOne(db, pairs)),
    "in flight": (pairs) => run(setConcurrently(db, pairs, inFlightMax))
  },
  transact: {
    "one by one": (pairs) => run(readTwoSetTwo(db, pairs, 1)),
    "in flight": (pairs) => run(readTwoSetTwo(db, pairs, transactionsMax))
  },
  getAndSet: (pairs) => run(getAndSet(db, pairs)),
  writers: { "in flight": (pairs) => run(setConcurrently(db, pairs, pairs.writers)) }
})

const mebibyte = 1024 * 1024
const allLevels = { upper: "zstd", bottom: "zstd", values: "zstd" } as const

/** What a mode sets beside its durability. */
const settings: Readonly<Record<string, () => Partial<Location>>> = {
  encrypted: () => ({ encryption: AeadEncryption.layer({ key: Redacted.make(new Uint8Array(32).fill(7)) }) }),
  zstd: () => ({ compression: ZstdCompression.layerWith(allLevels) }),
  "large arenas": () => ({ arenaBytes: 128 * mebibyte }),
  "small tables": () => ({ tableBytesMax: 2048 })
}

const locationOf = (directory: string, mode: string): Location => {
  const [durability, ...more] = mode.split(", ")
  const beside = Object.assign({}, ...more.map((name) => settings[name]!())) as Partial<Location>
  return { directory: `${directory}/strata`, durability: durability as Durability, ...beside }
}

const keptByTheSystem = { kill: keptAfterKill, power: "tail lost" }

export const driver: Driver = {
  arrays: "uint8array",
  durable: true,
  logStructured: true,
  fillMode: "os",
  unsynced: {
    buffered: { kill: "last 10 ms lost", power: "tail lost" },
    os: keptByTheSystem
  },
  synced: { disk: { kill: keptAfterKill, power: "kept" } },
  variants: Object.fromEntries(Object.keys(settings).map((name) => [`os, ${name}`, keptByTheSystem])),
  open: async (directory, mode) => {
    const runtime = ManagedRuntime.make(layer(locationOf(directory, mode)))
    const run: Run = (effect) => runtime.runPromise(effect)
    const db = await runtime.runPromise(Database).catch(async (error: unknown) => {
      await runtime.dispose()
      throw error
    })
    const maintenance = await runtime.runPromise(Maintenance)
    const compact = async () => {
      await run(Effect.andThen(maintenance.flush, maintenance.compact()))
      return (await run(maintenance.stats)).tables
    }
    return { ...reads(db, run), ...writes(db, run), compact, recovered: db.recovery, close: () => runtime.dispose() }
  }
}
