// The contract of `Jobs`, one test for each numbered invariant in the contract's words.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { tableFileName } from "../../src/internal/format/fileName.ts"
import { Kind } from "../../src/internal/format/record.ts"
import type { JobWork } from "../../src/internal/structure/jobWork.ts"
import type { DiskService } from "../../src/services/Disk.ts"
import type { JobsService, MergeJob } from "../../src/services/Jobs.ts"
import type { ManifestService, TableMeta } from "../../src/services/Manifest.ts"
import type { OptionsInput } from "../../src/services/Options.ts"
import { plain } from "../internal/format/entries.ts"
import { Dice } from "../internal/format/support.ts"
import { checkTables, workOf } from "../support/jobCheck.ts"
import { MemoryFiles } from "../support/jobDriver.ts"
import { type Held, header, memtableOf, randomPlan, tableOf } from "../support/jobPlan.ts"
import { numbered, reasonOf, rewrite, tableNames } from "../support/tables.ts"

export interface JobsUnderTest {
  readonly disk: DiskService
  readonly manifest: ManifestService
  /** The layer on the manifest's directory. */
  readonly jobs: (options?: OptionsInput) => Effect.Effect<JobsService, never, Scope.Scope>
  /** The disk after a power cut, where that can be told: all that was not made durable is lost. */
  readonly afterPowerCut?: () => DiskService
  /** Threads of the layers so far that are alive. */
  readonly threads?: () => number
  /** Ends one of them, as if it had died. */
  readonly kill?: () => void
}

/** What a manifest must say for the tables of these tests. */
export const manifestIds = { databaseId: header.databaseId, incarnation: header.incarnation }

type Use = (name: string, body: (under: JobsUnderTest) => Effect.Effect<void, unknown, Scope.Scope>) => void

export const jobsSuite = (layerName: string, make: Effect.Effect<JobsUnderTest, unknown, Scope.Scope>): void => {
  const use: Use = (name, body) => it.live(name, () => Effect.flatMap(make, body))
  describe(`Jobs (${layerName})`, () => {
    keeping(use)
    failing(use)
    dying(use)
    queueing(use)
  })
}

/** Writes the table as a file of the directory. */
const place = (under: JobsUnderTest, held: Held, blockBytes = 4096) =>
  Effect.gen(function* () {
    const number = under.manifest.allocateFileNumber()
    const { bytes, meta } = tableOf(held, { number, blockBytes })
    const file = yield* under.disk.create(pathOf(under, number))
    yield* file.append([bytes])
    yield* file.sync
    yield* file.close
    yield* under.disk.syncDirectory(under.manifest.directory)
    return meta
  })

const pathOf = ({ disk, manifest }: JobsUnderTest, number: number): string =>
  disk.join(manifest.directory, tableFileName(number))

const contentsOf = (disk: DiskService, path: string) =>
  Effect.gen(function* () {
    const file = yield* disk.open(path)
    const bytes = yield* file.read(0, file.size)
    yield* file.close
    return bytes
  })

const names = ({ disk, manifest }: JobsUnderTest) => tableNames(disk, manifest.directory)

const heldBy = (under: JobsUnderTest, disk: DiskService, metas: ReadonlyArray<TableMeta>) =>
  Effect.gen(function* () {
    const files = new MemoryFiles()
    for (const { number } of metas) files.files.set(number, yield* contentsOf(disk, pathOf(under, number)))
    return metas.map((meta) => files.held(meta))
  })

const simple: Omit<MergeJob, "runs"> = {
  memtables: [],
  from: undefined,
  to: undefined,
  level: 1,
  snapshots: [10_000],
  nowMillis: 0,
  deeper: [],
  grandparents: [],
  tableBytesMax: 256 * 1024,
  values: undefined
}

/** Two runs of many versions: a job of many slices and several tables. */
const longJob = (under: JobsUnderTest, count = 20_000) =>
  Effect.gen(function* () {
    const older = numbered(count, 60)
    const newer = older.filter((_, index) => index % 3 === 0).map((entry) => ({ ...entry, sequence: 5000 }))
    const runs = []
    for (const points of [newer, older]) runs.push([yield* place(under, { points, removals: [] })])
    return { ...simple, runs } satisfies MergeJob
  })

const startNow = <A, E>(effect: Effect.Effect<A, E>) => Effect.forkChild(effect, { startImmediately: true })

const flushJob = (count: number): MergeJob => {
  const versions = memtableOf({ points: numbered(count), removals: [] })
  return { ...simple, runs: [], memtables: [versions], level: 0, tableBytesMax: Number.MAX_SAFE_INTEGER }
}

/** Goes on once the job has a file. */
const untilWriting = (under: JobsUnderTest, before: number): Effect.Effect<void, unknown> =>
  Effect.flatMap(names(under), (found) =>
    found.length > before ? Effect.void : Effect.andThen(Effect.yieldNow, untilWriting(under, before))
  )

const keeping = (use: Use): void => {
  use(
    "1. tables that run returned are durable, names included, and hold exactly what the job's snapshots can see",
    (under) =>
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
