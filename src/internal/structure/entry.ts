// One record where it lies: the common view of memtables, blocks and merges. Nothing is copied to look at a record; who
// wants to keep bytes copies them.
import type { RemovalSet } from "./rangeRemovals.ts"

/**
 * A record in `bytes`. The same object is filled again and again: its positions hold until the next step of whoever
 * fills it.
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
  /** Unix milliseconds from which the record is gone; 0 is never. */
  expiresAt: number
  userMeta: number
}

const nothing = new Uint8Array(0)

export const emptyEntry = (): EntryView => ({
  bytes: nothing,
  keyStart: 0,
  keyEnd: 0,
  valueStart: 0,
  valueEnd: 0,
  kind: 0,
  flags: 0,
  sequence: 0,
  expiresAt: 0,
  userMeta: 0
})

/** A block in memory: entries by key ascending, then sequence descending. */
export interface BlockLike {
  readonly count: number
  readonly bytes: Uint8Array
  /** Its memory is filled again with the next one that is lent. */
  readonly isLent: boolean
  readonly read: (index: number, into: EntryView) => void
  /** The first index whose key is at or after the target. */
  readonly seek: (target: Uint8Array, start: number, end: number) => number
  /** The first index whose key is after the target, or is the target at a sequence at or below the given one. */
  readonly seekVersion: (target: Uint8Array, start: number, end: number, sequence: number) => number
  /** The same if it holds the target at all, and any index if not. */
  readonly findVersion: (target: Uint8Array, start: number, end: number, sequence: number) => number
}

/** What leads to the blocks of a table: its index, its filter, and its range removals. */
export interface PartsLike {
  readonly blockCount: number
  /**
   * False only if no version of the key with these hashes (`hashKey` and `hashKeyHigh`) is in the table. Range removals
   * do not count.
   */
  readonly mayContain: (hash: number, hashHigh: number) => boolean
  /**
   * The first block whose last key is at or after the target, `blockCount` if there is none; -1 if a piece of the
   * index has to be loaded to tell.
   */
  readonly blockFor: (target: Uint8Array, start: number, end: number) => number
  readonly rangeRemovals: RemovalSet | undefined
}

/** A table, of which anything may be in memory or not. */
export interface TableLike {
  readonly meta: {
    readonly number: number
    readonly smallest: Uint8Array
    readonly largest: Uint8Array
    readonly sequenceMin: number
    readonly rangeRemovalCount: number
  }
  /** If they are in memory. Whoever has them may use them for as long as the view lives, in memory or not. */
  readonly partsUnsafe: () => PartsLike | undefined
  readonly blockUnsafe: (ordinal: number) => BlockLike | undefined
}

// The values with which plain code asks for what is not in memory. Whoever drives the code loads it, sets the answer,
// and calls again: the answer in the request is used even if the cache did not keep it.

/** Asks for a table's parts. */
export class PartsRequest {
  readonly want = "parts"
  readonly table: TableLike
  parts: PartsLike | undefined = undefined

  constructor(table: TableLike) {
    this.table = table
  }
}

/** Asks what `blockFor` answers for a target, which must not change meanwhile. */
export class PlaceRequest {
  readonly want = "place"
  readonly table: TableLike
  readonly target: Uint8Array
  readonly start: number
  readonly end: number
  /** The answer; -1 before it is there. */
  ordinal = -1

  constructor(table: TableLike, target: Uint8Array, start: number, end: number) {
    this.table = table
    this.target = target
    this.start = start
    this.end = end
  }
}

/** Asks for a block. */
export class BlockRequest {
  readonly want = "block"
  readonly table: TableLike
  readonly ordinal: number
  block: BlockLike | undefined = undefined

  constructor(table: TableLike, ordinal: number) {
    this.table = table
    this.ordinal = ordinal
  }
}

export type Request = PartsRequest | PlaceRequest | BlockRequest
