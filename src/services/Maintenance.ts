/**
 * What operators hold: work that is otherwise done in the background, and a look inside.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Range } from "./Database.ts"
import type { DatabaseError } from "./DatabaseError.ts"

/**
 * A look inside an open database. Numbers since it was opened, unless they are of files.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats {
  readonly sequence: number
  readonly levels: ReadonlyArray<{ readonly level: number; readonly tables: number; readonly bytes: number }>
  /** Records in tables, versions and removals included. */
  readonly entries: number
  readonly removals: number
  readonly tableBytes: number
  readonly logBytes: number
  readonly logSegments: number
  readonly manifestBytes: number
  readonly memtables: number
  readonly memtableBytes: number
  readonly counters: Counters
  /** `healthy`, or why writes are refused or background work is failing. */
  readonly state: string
}

/**
 * What is counted. Also published as metrics named `strata_` + the name in snake case.
 *
 * @since 0.1.0
 * @category models
 */
export interface Counters {
  readonly commits: number
  readonly groups: number
  readonly syncs: number
  readonly conflicts: number
  /** How often writers were stopped, and for how long together. */
  readonly stalls: number
  readonly stallMillis: number
  /** How often writers were slowed because compaction was behind, and for how long together. */
  readonly slowed: number
  readonly slowedMillis: number
  readonly flushes: number
  readonly flushedBytes: number
  readonly compactions: number
  /** Bytes of the tables that compactions wrote. */
  readonly compactedBytes: number
  /** Tables that went to a deeper level as they were. */
  readonly moves: number
  /** Tables, or several at once, that went unread because a range removal covered them. */
  readonly drops: number
  readonly compactionFailures: number
  readonly logBytesWritten: number
  readonly cacheHits: number
  readonly cacheMisses: number
  readonly cacheEvictions: number
  readonly cacheBytes: number
  readonly recoveredCommits: number
  readonly recoveryMillis: number
}

/**
 * One damaged place.
 *
 * @since 0.1.0
 * @category models
 */
export interface Damage {
  readonly file: string
  readonly offset: number
  readonly message: string
}

/**
 * What `verify` read and found.
 *
 * @since 0.1.0
 * @category models
 */
export interface VerifyReport {
  readonly files: number
  readonly bytes: number
  readonly blocks: number
  readonly entries: number
  readonly damage: ReadonlyArray<Damage>
}

/**
 * What a checkpoint made.
 *
 * @since 0.1.0
 * @category models
 */
export interface Checkpoint {
  readonly directory: string
  /** It holds every commit up to this one, and no later one. */
  readonly sequence: number
  readonly tables: number
  /** Of the tables. They take no further space where they are links. */
  readonly bytes: number
}

/**
 * Maintenance of an open database.
 *
 * @since 0.1.0
 * @category services
 */
export class Maintenance extends Context.Service<
  Maintenance,
  {
    /** Everything visible is in tables when it completes. */
    readonly flush: Effect.Effect<void, DatabaseError>
    /**
     * Rewrites what the range holds (without one, everything) down to the last level, and completes when nothing is
     * left to gain there: no removals, and no versions but those that open snapshots see. Commits made meanwhile are
     * left to the background, which does the same by itself in time.
     */
    readonly compact: (
      range?: Pick<Range, "prefix" | "from" | "to" | "fromExclusive" | "toInclusive">
    ) => Effect.Effect<void, DatabaseError>
    /**
     * Makes a copy of the database, as it is at one moment, in a directory that is absent or empty, while reads and
     * writes go on. Everything acknowledged before the call is in it; it is a database of its own, that neither needs
     * this one nor is changed by it.
     *
     * **Details**
     *
     * What is in memory is flushed, and tables are linked, so it takes little time and no space of its own; on another
     * file system they are copied. When it returns, the copy survives a power cut. When it fails or is interrupted,
     * the directory is no database, and as far as the disk allows it is empty.
     *
     * A directory that is not empty, or a file, is `Invalid`; one that may not be written to is `Io`; one that is in
     * use is `Locked`.
     */
    readonly checkpoint: (directory: string) => Effect.Effect<Checkpoint, DatabaseError>
    readonly stats: Effect.Effect<Stats>
    /**
     * Reads every live file and checks: checksums, key order, block bounds against index and manifest, filters without
     * false negatives, counts. Changes nothing. Damage is in the report, not in the error.
     */
    readonly verify: Effect.Effect<VerifyReport, DatabaseError>
  }
>()("strata/Maintenance") {}

/**
 * The shape of `Maintenance`.
 *
 * @since 0.1.0
 * @category models
 */
export type MaintenanceService = Maintenance["Service"]
