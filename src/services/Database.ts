/**
 * What users hold: an ordered, transactional map of bytes to bytes.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { DatabaseError } from "./DatabaseError.ts"
import type { Durability, OptionsShape } from "./Options.ts"

/**
 * A key or a value. A string is its UTF-8 bytes; one that is not well formed is `Invalid`. Arrays must not change until
 * the effect completes.
 *
 * @since 0.1.0
 * @category models
 */
export type Bytes = string | Uint8Array

/**
 * A part of the key space, in unsigned byte order: `from` inclusive, `to` exclusive, unless said otherwise; a missing
 * end is open. `prefix` and the ends may be combined. Inverted bounds are `Invalid`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Bounds {
  readonly prefix?: Bytes | undefined
  readonly from?: Bytes | undefined
  readonly to?: Bytes | undefined
  readonly fromExclusive?: boolean | undefined
  readonly toInclusive?: boolean | undefined
}

/**
 * What to read of a part of the key space, and how.
 *
 * @since 0.1.0
 * @category models
 */
export interface Range extends Bounds {
  /** From the last key to the first. */
  readonly reverse?: boolean | undefined
  /** At most this many entries; 0 is none. */
  readonly limit?: number | undefined
  /** Only keys that end so. Filters while it reads: the whole range is read and, in a transaction, tracked. */
  readonly suffix?: Bytes | undefined
  /**
   * Whether blocks that are read stay in the cache. Default true for cursors and counts, false for scans longer than a
   * few blocks.
   */
  readonly fillCache?: boolean | undefined
}

/**
 * One key and its value. The arrays are the caller's; the entries of a chunk may share a buffer, and `slice()` detaches
 * one.
 *
 * @since 0.1.0
 * @category models
 */
export interface Entry {
  readonly key: Uint8Array
  readonly value: Uint8Array
  /** The sequence of the commit that wrote it. In a transaction, 0 for its own writes. */
  readonly sequence: number
  /** Unix milliseconds from which the entry is gone. */
  readonly expiresAt: number | undefined
  /** 0 to 255, kept for the application. */
  readonly userMeta: number
}

/**
 * One key, and its value when it is wanted.
 *
 * **Gotchas**
 *
 * `value` can be run as long as the stream, cursor, snapshot or transaction that gave the entry is open, and as often
 * as needed; afterwards it fails `Closed`. What `Stream.runCollect` returns is of a stream that has ended.
 *
 * @since 0.1.0
 * @category models
 */
export interface LazyEntry extends Omit<Entry, "value"> {
  /** The length of the value. */
  readonly valueBytes: number
  /** Reads the value, if it is in a value file, each time it is run. The bytes are the caller's. */
  readonly value: Effect.Effect<Uint8Array, DatabaseError>
}

/**
 * The range of a cursor, and how it reads. It has no `limit`: a cursor goes as far as it is moved.
 *
 * @since 0.1.0
 * @category models
 */
export interface CursorRange extends Omit<Range, "limit"> {
  /** Leaves values in value files unread, until `readValue` or `lazyEntry` asks for one. Default false. */
  readonly lazy?: boolean | undefined
}

/**
 * The answer of `getUnsafe` when the value cannot be had on the calling stack: use `get`.
 *
 * @since 0.1.0
 * @category symbols
 */
export const NotInMemory: unique symbol = Symbol.for("strata/NotInMemory")

/**
 * The type of `NotInMemory`.
 *
 * @since 0.1.0
 * @category symbols
 */
export type NotInMemory = typeof NotInMemory

/**
 * A position in a range. It starts before the first entry; after moving past an end it stands beyond it, and moving
 * back returns.
 *
 * `key`, `value` and `entry` are views, valid until the next move; without a current entry they are `undefined`. The
 * view of the data is that of the moment the cursor was made, however long it lives. In a reverse range `next` goes to
 * smaller keys.
 *
 * @since 0.1.0
 * @category models
 */
export interface Cursor {
  /** To the first entry at or after the key, in the range's direction. False if there is none. */
  readonly seek: (key: Bytes) => Effect.Effect<boolean, DatabaseError>
  /** To exactly this key; if it is absent, false, and there is no current entry. */
  readonly seekExact: (key: Bytes) => Effect.Effect<boolean, DatabaseError>
  readonly next: Effect.Effect<boolean, DatabaseError>
  readonly previous: Effect.Effect<boolean, DatabaseError>
  readonly key: Uint8Array | undefined
  /** `undefined` in a lazy cursor, too. */
  readonly value: Uint8Array | undefined
  /** `undefined` in a lazy cursor, too. */
  readonly entry: Entry | undefined
  /** Of any cursor. It may be kept beyond the next move, and its value read as long as the cursor is open. */
  readonly lazyEntry: LazyEntry | undefined
  /** The length of the current value. */
  readonly valueBytes: number | undefined
  /** Reads the value of the entry that is current when it is run. Without one it fails `Invalid`. */
  readonly readValue: Effect.Effect<Uint8Array, DatabaseError>
}

/**
 * Reads. The database reads what is visible at the call; a snapshot and a transaction read their moment. Removed and
 * expired entries are not there.
 *
 * Invariants, checked by `test/suites/databaseSuite.ts`:
 * 1. A read sees all the writes of a commit or none, and every commit that was acknowledged before the read began.
 * 2. A scan, count or cursor sees one moment, however long it runs.
 * 3. Keys come in unsigned byte order, each once.
 * 4. Returned values are the caller's: nothing Strata does later changes them.
 * 5. An empty value is a value; a key that is a prefix of another is a key of its own.
 *
 * @since 0.1.0
 * @category models
 */
export interface Reader {
  readonly get: (key: Bytes) => Effect.Effect<Uint8Array | undefined, DatabaseError>
  /**
   * The same on the calling stack, as a view that must not be kept beyond the next call into the database nor changed.
   * Throws `DatabaseError`.
   */
  readonly getUnsafe: (key: Bytes) => Uint8Array | undefined | NotInMemory
  /** In the order of the keys asked for, all from one moment. */
  readonly getMany: (keys: ReadonlyArray<Bytes>) => Effect.Effect<ReadonlyArray<Uint8Array | undefined>, DatabaseError>
  readonly getEntry: (key: Bytes) => Effect.Effect<Entry | undefined, DatabaseError>
  readonly has: (key: Bytes) => Effect.Effect<boolean, DatabaseError>
  /**
   * The value in pieces of at most 256 KiB, each read when it is pulled; `undefined` if the key is not there, and a
   * stream without pieces for an empty value. For values that need not be in memory as a whole.
   *
   * **Details**
   *
   * The value is that of the call, whatever is written meanwhile: its file is held until the scope closes. Pulling
   * afterwards fails `Closed`.
   *
   * **Example** (Copying a value to a sink)
   *
   * ```ts
   * import { Effect, type Sink, Stream } from "effect"
   * import { Database } from "effect-strata"
   *
   * const copy = <E>(key: string, sink: Sink.Sink<void, Uint8Array, never, E>) =>
   *   Effect.scoped(
   *     Effect.gen(function* () {
   *       const database = yield* Database.Database
   *       const value = yield* database.getStream(key)
   *       if (value !== undefined) yield* Stream.run(value, sink)
   *     })
   *   )
   * ```
   */
  readonly getStream: (
    key: Bytes
  ) => Effect.Effect<Stream.Stream<Uint8Array, DatabaseError> | undefined, DatabaseError, Scope.Scope>
  /** Entries in chunks. The values in value files are read for a chunk together. */
  readonly scan: (range?: Range) => Stream.Stream<Entry, DatabaseError>
  /**
   * Entries in chunks, with values that are read when they are wanted.
   *
   * **Example** (Reading the values of some keys)
   *
   * ```ts
   * import { Effect, Stream } from "effect"
   * import { Database } from "effect-strata"
   *
   * const small = Effect.gen(function* () {
   *   const database = yield* Database.Database
   *   return yield* database.scanLazy({ prefix: "image/" }).pipe(
   *     Stream.filter(({ valueBytes }) => valueBytes < 10_000),
   *     Stream.mapEffect(({ value }) => value),
   *     Stream.runCollect
   *   )
   * })
   * ```
   */
  readonly scanLazy: (range?: Range) => Stream.Stream<LazyEntry, DatabaseError>
  /** Keys in chunks; values are not read. */
  readonly keys: (range?: Range) => Stream.Stream<Uint8Array, DatabaseError>
  readonly count: (range?: Range) => Effect.Effect<number, DatabaseError>
  readonly cursor: (range?: CursorRange) => Effect.Effect<Cursor, DatabaseError, Scope.Scope>
}

/**
 * What a set may carry beside the value. `ttlMillis` counts from the commit's time, `expiresAt` is Unix milliseconds;
 * at most one of them. The wall clock decides, but what had expired when something was committed does not come back if
 * the clock is set back later.
 *
 * @since 0.1.0
 * @category models
 */
export interface SetOptions {
  readonly ttlMillis?: number | undefined
  readonly expiresAt?: number | undefined
  /** 0 to 255. */
  readonly userMeta?: number | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface WriteOptions {
  readonly durability?: Durability | undefined
}

/**
 * One operation of a batch. They count in their order: a key that is set after a `removeRange` over it is there.
 *
 * @since 0.1.0
 * @category models
 */
export type Operation =
  | ({ readonly type: "set"; readonly key: Bytes; readonly value: Bytes } & SetOptions)
  | { readonly type: "remove"; readonly key: Bytes }
  | ({ readonly type: "removeRange" } & Bounds)

/**
 * A commit that happened. An empty one has the sequence of what was visible.
 *
 * @since 0.1.0
 * @category models
 */
export interface Commit {
  readonly sequence: number
  /** When, in Unix milliseconds of the writing machine. Orders nothing. */
  readonly commitMillis: number
}

/**
 * `serializable`: as if transactions ran one after another; `snapshot`: only the keys and ranges written are checked,
 * so write skew is possible.
 *
 * @since 0.1.0
 * @category models
 */
export type Isolation = "serializable" | "snapshot"

/**
 * A moment of the database, unchanged while the scope is open.
 *
 * @since 0.1.0
 * @category models
 */
export interface Snapshot extends Reader {
  readonly sequence: number
}

/**
 * Reads one moment and its own writes. Writes are kept in memory until the commit. Its functions may be taken out of
 * it, as in `const { get, set } = transaction`; a spread of it, as in `{ ...transaction }`, has none of them.
 *
 * @since 0.1.0
 * @category models
 */
export interface Transaction extends Reader {
  readonly sequence: number
  readonly set: (key: Bytes, value: Bytes, options?: SetOptions) => Effect.Effect<void, DatabaseError>
  /** The value is what the stream gives, as with the database's `setStream`. It is read at once, not at the commit. */
  readonly setStream: <E, R>(
    key: Bytes,
    value: Stream.Stream<Uint8Array, E, R>,
    options?: SetOptions
  ) => Effect.Effect<void, E | DatabaseError, R>
  readonly remove: (key: Bytes) => Effect.Effect<void, DatabaseError>
  /** Hides what the transaction sees between the bounds, its own earlier writes included. */
  readonly removeRange: (bounds: Bounds) => Effect.Effect<void, DatabaseError>
}

/**
 * The manual form: ends with `commit` or `discard`, and is discarded when its scope closes.
 *
 * @since 0.1.0
 * @category models
 */
export interface ManualTransaction extends Transaction {
  readonly commit: Effect.Effect<Commit, DatabaseError>
  readonly discard: Effect.Effect<void>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface TransactionOptions {
  readonly isolation?: Isolation | undefined
  readonly durability?: Durability | undefined
  /**
   * When the body runs again after a `Conflict`. Default: 5 times, exponentially from 0.25 ms with jitter, at most 20
   * ms apart.
   */
  readonly retry?: Schedule.Schedule<unknown, DatabaseError> | undefined
}

/**
 * What the log's end looked like when the database was opened.
 *
 * @since 0.1.0
 * @category models
 */
export interface TailDropped {
  readonly file: string
  readonly offset: number
  readonly bytes: number
  readonly reason: string
}

/**
 * What opening the database had to do.
 *
 * @since 0.1.0
 * @category models
 */
export interface RecoveryReport {
  readonly created: boolean
  /** Whether the last writer closed the database. */
  readonly clean: boolean
  readonly segments: number
  readonly commits: number
  readonly bytes: number
  /** Bytes at the log's end that no acknowledged commit can have been in. */
  readonly tailDropped: TailDropped | undefined
  /** Files of an unfinished flush, open or creation that were removed. */
  readonly filesRemoved: number
  readonly millis: number
}

/**
 * An open database. Closed by its scope; everything afterwards fails `Closed`.
 *
 * Invariants beside those of `Reader`, checked by `test/suites/databaseSuite.ts`:
 * 6. A commit is visible as a whole, in sequence order, and before it is acknowledged; a `disk` commit is durable
 *    before it is visible.
 * 7. A serializable transaction commits only if no key and no range that it read was written since its moment.
 * 8. A transaction whose body fails or is interrupted leaves nothing behind.
 * 9. A failed argument check writes nothing and fails `Invalid`.
 * 10. A range removal removes exactly the keys between its bounds that were set before it.
 * 11. A stream that is set is one value, of whatever length: all that it gave, when it has ended, or nothing.
 *
 * @since 0.1.0
 * @category models
 */
export interface DatabaseService extends Reader {
  readonly options: OptionsShape
  readonly recovery: RecoveryReport
  readonly set: (key: Bytes, value: Bytes, options?: SetOptions & WriteOptions) => Effect.Effect<void, DatabaseError>
  /**
   * Sets the key to all that the stream gives, in one commit when it ends. The value is written while it comes and is
   * never in memory as a whole; its length, up to `valueBytesMax`, need not be known.
   *
   * **Details**
   *
   * A stream that fails, is interrupted or gives one byte too many (`Invalid`) writes nothing and leaves nothing. A
   * piece may be used again when the next one is asked for. At most 128 streams are written at once; of the others
   * little is read before it is their turn.
   *
   * **Example** (Keeping an upload)
   *
   * ```ts
   * import { Effect, Stream } from "effect"
   * import { Database } from "effect-strata"
   *
   * const keep = <E>(name: string, body: Stream.Stream<Uint8Array, E>) =>
   *   Effect.flatMap(Database.Database, (database) => database.setStream(`upload/${name}`, body))
   * ```
   */
  readonly setStream: <E, R>(
    key: Bytes,
    value: Stream.Stream<Uint8Array, E, R>,
    options?: SetOptions & WriteOptions
  ) => Effect.Effect<void, E | DatabaseError, R>
  readonly remove: (key: Bytes, options?: WriteOptions) => Effect.Effect<void, DatabaseError>
  /**
   * Removes every key between the bounds, at a cost that does not depend on how many there are: one record is written,
   * reads pass over what it covers, and compaction frees the space. Bounds that hold no key do nothing.
   *
   * **Gotchas**
   *
   * Bounds that are left out are open: `removeRange({})` removes everything.
   *
   * **Example** (Ending a session)
   *
   * ```ts
   * import { Effect } from "effect"
   * import { Database } from "effect-strata"
   *
   * const endSession = (id: string) =>
   *   Effect.flatMap(Database.Database, (database) => database.removeRange({ prefix: `session/${id}/` }))
   * ```
   */
  readonly removeRange: (bounds: Bounds, options?: WriteOptions) => Effect.Effect<void, DatabaseError>
  /** All operations or none. The last operation on a key wins. Reads nothing, and so never conflicts. */
  readonly write: (operations: ReadonlyArray<Operation>, options?: WriteOptions) => Effect.Effect<Commit, DatabaseError>
  /** Runs the body in a transaction and commits it; runs it again on `Conflict`. */
  readonly transaction: <A, E, R>(
    body: (transaction: Transaction) => Effect.Effect<A, E, R>,
    options?: TransactionOptions
  ) => Effect.Effect<A, E | DatabaseError, R>
  readonly begin: (options?: {
    readonly readOnly?: boolean | undefined
    readonly isolation?: Isolation | undefined
    readonly durability?: Durability | undefined
  }) => Effect.Effect<ManualTransaction, DatabaseError, Scope.Scope>
  readonly snapshot: Effect.Effect<Snapshot, DatabaseError, Scope.Scope>
  /**
   * All commits acknowledged so far, of whatever durability, are on disk when it completes. Returns their last
   * sequence.
   */
  readonly sync: Effect.Effect<number, DatabaseError>
}

/**
 * The database. For several in one process, give each a key of its own:
 *
 * **Example** (Two databases)
 *
 * ```ts
 * import { Context, Layer } from "effect"
 * import { Database, LsmDatabase } from "effect-strata"
 *
 * class Audit extends Context.Service<Audit, Database.DatabaseService>()("app/Audit") {
 *   static readonly layer = Layer.effect(Audit, LsmDatabase.make({ directory: "./audit" }))
 * }
 * ```
 *
 * @since 0.1.0
 * @category services
 */
export class Database extends Context.Service<Database, DatabaseService>()("strata/Database") {}
