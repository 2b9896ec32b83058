// Doing what was chosen. New tables are durable before the manifest names them; one edit makes them live and the inputs
// dead; only then readers see them. Whatever fails before the edit leaves the tables as they were.
import * as Effect from "effect/Effect"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import type { JobsService, MergeJob } from "../../services/Jobs.ts"
import type { ManifestService, TableMeta } from "../../services/Manifest.ts"
import type { SsTableService, Table } from "../../services/SsTable.ts"
import type { Choice, Merge } from "../structure/compactionChoice.ts"
import type { LiveView } from "./view.ts"

export interface CompactionParts {
  readonly live: LiveView
  readonly manifest: ManifestService
  readonly tables: SsTableService
  readonly jobs: JobsService
}

/** What the readers of the moment, and those to come, may ask for. */
export interface Horizon {
  readonly snapshots: ReadonlyArray<number>
  readonly nowMillis: number
}

export interface Done {
  readonly bytesRead: number
  readonly bytesWritten: number
}

/** What there is to do. */
export type Work = Exclude<Choice<Table>, { readonly _tag: "Nothing" }>

/** The tables that are read, or go. */
export const tablesOf = (work: Work): ReadonlyArray<TableMeta> => {
  if (work._tag === "Move") return [work.table.meta]
  const tables = work._tag === "Drop" ? work.tables : work.inputs.flatMap((run) => run.tables)
  return tables.map(({ meta }) => meta)
}

const metas = (tables: ReadonlyArray<Table>): ReadonlyArray<TableMeta> => tables.map(({ meta }) => meta)

const nothing: Done = { bytesRead: 0, bytesWritten: 0 }
const bytesOf = (tables: ReadonlyArray<TableMeta>): number => tables.reduce((sum, { bytes }) => sum + bytes, 0)

export const perform = Effect.fn("Compaction.run")(function* (
  parts: CompactionParts,
  work: Work,
  horizon: Horizon
): Effect.fn.Return<Done, DatabaseError> {
  const inputs = tablesOf(work)
  if (work._tag !== "Merge") {
    const add = work._tag === "Move" ? inputs.map((meta) => ({ ...meta, level: work.level })) : []
    yield* replace(parts, inputs, { add })
    return nothing
  }
  const install = (made: ReadonlyArray<TableMeta>) =>
    replace(parts, inputs, { add: made, commitMillisMax: horizon.nowMillis }).pipe(
      // After a failed sync nobody knows which tables a crash would leave live.
      Effect.tapError((error) => (error.reason._tag === "Poisoned" ? Effect.void : discard(parts, made))),
      Effect.as(made)
    )
  // An interruption comes while the jobs run, or after the install: in between nobody would remove what was made.
  const made = yield* Effect.uninterruptible(Effect.flatMap(merge(parts, work, horizon), install))
  return { bytesRead: bytesOf(inputs), bytesWritten: bytesOf(made) }
})

/** The new tables of all slices, or none. Interruptible while jobs run, and nowhere else. */
const merge = Effect.fnUntraced(function* (
  parts: CompactionParts,
  work: Merge<Table>,
  horizon: Horizon
): Effect.fn.Return<ReadonlyArray<TableMeta>, DatabaseError> {
  const { level, tableBytesMax } = work
  const rest = {
    memtables: [],
    runs: work.inputs.map((run) => metas(run.tables)),
    level,
    ...horizon,
    deeper: metas(work.deeper),
    grandparents: metas(work.grandparents),
    tableBytesMax,
    values: undefined
  }
  const made: Array<TableMeta> = []
  const runSlice = ({ from, to }: (typeof work.slices)[number]) =>
    Effect.uninterruptible(
      Effect.map(parts.jobs.run({ ...rest, from, to } satisfies MergeJob), ({ tables }) => void made.push(...tables))
    )
  const running = Effect.forEach(work.slices, runSlice, { concurrency: parts.jobs.concurrency, discard: true })
  yield* Effect.onError(Effect.interruptible(running), () => discard(parts, made))
  return made
})

/** Publishes the change and shows it to readers, in one step that is not interrupted. */
const replace = (
  { live, manifest, tables }: CompactionParts,
  removed: ReadonlyArray<TableMeta>,
  change: { readonly add: ReadonlyArray<TableMeta>; readonly commitMillisMax?: number }
): Effect.Effect<void, DatabaseError> => {
  const { add, ...rest } = change
  const numbers = removed.map(({ number }) => number)
  return Effect.uninterruptible(
    Effect.map(manifest.publish({ removeTables: numbers, addTables: add, ...rest }), () =>
      live.replaceTables({ remove: new Set(numbers), add: add.map((meta) => tables.handle(meta)) })
    )
  )
}

const discard = ({ tables }: CompactionParts, metas: ReadonlyArray<TableMeta>): Effect.Effect<void> =>
  Effect.forEach(metas, (meta) => tables.remove(meta), { discard: true })
