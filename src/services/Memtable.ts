/**
 * The newest commits, in memory.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type { EntryView, RangeRemoval, RemovalSet } from "./SsTable.ts"

/**
 * The keys of a memtable in order, for reading while writes go on.
 *
 * @since 0.1.0
 * @category models
 */
export interface MemtableCursor {
  readonly seek: (key: Uint8Array, start: number, end: number, forward: boolean) => boolean
  readonly seekFirst: () => boolean
  readonly seekLast: () => boolean
  readonly next: () => boolean
  readonly previous: () => boolean
  /** The entry of the current key's newest version at or below the sequence, or -1. */
  readonly newest: (sequence: number) => number
}

/**
 * One memtable: commits as they are in the log, in one arena, and an index of their records.
 *
 * @since 0.1.0
 * @category models
 */
export interface MemtableHandle {
  /**
   * Recycled once the memtable is flushed and nobody reads it, so what is read here is copied before the next
   * suspension.
   */
  readonly arena: {
    readonly bytes: Uint8Array
    readonly used: number
    readonly capacity: number
    /** Room for so many bytes: an offset, or -1. */
    readonly reserve: (bytes: number) => number
  }
  /** Indexes the record at the offset. Sequences of one key must increase. */
  readonly put: (recordOffset: number, sequence: number) => void
  /** The entry of the newest version at or below the sequence, or -1. */
  readonly find: (key: Uint8Array, start: number, end: number, sequence: number) => number
  /** The next older version, or -1. */
  readonly older: (entry: number) => number
  readonly sequenceOf: (entry: number) => number
  readonly readEntry: (entry: number, into: EntryView) => void
  /** Where the entry's record begins in the arena. */
  readonly recordOffset: (entry: number) => number
  readonly cursor: () => MemtableCursor
  /** Indexed records, versions and removals of single keys included. */
  readonly entryCount: number
  /** How many of the records remove something, range removals among them. */
  readonly removeCount: number
  /** In the order in which they were put. */
  readonly rangeRemovals: ReadonlyArray<RangeRemoval>
  /** The highest sequence at or below the given one of a range removal that covers the key; 0 if there is none. */
  readonly covering: (key: Uint8Array, start: number, end: number, sequence: number) => number
  /** The range removals at or below the sequence, in sets from the newest. */
  readonly removalsAt: (sequence: number) => ReadonlyArray<RemovalSet>
}

/**
 * A fixed pool of memtables.
 *
 * Invariants every layer keeps, checked by `test/suites/memtableSuite.ts`:
 * 1. There are never more than `count` memtables out, and one that came back is empty when it is given out again.
 * 2. `find` and cursors give, for every sequence, the newest version at or below it, of indexed records only, and
 *    `covering` the newest range removal. Neither looks at the other.
 * 3. A cursor stays right while records are put.
 *
 * @since 0.1.0
 * @category services
 */
export class Memtable extends Context.Service<
  Memtable,
  {
    readonly count: number
    readonly arenaBytes: number
    readonly acquireUnsafe: () => MemtableHandle | undefined
    readonly releaseUnsafe: (memtable: MemtableHandle) => void
    /** One beyond the pool, for a read-only database whose log is larger than the pool. */
    readonly extraUnsafe: (bytes: number) => MemtableHandle
  }
>()("strata/Memtable") {}

/**
 * The shape of `Memtable`.
 *
 * @since 0.1.0
 * @category models
 */
export type MemtableService = Memtable["Service"]
