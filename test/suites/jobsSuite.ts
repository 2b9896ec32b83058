// The contract of `Jobs`, one test for each numbered invariant in the contract's words.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { Kind } from "../../src/internal/format/record.ts"
import type { JobWork } from "../../src/internal/structure/jobWork.ts"
import type { MergeJob } from "../../src/services/Jobs.ts"
import type { TableMeta } from "../../src/services/Manifest.ts"
import { plain } from "../internal/format/entries.ts"
import { Dice } from "../internal/format/support.ts"
import { checkTables, workOf } from "../support/jobCheck.ts"
import { type Held, randomPlan } from "../support/jobPlan.ts"
import {
  contentsOf,
  flushJob,
  heldBy,
  type JobsUnderTest,
  longJob,
  names,
  pathOf,
  place,
  simple,
  startNow,
  untilWriting,
  type Use
} from "../support/jobsKit.ts"
import { numbered, reasonOf, rewrite } from "../support/tables.ts"
import { collecting, leavingNothing, separating } from "./jobsValueSuite.ts"

export const jobsSuite = (layerName: string, make: Effect.Effect<JobsUnderTest, unknown, Scope.Scope>): void => {
  const use: Use = (name, body) => it.live(name, () => Effect.flatMap(make, body))
  describe(`Jobs (${layerName})`, () => {
    keeping(use)
    separating(use)
    failing(use)
    leavingNothing(use)
    dying(use)
    collecting(use)
    queueing(use)
  })
}

const keeping = (use: Use): void => {
  use("1. files that run returned are durable, and the tables hold exactly what the job's snapshots can see", (under) =>
    Effect.gen(function* () {
      for (let seed = 1; seed <= 25; seed++) {
        const plan = randomPlan(new Dice(seed))
        const jobs = yield* under.jobs({ blockBytes: plan.blockBytes })
        const metas = new Map<Held, TableMeta>()
        for (const held of [...plan.deeper, ...plan.runs.flat()]) metas.set(held, yield* place(under, held, 128))
        const work: JobWork = workOf(plan, (held) => metas.get(held)!)
        const { tables: made } = yield* jobs.run(work)
        const disk = under.afterPowerCut?.() ?? under.disk
        const held = yield* heldBy(under, disk, made)
        yield* Effect.try({
          try: () => checkTables(plan, work, { metas: made, held }),
          catch: (error) => new Error(`seed ${seed}`, { cause: error })
        })
      }
    })
  )

  use("1. all versions of a key are in one table, and a table ends when it is full", (under) =>
    Effect.gen(function* () {
      const points = numbered(100).flatMap(({ key }) =>
        Array.from({ length: 20 }, (_, index) => plain(key, { value: "v".repeat(100), sequence: 100 - index }))
      )
      const run = [yield* place(under, { points, removals: [] })]
      const snapshots = Array.from({ length: 20 }, (_, index) => 81 + index)
      const { tables: made } = yield* (yield* under.jobs()).run({
        ...simple,
        runs: [run],
        snapshots,
        tableBytesMax: 8 * 1024
      })
      const held = yield* heldBy(under, under.disk, made)
      assert.deepStrictEqual(
        held.flatMap(({ points }) => points),
        points
      )
      const keys = held.flatMap(({ points }) => [...new Set(points.map(({ key }) => key))])
      assert.strictEqual(new Set(keys).size, keys.length)
      assert.isAbove(made.length, 10)
      for (const { bytes } of made.slice(0, -1)) {
        assert.isAtLeast(bytes, 8 * 1024)
        assert.isBelow(bytes, 16 * 1024)
      }
    })
  )

  use("1. a table of more keys than enter a filter at once is written like others", (under) =>
    Effect.gen(function* () {
      const run = [yield* place(under, { points: numbered(33_000), removals: [] })]
      const { tables: made } = yield* (yield* under.jobs()).run({ ...simple, runs: [run], tableBytesMax: 2 ** 30 })
      assert.deepStrictEqual(
        made.map(({ entryCount }) => entryCount),
        [33_000]
      )
    })
  )

  use("1. nothing kept is no table and no file", (under) =>
    Effect.gen(function* () {
      const removed = plain("a", { kind: Kind.remove, sequence: 9 })
      const run = [yield* place(under, { points: [removed], removals: [] })]
      const jobs = yield* under.jobs()
      assert.deepStrictEqual(yield* jobs.run({ ...simple, runs: [run] }), { tables: [], valueFiles: [] })
      assert.deepStrictEqual(yield* jobs.run({ ...simple, runs: [] }), { tables: [], valueFiles: [] })
      assert.lengthOf(yield* names(under), 1)
      assert.deepInclude(jobs.stats(), { running: 0, waiting: 0, done: 2, failed: 0 })
    })
  )
}

const failing = (use: Use): void => {
  use("2. when it is interrupted, none of its files stays, and nothing of it runs on", (under) =>
    Effect.gen(function* () {
      const job = yield* longJob(under, 60_000)
      const jobs = yield* under.jobs()
      const before = yield* names(under)
      let seen = 0
      for (let turns = 1; turns < 200; turns = Math.ceil(turns * 1.7)) {
        const running = yield* Effect.forkChild(jobs.run(job))
        for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
        if (turns > 100) yield* untilWriting(under, before.length)
        if (running.pollUnsafe() !== undefined) break
        if ((yield* names(under)).length > before.length) seen += 1
        yield* Fiber.interrupt(running)
        assert.deepStrictEqual(yield* names(under), before, `after ${turns} turns`)
        assert.strictEqual(jobs.stats().running, 0)
      }
      assert.isAbove(seen, 0)
      assert.isAbove((yield* jobs.run(job)).tables.length, 3)
    })
  )

  use("2. interrupted where its caller cannot be, it fails, or hands over what it has made", (under) =>
    Effect.gen(function* () {
      const job = yield* longJob(under, 5000)
      const jobs = yield* under.jobs()
      const before = yield* names(under)
      let handedOver = 0
      let interrupted = 0
      for (let turns = 1; handedOver < 3; turns = Math.ceil(turns * 1.2)) {
        const made: Array<TableMeta> = []
        const taken = Effect.map(jobs.run(job), ({ tables }) => void made.push(...tables))
        const running = yield* Effect.forkChild(Effect.uninterruptible(taken))
        for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
        yield* Fiber.interrupt(running)
        assert.lengthOf(yield* names(under), before.length + made.length, `after ${turns} turns`)
        for (const { number } of made) yield* under.disk.remove(pathOf(under, number))
        if (made.length === 0) interrupted += 1
        else handedOver += 1
      }
      assert.isAbove(interrupted, 0)
    })
  )

  use("2. when it fails, none of its files stays", (under) =>
    Effect.gen(function* () {
      const job = yield* longJob(under)
      const jobs = yield* under.jobs()
      const before = yield* names(under)
      const { number } = job.runs[1]![0]!
      yield* rewrite(under.disk, pathOf(under, number), (bytes) => {
        bytes[bytes.length >> 1]! ^= 1
        return bytes
      })
      assert.strictEqual((yield* reasonOf(jobs.run(job)))._tag, "Corruption")
      assert.deepStrictEqual(yield* names(under), before)
      assert.deepInclude(jobs.stats(), { running: 0, failed: 1 })
    })
  )

  use("3. the sources are only read, and damage in them is Corruption with file and offset", (under) =>
    Effect.gen(function* () {
      const run = [yield* place(under, { points: numbered(200), removals: [] }, 512)]
      const job = { ...simple, runs: [run] }
      const jobs = yield* under.jobs()
      const file = pathOf(under, run[0]!.number)
      const sound = yield* contentsOf(under.disk, file)
      assert.lengthOf((yield* jobs.run(job)).tables, 1)
      assert.deepStrictEqual(yield* contentsOf(under.disk, file), sound)
      const before = yield* names(under)
      for (const place of [0, 20, 96, 700, sound.length >> 1, sound.length - 300, sound.length - 1]) {
        const flip = (bytes: Uint8Array) => {
          bytes[place]! ^= 4
          return bytes
        }
        yield* rewrite(under.disk, file, flip)
        const reason = yield* reasonOf(jobs.run(job))
        assert.deepInclude(reason, { _tag: "Corruption", file }, `byte ${place}`)
        if (reason._tag === "Corruption" && place >= 96) assert.isAtMost(reason.offset, place)
        yield* rewrite(under.disk, file, flip)
      }
      yield* rewrite(under.disk, file, (bytes) => bytes.slice(0, -1))
      assert.deepInclude(yield* reasonOf(jobs.run(job)), { _tag: "Corruption", file, offset: sound.length - 1 })
      yield* under.disk.remove(file)
      assert.deepInclude(yield* reasonOf(jobs.run(job)), { _tag: "Corruption", file, offset: 0 })
      assert.deepStrictEqual(yield* names(under), before.slice(1))
    })
  )
}

const dying = (use: Use): void => {
  use("4. a worker that dies fails its job with JobFailed, which is retryable, and is replaced", (under) =>
    Effect.gen(function* () {
      const { kill } = under
      if (kill === undefined) return
      const job = yield* longJob(under, 60_000)
      const jobs = yield* under.jobs()
      const before = yield* names(under)
      for (let death = 1; death <= 3; death++) {
        const running = yield* Effect.forkChild(jobs.run(job))
        yield* untilWriting(under, before.length)
        kill()
        const error = yield* Effect.flip(Fiber.join(running))
        assert.strictEqual(error.reason._tag, "JobFailed")
        assert.isTrue(error.isRetryable)
        assert.deepStrictEqual(yield* names(under), before)
        assert.deepInclude(jobs.stats(), { running: 0, replaced: death })
      }
      assert.isAbove((yield* jobs.run(job)).tables.length, 3)
    })
  )

  use("5. when the scope closes, no thread and no file is left", (under) =>
    Effect.gen(function* () {
      const job = yield* longJob(under, 60_000)
      const before = yield* names(under)
      const scope = yield* Scope.make()
      const jobs = yield* Scope.provide(under.jobs(), scope)
      const running = []
      for (let index = 0; index < 3; index++) running.push(yield* startNow(jobs.run(job)))
      yield* untilWriting(under, before.length)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(yield* names(under), before)
      for (const fiber of running) {
        assert.strictEqual((yield* reasonOf(Fiber.join(fiber)))._tag, "Closed")
      }
      assert.strictEqual((yield* reasonOf(jobs.run(job)))._tag, "Closed")
      assert.strictEqual(under.threads?.() ?? 0, 0)
      assert.deepInclude(jobs.stats(), { running: 0, waiting: 0 })
    })
  )
}

const queueing = (use: Use): void => {
  use("a few at a time: a further one waits, and one that waits can be interrupted", (under) =>
    Effect.gen(function* () {
      const job = yield* longJob(under)
      const jobs = yield* under.jobs()
      const fibers = []
      for (let index = 0; index < jobs.concurrency + 2; index++) fibers.push(yield* startNow(jobs.run(job)))
      assert.deepInclude(jobs.stats(), { running: jobs.concurrency, waiting: 2 })
      yield* Fiber.interrupt(fibers.at(-1)!)
      assert.deepInclude(jobs.stats(), { running: jobs.concurrency, waiting: 1 })
      for (const fiber of fibers.slice(0, -1)) assert.isAbove((yield* Fiber.join(fiber)).tables.length, 0)
      assert.deepInclude(jobs.stats(), { running: 0, waiting: 0, done: fibers.length - 1, failed: 0 })
      const { bytesRead, bytesWritten } = jobs.stats()
      assert.isAbove(bytesRead, 1000)
      assert.isAbove(bytesWritten, 1000)
    })
  )

  use("a flush does not wait for a compaction, and of those that wait goes first", (under) =>
    Effect.gen(function* () {
      const job = yield* longJob(under, 60_000)
      const jobs = yield* under.jobs()
      const ended: Array<string> = []
      const start = (name: string, work: MergeJob) =>
        startNow(Effect.tap(jobs.run(work), () => Effect.sync(() => ended.push(name))))
      const all = []
      for (let index = 0; index < jobs.concurrency; index++) all.push(yield* start("running", job))
      all.push(yield* start("waiting", job))
      for (const name of ["flush", "second flush"]) all.push(yield* start(name, flushJob(5000)))
      assert.deepInclude(jobs.stats(), { running: jobs.concurrency + 1, waiting: 2 })
      for (const fiber of all) yield* Fiber.join(fiber)
      assert.deepStrictEqual(ended.slice(0, 2), ["flush", "second flush"])
    })
  )
}
