// Every number that decides about compaction, with its default. What they cost and save: `npm run amplification`.

export interface CompactionLimits {
  /** Tables of level 0: from how many they are merged down, writers wait a little, writers wait. */
  readonly level0Trigger: number
  readonly level0Slow: number
  readonly level0Stop: number
  /** Tables of level 0 from which they are merged among themselves when the way down is taken. */
  readonly level0Relief: number
  /** Levels including level 0: the last one is the bottom. */
  readonly levelCount: number
  /** What level 0 should hold at most: about `level0Trigger` memtables. The levels below grow from it. */
  readonly baseBytes: number
  /** A level is at most this many times as large as the one above it. */
  readonly levelRatio: number
  /** A table of the first level in use; it doubles with each level below, up to the maximum. */
  readonly tableBytes: number
  readonly tableBytesMax: number
  /** About what one slice of a merge writes at most. */
  readonly jobBytesMax: number
  /** What would write more has met a full disk. */
  readonly roomBytes: number
  /** A merge has met a full disk, and none of any size has succeeded since. */
  readonly isScarce: boolean
  /** A table is not moved over more than this many times the size of a table in the level below its new one. */
  readonly grandparentTables: number
  /** A table with a larger share of removals is merged down whatever its level holds. */
  readonly removeShareMax: number
  /** At rest, how much of all bytes may be hidden by newer entries. */
  readonly idleGarbageShare: number
  /** Likewise of the bytes in value files that tables name. To find out costs the tables alone. */
  readonly idleValueGarbageShare: number
  /** At rest, removals go down if the bytes that go are at least this share of the bytes that are written. */
  readonly idleGainMin: number
  /** Share of removals and hidden versions from which a table is rewritten where it is: while writing, and at rest. */
  readonly bottomGarbageShare: number
  readonly bottomGarbageShareIdle: number
  /** So many small neighbours become one table. */
  readonly smallTables: number
  /** Bytes that wait to be merged: from where writers wait a little, and wait. */
  readonly debtBytesSlow: number
  readonly debtBytesStop: number
  /** Tables that are sealed with a data key of an older generation are written again. */
  readonly keyGeneration: number
}

const mebibyte = 2 ** 20

export const compactionLimits: CompactionLimits = {
  level0Trigger: 4,
  level0Slow: 12,
  level0Stop: 20,
  level0Relief: 8,
  levelCount: 7,
  baseBytes: 64 * mebibyte,
  levelRatio: 10,
  tableBytes: 8 * mebibyte,
  tableBytesMax: 64 * mebibyte,
  jobBytesMax: 64 * mebibyte,
  roomBytes: Infinity,
  isScarce: false,
  grandparentTables: 10,
  removeShareMax: 0.5,
  idleGarbageShare: 0.125,
  idleValueGarbageShare: 0.025,
  idleGainMin: 0.01,
  bottomGarbageShare: 0.5,
  bottomGarbageShareIdle: 0.05,
  smallTables: 4,
  debtBytesSlow: 8192 * mebibyte,
  debtBytesStop: 32_768 * mebibyte,
  keyGeneration: 0
}
