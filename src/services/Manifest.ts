/**
 * Which files make up the database.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { FileCompression } from "./Compression.ts"
import type { DatabaseError } from "./DatabaseError.ts"
import type { Allocate, FileEncryption, FileKind, KeyControl } from "./Encryption.ts"

/**
 * How much of the values of one logical value file the entries of a table name.
 *
 * @since 0.1.0
 * @category models
 */
export interface ValueRefs {
  /** The logical id, as in a `ValueSection`. */
  readonly file: number
  /** How many values. */
  readonly count: number
  /** Their lengths together. */
  readonly bytes: number
}

/**
 * The values of one logical value file. Handles name its id, which stays when the values move to another file.
 *
 * @since 0.1.0
 * @category models
 */
export interface ValueSection {
  readonly id: number
  /** How many values. */
  readonly count: number
  /** Their lengths together. */
  readonly bytes: number
}

/**
 * What the manifest pins of one value file.
 *
 * @since 0.1.0
 * @category models
 */
export interface ValueFileMeta {
  /** Of the physical file. */
  readonly number: number
  /** The length of the file. */
  readonly bytes: number
  /** 32 random bytes, also in the file's header. */
  readonly fileId: Uint8Array
  /** Checksum of the file's footer, which in turn covers the rest. */
  readonly footerCrc: number
  readonly epoch: number
  /** Of the data key that it is sealed with; 0 without encryption. */
  readonly keyGeneration: number
  /** At least one; by id, ascending. A logical file is in one live value file only. */
  readonly sections: ReadonlyArray<ValueSection>
}

/**
 * What the manifest pins of one table.
 *
 * @since 0.1.0
 * @category models
 */
export interface TableMeta {
  readonly number: number
  readonly level: number
  readonly bytes: number
  /** 32 random bytes, also in the file's header. */
  readonly fileId: Uint8Array
  /** Checksum of the table's footer, which in turn covers the rest. */
  readonly footerCrc: number
  readonly smallest: Uint8Array
  readonly largest: Uint8Array
  /** Entries and range removals. */
  readonly entryCount: number
  /** Removes and range removals. */
  readonly removeCount: number
  readonly rangeRemovalCount: number
  /** Entries that a newer one, or a range removal, of the same table hides: they were kept for a snapshot. */
  readonly hiddenCount: number
  readonly sequenceMin: number
  readonly sequenceMax: number
  readonly epoch: number
  /** Of the data key that it is sealed with; 0 without encryption. */
  readonly keyGeneration: number
  /** The id of what its blocks were to be compressed with; 0: nothing. Those that it does not shorten are not. */
  readonly codec: number
  /** By file, ascending; of every logical file that an entry names. */
  readonly valueRefs: ReadonlyArray<ValueRefs>
}

/**
 * Everything the manifest knows: an immutable value, replaced by each edit.
 *
 * @since 0.1.0
 * @category models
 */
export interface ManifestState {
  readonly databaseId: Uint8Array
  readonly incarnation: Uint8Array
  /** Counts the opens for writing. Log segments of a later epoch belong to an open that was not finished. */
  readonly epoch: number
  /** What the file ids of the epoch's log segments end with: those of a copy that went its own way do not. */
  readonly epochId: Uint8Array | undefined
  readonly encryptionName: string
  /** In no particular order. */
  readonly tables: ReadonlyArray<TableMeta>
  /** In no particular order. They hold every value that a table refers to. */
  readonly valueFiles: ReadonlyArray<ValueFileMeta>
  /** Log segments below this number are not needed. */
  readonly logNumberMin: number
  readonly fileNumberNext: number
  /** No commit has a higher sequence than this. */
  readonly sequencesReserved: number
  /** No commit was made at a later time than this, as far as the tables go. */
  readonly commitMillisMax: number
  /** Log frames up to this one are known to be on disk. */
  readonly lsnDurable: number
  readonly cleanShutdown: { readonly lastLsn: number; readonly lastSequence: number } | undefined
}

/**
 * A file of the directory, by its header.
 *
 * @since 0.1.0
 * @category models
 */
export interface OlderFile {
  readonly kind: FileKind
  readonly name: string
  readonly number: number
  /** Of the data key that it is sealed with. */
  readonly keyGeneration: number
}

/**
 * A change of the state. Lists are applied in the order: removals, additions.
 *
 * @since 0.1.0
 * @category models
 */
export interface ManifestChange {
  readonly addTables?: ReadonlyArray<TableMeta>
  readonly removeTables?: ReadonlyArray<number>
  readonly addValueFiles?: ReadonlyArray<ValueFileMeta>
  /** Numbers of physical files. */
  readonly removeValueFiles?: ReadonlyArray<number>
  readonly logNumberMin?: number
  readonly sequencesReserved?: number
  readonly commitMillisMax?: number
  readonly lsnDurable?: number
  readonly cleanShutdown?: { readonly lastLsn: number; readonly lastSequence: number }
}

/**
 * The record of the live files. Building its layer locks the directory (unless read-only), attaches the encryption to
 * it and reads the newest valid manifest; it changes nothing.
 *
 * Invariants every layer keeps, checked by `test/suites/manifestSuite.ts`:
 * 1. After `begin` or `publish` returned, the change survives a power cut; before, the state after a crash is the old
 *    one or the new one.
 * 2. Before `begin`, nothing in the directory has changed. `begin` starts a new epoch in a new file; `publish` before
 *    it is a defect.
 * 3. `state()` is what is durable: it changes when `publish` returns, not before.
 * 4. A failed sync or close fails `Poisoned`, then and at every later call; nothing is removed after it.
 * 5. A damaged manifest is `Corruption`; a torn last edit, or a torn newest marker beside a valid older one, is not
 *    damage.
 * 6. A file number is given out once.
 * 7. After `copyTo` returned, the directory holds a database of those tables and value files, which survives a power
 *    cut; if it fails, it holds none, and a power cut leaves that database or none. This one does not change.
 *
 * @since 0.1.0
 * @category services
 */
export class Manifest extends Context.Service<
  Manifest,
  {
    readonly directory: string
    /** Whether the directory held a database. */
    readonly exists: boolean
    /** How all files of the database are sealed, attached to its keys. */
    readonly encryption: FileEncryption
    /** What new files are compressed with. */
    readonly compression: FileCompression
    readonly state: () => ManifestState
    /** The epoch that `begin` starts, or has started. */
    readonly epochNext: number
    /** 16 bytes of its own. */
    readonly epochIdNext: Uint8Array
    readonly allocateFileNumber: () => number
    /**
     * Publishes the state and the change as a new manifest with a new marker, as the epoch `epochNext`. Once, when
     * recovery has re-persisted the log.
     */
    readonly begin: (change: ManifestChange) => Effect.Effect<void, DatabaseError>
    /**
     * Appends the change and syncs. Calls wait for each other. Rewrites the manifest when it has grown over its limit.
     */
    readonly publish: (change: ManifestChange) => Effect.Effect<void, DatabaseError>
    /** Removes files of ours that no state names: leftovers of unfinished work. After `begin`. Returns how many. */
    readonly removeOrphans: (
      keep: (kind: "log" | "table" | "value" | "ballast", number: number) => boolean
    ) => Effect.Effect<number, DatabaseError>
    /**
     * Makes a database of these tables, with the value files that they refer to, in a directory that is absent or
     * empty: closed cleanly at the sequence, without a log, with this one's id and an incarnation of its own. The files
     * must stay until it completes. The directory fails as one that is opened does; one that is not empty is `Invalid`.
     */
    readonly copyTo: (
      directory: string,
      copy: {
        readonly tables: ReadonlyArray<TableMeta>
        readonly valueFiles: ReadonlyArray<ValueFileMeta>
        readonly lastSequence: number
      }
    ) => Effect.Effect<void, DatabaseError>
    /**
     * Changes the keys, in turn with `publish` and `copyTo`, which need a keyring that stays what it is. A defect
     * without encryption, and before `begin`.
     */
    readonly changeKeys: <A>(
      change: (keys: KeyControl, allocate: Allocate) => Effect.Effect<A, DatabaseError>
    ) => Effect.Effect<A, DatabaseError>
    /**
     * Publishes the state once more, as a new manifest with a new marker: both are sealed with the newest data key.
     * After `begin`.
     */
    readonly rewrite: Effect.Effect<void, DatabaseError>
    /**
     * The files of the directory that are not sealed with the newest data key, whether the state names them or not.
     * One that is not far enough to tell has generation 0, unless its number is `numberMin` or above.
     */
    readonly olderFiles: (numberMin: number) => Effect.Effect<ReadonlyArray<OlderFile>, DatabaseError>
    /**
     * Runs the effect in turn with `publish`, and not at all after a failed sync: then nobody knows which files a crash
     * would leave live. For removing what no state names.
     */
    readonly ifSound: (effect: Effect.Effect<void>) => Effect.Effect<void>
    /** Of the current manifest. */
    readonly bytes: () => number
    /** Since the layer was built, markers included. */
    readonly bytesWritten: () => number
  }
>()("strata/Manifest") {}

/**
 * The shape of `Manifest`.
 *
 * @since 0.1.0
 * @category models
 */
export type ManifestService = Manifest["Service"]
