/**
 * Immutable files of large values.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { DatabaseError } from "./DatabaseError.ts"
import type { Damage } from "./Maintenance.ts"
import type { ValueFileMeta } from "./Manifest.ts"

/**
 * Names one value: what a record has in the place of a value that was moved out.
 *
 * @since 0.1.0
 * @category models
 */
export interface ValueHandle {
  /** The logical file: the id of a section, whichever physical file has it now. */
  readonly file: number
  readonly index: number
  /** Of the value, in bytes. */
  readonly length: number
  /** Tells the file from others that might stand under its name; of a value that was written before its commit. */
  readonly fileTag?: number | undefined
}

/**
 * The record that the handle was found in: its stored key lies in `bytes`. A value that is another record's is damage.
 *
 * @since 0.1.0
 * @category models
 */
export interface ValueOwner {
  readonly bytes: Uint8Array
  readonly keyStart: number
  readonly keyEnd: number
  readonly sequence: number
}

/**
 * A handle and the record that has it. Neither may change until it was read.
 *
 * @since 0.1.0
 * @category models
 */
export interface StoredValue {
  readonly handle: ValueHandle
  readonly owner: ValueOwner
}

/**
 * Values up to this length, in bytes, are read on the calling stack where the disk can do that.
 *
 * @since 0.1.0
 * @category constructors
 */
export const valueNowBytesMax = 64 * 1024

/**
 * A value file of a database, of which anything may be in memory or not. Its handles name one of its sections.
 *
 * @since 0.1.0
 * @category models
 */
export interface ValueFile {
  readonly meta: ValueFileMeta
  /**
   * The value, as the caller's own bytes. `undefined` if it cannot be had at once, or is longer than
   * `valueNowBytesMax`. Throws `DatabaseError`.
   */
  readonly readUnsafe: (handle: ValueHandle, owner: ValueOwner) => Uint8Array | undefined
  readonly read: (handle: ValueHandle, owner: ValueOwner) => Effect.Effect<Uint8Array, DatabaseError>
  /**
   * Reads the values in the order of their places, neighbours together, and answers in the order asked for. Values
   * that were read together may share a buffer.
   */
  readonly readMany: (values: ReadonlyArray<StoredValue>) => Effect.Effect<ReadonlyArray<Uint8Array>, DatabaseError>
  /** The value in pieces of at most 256 KiB, each read when it is pulled. */
  readonly stream: (handle: ValueHandle, owner: ValueOwner) => Stream.Stream<Uint8Array, DatabaseError>
}

/**
 * A value file of a commit's own, written before the commit is. One fiber at a time.
 *
 * @since 0.1.0
 * @category models
 */
export interface ValueWriter {
  /** The logical id that handles of its values name. */
  readonly id: number
  /** And the tag. */
  readonly fileTag: number
  /** Of the file so far. */
  readonly bytes: number
  /** Begins a value, of the key and whatever sequence its commit will have, and returns its index. */
  readonly begin: (owner: ValueOwner) => number
  /** The next bytes of the value; they are free again when it completes. */
  readonly push: (bytes: Uint8Array) => Effect.Effect<void, DatabaseError>
  /** Ends the value and returns its length. */
  readonly end: () => number
  /** Ends the file, which has one value at least. Its bytes are durable; its name is after `syncNames`. */
  readonly finish: Effect.Effect<ValueFileMeta, DatabaseError>
  /** Removes the file if it was not finished. */
  readonly discard: Effect.Effect<void>
}

/**
 * Reads value files. Flushes, collections and commits of large values write them.
 *
 * Invariants every layer keeps, checked by `test/suites/valueLogSuite.ts`:
 * 1. A value reads back as it was written, of whatever length.
 * 2. Every byte that a read uses is checked first; damage is `Corruption` with file and offset, and other values stay
 *    readable.
 * 3. A value is given out only for the key and the sequence that it was written for, or for the key alone if it was
 *    written before its commit had a sequence.
 * 4. `attach` and `handle` read nothing of a file. What is wrong with one fails what is read of it, and nothing else.
 * 5. Files count among the `openFilesMax` that may be open, and what is kept in memory of indexes has a limit.
 * 6. `remove` waits for reads that are under way, gives back all that is kept of the file, and then removes it.
 * 7. What a writer has finished reads back, and survives a power cut after `syncNames`; `find` then knows the file as
 *    `finish` did. One that is discarded, or whose disk failed, leaves no file.
 * 8. A missing or damaged file fails `find`; it names nothing that it has not checked.
 *
 * @since 0.1.0
 * @category services
 */
export class ValueLog extends Context.Service<
  ValueLog,
  {
    /**
     * The value files, if all of them are there with the sizes that the manifest says. A missing one is `Corruption`,
     * or `Stale` in a read-only database.
     */
    readonly attach: (metas: ReadonlyArray<ValueFileMeta>) => Effect.Effect<ReadonlyArray<ValueFile>, DatabaseError>
    /** The value file, always the same object for a number. */
    readonly handle: (meta: ValueFileMeta) => ValueFile
    /**
     * Gives up the file, which nothing reads any more, and removes it. One that cannot be removed stays, and the log
     * says so.
     */
    readonly remove: (meta: ValueFileMeta) => Effect.Effect<void>
    /** A new value file, to be finished or discarded by the caller. */
    readonly create: Effect.Effect<ValueWriter, DatabaseError>
    /** Makes the names of the files durable that were finished before the call. */
    readonly syncNames: Effect.Effect<void, DatabaseError>
    /**
     * The value file of this number, which a commit in the log names and the manifest does not. A missing one is
     * `Corruption`, or `Stale` in a read-only database; one of another tag is damage.
     */
    readonly find: (number: number, fileTag?: number | undefined) => Effect.Effect<ValueFile, DatabaseError>
    /** How many files are open, those of tables with them: one bound holds for both. */
    readonly openFiles: () => number
    /** Reads the whole file and reports what is wrong with it. */
    readonly verify: (
      meta: ValueFileMeta
    ) => Effect.Effect<{ readonly values: number; readonly damage: ReadonlyArray<Damage> }, DatabaseError>
  }
>()("strata/ValueLog") {}

/**
 * The shape of `ValueLog`.
 *
 * @since 0.1.0
 * @category models
 */
export type ValueLogService = ValueLog["Service"]
