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
 * A block in memory: entries by key ascending, then sequence descending. Blocks are never recycled in place.
 *
 * @since 0.1.0
 * @category models
 */
export interface Block {
  readonly count: number
  readonly bytes: Uint8Array
  readonly read: (index: number, into: EntryView) => void
  /** The first index whose key is at or after the target; `count` if there is none. */
  readonly seek: (target: Uint8Array, start: number, end: number) => number
  /** The first index whose key is after the target, or is the target with a sequence at or below the given one. */
  readonly seekVersion: (target: Uint8Array, start: number, end: number, sequence: number) => number
}

/**
 * A table open for reading: its index and filter are in memory, its blocks may be.
 *
 * @since 0.1.0
 * @category models
 */
export interface Table {
  readonly meta: TableMeta
  readonly blockCount: number
  /** False only if no version of the key is in the table. */
  readonly mayContain: (key: Uint8Array, start: number, end: number) => boolean
  /** The first block whose last key is at or after the target; `blockCount` if there is none. */
  readonly blockFor: (target: Uint8Array, start: number, end: number) => number
  /** The block if it is in memory. */
  readonly blockUnsafe: (ordinal: number) => Block | undefined
  /** Reads the block on the calling stack. Throws `DatabaseError`. `undefined` if the disk has no synchronous reads. */
  readonly loadUnsafe: ((ordinal: number, fillCache: boolean) => Block) | undefined
  readonly load: (ordinal: number, fillCache: boolean) => Effect.Effect<Block, DatabaseError>
}

/**
 * Reads tables. Jobs write them.
 *
 * Invariants every layer keeps, checked by `test/suites/ssTableSuite.ts`:
 * 1. A table reads back entry for entry as it was written.
 * 2. Every byte that a read uses is checked first; damage is `Corruption` with file and offset, and other blocks stay
 *    readable.
 * 3. `mayContain` has no false negatives.
 *
 * @since 0.1.0
 * @category services
 */
export class SsTable extends Context.Service<
  SsTable,
  {
    /**
     * Opens the table, or returns the open one. Checks header, footer, index and filter against each other and the
     * manifest.
     */
    readonly open: (meta: TableMeta) => Effect.Effect<Table, DatabaseError>
    /** Reads the whole file and reports what is wrong with it. */
    readonly verify: (
      meta: TableMeta
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
