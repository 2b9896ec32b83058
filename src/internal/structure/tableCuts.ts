// Where a job ends one table and begins the next. A table is cut between two keys
//
//   when it has reached its size, or
//   when it has come to overlap so much of the level below it that moving it there later would be a large job: then
//   behind the largest key of a table of that level, so that those behind it belong to the next.
import type { EntryView } from "../format/blockEntry.ts"
import { compareBytes } from "../format/compare.ts"
import type { TableMeta } from "../format/tableMeta.ts"

/** A table may overlap so many times its own size of the level below. */
export const overlapFactorMax = 10

export type Grandparent = Pick<TableMeta, "smallest" | "largest" | "bytes">

/** The table that is being filled. */
export interface FillingTable {
  readonly bytes: number
  /** Of what was added last; a copy. */
  readonly lastKey: () => Uint8Array
}

export class TableCuts {
  private readonly tableBytesMax: number
  private readonly overlapBytesMax: number
  private readonly grandparents: ReadonlyArray<Grandparent>
  private next = 0
  private overlapBytes = 0

  constructor(options: { readonly tableBytesMax: number; readonly grandparents: ReadonlyArray<Grandparent> }) {
    this.tableBytesMax = options.tableBytesMax
    this.overlapBytesMax = options.tableBytesMax * overlapFactorMax
    this.grandparents = options.grandparents
  }

  /**
   * The key behind which the table ends, if it ends before this key, which is above all that it holds. `holds` says
   * whether a table that has no versions would hold anything if it ended behind a key.
   */
  before(
    entry: Pick<EntryView, "bytes" | "keyStart" | "keyEnd">,
    table: FillingTable | undefined,
    holds: (last: Uint8Array) => boolean
  ): Uint8Array | undefined {
    const passed = this.pass(entry, table, holds)
    if (passed !== undefined) return passed
    if (table === undefined || table.bytes < this.tableBytesMax) return undefined
    this.overlapBytes = 0
    return table.lastKey()
  }

  /** As `before`, when no key follows, but range removals that reach up to here. */
  beforeReach(
    reach: Uint8Array,
    table: FillingTable | undefined,
    holds: (last: Uint8Array) => boolean
  ): Uint8Array | undefined {
    return this.pass({ bytes: reach, keyStart: 0, keyEnd: reach.length }, table, holds)
  }

  private pass(
    { bytes, keyEnd, keyStart }: Pick<EntryView, "bytes" | "keyStart" | "keyEnd">,
    table: FillingTable | undefined,
    holds: (last: Uint8Array) => boolean
  ): Uint8Array | undefined {
    while (this.next < this.grandparents.length) {
      const { bytes: overlapped, largest } = this.grandparents[this.next]!
      if (compareBytes(largest, 0, largest.length, bytes, keyStart, keyEnd) >= 0) return undefined
      this.next += 1
      // Up to here there would be an empty table: none is made, and the next begins behind it.
      if (table === undefined && !holds(largest)) return largest
      this.overlapBytes += overlapped
      if (this.overlapBytes <= this.overlapBytesMax) continue
      this.overlapBytes = 0
      return largest
    }
    return undefined
  }
}
