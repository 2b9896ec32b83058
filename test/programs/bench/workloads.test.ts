import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import * as MemoryDatabase from "../../../src/layers/MemoryDatabase.ts"
import { Pairs } from "../../../src/programs/bench/pairs.ts"
import { type Workload, workloads } from "../../../src/programs/bench/workloads.ts"
import { Database, type DatabaseService, type Transaction } from "../../../src/services/Database.ts"
import type { Maintenance } from "../../../src/services/Maintenance.ts"

const pairs = new Pairs({ count: 300, valueBytes: 40 })
const seconds = 0.001
const named = (id: string): Workload => workloads.find((workload) => workload.id === id)!

/** With every pair in it, and then seen through what somebody broke. */
const filled = (run: Effect.Effect<void, unknown, Database | Maintenance>, broken: Break = (database) => database) =>
  Effect.gen(function* () {
    yield* named("fill").run(pairs, seconds)
    const database = yield* Database
    yield* Effect.provideService(run, Database, broken(database))
  }).pipe(Effect.provide(Layer.fresh(MemoryDatabase.layer())))

type Break = (database: DatabaseService) => DatabaseService

const other = pairs.value(1).map((byte) => byte ^ 1)
const breaks: ReadonlyArray<readonly [id: string, broken: Break]> = [
  ["get", (database) => ({ ...database, get: () => Effect.succeed(other) })],
  ["get-unsafe", (database) => ({ ...database, getUnsafe: () => undefined })],
  ["missing", (database) => ({ ...database, get: () => Effect.succeed(other) })],
  ["ranges", (database) => ({ ...database, scan: (range) => Stream.drop(database.scan(range), 1) })],
  ["scan", (database) => ({ ...database, scan: (range) => Stream.take(database.scan(range), 299) })],
  [
    "scan",
    (database) => ({
      ...database,
      scan: (range) => Stream.map(database.scan(range), (entry) => ({ ...entry, value: other }))
    })
  ],
  ["count", (database) => ({ ...database, count: () => Effect.succeed(299) })],
  [
    "transaction",
    (database) => ({
      ...database,
      transaction: (body) =>
        database.transaction((transaction: Transaction) => body({ ...transaction, get: () => Effect.succeed(other) }))
    })
  ]
]

describe("the workloads", () => {
  it.live.each(workloads.map((workload) => [workload.id, workload] as const))("do %s", ([, workload]) =>
    filled(
      Effect.gen(function* () {
        const { nanos, operations, sampled, things } = yield* workload.run(pairs, seconds)
        assert.isAbove(operations, 0)
        assert.isAtLeast(things, operations)
        assert.isAbove(nanos, 0)
        if (workload.spread) assert.isAbove(sampled.length, 0)
      })
    )
  )

  it.live.each(breaks)("notice a wrong answer to %s", ([id, broken]) =>
    filled(
      Effect.gen(function* () {
        const error = yield* Effect.flip(named(id).run(pairs, seconds))
        assert.match(error.message, /what was not stored/)
      }),
      broken
    )
  )

  it.live("leave every pair as it was", () =>
    filled(
      Effect.gen(function* () {
        for (const workload of workloads) yield* workload.run(pairs, seconds)
        const entries = yield* Stream.runCollect((yield* Database).scan())
        assert.strictEqual(entries.length, pairs.count)
        for (const [index, { key, value }] of entries.entries()) {
          assert.deepStrictEqual([key, value], [pairs.key(index), pairs.value(index)])
        }
      })
    )
  )
})

describe("the pairs", () => {
  it("have keys in the order of their indexes, and missing ones between them", () => {
    const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1")
    assert.deepStrictEqual([pairs.key(0), pairs.missingKey(0), pairs.key(1), pairs.key(12_345)].map(text), [
      "item000000000000",
      "item000000000001",
      "item000000000002",
      "item000000024690"
    ])
  })

  it("have every index once in an order of chance", () => {
    const order = pairs.shuffled(1)
    assert.notDeepEqual(order, order.toSorted())
    assert.deepStrictEqual(
      order.toSorted(),
      Uint32Array.from({ length: 300 }, (_, index) => index)
    )
  })

  it("tell values apart", () => {
    for (let index = 0; index < 300; index += 1) assert.isTrue(pairs.isValue(index, pairs.value(index)))
    assert.isFalse(pairs.isValue(1, other))
    assert.isFalse(pairs.isValue(1, pairs.value(1).subarray(1)))
  })
})
