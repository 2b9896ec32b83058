// What the tests of `Jobs` share: what is tested, files in its directory, and jobs that take a while.
import { Effect, type Scope } from "effect"
import { tableFileName, valueFileName } from "../../src/internal/format/fileName.ts"
import type { DiskService } from "../../src/services/Disk.ts"
import type { JobsService, MergeJob } from "../../src/services/Jobs.ts"
import type { ManifestService, TableMeta, ValueFileMeta } from "../../src/services/Manifest.ts"
import type { OptionsInput } from "../../src/services/Options.ts"
import { MemoryFiles } from "./jobDriver.ts"
import { type Held, header, memtableOf, tableOf } from "./jobPlan.ts"
import { SeparatedValues } from "./separatedValues.ts"
import { numbered } from "./tables.ts"

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

export type Use = (name: string, body: (under: JobsUnderTest) => Effect.Effect<void, unknown, Scope.Scope>) => void

/** Writes the table as a file of the directory. */
export const place = (under: JobsUnderTest, held: Held, blockBytes = 4096) =>
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

export const pathOf = ({ disk, manifest }: JobsUnderTest, number: number): string =>
  disk.join(manifest.directory, tableFileName(number))

export const valuePathOf = ({ disk, manifest }: JobsUnderTest, number: number): string =>
  disk.join(manifest.directory, valueFileName(number))

export const contentsOf = (disk: DiskService, path: string) =>
  Effect.gen(function* () {
    const file = yield* disk.open(path)
    const bytes = yield* file.read(0, file.size)
    yield* file.close
    return bytes
  })

/** The tables and value files in the directory. */
export const names = ({ disk, manifest }: JobsUnderTest) =>
  Effect.map(disk.list(manifest.directory), (entries) =>
    entries.map(({ name }) => name).filter((name) => /\.(sst|val)$/.test(name))
  )

export const heldBy = (under: JobsUnderTest, disk: DiskService, metas: ReadonlyArray<TableMeta>) =>
  Effect.gen(function* () {
    const files = new MemoryFiles()
    for (const { number } of metas) files.files.set(number, yield* contentsOf(disk, pathOf(under, number)))
    return metas.map((meta) => files.held(meta))
  })

export const valuesIn = (under: JobsUnderTest, disk: DiskService, metas: ReadonlyArray<ValueFileMeta>) =>
  Effect.gen(function* () {
    const files = new Map<number, Uint8Array>()
    for (const { number } of metas) files.set(number, yield* contentsOf(disk, valuePathOf(under, number)))
    return new SeparatedValues(metas, (number) => files.get(number)!)
  })

export const simple: Omit<MergeJob, "runs"> = {
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
export const longJob = (under: JobsUnderTest, count = 20_000) =>
  Effect.gen(function* () {
    const older = numbered(count, 60)
    const newer = older.filter((_, index) => index % 3 === 0).map((entry) => ({ ...entry, sequence: 5000 }))
    const runs = []
    for (const points of [newer, older]) runs.push([yield* place(under, { points, removals: [] })])
    return { ...simple, runs } satisfies MergeJob
  })

/** A flush that makes one table and many value files, in many slices. */
export const separatingJob = (count: number): MergeJob => ({
  ...flushJob(count, 6000),
  values: { threshold: 100, fileBytesMax: 1024 * 1024 }
})

export const startNow = <A, E>(effect: Effect.Effect<A, E>) => Effect.forkChild(effect, { startImmediately: true })

export const flushJob = (count: number, valueLength = 20): MergeJob => {
  const versions = memtableOf({ points: numbered(count, valueLength), removals: [] })
  return { ...simple, runs: [], memtables: [versions], level: 0, tableBytesMax: Number.MAX_SAFE_INTEGER }
}

/** Goes on once the job has a file. */
export const untilWriting = (under: JobsUnderTest, before: number): Effect.Effect<void, unknown> =>
  Effect.flatMap(names(under), (found) =>
    found.length > before ? Effect.void : Effect.andThen(Effect.yieldNow, untilWriting(under, before))
  )
