// One record where it lies: the common view of memtables, blocks and merges. Nothing is copied to look at a record; who
// wants to keep bytes copies them.

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
  readonly read: (index: number, into: EntryView) => void
  /** The first index whose key is at or after the target. */
  readonly seek: (target: Uint8Array, start: number, end: number) => number
  /** The first index whose key is after the target, or is the target at a sequence at or below the given one. */
  readonly seekVersion: (target: Uint8Array, start: number, end: number, sequence: number) => number
}

/** A table whose index and filter are in memory, and whose blocks may be. */
export interface TableLike {
  readonly meta: {
    readonly number: number
    readonly smallest: Uint8Array
    readonly largest: Uint8Array
    readonly sequenceMin: number
  }
  readonly blockCount: number
  readonly mayContain: (key: Uint8Array, start: number, end: number) => boolean
  readonly blockFor: (target: Uint8Array, start: number, end: number) => number
  readonly blockUnsafe: (ordinal: number) => BlockLike | undefined
}

/**
 * The value with which plain code asks for a block that is not in memory. Whoever drives the code loads it, sets
 * `block`, and calls again: the block in the request is used even if the cache did not keep it.
 */
export class BlockRequest {
  readonly table: TableLike
  readonly ordinal: number
  block: BlockLike | undefined = undefined

  constructor(table: TableLike, ordinal: number) {
    this.table = table
    this.ordinal = ordinal
  }
}
