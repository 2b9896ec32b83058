/**
 * Sequences, snapshots and conflicts: who sees what, and who may commit.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"

/**
 * A moment held open. Versions that it can see are kept until it is released.
 *
 * @since 0.1.0
 * @category models
 */
export interface Moment {
  readonly sequence: number
  /** Writes learned after this one can conflict: what was visible, or had failed, when the moment was opened. */
  readonly since: number
  /** What counts as now for expiry, in Unix milliseconds. */
  readonly nowMillis: number
  /** Idempotent. */
  release(): void
}

/**
 * What a transaction read, for the check at its commit. Positions are of stored keys.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReadSet {
  readonly keys: Iterable<Uint8Array>
  /** `to` undefined: to the end of all keys. Both ends inclusive or not as said. */
  readonly ranges: Iterable<{
    readonly from: Uint8Array
    readonly fromExclusive: boolean
    readonly to: Uint8Array | undefined
    readonly toInclusive: boolean
  }>
}

/**
 * The order of commits. All calls are plain and synchronous: what is checked and assigned in one step cannot be
 * overtaken.
 *
 * Invariants every layer keeps, checked by `test/suites/oracleSuite.ts`:
 * 1. `assign` counts up by one and never returns a number twice, and never one above the reservation.
 * 2. `visible` only grows, and only to assigned sequences.
 * 3. `conflict` finds every write of a key or a range learned after the moment that touches the read set, from the step
 *    in which its sequence was assigned. It may report one that is not there when memory for conflicts was short; it
 *    never misses one.
 * 4. Without open transactions and commits in flight nothing is remembered.
 * 5. `watermark` is at most the sequence of every open moment.
 * 6. A moment's `nowMillis` is at least every commit time that it can see.
 * 7. `horizon` names the sequence of every open moment and what is visible, and no moment, open or opened later, has an
 *    earlier time than it gave.
 *
 * @since 0.1.0
 * @category services
 */
export class Oracle extends Context.Service<
  Oracle,
  {
    /** Sets the first sequence, the reservation and the highest commit time known. Once, after recovery. */
    readonly start: (options: {
      readonly sequence: number
      readonly reserved: number
      readonly commitMillisMax: number
    }) => void
    readonly assigned: () => number
    readonly visible: () => number
    /** How many sequences may still be assigned. */
    readonly remaining: () => number
    readonly extend: (reserved: number) => void
    readonly assign: () => number
    readonly publish: (sequence: number) => void
    /**
     * No commit is in flight: what was assigned and is not visible has failed, and conflicts with nobody who begins
     * now.
     */
    readonly settle: () => void
    /** Never below an earlier commit's. */
    readonly commitMillis: () => number
    /** What counts as now for a reader of the present. */
    readonly nowMillis: () => number
    readonly commitMillisMax: () => number
    /**
     * Opens a moment at what is visible. `tracked`: a transaction will check conflicts against it; before the first of
     * these, what is in flight is learned.
     */
    readonly open: (tracked: boolean) => Moment
    readonly watermark: () => number
    /**
     * What background work must spare: every sequence that an open moment or a coming one can ask for, ascending, each
     * once, the last one visible now; and a time that no open or coming moment is before.
     */
    readonly horizon: () => { readonly snapshots: ReadonlyArray<number>; readonly nowMillis: number }
    /** Whether writes must be learned now. */
    readonly learning: () => boolean
    readonly learn: (key: Uint8Array, start: number, end: number, sequence: number) => void
    /** A write of all keys from `from` (inclusive) to `to` (exclusive). The bytes are copied. */
    readonly learnRange: (from: Uint8Array, to: Uint8Array, sequence: number) => void
    /** The sequence of a write after `since` that touches the set, or 0. */
    readonly conflict: (reads: ReadSet, since: number) => number
    readonly stats: () => { readonly moments: number; readonly conflictBytes: number; readonly floor: number }
  }
>()("strata/Oracle") {}

/**
 * The shape of `Oracle`.
 *
 * @since 0.1.0
 * @category models
 */
export type OracleService = Oracle["Service"]
