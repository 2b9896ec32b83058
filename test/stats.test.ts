// What `Maintenance.stats` tells, and the metrics, against what was done.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Metric } from "effect"
import * as SimDisk from "../src/layers/SimDisk.ts"
import { foundIn, openThere, prepare } from "./support/checkpointRun.ts"
import { directory, open, smallOptions } from "./support/opened.ts"
import { simulate, using } from "./support/scenario.ts"

const sizeOn = (device: SimDisk.SimDisk, kind: string): number =>
  device.files
    .list(directory)
    .filter(({ name }) => name.startsWith(kind))
    .reduce((sum, { bytes }) => sum + bytes, 0)

describe("stats", () => {
  it("add up over levels, and are those of the files", () => {
    const device = SimDisk.make()
    simulate(
      using(device, (opened) =>
        Effect.gen(function* () {
          yield* prepare(opened)
          yield* opened.maintenance.flush
          const stats = yield* opened.maintenance.stats
          const sum = (pick: (level: (typeof stats.levels)[number]) => number) =>
            stats.levels.reduce((total, level) => total + pick(level), 0)
          assert.strictEqual(stats.tableBytes, sizeOn(device, "table-"))
          assert.strictEqual(stats.manifestBytes, sizeOn(device, "manifest-"))
          assert.strictEqual(
            sum(({ bytes }) => bytes),
            stats.tableBytes
          )
          assert.strictEqual(
            sum(({ tables }) => tables),
            stats.tables
          )
          assert.strictEqual(
            sum(({ entries }) => entries),
            stats.entries
          )
          assert.strictEqual(
            sum(({ removals }) => removals),
            stats.removals
          )
          assert.isAbove(stats.removals, 0)
          assert.isAtMost(stats.openFiles, stats.tables)
          yield* foundIn(opened)
          assert.strictEqual((yield* opened.maintenance.stats).openFiles, stats.tables, "all were read")
          assert.strictEqual(stats.state, "healthy")
        })
      )
    )
  })

  it("tell the manifest's size of a database that is only read", () => {
    const device = SimDisk.make()
    simulate(using(device, prepare))
    const reading = Effect.flatMap(
      openThere(device.layer, directory, { readOnly: true }),
      ({ maintenance }) => maintenance.stats
    )
    const { manifestBytes } = simulate(reading)
    assert.isAbove(manifestBytes, 0)
    assert.strictEqual(manifestBytes, sizeOn(device, "manifest-"))
  })

  it("count what users wrote and what that cost", () => {
    const device = SimDisk.make()
    simulate(
      using(
        device,
        ({ database, maintenance }) =>
          Effect.gen(function* () {
            yield* database.set("abc", "12345")
            yield* database.write([
              { type: "set", key: "d", value: "1234567" },
              { type: "remove", key: "abc" }
            ])
            yield* maintenance.flush
            const { amplification, counters } = yield* maintenance.stats
            assert.strictEqual(counters.userBytes, 3 + 5 + 1 + 7 + 3)
            assert.strictEqual(counters.tableBytesWritten, sizeOn(device, "table-"))
            assert.strictEqual(counters.manifestBytesWritten, sizeOn(device, "manifest-") + sizeOn(device, "current-"))
            const written = counters.logBytesWritten + counters.manifestBytesWritten + counters.tableBytesWritten
            assert.isAbove(counters.logBytesWritten, 19)
            assert.strictEqual(amplification.write, written / 19)
          }),
        { ...smallOptions, manifestBytesMax: 1024 * 1024 }
      )
    )
  })

  it("count the runs that a read may have to ask, and what overlaps", () => {
    const { amplification, tables, tableBytes, levels } = simulate(
      using(SimDisk.make(), (opened) =>
        Effect.gen(function* () {
          yield* prepare(opened)
          yield* opened.maintenance.flush
          return yield* opened.maintenance.stats
        })
      )
    )
    const expected = levels.reduce((runs, { level, tables }) => runs + (level === 0 ? tables : 1), 0)
    assert.strictEqual(amplification.read, expected)
    assert.isAtLeast(amplification.space, tables > 1 ? 1.5 : 1)
    assert.isAbove(tableBytes, 0)
  })

  it("are those of nothing before anything was written", () => {
    const stats = simulate(using(SimDisk.make(), ({ maintenance }) => maintenance.stats))
    assert.deepStrictEqual(stats.amplification, { write: 0, space: 1, read: 0 })
    assert.deepStrictEqual(stats.levels, [])
  })

  it("tell how long writers waited, and for what", () => {
    const stalls = simulate(
      using(
        SimDisk.make(),
        ({ database, maintenance }) =>
          Effect.gen(function* () {
            // One commit at a time is let in.
            const writers = yield* Effect.forkChild(
              Effect.all(
                ["a", "b", "c", "d"].map((key) => database.set(key, "1")),
                { concurrency: "unbounded" }
              )
            )
            yield* Fiber.join(writers)
            return (yield* maintenance.stats).stalls
          }),
        { ...smallOptions, commitsPendingMax: 1 }
      )
    )
    assert.isAbove(stalls.count, 0)
    const { commits, level0, memory, sequences } = stalls.millisOf
    assert.strictEqual(commits + level0 + memory + sequences, stalls.millis)
    assert.strictEqual(level0, 0)
  })

  it("tell of the moments that are open, and how old the oldest is", () => {
    simulate(
      using(SimDisk.make(), ({ database, maintenance }) =>
        Effect.gen(function* () {
          yield* database.set("a", "1")
          const held = Effect.gen(function* () {
            yield* database.snapshot
            yield* database.set("a", "2")
            yield* database.set("a", "3")
            return (yield* maintenance.stats).snapshots
          })
          assert.deepStrictEqual(yield* Effect.scoped(held), { open: 1, oldestCommitsAgo: 2 })
          assert.deepStrictEqual((yield* maintenance.stats).snapshots, { open: 0, oldestCommitsAgo: 0 })
        })
      )
    )
  })

  it("tell what the cache has and how often it answered", () => {
    const { cache } = simulate(
      using(
        SimDisk.make({ synchronousReads: true }),
        (opened) =>
          Effect.gen(function* () {
            yield* prepare(opened)
            yield* opened.maintenance.flush
            yield* opened.database.get("k1")
            yield* opened.database.get("k1")
            return yield* opened.maintenance.stats
          }),
        { ...smallOptions, cacheBytes: 65_536 }
      )
    )
    assert.strictEqual(cache.budgetBytes, 65_536)
    assert.isAbove(cache.hits, 0)
    assert.isAbove(cache.misses, 0)
    assert.isAbove(cache.bytes, 0)
    assert.isAtMost(cache.bytes, cache.budgetBytes)
  })
})

describe("metrics", () => {
  it.effect("are the counters, one for each, read when somebody looks", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const opened = yield* open(SimDisk.make().layer, smallOptions)
        yield* prepare(opened)
        const { counters } = yield* opened.maintenance.stats
        const own = (yield* Metric.snapshot).filter(({ attributes }) => attributes?.["directory"] === directory)
        const snake = (name: string) => `strata_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`
        assert.sameMembers(
          own.map(({ id }) => id),
          Object.keys(counters).map(snake)
        )
        const found = own.find(({ id }) => id === "strata_user_bytes")
        assert.deepStrictEqual(found?.state, { count: counters.userBytes, incremental: true })
      })
    )
  )
})
