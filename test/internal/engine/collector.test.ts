// The loop of collections over parts that do nothing but what they are told: when it acts, and what it does when that
// fails. What a collection leaves of real files is in test/valueSpace.test.ts.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Collector } from "../../../src/internal/engine/collector.ts"
import type { Committer } from "../../../src/internal/engine/committer.ts"
import { LiveView } from "../../../src/internal/engine/view.ts"
import { valueFileName } from "../../../src/internal/format/fileName.ts"
import * as NoEncryption from "../../../src/layers/NoEncryption.ts"
import { Corruption, type DatabaseError, fail, JobFailed, Poisoned } from "../../../src/services/DatabaseError.ts"
import type { CollectJob, JobsService } from "../../../src/services/Jobs.ts"
import type { ManifestChange, ManifestService, ValueFileMeta } from "../../../src/services/Manifest.ts"
import type { MemtableHandle, MemtableService } from "../../../src/services/Memtable.ts"
import type { Table } from "../../../src/services/SsTable.ts"
import type { ValueFile, ValueLogService } from "../../../src/services/ValueLog.ts"
import { simulate } from "../../support/scenario.ts"

const fileOf = (number: number, sections: ReadonlyArray<readonly [id: number, count: number]>): ValueFileMeta => ({
  number,
  bytes: sections.reduce((sum, [, count]) => sum + count, 0),
  fileId: new Uint8Array(32),
  keyGeneration: 0,
  footerCrc: 0,
  epoch: 1,
  sections: sections.map(([id, count]) => ({ id, count, bytes: count }))
})

const tableOf = (number: number, refs: ReadonlyArray<readonly [file: number, count: number]>): Table => {
  const valueRefs = refs.map(([file, count]) => ({ file, count, bytes: count }))
  const key = Uint8Array.of(number)
  return { meta: { number, level: 0, smallest: key, largest: key, sequenceMax: number, valueRefs } } as unknown as Table
}

const handle = (meta: ValueFileMeta): ValueFile => ({ meta }) as ValueFile

/** Files of 100 values of a byte each, numbered from 1, of which so many are live. */
const given = (live: ReadonlyArray<number>) => {
  const view = new LiveView({} as MemtableService, {} as MemtableHandle)
  const refs = live.flatMap((count, index) => (count === 0 ? [] : [[index + 1, count] as const]))
  view.start(
    [tableOf(90, refs)],
    live.map((_, index) => handle(fileOf(index + 1, [[index + 1, 100]])))
  )
  const state = {
    view,
    edits: [] as Array<ManifestChange>,
    jobs: [] as Array<CollectJob>,
    removed: [] as Array<number>,
    /** Fails the next job, or publication. */
    failure: undefined as DatabaseError | undefined,
    refused: undefined as DatabaseError | undefined,
    atRest: false,
    poisoned: undefined as DatabaseError | undefined
  }
  let next = 100
  const collect = (job: CollectJob) =>
    Effect.suspend(() => {
      state.jobs.push(job)
      const { failure } = state
      state.failure = undefined
      if (failure !== undefined) return Effect.fail(failure)
      const live = new Map<number, number>()
      for (const { valueRefs } of job.tables) for (const { count, file } of valueRefs) live.set(file, count)
      const ids = job.files.flatMap(({ sections }) => sections.map(({ id }) => id)).filter((id) => live.has(id))
      const made = Effect.sync(() => [
        fileOf(
          next++,
          ids.map((id) => [id, live.get(id)!] as const)
        )
      ])
      return Effect.andThen(Effect.interruptible(Effect.sleep(1000)), made)
    })
  const publish = (change: ManifestChange) =>
    Effect.suspend(() => {
      const { refused } = state
      state.refused = undefined
      if (refused !== undefined) return Effect.fail(refused)
      state.edits.push(change)
      return Effect.void
    })
  const committer = {
    refusal: undefined as DatabaseError | undefined,
    poison: (error: DatabaseError) => {
      state.poisoned = error
      committer.refusal = error
    }
  }
  const collector = new Collector({
    live: view,
    manifest: { publish, encryption: NoEncryption.fileEncryption } as unknown as ManifestService,
    values: {
      handle,
      remove: (meta: ValueFileMeta) => Effect.sync(() => state.removed.push(meta.number))
    } as unknown as ValueLogService,
    jobs: { collect } as unknown as JobsService,
    fileBytesMax: 100,
    committer: committer as unknown as Committer,
    isAtRest: () => state.atRest
  })
  return { ...state, collector, state }
}

type Given = ReturnType<typeof given>

/** With the loop running, in a simulated time that jumps. */
const running = (live: ReadonlyArray<number>, body: (given: Given) => Effect.Effect<void, unknown>): void => {
  const all = given(live)
  simulate(Effect.andThen(all.collector.start, body(all)))
}

const numbers = ({ view }: Given) => view.valueFiles.map(({ meta }) => meta.number)
const filesOf = (jobs: ReadonlyArray<CollectJob>) => jobs.map(({ files }) => files.map(({ number }) => number))
const changes = (edits: ReadonlyArray<ManifestChange>) =>
  edits.map(({ addValueFiles = [], removeValueFiles = [] }) => [removeValueFiles, addValueFiles.map((f) => f.number)])

const deadWorker = fail(new JobFailed({ message: "the worker died" }))
const damageOf = (file: string) => fail(new Corruption({ message: "flipped", file, offset: 1 }))

describe("collections", () => {
  it("drop at once what nothing names, without a job", () =>
    running([100, 0, 100], (all) =>
      Effect.gen(function* () {
        yield* Effect.sleep(10)
        assert.deepStrictEqual(changes(all.edits), [[[2], []]])
        assert.deepStrictEqual(numbers(all), [1, 3])
        assert.deepStrictEqual(all.jobs, [])
        assert.deepInclude(all.collector.counters, { collections: 1, collectedBytes: 0, reclaimedBytes: 100 })
      })
    ))

  it("rewrite one job of files at a time, and look again when something has changed", () =>
    running([40, 100, 30, 100], (all) =>
      Effect.gen(function* () {
        yield* Effect.sleep(500)
        assert.deepStrictEqual(filesOf(all.jobs), [[3, 1]])
        all.collector.changed()
        yield* Effect.sleep(300)
        assert.strictEqual(all.jobs.length, 1, "it runs")
        yield* Effect.sleep(300)
        assert.deepStrictEqual(changes(all.edits), [[[3, 1], [100]]])
        assert.deepStrictEqual(numbers(all), [2, 4, 100])
        assert.deepInclude(all.collector.counters, { collections: 1, collectedBytes: 70, reclaimedBytes: 130 })
        all.view.replaceTables({
          remove: new Set([90]),
          add: [
            tableOf(91, [
              [1, 40],
              [2, 25],
              [4, 100]
            ])
          ]
        })
        all.collector.changed()
        yield* Effect.sleep(2000)
        assert.deepStrictEqual(filesOf(all.jobs), [[3, 1], [2]])
      })
    ))

  it("hold the tables that they read, until they end", () =>
    running([40, 100], (all) =>
      Effect.gen(function* () {
        const obsolete: Array<number> = []
        all.view.onObsolete = ({ meta }) => obsolete.push(meta.number)
        yield* Effect.sleep(500)
        all.view.replaceTables({
          remove: new Set([90]),
          add: [
            tableOf(91, [
              [1, 40],
              [2, 100]
            ])
          ]
        })
        assert.deepStrictEqual(obsolete, [])
        yield* Effect.sleep(1000)
        assert.deepStrictEqual(obsolete, [90])
        assert.deepStrictEqual(numbers(all), [2, 100])
      })
    ))

  it("wait for rest with files of some garbage", () =>
    running([75, 100], (all) =>
      Effect.gen(function* () {
        yield* Effect.sleep(5000)
        assert.deepStrictEqual(all.jobs, [])
        all.state.atRest = true
        all.collector.changed()
        yield* Effect.sleep(5000)
        assert.deepStrictEqual(filesOf(all.jobs), [[1]])
      })
    ))
})

describe("by hand", () => {
  it("what there is of garbage is collected, and counted", () =>
    running([90, 100, 95, 100], (all) =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* all.collector.collect(0.07), { files: 1, bytes: 10 })
        assert.deepStrictEqual(yield* all.collector.collect(0), { files: 1, bytes: 5 })
        assert.deepStrictEqual(yield* all.collector.collect(0), { files: 0, bytes: 0 })
        assert.deepStrictEqual(numbers(all), [2, 4, 100, 101])
      })
    ))

  it("a failure is told, and the next call tries again", () =>
    running([90, 100], (all) =>
      Effect.gen(function* () {
        all.state.failure = deadWorker
        assert.strictEqual((yield* Effect.flip(all.collector.collect(0))).reason._tag, "JobFailed")
        assert.deepStrictEqual(yield* all.collector.collect(0), { files: 1, bytes: 10 })
      })
    ))

  it("it is not waited for when the database closes, and what runs is interrupted", () =>
    running([90, 100], (all) =>
      Effect.gen(function* () {
        const caller = yield* Effect.forkChild(Effect.flip(all.collector.collect(0)), { startImmediately: true })
        yield* Effect.sleep(500)
        assert.strictEqual(all.jobs.length, 1)
        yield* all.collector.stop
        assert.strictEqual((yield* Fiber.join(caller)).reason._tag, "Closed")
        assert.deepStrictEqual(all.edits, [])
        assert.deepStrictEqual(numbers(all), [1, 2])
      })
    ))
})

describe("a collection that fails", () => {
  it("is tried again after pauses that double, and shows until one succeeds", () =>
    running([40, 100], (all) =>
      Effect.gen(function* () {
        all.state.failure = deadWorker
        yield* Effect.sleep(50)
        assert.strictEqual(all.collector.failing?.reason._tag, "JobFailed")
        all.state.failure = deadWorker
        yield* Effect.sleep(100)
        assert.strictEqual(all.jobs.length, 2)
        yield* Effect.sleep(100)
        assert.strictEqual(all.jobs.length, 2)
        yield* Effect.sleep(1100)
        assert.strictEqual(all.jobs.length, 3)
        assert.isUndefined(all.collector.failing)
        assert.deepInclude(all.collector.counters, { collections: 1, collectionFailures: 2 })
      })
    ))

  it("leaves the file that is damaged, and goes on with others", () =>
    running([30, 40, 100], (all) =>
      Effect.gen(function* () {
        all.state.failure = damageOf(`/db/${valueFileName(1)}`)
        yield* Effect.sleep(5000)
        assert.deepStrictEqual(filesOf(all.jobs), [[1, 2], [2]])
        assert.deepStrictEqual(numbers(all), [1, 3, 100])
      })
    ))

  it("is told of its file, and of none that is whole, without a look at the others", () =>
    running([30, 100], (all) =>
      Effect.gen(function* () {
        all.state.failure = damageOf(`/db/${valueFileName(1)}`)
        yield* Effect.sleep(50)
        assert.strictEqual(all.collector.damageOf(1)?.reason._tag, "Corruption")
        let looks = 0
        const { valueFiles } = all.view
        Object.defineProperty(all.view, "valueFiles", {
          get: () => {
            looks += 1
            return valueFiles
          }
        })
        assert.isUndefined(all.collector.damageOf(2))
        assert.strictEqual(looks, 0)
      })
    ))

  it("ends what was not begun, and a bug in its loop is the end of all writing", () => {
    const all = given([100])
    simulate(all.collector.stop)
    running([100], (begun) =>
      Effect.gen(function* () {
        Object.defineProperty(begun.state, "atRest", {
          get: () => {
            throw new TypeError("a bug")
          }
        })
        begun.collector.changed()
        yield* Effect.sleep(10)
        assert.strictEqual(begun.state.poisoned?.reason._tag, "Poisoned")
      })
    )
  })

  it("leaves all that it was to read where it is not told which file is damaged", () =>
    running([40, 100, 30, 100], (all) =>
      Effect.gen(function* () {
        all.state.failure = damageOf("/db/elsewhere")
        yield* Effect.sleep(5000)
        assert.deepStrictEqual(filesOf(all.jobs), [[3, 1]])
        for (const number of [1, 3]) assert.strictEqual(all.collector.damageOf(number)?.reason._tag, "Corruption")
        assert.isUndefined(all.collector.damageOf(2))
      })
    ))

  it("leaves what a damaged table names, for as long as that is there", () =>
    running([30, 100, 100], (all) =>
      Effect.gen(function* () {
        all.state.failure = damageOf("/db/table-000000000000005a.sst")
        yield* Effect.sleep(5000)
        assert.deepStrictEqual(filesOf(all.jobs), [[1]])
        for (const number of [1, 2, 3]) assert.strictEqual(all.collector.damageOf(number)?.reason._tag, "Corruption")
        assert.isUndefined(all.collector.damageOf(4))
        all.view.replaceTables({
          remove: new Set([90]),
          add: [
            tableOf(91, [
              [1, 30],
              [2, 100],
              [3, 100]
            ])
          ]
        })
        all.collector.changed()
        yield* Effect.sleep(5000)
        assert.deepStrictEqual(filesOf(all.jobs), [[1], [1]])
      })
    ))

  it("with its edit refused leaves none of its files, and after a failed sync all", () =>
    running([40, 100], (all) =>
      Effect.gen(function* () {
        all.state.refused = deadWorker
        yield* Effect.sleep(1050)
        assert.deepStrictEqual(all.removed, [100])
        assert.deepStrictEqual(numbers(all), [1, 2])
        all.state.refused = fail(new Poisoned({ message: "a sync failed", cause: undefined }))
        yield* Effect.sleep(60_000)
        assert.deepStrictEqual(all.removed, [100])
        assert.strictEqual(all.state.poisoned?.reason._tag, "Poisoned")
        assert.strictEqual(all.jobs.length, 2, "nothing is begun any more")
        assert.strictEqual((yield* Effect.flip(all.collector.collect(0))).reason._tag, "Poisoned")
      })
    ))
})
