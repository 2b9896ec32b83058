// What every kind of reader shares: the live view, and how a block that is not in memory gets there.
import * as Effect from "effect/Effect"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import type { BlockCacheService } from "../../services/BlockCache.ts"
import type { Moment, OracleService } from "../../services/Oracle.ts"
import type { Table } from "../../services/SsTable.ts"
import type { BlockRequest } from "../structure/entry.ts"
import { MemtableSource } from "../structure/memtableSource.ts"
import { Merge } from "../structure/merge.ts"
import type { ReadTracker } from "../structure/readTracker.ts"
import type { Source } from "../structure/source.ts"
import { TableSource } from "../structure/tableSource.ts"
import type { WriteBuffer } from "../structure/writeBuffer.ts"
import type { ValueSlab } from "./valueSlab.ts"
import type { LiveView, View } from "./view.ts"

/** What the readers of one database have in common. */
export interface ReadParts {
  readonly live: LiveView
  readonly oracle: OracleService
  readonly cache: BlockCacheService
  readonly values: ValueSlab
}

/** Who reads: at which moment, over which writes of its own. */
export interface Reading {
  readonly sequence: () => number
  readonly nowMillis: () => number
  /** Held open by the reader itself; without one, each read has its own. */
  readonly moment: Moment | undefined
  /** A transaction's own writes. */
  readonly writes: WriteBuffer | undefined
  /** Where a serializable transaction remembers what it read. */
  readonly tracker: ReadTracker | undefined
  /** Throws the error of a reader that is closed. */
  readonly check: () => void
}

/** Loads the block on the calling stack, if the disk can. */
export const loadNow = (request: BlockRequest, fillCache: boolean): boolean => {
  // Requests name the tables of a view, and those are the contract's.
  const table = request.table as Table
  if (table.loadUnsafe === undefined) return false
  request.block = table.loadUnsafe(request.ordinal, fillCache)
  return true
}

/** Loads the block. The view must be pinned meanwhile. */
export const load = (request: BlockRequest, fillCache: boolean): Effect.Effect<void, DatabaseError> =>
  Effect.map((request.table as Table).load(request.ordinal, fillCache), (block) => {
    request.block = block
  })

/** A view held in place, and the sequence to read it at. */
export interface Pinned {
  readonly view: View
  readonly sequence: number
}

/**
 * Keeps the view's memory in place while the effect is suspended. View and sequence are taken in one step: a flush that
 * runs between the two could drop versions that the sequence still sees.
 */
export const pinned = <A, E>(
  live: LiveView,
  reading: Reading,
  use: (pinned: Pinned) => Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  Effect.acquireUseRelease(
    Effect.sync(() => ({ view: live.pin(), sequence: reading.sequence() })),
    use,
    ({ view }) => Effect.sync(() => live.unpin(view))
  )

/** All that a reader sees in a view, as one sequence of keys. */
export const mergeOf = (
  view: View,
  sequence: number,
  own: { readonly writes: WriteBuffer; readonly operations: number } | undefined
): Merge => {
  const sources: Array<Source> = own === undefined ? [] : [new MemtableSource(own.writes.memtable, own.operations)]
  for (const memtable of view.memtables)
    if (memtable.entryCount > 0) sources.push(new MemtableSource(memtable, sequence))
  for (const table of view.tables)
    if (table.meta.sequenceMin <= sequence) sources.push(new TableSource(table, sequence))
  return new Merge(sources)
}
