// What every kind of reader shares: the live view, and how a block that is not in memory gets there.
import * as Effect from "effect/Effect"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import type { BlockCacheService } from "../../services/BlockCache.ts"
import type { Moment, OracleService } from "../../services/Oracle.ts"
import type { Table } from "../../services/SsTable.ts"
import type { Request } from "../structure/entry.ts"
import type { KeyRange } from "../structure/keyRange.ts"
import { tablesWithin } from "../structure/levels.ts"
import { MemtableSource } from "../structure/memtableSource.ts"
import { Merge } from "../structure/merge.ts"
import type { ReadTracker } from "../structure/readTracker.ts"
import { RunSource } from "../structure/runSource.ts"
import type { Source } from "../structure/source.ts"
import { TableSource } from "../structure/tableSource.ts"
import type { WriteBuffer } from "../structure/writeBuffer.ts"
import type { ValueReads, ValueSource } from "./valueReads.ts"
import type { ValueSlab } from "./valueSlab.ts"
import type { LiveView, View } from "./view.ts"

/** What the readers of one database have in common. */
export interface ReadParts {
  readonly live: LiveView
  readonly oracle: OracleService
  readonly cache: BlockCacheService
  readonly values: ValueSlab
  /** Values that are not with their records. */
  readonly separated: ValueReads
  /** Called with the range of a scan that passed over thousands of keys which are not there. */
  readonly crowded: (range: KeyRange) => void
}

/** Who reads: at which moment, over which writes of its own. */
export interface Reading {
  readonly sequence: () => number
  readonly nowMillis: () => number
  /** Held open by the reader itself; without one, each read has its own. */
  readonly moment: Moment | undefined
  /** A transaction's own writes. */
  readonly writes: WriteBuffer | undefined
  /** Files of values that the transaction wrote before its commit, which none of the database's views has. */
  readonly direct?: ValueSource | undefined
  /** Where a serializable transaction remembers what it read. */
  readonly tracker: ReadTracker | undefined
  /** Throws the error of a reader that is closed. */
  readonly check: () => void
}

/**
 * Answers the request on the calling stack, if the disk can. A block is kept in the cache, or left as it is there; or
 * it is for one look, and perhaps lent.
 */
export const loadNow = (request: Request, use: "keep" | "leave" | "look"): boolean => {
  // Requests name the tables of a view, and those are the contract's.
  const table = request.table as Table
  switch (request.want) {
    case "parts":
      request.parts = table.openUnsafe()
      return request.parts !== undefined
    case "place":
      request.ordinal = table.placeUnsafe(request.target, request.start, request.end)
      return request.ordinal >= 0
    default:
      request.block =
        use === "look" ? table.lendUnsafe(request.ordinal) : table.loadUnsafe(request.ordinal, use === "keep")
      return request.block !== undefined
  }
}

/** Answers the request. The view must be pinned meanwhile. */
export const load = (request: Request, fillCache: boolean): Effect.Effect<void, DatabaseError> => {
  const table = request.table as Table
  switch (request.want) {
    case "parts":
      return Effect.map(table.open, (parts) => {
        request.parts = parts
      })
    case "place":
      return Effect.map(table.place(request.target, request.start, request.end), (ordinal) => {
        request.ordinal = ordinal
      })
    default:
      return Effect.map(table.load(request.ordinal, fillCache), (block) => {
        request.block = block
      })
  }
}

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

/** All that a reader sees of a range in a view, as one sequence of keys. Tables beside the range are left out. */
export const mergeOf = (
  view: View,
  reader: {
    readonly sequence: number
    readonly range: KeyRange
    readonly own: { readonly writes: WriteBuffer; readonly operations: number } | undefined
  }
): Merge => {
  const { own, range, sequence } = reader
  const sources: Array<Source> = own === undefined ? [] : [new MemtableSource(own.writes.walked(), own.operations)]
  for (const memtable of view.memtables)
    if (memtable.entryCount > 0 || memtable.rangeRemovals.length > 0)
      sources.push(new MemtableSource(memtable, sequence))
  for (const run of view.runs) {
    const tables = tablesWithin(run.tables, range)
    if (tables.length > 1) sources.push(new RunSource(tables, sequence))
    else if (tables.length === 1 && tables[0]!.meta.sequenceMin <= sequence)
      sources.push(new TableSource(tables[0]!, sequence))
  }
  return new Merge(sources)
}
