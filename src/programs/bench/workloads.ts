// What `strata bench` does with a database, in this order. Whatever is read is looked at: a value that is not the one
// that was stored ends the bench.
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Database, type DatabaseService, type Entry, NotInMemory } from "../../services/Database.ts"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import { Maintenance } from "../../services/Maintenance.ts"
import { type CommandFailed, failed } from "../failure.ts"
import { Batch, batchBytesMax, batchOperationsMax } from "../load.ts"
import { countText } from "../table.ts"
import { type Measured, measure, measureOnce, type Operation } from "./measure.ts"
import { keyBytes, type Pairs, prefixEntriesMax, prefixOf, random } from "./pairs.ts"

export interface Workload {
  readonly id: string
  readonly title: string
  /** Whether what one operation took is told, too: not where one is a whole scan. */
  readonly spread: boolean
  readonly run: (
    pairs: Pairs,
    seconds: number
  ) => Effect.Effect<Measured, CommandFailed | DatabaseError, Database | Maintenance>
}

const writers = 64
const rangeEntries = 100
const scanEntriesMax = 100_000
/** Keys are drawn before the clock starts; of more keys than that, so many. */
const drawnMax = 200_000

const wrong = (what: string): CommandFailed => failed(`${what} answered with what was not stored`)

const drawn = (pairs: Pairs, key: (index: number) => Uint8Array) => {
  const indexes = pairs.shuffled(2).subarray(0, drawnMax)
  return { indexes, keys: Array.from(indexes, key) }
}

/** The number of entries, each of which must be a pair, and the first of them this one. */
const checked = (entries: ReadonlyArray<Entry>, pairs: Pairs, first: number): Effect.Effect<number, CommandFailed> => {
  for (const [at, { key, value }] of entries.entries()) {
    if (key.length !== keyBytes || !pairs.isValue(first + at, value)) return Effect.fail(wrong("a scan"))
  }
  return Effect.succeed(entries.length)
}

/** One operation after the other, on keys that were drawn. */
const onKeys =
  (
    operation: (database: DatabaseService, pairs: Pairs, drawn: Drawn) => Operation<CommandFailed | DatabaseError>,
    options: { readonly missing?: boolean; readonly writers?: number } = {}
  ): Workload["run"] =>
  (pairs, seconds) =>
    Effect.gen(function* () {
      const database = yield* Database
      const keys = drawn(pairs, (index) => (options.missing === true ? pairs.missingKey(index) : pairs.key(index)))
      return yield* measure(operation(database, pairs, keys), { seconds, writers: options.writers ?? 1 })
    })

type Drawn = ReturnType<typeof drawn>

const fill: Workload["run"] = (pairs) =>
  Effect.gen(function* () {
    const database = yield* Database
    const order = pairs.shuffled(1)
    let [nanos, operations] = [0, 0]
    for (let at = 0; at < order.length;) {
      const batch = new Batch()
      while (at < order.length && !batch.isFullFor(keyBytes + pairs.valueBytes)) {
        batch.add(pairs.key(order[at]!), pairs.value(order[at]!))
        at += 1
      }
      nanos += (yield* measureOnce(Effect.as(database.write(batch.operations), 1))).nanos
      operations += 1
    }
    return { operations, things: order.length, nanos, sampled: new Float64Array(0) }
  })

const set = (writersCount: number): Workload["run"] =>
  onKeys(
    (database, pairs, { indexes, keys }) =>
      (number) => {
        const at = number % keys.length
        return Effect.as(database.set(keys[at]!, pairs.value(indexes[at]!)), 1)
      },
    { writers: writersCount }
  )

const transaction = onKeys((database, pairs, { indexes, keys }) => (number) => {
  const at = (place: number) => (4 * number + place) % keys.length
  return database.transaction((transaction) =>
    Effect.gen(function* () {
      for (const read of [at(0), at(1)]) {
        const value = yield* transaction.get(keys[read]!)
        if (value === undefined || !pairs.isValue(indexes[read]!, value)) return yield* wrong("a transaction's get")
      }
      for (const written of [at(2), at(3)]) yield* transaction.set(keys[written]!, pairs.value(indexes[written]!))
      return 1
    })
  )
})

const settle: Workload["run"] = (pairs) =>
  Effect.gen(function* () {
    const maintenance = yield* Maintenance
    return yield* measureOnce(Effect.as(Effect.andThen(maintenance.flush, maintenance.compact()), pairs.count))
  })

const get = onKeys((database, pairs, { indexes, keys }) => (number) => {
  const at = number % keys.length
  return Effect.flatMap(database.get(keys[at]!), (value) =>
    value !== undefined && pairs.isValue(indexes[at]!, value) ? Effect.succeed(1) : Effect.fail(wrong("a get"))
  )
})

const getUnsafe = onKeys((database, pairs, { indexes, keys }) => (number) => {
  const at = number % keys.length
  const value = database.getUnsafe(keys[at]!)
  // It is not in memory: then a caller has to ask again.
  if (value === NotInMemory) return Effect.as(database.get(keys[at]!), 1)
  if (value === undefined || !pairs.isValue(indexes[at]!, value)) return Effect.fail(wrong("getUnsafe"))
  return Effect.succeed(1)
})

const missing = onKeys(
  (database, _, { keys }) =>
    (number) =>
      Effect.flatMap(database.get(keys[number % keys.length]!), (value) =>
        value === undefined ? Effect.succeed(1) : Effect.fail(wrong("a get of a missing key"))
      ),
  { missing: true }
)

/** The entries of a scan, chunk by chunk. */
const scanned = (database: DatabaseService, pairs: Pairs, { first, limit }: { first: number; limit: number }) =>
  Effect.gen(function* () {
    let count = 0
    const from = pairs.key(first)
    yield* Stream.runForEachArray(database.scan({ from, limit }), (entries) =>
      Effect.map(checked(entries, pairs, first + count), (more) => {
        count += more
      })
    )
    if (count !== Math.min(limit, pairs.count - first)) return yield* wrong("a scan")
    return count
  })

const ranges: Workload["run"] = (pairs, seconds) =>
  Effect.gen(function* () {
    const database = yield* Database
    const next = random(3)
    return yield* measure(
      () => scanned(database, pairs, { first: Math.floor(next() * pairs.count), limit: rangeEntries }),
      { seconds, writers: 1 }
    )
  })

const scan: Workload["run"] = (pairs, seconds) =>
  Effect.gen(function* () {
    const database = yield* Database
    return yield* measure(() => scanned(database, pairs, { first: 0, limit: scanEntriesMax }), { seconds, writers: 1 })
  })

const count: Workload["run"] = (pairs, seconds) =>
  Effect.gen(function* () {
    const database = yield* Database
    const groups = Math.ceil(pairs.count / prefixEntriesMax)
    return yield* measure(
      (number) => {
        const first = (number % groups) * prefixEntriesMax
        const entries = Math.min(prefixEntriesMax, pairs.count - first)
        return Effect.flatMap(database.count({ prefix: prefixOf(first) }), (found) =>
          found === entries ? Effect.succeed(found) : Effect.fail(wrong("a count"))
        )
      },
      { seconds, writers: 1 }
    )
  })

/** First on an empty database, then on what they leave. */
export const workloads: ReadonlyArray<Workload> = [
  {
    id: "fill",
    title: `batches of ${countText(batchOperationsMax)} or ${batchBytesMax / 1024 / 1024} MiB, an entry`,
    spread: false,
    run: fill
  },
  { id: "set", title: "set", spread: true, run: set(1) },
  { id: "set-writers", title: `set, ${writers} writers at once`, spread: true, run: set(writers) },
  { id: "transaction", title: "transaction, 2 gets and 2 sets", spread: true, run: transaction },
  { id: "compact", title: "flush and compaction, an entry", spread: false, run: settle },
  { id: "get", title: "get", spread: true, run: get },
  { id: "get-unsafe", title: "getUnsafe", spread: true, run: getUnsafe },
  { id: "missing", title: "get of a missing key", spread: true, run: missing },
  { id: "ranges", title: `scan of ${rangeEntries} entries, an entry`, spread: false, run: ranges },
  { id: "scan", title: "scan, an entry", spread: false, run: scan },
  { id: "count", title: "count, an entry", spread: false, run: count }
]
