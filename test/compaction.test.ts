// What compaction promises to users: that nobody notices it, but for the space that comes back.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option, type Scope, Stream } from "effect"
import * as MemoryDisk from "../src/layers/MemoryDisk.ts"
import * as SimDisk from "../src/layers/SimDisk.ts"
import type { DatabaseService, Reader } from "../src/services/Database.ts"
import type { DatabaseError } from "../src/services/DatabaseError.ts"
import type { MaintenanceService } from "../src/services/Maintenance.ts"
import type { OptionsInput } from "../src/services/Options.ts"
import { bytes, hex } from "./support/model.ts"
import { directory, type Opened } from "./support/opened.ts"
import { Dice } from "./support/randomPlan.ts"
import { closedAfter, flipped, pathsOf, reasonOf, simulate, using, withFiles } from "./support/scenario.ts"

/** Small enough that a thousand writes make many tables on several levels. */
const tiny: OptionsInput = {
  arenaBytes: 4096,
  arenaCount: 3,
  valueBytesMax: 1024,
  blockBytes: 256,
  cacheBytes: 16_384,
  level0TablesMin: 2,
  level0TablesSlow: 6,
  level0TablesStop: 8,
  baseLevelBytes: 8192,
  levelRatio: 4,
  tableBytesMax: 4096,
  durability: "buffered"
}

const keyOf = (index: number): string => `key ${String(index).padStart(5, "0")}`
const valueOf = (index: number, round: number): string => `value ${round} of ${index} `.padEnd(100, "x")

const fill = (database: DatabaseService, options: { readonly keys: number; readonly round: number }) =>
  Effect.forEach(
    Array.from({ length: options.keys }, (_, index) => index),
    (index) => database.set(keyOf(index), valueOf(index, options.round)),
    { discard: true }
  )

/** Everything a reader sees, as text. */
const all = (reader: Reader) =>
  Effect.map(Stream.runCollect(reader.scan()), (entries) =>
    Array.from(entries, ({ key, value }) => `${hex(key)}=${hex(value)}`).join("\n")
  )

const tableBytes = (maintenance: MaintenanceService) => Effect.map(maintenance.stats, (stats) => stats.tableBytes)

const filesOf = (device: SimDisk.SimDisk) => device.files.list(directory).map(({ name }) => name)

const run = <A>(
  body: (
    parts: { readonly database: DatabaseService; readonly maintenance: MaintenanceService },
    device: SimDisk.SimDisk
  ) => Effect.Effect<A, DatabaseError, Scope.Scope>,
  options = tiny,
  seed = 1
): A => {
  const device = SimDisk.make()
  return simulate(
    using(device, (parts) => body(parts, device), options),
    { seed }
  )
}

describe("compaction", () => {
  it("gives back the space of what was overwritten, without a call", () =>
    run(({ database, maintenance }) =>
      Effect.gen(function* () {
        yield* fill(database, { keys: 400, round: 0 })
        yield* maintenance.compact()
        const live = yield* tableBytes(maintenance)
        for (let round = 1; round <= 5; round++) yield* fill(database, { keys: 400, round })
        yield* Effect.sleep("60 seconds")
        assert.isAtMost((yield* maintenance.stats).tableBytes, live * 1.2)
        assert.strictEqual(yield* database.count(), 400)
      })
    ))

  it("leaves nothing of what was removed", () =>
    run(({ database, maintenance }, device) =>
      Effect.gen(function* () {
        yield* fill(database, { keys: 400, round: 0 })
        for (let index = 0; index < 400; index++) yield* database.remove(keyOf(index))
        yield* Effect.sleep("60 seconds")
        assert.strictEqual(yield* tableBytes(maintenance), 0)
        assert.deepStrictEqual(
          filesOf(device).filter((name) => name.endsWith(".sst")),
          []
        )
      })
    ))

  it("leaves nothing of what a range removal hides, without anybody reading", () =>
    run(({ database, maintenance }, device) =>
      Effect.gen(function* () {
        yield* fill(database, { keys: 400, round: 0 })
        yield* maintenance.compact()
        yield* database.removeRange({})
        yield* Effect.sleep("60 seconds")
        assert.deepStrictEqual(
          filesOf(device).filter((name) => name.endsWith(".sst")),
          []
        )
      })
    ))

  it("keeps every version that a snapshot sees through a hundred compactions, and no other", () =>
    run(({ database, maintenance }) =>
      Effect.gen(function* () {
        yield* fill(database, { keys: 200, round: 0 })
        yield* maintenance.compact()
        const live = yield* tableBytes(maintenance)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const snapshot = yield* database.snapshot
            const before = yield* all(snapshot)
            for (let round = 1; (yield* maintenance.stats).counters.compactions < 100; round++) {
              yield* fill(database, { keys: 200, round })
              yield* maintenance.compact()
              assert.strictEqual(yield* all(snapshot), before, `round ${round}`)
            }
            // The snapshot's version and the newest of each key.
            assert.isAtMost(yield* tableBytes(maintenance), 2.2 * live)
          })
        )
        yield* maintenance.compact()
        assert.isAtMost(yield* tableBytes(maintenance), 1.1 * live)
      })
    ))

  it("takes no files from a scan that is in progress, and keeps none for one that waits", () =>
    run(({ database, maintenance }) =>
      Effect.gen(function* () {
        yield* fill(database, { keys: 300, round: 0 })
        yield* maintenance.compact()
        const expected = yield* all(database)
        const seen: Array<string> = []
        yield* database.scan().pipe(
          Stream.rechunk(1),
          Stream.runForEach(({ key, value }) =>
            Effect.gen(function* () {
              seen.push(`${hex(key)}=${hex(value)}`)
              if (seen.length % 50 !== 0) return
              yield* fill(database, { keys: 300, round: seen.length })
              yield* maintenance.compact()
            })
          )
        )
        assert.strictEqual(seen.join("\n"), expected)
        yield* maintenance.compact()
        assert.strictEqual((yield* maintenance.stats).levels.length, 1)
      })
    ))

  it("compacts the range that is asked for, and leaves the rest", () =>
    run(
      ({ database, maintenance }) =>
        Effect.gen(function* () {
          yield* fill(database, { keys: 300, round: 0 })
          yield* fill(database, { keys: 300, round: 1 })
          yield* maintenance.flush
          const before = (yield* maintenance.stats).entries
          yield* maintenance.compact({ from: keyOf(0), to: keyOf(100) })
          const between = (yield* maintenance.stats).entries
          assert.isAtMost(between, before - 90)
          yield* maintenance.compact()
          const after = (yield* maintenance.stats).entries
          assert.strictEqual(after, 300)
          assert.isBelow(after, between)
        }),
      { ...tiny, level0TablesMin: 64, level0TablesSlow: 100, level0TablesStop: 200 }
    ))

  it.each(["compact", "collectValues"] as const)("several callers of %s are all told when it is done", (name) => {
    for (let seed = 1; seed <= 10; seed++) {
      run(
        ({ database, maintenance }) =>
          Effect.gen(function* () {
            const call = name === "compact" ? maintenance.compact() : maintenance.collectValues({ garbageRatioMin: 0 })
            yield* fill(database, { keys: 40, round: 0 })
            yield* maintenance.flush
            yield* fill(database, { keys: 30, round: 1 })
            yield* maintenance.compact()
            yield* fill(database, { keys: 20, round: 2 })
            // Nothing else is left to do, whose end would have them look again.
            yield* Effect.sleep("10 minutes")
            const told = Effect.timeoutOption(call, "1 hour")
            const all = yield* Effect.all(
              Array.from({ length: 8 }, () => told),
              { concurrency: "unbounded" }
            )
            assert.isTrue(all.every(Option.isSome), `seed ${seed}`)
          }),
        { ...tiny, valueThreshold: 16, valueFileBytesMax: 1024 },
        seed
      )
    }
  })

  it("fails beside a damaged table, and does not wait for what it cannot merge", () => {
    const image = closedAfter(
      ({ database, maintenance }) => Effect.andThen(fill(database, { keys: 20, round: 0 }), maintenance.compact()),
      tiny
    )
    const [table] = pathsOf(image, "table")
    const damaged = withFiles(image, { [table!]: flipped(image.get(table!)!, image.get(table!)!.length - 10) })
    const body = ({ database, maintenance }: Opened) =>
      Effect.gen(function* () {
        yield* fill(database, { keys: 20, round: 1 })
        const first = yield* reasonOf(maintenance.compact())
        // Tables of the first level are merged with each other: the last compaction has not failed any more.
        for (let round = 2; round < 20; round++) {
          yield* fill(database, { keys: 20, round })
          yield* maintenance.flush
        }
        yield* Effect.sleep("10 minutes")
        return [first, yield* reasonOf(maintenance.compact())]
      })
    const options = { ...tiny, level0TablesSlow: 100, level0TablesStop: 200 }
    for (const reason of simulate(using(MemoryDisk.fromImage(damaged), body, options))) {
      assert.deepInclude(reason, { _tag: "Corruption", file: table })
    }
  })

  it("holds writers up when it is behind, and never fails them", () =>
    run(
      ({ database, maintenance }) =>
        Effect.gen(function* () {
          const writers = yield* Effect.forEach(
            [0, 1, 2, 3],
            (round) => Effect.forkChild(fill(database, { keys: 300, round })),
            { concurrency: 1 }
          )
          for (const writer of writers) yield* Fiber.join(writer)
          const { counters } = yield* maintenance.stats
          assert.isAbove(counters.slowed + counters.stalls, 0)
          assert.strictEqual(yield* database.count(), 300)
        }),
      { ...tiny, level0TablesMin: 2, level0TablesSlow: 2, level0TablesStop: 3 }
    ))

  it("is prompted by a scan over what was removed", () =>
    run(
      ({ database, maintenance }) =>
        Effect.gen(function* () {
          const keys = 10_000
          for (let from = 0; from < keys; from += 500) {
            const some = Array.from({ length: 500 }, (_, index) => keyOf(from + index))
            yield* database.write(some.map((key) => ({ type: "set" as const, key, value: "v" })))
            yield* maintenance.flush
          }
          yield* maintenance.compact()
          const removed = Array.from({ length: 5000 }, (_, index) => ({ type: "remove" as const, key: keyOf(index) }))
          yield* database.write(removed)
          // So many others beside them that the table is not compacted for its removals.
          for (let from = keys; from < 2 * keys; from += 500) {
            const some = Array.from({ length: 500 }, (_, index) => keyOf(from + index))
            yield* database.write(some.map((key) => ({ type: "set" as const, key, value: "v" })))
          }
          yield* maintenance.flush
          yield* Effect.sleep("2 seconds")
          const before = (yield* maintenance.stats).removals
          assert.strictEqual(before, 5000)
          assert.strictEqual(yield* database.count({ to: keyOf(5000) }), 0)
          yield* Effect.sleep("2 seconds")
          assert.strictEqual((yield* maintenance.stats).removals, 0)
        }),
      {
        ...tiny,
        arenaBytes: 1024 * 1024,
        transactionBytesMax: 1024 * 1024,
        level0TablesMin: 64,
        level0TablesSlow: 100,
        level0TablesStop: 200,
        baseLevelBytes: 1024 * 1024 * 1024
      }
    ))

  it("changes nothing that a reader sees, whatever is open", () => {
    for (let seed = 1; seed <= 30; seed++) {
      const dice = new Dice(seed)
      run(({ database, maintenance }) =>
        Effect.gen(function* () {
          for (let round = 0; round < 8; round++) {
            for (let index = 0; index < 60; index++) {
              const key = bytes(hex(new TextEncoder().encode(keyOf(dice.below(80)))))
              if (dice.chance(30)) yield* database.remove(key)
              else yield* database.set(key, valueOf(index, round))
            }
            yield* Effect.scoped(
              Effect.gen(function* () {
                const snapshot = yield* database.snapshot
                const before = yield* all(snapshot)
                yield* maintenance.compact()
                assert.strictEqual(yield* all(snapshot), before, `seed ${seed}, round ${round}`)
                assert.strictEqual(yield* all(database), before, `seed ${seed}, round ${round}`)
              })
            )
          }
        })
      )
    }
  })
})
