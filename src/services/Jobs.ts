/**
 * Long work off the event loop: flushing a memtable, compaction, and collecting value files.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { DatabaseError } from "./DatabaseError.ts"
import type { TableMeta, ValueFileMeta } from "./Manifest.ts"

/**
 * A frozen memtable in table order: where each version's record lies, keys ascending, versions of a key from the
 * newest.
 *
 * @since 0.1.0
 * @category models
 */
export interface FrozenMemtable {
  /** The arena: shared memory where a worker is to read it. It must not be recycled before the job has ended. */
  readonly bytes: Uint8Array
  /** Three u32 a version: offset of the record, sequence low, sequence high. Shared memory likewise. */
  readonly versions: Uint32Array
  /** Range removals, in any order. */
  readonly rangeRemovals: ReadonlyArray<{
    readonly from: Uint8Array
    readonly to: Uint8Array
    readonly sequence: number
  }>
}

/**
 * A job that merges its sources into new tables of one level. Plain data, so that it can be sent to a worker.
 *
 * @since 0.1.0
 * @category models
 */
export interface MergeJob {
  /** Newest first; a run is tables without common keys, ascending. */
  readonly memtables: ReadonlyArray<FrozenMemtable>
  readonly runs: ReadonlyArray<ReadonlyArray<TableMeta>>
  /** Only keys from `from` (inclusive) up to `to` (exclusive); an end that is `undefined` is open. */
  readonly from: Uint8Array | undefined
  readonly to: Uint8Array | undefined
  /** The level of the new tables. */
  readonly level: number
  /**
   * Sequences that readers may ask for, ascending: those of open snapshots, and last what is visible now. A version
   * that none of them sees goes.
   */
  readonly snapshots: ReadonlyArray<number>
  /** Entries expired at this time become removals; the time of the oldest snapshot. Unix milliseconds. */
  readonly nowMillis: number
  /**
   * Tables at deeper levels that keys of the job may also be in, ascending by level: where there is none, removals that
   * every reader sees go too.
   */
  readonly deeper: ReadonlyArray<Pick<TableMeta, "smallest" | "largest">>
  /** Tables of the level below the new ones, ascending: a new table ends before it overlaps too many bytes of them. */
  readonly grandparents: ReadonlyArray<Pick<TableMeta, "smallest" | "largest" | "bytes">>
  readonly tableBytesMax: number
  /**
   * For a flush: values longer than `threshold` go to new value files, none above `fileBytesMax` unless it holds one
   * value only, and their entries become handles. `undefined`: entries stay as they are, handles among them.
   */
  readonly values: { readonly threshold: number; readonly fileBytesMax: number } | undefined
}

/**
 * What a `MergeJob` has made.
 *
 * @since 0.1.0
 * @category models
 */
export interface Merged {
  /** Ascending; none if nothing is left. */
  readonly tables: ReadonlyArray<TableMeta>
  /** Each with one section, of its own number. */
  readonly valueFiles: ReadonlyArray<ValueFileMeta>
}

/**
 * A job that rewrites value files without their dead values: those that no table names. Plain data, so that it can be
 * sent to a worker.
 *
 * @since 0.1.0
 * @category models
 */
export interface CollectJob {
  readonly _tag: "Collect"
  /** The files that are read. When the new ones are published, these are dead. */
  readonly files: ReadonlyArray<ValueFileMeta>
  /** Every live table that names values of them. Their files must stay until the job has ended. */
  readonly tables: ReadonlyArray<TableMeta>
  /** Sections share a new file up to this size; one that is larger has a file of its own. */
  readonly fileBytesMax: number
}

/**
 * Runs jobs, a few at a time. A flush does not wait for a compaction to end.
 *
 * Invariants every layer keeps, checked by `test/suites/jobsSuite.ts`:
 * 1. Files that `run` returned are durable, names included, and were read back. The tables hold exactly what the job's
 *    snapshots can see, in order; all versions of a key are in one table. A value longer than the threshold is in a
 *    value file, and its entry names it; the rest of the entry is as it was.
 * 2. When a job fails or is interrupted, none of its files stays, and nothing of it runs on.
 * 3. The sources are only read. Damage in them is `Corruption` with file and offset.
 * 4. A worker that dies or does not answer fails its job with `JobFailed`, which is retryable, and is replaced.
 * 5. When the scope closes, no thread and no file is left.
 * 6. Value files that `collect` returned are durable, names included, and were read back. They hold exactly those
 *    values of the job's files that its tables name, with the same ids and indexes, each checked before it was copied.
 *
 * @since 0.1.0
 * @category services
 */
export class Jobs extends Context.Service<
  Jobs,
  {
    /** How many run at once, and one flush beside them; a further one waits. */
    readonly concurrency: number
    /**
     * It can be interrupted where its caller cannot: it fails then, or hands over what it has made just before. A
     * caller that can be interrupted may lose that on the way.
     */
    readonly run: (job: MergeJob) => Effect.Effect<Merged, DatabaseError>
    /**
     * New files, none if no value is left. A section without a live value is in none of them. It can be interrupted as
     * `run` can.
     */
    readonly collect: (job: CollectJob) => Effect.Effect<ReadonlyArray<ValueFileMeta>, DatabaseError>
    readonly stats: () => {
      readonly running: number
      readonly waiting: number
      readonly done: number
      readonly failed: number
      /** Threads that were replaced because they died or hung. */
      readonly replaced: number
      readonly bytesRead: number
      readonly bytesWritten: number
    }
  }
>()("strata/Jobs") {}

/**
 * The shape of `Jobs`.
 *
 * @since 0.1.0
 * @category models
 */
export type JobsService = Jobs["Service"]
