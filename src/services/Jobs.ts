/**
 * Long work off the event loop: flushing a memtable, and compaction.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { DatabaseError } from "./DatabaseError.ts"
import type { TableMeta } from "./Manifest.ts"

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
 * One job: sources are merged into new tables of one level. Plain data, so that it can be sent to a worker.
 *
 * @since 0.1.0
 * @category models
 */
export interface Job {
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
}

/**
 * Runs jobs, a few at a time. A flush does not wait for a compaction to end.
 *
 * Invariants every layer keeps, checked by `test/suites/jobsSuite.ts`:
 * 1. Tables that `run` returned are durable, names included, were read back, and hold exactly what the job's snapshots
 *    can see, in order; all versions of a key are in one table.
 * 2. When it fails or is interrupted, none of its files stays, and nothing of it runs on.
 * 3. The sources are only read. Damage in them is `Corruption` with file and offset.
 * 4. A worker that dies or does not answer fails its job with `JobFailed`, which is retryable, and is replaced.
 * 5. When the scope closes, no thread and no file is left.
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
     * New tables, ascending; none if nothing is left. It can be interrupted where its caller cannot: it fails then, or
     * hands over what it has made just before. A caller that can be interrupted may lose that on the way.
     */
    readonly run: (job: Job) => Effect.Effect<ReadonlyArray<TableMeta>, DatabaseError>
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
