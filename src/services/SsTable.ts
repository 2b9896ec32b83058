/**
 * Immutable sorted files.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { DatabaseError } from "./DatabaseError.ts"
import type { Damage } from "./Maintenance.ts"
import type { TableMeta } from "./Manifest.ts"
import type { StoredValue } from "./ValueLog.ts"

/**
 * One record where it lies: `bytes` and positions in it. Reused; valid until the next step of whoever fills it.
 *
 * @since 0.1.0
 * @category models
 */
export interface EntryView {
  bytes: Uint8Array
  keyStart: number
  keyEnd: number
  valueStart: number
  valueEnd: number
  kind: number
  flags: number
  sequence: number
  /** Unix milliseconds; 0 is never. */
  expiresAt: number
  userMeta: number
}

/**
 * A block in memory: entries by key ascending, then sequence descending. Blocks are never recycled in place, but for
 * lent ones.
 *
 * @since 0.1.0
 * @category models
 */
export interface Block {
  readonly count: number
  readonly bytes: Uint8Array
  /** Its memory is filled again when the next block is lent: look at it on the calling stack, and keep no view. */
  readonly isLent: boolean
  readonly read: (index: number, into: EntryView) => void
  /** The first index whose key is at or after the target; `count` if there is none. */
  readonly seek: (target: Uint8Array, start: number, end: number) => number
  /** The first index whose key is after the target, or is the target with a sequence at or below the given one. */
  readonly seekVersion: (target: Uint8Array, start: number, end: number, sequence: number) => number
  /** The same if the block holds the target at all, and any index if not. */
  readonly findVersion: (target: Uint8Array, start: number, end: number, sequence: number) => number
}

/**
 * From `sequence` on, keys from `from` (inclusive) to `to` (exclusive) are gone, unless written at or after it.
 *
 * @since 0.1.0
 * @category models
 */
export interface RangeRemoval {
  readonly from: Uint8Array
  readonly to: Uint8Array
  readonly sequence: number
}

/**
 * Range removals, for the question which of them hides a key.
 *
 * @since 0.1.0
 * @category models
 */
export interface RemovalSet {
  /** From the newest. */
  readonly removals: ReadonlyArray<RangeRemoval>
  /** Disjoint and ascending, each with the newest sequence that covers it; neighbours of one sequence are joined. */
  readonly pieces: ReadonlyArray<RangeRemoval>
  readonly isEmpty: boolean
  /** The highest sequence at or below the given one of a removal that covers the key; 0 if there is none. */
  readonly covering: (key: Uint8Array, start: number, end: number, sequence: number) => number
  /** The first piece whose end is after the key; their number if there is none. */
  readonly firstEndingAfter: (key: Uint8Array, start: number, end: number) => number
  /** Those that a reader at the sequence sees. */
  readonly at: (sequence: number) => RemovalSet
}

/**
 * What leads to the blocks of a table: its index, its filter, and its range removals.
 *
 * @since 0.1.0
 * @category models
 */
export interface LoadedParts {
  readonly blockCount: number
  /**
   * False only if no version of a key with these two hashes is in the table. They are those of the table format, and
   * computed once for all tables. Range removals do not count.
   */
  readonly mayContain: (hash: number, hashHigh: number) => boolean
  /**
   * The first block whose last key is at or after the target; `blockCount` if there is none. -1: ask `Table.place`, for
   * the piece of the index that knows is not in memory.
   */
  readonly blockFor: (target: Uint8Array, start: number, end: number) => number
  readonly rangeRemovals: RemovalSet | undefined
}

/**
 * A table of a database, of which anything may be in memory or not. What ends in `Unsafe` runs on the calling stack,
 * and answers `undefined` (or -1) if that cannot be done at once; the effects next to them always answer.
 *
 * @since 0.1.0
 * @category models
 */
export interface Table {
  readonly meta: TableMeta
  /** If they are in memory. They stay usable when the table gives them up. */
  readonly partsUnsafe: () => LoadedParts | undefined
  /** Reads the parts unless they are in memory. Throws `DatabaseError`. */
  readonly openUnsafe: () => LoadedParts | undefined
  readonly open: Effect.Effect<LoadedParts, DatabaseError>
  /** What `blockFor` answers, with all of the index. Throws `DatabaseError`. */
  readonly placeUnsafe: (target: Uint8Array, start: number, end: number) => number
  /** The target must not change meanwhile. */
  readonly place: (target: Uint8Array, start: number, end: number) => Effect.Effect<number, DatabaseError>
  /** The block if it is in memory. */
  readonly blockUnsafe: (ordinal: number) => Block | undefined
  /** Reads the block unless it is in memory. Throws `DatabaseError`. */
  readonly loadUnsafe: (ordinal: number, fillCache: boolean) => Block | undefined
  /** The same for one look. The cache decides whether it is kept; if it is not, it may be lent (`Block.isLent`). */
  readonly lendUnsafe: (ordinal: number) => Block | undefined
  readonly load: (ordinal: number, fillCache: boolean) => Effect.Effect<Block, DatabaseError>
}

/**
 * What is wrong with the values that the entries of a block name, which stands at the place.
 *
 * @since 0.1.0
 * @category models
 */
export type CheckNamed = (
  named: ReadonlyArray<StoredValue>,
  place: { readonly file: string; readonly offset: number }
) => Effect.Effect<ReadonlyArray<Damage>, DatabaseError>

/**
 * Reads tables. Jobs write them.
 *
 * Invariants every layer keeps, checked by `test/suites/ssTableSuite.ts`:
 * 1. A table reads back entry for entry as it was written.
 * 2. Every byte that a read uses is checked first; damage is `Corruption` with file and offset, and other blocks stay
 *    readable.
 * 3. `mayContain` has no false negatives.
 * 4. `attach` and `handle` read nothing of a table. What is wrong with one fails what is read of it, and nothing else.
 * 5. At most `openFilesMax` files are open, those of values with them, whatever is read, and what is kept in memory of
 *    indexes and filters has a limit. What was given up for another table is read again when it is needed; parts and
 *    blocks that somebody holds stay as they are.
 * 6. `remove` waits for reads that are under way, gives back all that is kept of the table, and then removes the file.
 *
 * @since 0.1.0
 * @category services
 */
export class SsTable extends Context.Service<
  SsTable,
  {
    /**
     * The tables, if all of them are there with the sizes that the manifest says. A missing one is `Corruption`, or
     * `Stale` in a read-only database.
     */
    readonly attach: (metas: ReadonlyArray<TableMeta>) => Effect.Effect<ReadonlyArray<Table>, DatabaseError>
    /** The table, always the same object for a number. One that moved has another level from now on. */
    readonly handle: (meta: TableMeta) => Table
    /**
     * Gives up the table, which nothing reads any more, and removes its file. One that cannot be removed stays, and the
     * log says so.
     */
    readonly remove: (meta: TableMeta) => Effect.Effect<void>
    /** How many files are open, those of values with them: one bound holds for both. */
    readonly openFiles: () => number
    /** Reads the whole file and reports what is wrong with it, and with the values that it names as `check` says. */
    readonly verify: (
      meta: TableMeta,
      check?: CheckNamed
    ) => Effect.Effect<
      { readonly blocks: number; readonly entries: number; readonly damage: ReadonlyArray<Damage> },
      DatabaseError
    >
  }
>()("strata/SsTable") {}

/**
 * The shape of `SsTable`.
 *
 * @since 0.1.0
 * @category models
 */
export type SsTableService = SsTable["Service"]
