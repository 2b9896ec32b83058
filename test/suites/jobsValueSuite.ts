// What the contract of `Jobs` says of value files; a part of jobsSuite.ts.
import { assert } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import type { CollectJob, JobsService, MergeJob } from "../../src/services/Jobs.ts"
import type { TableMeta } from "../../src/services/Manifest.ts"
import { Dice } from "../internal/format/support.ts"
import { byPlace, namedBy, randomCollect, survivors } from "../support/collectPlan.ts"
import { checkTables, workOf } from "../support/jobCheck.ts"
import { type Held, memtableOf, randomPlan } from "../support/jobPlan.ts"
import {
  contentsOf,
  heldBy,
  type JobsUnderTest,
  names,
  place,
  separatingJob,
  simple,
  startNow,
  untilWriting,
  type Use,
  valuePathOf,
  valuesIn
} from "../support/jobsKit.ts"
import { checkSeparation } from "../support/separatedValues.ts"
import { numbered, reasonOf, rewrite } from "../support/tables.ts"

/** Many small tables, and value files, of which every table names a few values. */
const scattered = (count: number, valueLength: number): MergeJob => ({
  ...simple,
  runs: [],
  memtables: [memtableOf({ points: numbered(count, valueLength), removals: [] })],
  level: 0,
  tableBytesMax: 300,
  values: { threshold: 0, fileBytesMax: 16 * 1024 }
})

/** The value files of a flush, with every second of its tables. */
const halfDead = (jobs: JobsService, made: MergeJob): Effect.Effect<CollectJob, unknown> =>
  Effect.map(jobs.run(made), ({ tables, valueFiles }) => ({
    _tag: "Collect",
    files: valueFiles,
    tables: tables.filter((_, index) => index % 2 === 0),
    fileBytesMax: 1024 * 1024
  }))

/** Collects, and sees that after a power cut exactly what the tables name is left. */
const checkCollect = (under: JobsUnderTest, jobs: JobsService, job: CollectJob) =>
  Effect.gen(function* () {
    const before = yield* valuesIn(under, under.disk, job.files)
    const made = yield* jobs.collect(job)
    const disk = under.afterPowerCut?.() ?? under.disk
    const left = yield* valuesIn(under, disk, made)
    const named = namedBy(yield* heldBy(under, under.disk, job.tables))
    assert.deepStrictEqual([...left.all()].sort(byPlace), survivors(before.all(), named))
    for (const { bytes, sections } of made) assert.isTrue(sections.length === 1 || bytes <= job.fileBytesMax)
    return made
  })

export const separating = (use: Use): void => {
  use(
    "1. a value longer than the threshold is in a value file, and its entry names it; the rest is as it was",
    (under) =>
      Effect.gen(function* () {
        for (let seed = 1; seed <= 25; seed++) {
          const dice = new Dice(seed)
          const plan = randomPlan(dice)
          const jobs = yield* under.jobs({ blockBytes: plan.blockBytes })
          const metas = new Map<Held, TableMeta>()
          for (const held of [...plan.deeper, ...plan.runs.flat()]) metas.set(held, yield* place(under, held, 128))
          const values = { threshold: dice.pick([0, 2, 29, 99]), fileBytesMax: dice.pick([1, 600, 2 ** 20]) }
          const work = { ...workOf(plan, (held) => metas.get(held)!), values }
          const made = yield* jobs.run(work)
          const disk = under.afterPowerCut?.() ?? under.disk
          const held = yield* heldBy(under, disk, made.tables)
          const separated = yield* valuesIn(under, disk, made.valueFiles)
          yield* Effect.try({
            try: () => {
              checkSeparation(values, { ...made, held })
              const resolved = held.map(({ points, removals }) => ({
                points: points.map((point) => separated.resolved(point)),
                removals
              }))
              checkTables(plan, work, { metas: made.tables, held: resolved })
            },
            catch: (error) => new Error(`seed ${seed}`, { cause: error })
          })
        }
      })
  )

  use("1. values of a mebibyte and of one byte are moved whole", (under) =>
    Effect.gen(function* () {
      const points = [1, 65_535, 65_536, 65_537, 300_000, 1_048_576].flatMap((length, index) =>
        numbered(6, length).slice(index, index + 1)
      )
      const values = { threshold: 0, fileBytesMax: 2 ** 20 }
      const memtables = [memtableOf({ points, removals: [] })]
      const made = yield* (yield* under.jobs()).run({ ...simple, runs: [], memtables, values })
      const held = yield* heldBy(under, under.disk, made.tables)
      checkSeparation(values, { ...made, held })
      const separated = yield* valuesIn(under, under.disk, made.valueFiles)
      const resolved = held.flatMap((one) => one.points.map((point) => separated.resolved(point)))
      assert.deepStrictEqual(resolved, points)
      assert.isAbove(made.valueFiles.length, 1)
    })
  )
}

/** Interrupted again and again, when it has made so many files, and later and later from its start: none stays. */
const interruptOften = (
  under: JobsUnderTest,
  jobs: JobsService,
  job: { readonly run: Effect.Effect<unknown, unknown>; readonly files: number }
) =>
  Effect.gen(function* () {
    const before = yield* names(under)
    let seen = 0
    for (let turns = 0; turns < 250; turns = Math.ceil((turns + 1) * 1.6)) {
      const running = yield* Effect.forkChild(job.run)
      for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
      if (seen === 0) yield* untilWriting(under, before.length + job.files - 1)
      // On a busy machine it may have ended before it was interrupted.
      if (running.pollUnsafe() !== undefined) break
      seen += 1
      yield* Fiber.interrupt(running)
      assert.deepStrictEqual(yield* names(under), before, `after ${turns} turns`)
      assert.strictEqual(jobs.stats().running, 0)
    }
    assert.isAbove(seen, 0)
  })

export const leavingNothing = (use: Use): void => {
  use("2. when a flush or a collection is interrupted, none of its files stays, of either kind", (under) =>
    Effect.gen(function* () {
      const jobs = yield* under.jobs()
      const flush = separatingJob(1500)
      yield* interruptOften(under, jobs, { run: jobs.run(flush), files: 2 })
      const { tables, valueFiles } = yield* jobs.run(flush)
      assert.isAbove(valueFiles.length, 7)
      const job: CollectJob = { _tag: "Collect", files: valueFiles, tables, fileBytesMax: 2 ** 20 }
      yield* interruptOften(under, jobs, { run: jobs.collect(job), files: 1 })
      assert.lengthOf(yield* jobs.collect(job), valueFiles.length)
    })
  )

  use("2. when a collection fails, none of its files stays", (under) =>
    Effect.gen(function* () {
      const jobs = yield* under.jobs()
      const { tables, valueFiles } = yield* jobs.run(separatingJob(1500))
      const before = yield* names(under)
      const last = valueFiles.at(-1)!
      yield* flip(under, valuePathOf(under, last.number), last.bytes >> 1)
      const job: CollectJob = { _tag: "Collect", files: valueFiles, tables, fileBytesMax: 2 ** 20 }
      const file = valuePathOf(under, last.number)
      assert.deepInclude(yield* reasonOf(jobs.collect(job)), { _tag: "Corruption", file })
      assert.deepStrictEqual(yield* names(under), before)
      assert.deepInclude(jobs.stats(), { running: 0, failed: 1 })
    })
  )

  use("4. a worker that dies leaves nothing of a flush or a collection, of either kind", (under) =>
    Effect.gen(function* () {
      if (under.kill === undefined) return
      const jobs = yield* under.jobs()
      const flush = separatingJob(1500)
      yield* killed(under, jobs, { run: jobs.run(flush), files: 2 })
      const { tables, valueFiles } = yield* jobs.run(flush)
      const job: CollectJob = { _tag: "Collect", files: valueFiles, tables, fileBytesMax: 2 ** 20 }
      yield* killed(under, jobs, { run: jobs.collect(job), files: 1 })
      assert.lengthOf(yield* jobs.collect(job), valueFiles.length)
    })
  )
}

const flip = (under: JobsUnderTest, file: string, place: number) =>
  rewrite(under.disk, file, (bytes) => {
    bytes[place]! ^= 4
    return bytes
  })

/** Its worker dies when it has made so many files. */
const killed = (
  under: JobsUnderTest,
  jobs: JobsService,
  job: { readonly run: Effect.Effect<unknown, DatabaseError>; readonly files: number }
) =>
  Effect.gen(function* () {
    const before = yield* names(under)
    const running = yield* startNow(job.run)
    yield* untilWriting(under, before.length + job.files - 1)
    under.kill!()
    const error = yield* Effect.flip(Fiber.join(running))
    assert.deepInclude(error, { isRetryable: true })
    assert.deepStrictEqual(yield* names(under), before)
    assert.strictEqual(jobs.stats().running, 0)
  })

export const collecting = (use: Use): void => {
  use(
    "6. value files that collect returned are durable, names included, and hold exactly what the tables name",
    (under) =>
      Effect.gen(function* () {
        const jobs = yield* under.jobs()
        const made = yield* jobs.run(scattered(250, 700))
        assert.isAbove(made.valueFiles.length, 9)
        assert.isAbove(made.tables.length, 9)
        let shared = 0
        for (let seed = 1; seed <= 12; seed++) {
          const dice = new Dice(seed)
          const job = randomCollect(dice, made, dice.pick([1, 30_000, 2 ** 20]))
          const first = yield* checkCollect(under, jobs, job)
          shared += first.filter(({ sections }) => sections.length > 1).length
          // Again, of what came out, with fewer tables.
          const again = { ...job, files: first, tables: job.tables.filter(() => dice.chance(0.5)) }
          if (first.length > 0) yield* checkCollect(under, jobs, again)
        }
        assert.isAbove(shared, 3)
      })
  )

  use("6. a section without a live value is in no file, and where nothing lives there is none", (under) =>
    Effect.gen(function* () {
      const jobs = yield* under.jobs()
      const job = yield* halfDead(jobs, scattered(250, 700))
      const before = yield* names(under)
      assert.deepStrictEqual(yield* jobs.collect({ ...job, tables: [] }), [])
      assert.deepStrictEqual(yield* names(under), before)
      const one = yield* checkCollect(under, jobs, { ...job, tables: job.tables.slice(0, 1) })
      assert.deepStrictEqual(
        one.flatMap(({ sections }) => sections),
        job.tables[0]!.valueRefs.map(({ bytes, count, file }) => ({ id: file, count, bytes }))
      )
    })
  )

  use("6. a value that a table names and no file has is Corruption", (under) =>
    Effect.gen(function* () {
      const jobs = yield* under.jobs()
      const job = yield* halfDead(jobs, scattered(250, 700))
      for (const lost of [job.tables[0], job.tables.at(-1)]) {
        const left = yield* jobs.collect({ ...job, tables: job.tables.filter((table) => table !== lost) })
        const reason = yield* reasonOf(jobs.collect({ ...job, files: left }))
        assert.deepInclude(reason, { _tag: "Corruption", file: valuePathOf(under, left[0]!.number) })
      }
    })
  )

  use("6. each value is checked before it is copied: damage is Corruption with file and offset", (under) =>
    Effect.gen(function* () {
      const jobs = yield* under.jobs()
      const { tables, valueFiles } = yield* jobs.run({
        ...scattered(40, 700),
        values: { threshold: 0, fileBytesMax: 2 ** 20 }
      })
      const job: CollectJob = { _tag: "Collect", files: valueFiles, tables, fileBytesMax: 2 ** 20 }
      const [meta] = valueFiles
      const file = valuePathOf(under, meta!.number)
      const sound = yield* contentsOf(under.disk, file)
      const before = yield* names(under)
      for (let place = 0; place < sound.length; place += 1 + Math.ceil(sound.length / 12)) {
        yield* flip(under, file, place)
        const reason = yield* reasonOf(jobs.collect(job))
        assert.deepInclude(reason, { _tag: "Corruption", file }, `byte ${place}`)
        if (reason._tag === "Corruption" && place >= 96) assert.isAtMost(reason.offset, place)
        yield* flip(under, file, place)
      }
      yield* rewrite(under.disk, file, (bytes) => bytes.slice(0, -1))
      assert.deepInclude(yield* reasonOf(jobs.collect(job)), { _tag: "Corruption", file, offset: sound.length - 1 })
      yield* under.disk.remove(file)
      assert.deepInclude(yield* reasonOf(jobs.collect(job)), { _tag: "Corruption", file, offset: 0 })
      assert.lengthOf(yield* names(under), before.length - 1)
    })
  )

  use("3. a collection only reads its sources", (under) =>
    Effect.gen(function* () {
      const jobs = yield* under.jobs()
      const job = yield* halfDead(jobs, scattered(250, 700))
      const contents = Effect.forEach(job.files, ({ number }) => contentsOf(under.disk, valuePathOf(under, number)))
      const before = yield* contents
      yield* checkCollect(under, jobs, job)
      assert.deepStrictEqual(yield* contents, before)
    })
  )
}
