/**
 * What operators hold: work that is otherwise done in the background, and a look inside.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Bounds } from "./Database.ts"
import type { DatabaseError } from "./DatabaseError.ts"
import type { MasterKey } from "./Encryption.ts"

/**
 * The tables of one level.
 *
 * @since 0.1.0
 * @category models
 */
export interface LevelStats {
  readonly level: number
  readonly tables: number
  readonly bytes: number
  /** Records, versions and removals included. */
  readonly entries: number
  readonly removals: number
  /** What compaction keeps the level to. Level 0 has none, because its tables are counted; nor has the deepest. */
  readonly targetBytes: number | undefined
}

/**
 * The files of large values. A value is live if a table names it; collection takes the space of the others back. Values
 * that were written before a commit that no table has yet count as live.
 *
 * @since 0.1.0
 * @category models
 */
export interface ValueFileStats {
  readonly files: number
  /** Of the files. */
  readonly bytes: number
  readonly values: number
  readonly liveValues: number
  /** The lengths of the live values together, and of the others. */
  readonly liveBytes: number
  readonly garbageBytes: number
}

/**
 * What the same byte costs again and again.
 *
 * @since 0.1.0
 * @category models
 */
export interface Amplification {
  /** Bytes written to log, tables, value files and manifest for each byte of keys and values; 0 before the first. */
  readonly write: number
  /**
   * Bytes of tables and value files for each byte that is live, as far as that is known without reading: a table that
   * overlaps an older one is taken to overwrite it, and every value that a table names is live. 1 without tables.
   */
  readonly space: number
  /** Tables that a read of one key may have to ask: those of level 0, and one of each other level. */
  readonly read: number
}

/**
 * How writers waited.
 *
 * @since 0.1.0
 * @category models
 */
export interface StallStats {
  /** Times that a writer was stopped, and the milliseconds of all of them together. */
  readonly count: number
  readonly millis: number
  readonly millisOf: {
    /** For a memtable: the full ones were being flushed. */
    readonly memory: number
    /** For compaction: level 0 had too many tables. */
    readonly level0: number
    /** For sequences: the manifest was being written. */
    readonly sequences: number
    /** For other commits: too many were waiting. */
    readonly commits: number
  }
  /** Times that a writer was slowed because compaction was behind, and the milliseconds of all of them together. */
  readonly slowed: number
  readonly slowedMillis: number
}

/**
 * The block cache.
 *
 * @since 0.1.0
 * @category models
 */
export interface CacheStats {
  readonly hits: number
  readonly misses: number
  readonly evictions: number
  readonly bytes: number
  readonly budgetBytes: number
}

/**
 * Flushes, compactions and collections of value files.
 *
 * @since 0.1.0
 * @category models
 */
export interface JobStats {
  readonly running: number
  readonly waiting: number
  readonly done: number
  readonly failed: number
  /** Threads that were replaced because they died or hung. */
  readonly replaced: number
  readonly bytesRead: number
  readonly bytesWritten: number
}

/**
 * Moments that are held open: snapshots, transactions, scans and cursors.
 *
 * @since 0.1.0
 * @category models
 */
export interface SnapshotStats {
  readonly open: number
  /** How many commits ago the oldest was opened; 0 if there is none. What was overwritten since is kept for it. */
  readonly oldestCommitsAgo: number
}

/**
 * A data key, and what is sealed with it.
 *
 * @since 0.1.0
 * @category models
 */
export interface DataKeyStats {
  /** Counted from the database's first key. */
  readonly generation: number
  /** The last commit before it was made. */
  readonly createdSequence: number
  /** Unix milliseconds. */
  readonly createdMillis: number
  /** Tables and value files that are live, and their bytes. */
  readonly files: number
  readonly bytes: number
}

/**
 * How an encrypted database is sealed. Never a key.
 *
 * @since 0.1.0
 * @category models
 */
export interface EncryptionStats {
  readonly cipher: string
  /** What the master key is, which opens the keyring. */
  readonly masterKind: "raw" | "passphrase-scrypt" | "passphrase-argon2id" | "provider"
  /** How the provider calls its key. */
  readonly providerKeyId: string | undefined
  /** Of the data key that new files are sealed with. */
  readonly keyGeneration: number
  /** Ascending. More than one while a rotation of the data key is under way. */
  readonly generations: ReadonlyArray<DataKeyStats>
}

/**
 * A look inside an open database. Numbers since it was opened, unless they are of files.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats {
  /** `healthy`, or why writes are refused or background work is failing. */
  readonly state: string
  readonly sequence: number
  readonly levels: ReadonlyArray<LevelStats>
  /** Of all levels. */
  readonly tables: number
  readonly tableBytes: number
  /** Records in tables, versions and removals included. */
  readonly entries: number
  readonly removals: number
  readonly valueFiles: ValueFileStats
  readonly logBytes: number
  readonly logSegments: number
  readonly manifestBytes: number
  readonly memtables: number
  readonly memtableBytes: number
  /** Tables and value files whose file is open. */
  readonly openFiles: number
  readonly amplification: Amplification
  readonly stalls: StallStats
  readonly cache: CacheStats
  readonly jobs: JobStats
  readonly snapshots: SnapshotStats
  /** `undefined` without encryption. */
  readonly encryption: EncryptionStats | undefined
  readonly counters: Counters
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
  readonly stallMillisMemory: number
  readonly stallMillisLevel0: number
  readonly stallMillisSequences: number
  readonly stallMillisCommits: number
  /** How often writers were slowed because compaction was behind, and for how long together. */
  readonly slowed: number
  readonly slowedMillis: number
  readonly flushes: number
  /** Of tables and value files, and of value files alone. */
  readonly flushedBytes: number
  readonly flushedValueBytes: number
  readonly compactions: number
  readonly compactedBytes: number
  /** Tables that went to another level, or away, without being read. */
  readonly moves: number
  readonly drops: number
  readonly compactionFailures: number
  /** Collections of value files, those that only dropped files included; what they wrote, and what came back. */
  readonly collections: number
  readonly collectedBytes: number
  readonly reclaimedBytes: number
  readonly collectionFailures: number
  /** Data keys that were made, and times that older ones were forgotten. */
  readonly dataKeyRotations: number
  readonly dataKeysForgotten: number
  readonly masterKeyRotations: number
  readonly keyRotationFailures: number
  readonly jobsDone: number
  readonly jobsFailed: number
  readonly workersReplaced: number
  /** Of the keys and values of commits, as far as they are visible. */
  readonly userBytes: number
  readonly logBytesWritten: number
  readonly manifestBytesWritten: number
  readonly tableBytesWritten: number
  /** By flushes and collections, and before commits. */
  readonly valueBytesWritten: number
  /** By flushes, compactions and collections, of value files too. */
  readonly tableBytesRead: number
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
  /** In value files. */
  readonly values: number
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
  readonly valueFiles: number
  /** Of the tables and value files. They take no further space where they are links. */
  readonly bytes: number
}

/**
 * What a collection of value files did.
 *
 * @since 0.1.0
 * @category models
 */
export interface CollectedValues {
  /** Value files that were written again without their garbage, or dropped. */
  readonly files: number
  /** By how much the value files became smaller. */
  readonly bytes: number
}

/**
 * Which value files are collected.
 *
 * @since 0.1.0
 * @category models
 */
export interface CollectOptions {
  /** Those with a larger share of garbage, from 0 to 1. Default 0.05. */
  readonly garbageRatioMin?: number | undefined
}

/**
 * How far a rotation of the data key has come: tables and value files that were sealed with older keys when it began,
 * and those of them that are no more.
 *
 * @since 0.1.0
 * @category models
 */
export interface RotationProgress {
  readonly files: number
  readonly bytes: number
  readonly filesDone: number
  readonly bytesDone: number
}

/**
 * How the data key is rotated.
 *
 * @since 0.1.0
 * @category models
 */
export interface RotateOptions {
  /** Completes only when nothing is sealed with an older key any more and these are forgotten. Default false. */
  readonly full?: boolean | undefined
  /** Told when it begins and with every step. */
  readonly onProgress?: ((progress: RotationProgress) => Effect.Effect<void>) | undefined
}

/**
 * A new data key.
 *
 * @since 0.1.0
 * @category models
 */
export interface RotatedDataKey {
  readonly generation: number
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
     * Rewrites everything in the range, or in the whole database, down to the last level; completes when nothing is
     * left to gain there: what was overwritten, removed or expired before the call takes no space any more, unless a
     * snapshot still sees it.
     *
     * **When to use**
     *
     * Use it after removing or overwriting much at once, if the space must come back now: it comes back by itself, when
     * the database is idle or the range is written to again.
     *
     * **Details**
     *
     * What is in memory is flushed first. Tables of the bottom level that were compressed by another codec than those
     * of now, or not at all, are written again, but not with `InstalledCompression.layer`. Reads and writes go on
     * meanwhile. Interrupting it leaves what was rewritten so far. An inverted range is `Invalid`.
     */
    readonly compact: (range?: Bounds) => Effect.Effect<void, DatabaseError>
    /**
     * Rewrites the value files that hold more garbage than asked for, without it, and drops those that hold nothing
     * else. Files that are written during the call are left.
     *
     * **When to use**
     *
     * Use it if the space must come back now: it comes back by itself, from files above a half of garbage while the
     * database is written to, and above a fifth when it is idle.
     *
     * **Details**
     *
     * A value is garbage when no table names it any more: when it was overwritten, removed or expired, and a compaction
     * has come across that. So `compact` first to take back everything. What an open snapshot sees is no garbage, and a
     * file that a read still uses goes when that has ended. Reads and writes go on meanwhile. Interrupting it leaves
     * what was collected so far. A share that is not from 0 to 1 is `Invalid`.
     */
    readonly collectValues: (options?: CollectOptions) => Effect.Effect<CollectedValues, DatabaseError>
    /**
     * Makes a copy of the database, as it is at one moment, in a directory that is absent or empty, while reads and
     * writes go on. Everything acknowledged before the call is in it; it is a database of its own, that neither needs
     * this one nor is changed by it.
     *
     * **Details**
     *
     * What is in memory is flushed, and files are linked, so it takes little time and no space of its own; on another
     * file system they are copied. When it returns, the copy survives a power cut. When it fails or is interrupted,
     * the directory is no database, and as far as the disk allows it is empty.
     *
     * A directory that is not empty, or a file, is `Invalid`; one that may not be written to is `Io`; one that is in
     * use is `Locked`.
     */
    readonly checkpoint: (directory: string) => Effect.Effect<Checkpoint, DatabaseError>
    /**
     * Makes another key the master key, of any kind. When it completes this survives a power cut, and the old one opens
     * nothing any more; until then one of the two opens the database. It takes a few milliseconds, and as long as the
     * new key takes to be derived or wrapped: no data is sealed anew.
     *
     * **When to use**
     *
     * Use it when a master key may be known to others, or when its time has come. Whoever has had both the old key and
     * the files could have read them, and the keys that they are sealed with: rotate the data key, too.
     *
     * **Details**
     *
     * Backups and checkpoints that were made before keep the key that they had. `NotEncrypted` without encryption;
     * `Invalid` for a raw key that is not 32 bytes. After any other failure keep both keys: until the background has
     * settled the keyring, a power cut may leave either. Then `stats` says by `masterKind`, and an open by the key that
     * it takes, which one is in force.
     */
    readonly rotateMasterKey: (to: MasterKey) => Effect.Effect<void, DatabaseError>
    /**
     * Makes a new data key. When it completes, all that is written is sealed with the new one; what is there is written
     * again in the background, after everything else that is due, also by later opens, and then the old key is
     * forgotten. With `full` it completes then.
     *
     * **Details**
     *
     * Reads and writes go on meanwhile. In all, as much is written as there is. Snapshots, scans and cursors hold the
     * files that they read, so an old key is forgotten when they have ended. Interrupting it, or a failure, leaves what
     * was done so far, and the background goes on with it. A file that is damaged keeps its key, and a `full` rotation
     * fails when nothing else is left to do. Backups and checkpoints keep the keys that they had. `NotEncrypted`
     * without encryption; `Invalid` while 64 keys wait to be forgotten. The options `dataKeyBytesMax`,
     * `dataKeyCommitsMax` and `dataKeyAgeMillisMax` rotate by themselves.
     */
    readonly rotateDataKey: (options?: RotateOptions) => Effect.Effect<RotatedDataKey, DatabaseError>
    readonly stats: Effect.Effect<Stats>
    /**
     * Reads every live file and checks: checksums, key order, block bounds against index and manifest, filters without
     * false negatives, counts; that every value that a table names is there, with the key and sequence of its entry,
     * and that the manifest's sums of them are exact. Changes nothing. Damage is in the report, not in the error.
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
