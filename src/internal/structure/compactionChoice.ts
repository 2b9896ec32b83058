// What the picker is given and what it answers: plain values.
//
// All spans of keys here are closed: `largest` belongs to the span. A range removal's exclusive end counts as a key, so
// a table may end with the key with which its neighbour begins; that reads as an overlap, which costs a little and
// never hides one.
import type { TableMeta } from "../format/tableMeta.ts"
import type { Run } from "./levels.ts"
import type { RangeRemoval } from "../format/table.ts"

/** Ids of codecs, above the bottom level and at it. */
export interface LevelCodecs {
  readonly upper: number
  readonly bottom: number
  /** No table is written again because of its codec. */
  readonly asFound?: boolean
}

type PlaceField = "number" | "level" | "bytes" | "smallest" | "largest" | "sequenceMin" | "sequenceMax"
type CountField = "entryCount" | "removeCount" | "rangeRemovalCount" | "hiddenCount"

/** What the picker reads of a table. */
export interface PickerTable extends Pick<TableMeta, PlaceField | CountField | "codec" | "keyGeneration"> {
  /** The values in value files that its entries name. */
  readonly valueRefs: ReadonlyArray<{ readonly bytes: number }>
}

export interface WithMeta {
  readonly meta: PickerTable
}

export interface KeySpan {
  readonly smallest: Uint8Array
  readonly largest: Uint8Array
}

/** What a running merge holds: no other may touch these keys in the levels from `level` (without 0) to `output`. */
export interface Claim extends KeySpan {
  readonly level: number
  readonly output: number
}

export interface PickerInput<T extends WithMeta> {
  /** From the newest. */
  readonly runs: ReadonlyArray<Run<T>>
  /** The numbers of the tables that running merges read. */
  readonly busy: ReadonlySet<number>
  /** The claims of the running merges. */
  readonly running: ReadonlyArray<Claim>
  /** Sequences that readers may ask for, ascending; the last is what is visible now. There is at least one. */
  readonly snapshots: ReadonlyArray<number>
  /** Nothing was written for a while. */
  readonly idle: boolean
  /** The range removals of all tables, in any order. */
  readonly rangeRemovals: ReadonlyArray<RangeRemoval>
  /** What new tables are compressed with; nothing if it is not said. */
  readonly codecs?: LevelCodecs | undefined
  /** A part of the keys that is to be merged down to the bottom once. */
  readonly manual?: ManualCompaction | undefined
  /** Where a scan crossed many removals: tables with removals are merged down there, whatever their levels hold. */
  readonly crowded?: ReadonlyArray<PickerRange> | undefined
}

/** An end that is `undefined` is open; `to` is exclusive. */
export interface PickerRange {
  readonly from: Uint8Array | undefined
  readonly to: Uint8Array | undefined
}

export interface ManualCompaction extends PickerRange {
  /** Only what was written at or before this sequence counts, so that it ends while others write. */
  readonly sequence: number
}

export type Reason =
  | "level0"
  | "level0Relief"
  | "level0Cut"
  | "size"
  | "unneededLevel"
  | "removals"
  | "manual"
  | "crowded"
  | "idleRemovals"
  | "idleGarbage"
  | "idleValues"
  | "bottomGarbage"
  | "smallTables"
  | "olderKey"

export interface Merge<T> {
  readonly _tag: "Merge"
  readonly reason: Reason
  /** Newest first. */
  readonly inputs: ReadonlyArray<Run<T>>
  /** The level of the new tables. */
  readonly level: number
  /**
   * The merge in parts, ascending and without gaps: one job each, in any order, all installed by one edit. A key is
   * in one part.
   */
  readonly slices: ReadonlyArray<PickerRange>
  /** Tables behind the new ones (levels below, older ones of level 0) that may hold keys of the inputs. */
  readonly deeper: ReadonlyArray<T>
  /** Tables of the level below the new ones that may hold keys of the inputs, ascending. */
  readonly grandparents: ReadonlyArray<T>
  readonly tableBytesMax: number
  /** To be among the running until it is installed or given up. */
  readonly claim: Claim
}

export type Choice<T> =
  | { readonly _tag: "Nothing" }
  /** The table goes to a deeper level as it is: an edit of the manifest, no job. */
  | { readonly _tag: "Move"; readonly reason: Reason; readonly table: T; readonly level: number }
  /** The tables go, unread: range removals hide all of them from every reader. */
  | { readonly _tag: "Drop"; readonly tables: ReadonlyArray<T> }
  | Merge<T>

export const nothing: { readonly _tag: "Nothing" } = { _tag: "Nothing" }
