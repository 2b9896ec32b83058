// How many bytes would go if a table were merged down. Nobody knows without reading; these are bounds from above, good
// enough to tell what is worth its cost and to stop when nothing is left.
import type { PickerInput, WithMeta } from "./compactionChoice.ts"
import { compareKeys } from "./keyRange.ts"
import { bytesOf, type LevelShape, overlaps } from "./levelShape.ts"
import type { RangeRemoval } from "../format/table.ts"
import { RangeRemovals } from "./rangeRemovals.ts"

export class GarbageEstimate<T extends WithMeta> {
  private readonly shape: LevelShape<T>
  /** What every reader sees as removed. */
  private readonly removals: RangeRemovals

  constructor(shape: LevelShape<T>, { rangeRemovals }: Pick<PickerInput<T>, "rangeRemovals">) {
    this.shape = shape
    this.removals = new RangeRemovals(rangeRemovals.filter(({ sequence }) => sequence <= shape.oldest))
  }

  /** Whether range removals hide all of the table from every reader. */
  isHidden({ meta }: T): boolean {
    const { pieces } = this.removals
    if (pieces.length === 0) return false
    let at = meta.smallest
    let next = this.removals.firstEndingAfter(at, 0, at.length)
    for (;;) {
      const piece = pieces[next++]
      if (piece === undefined || !covers(piece, at, meta.sequenceMax)) return false
      if (compareKeys(piece.to, meta.largest) > 0) return true
      at = piece.to
    }
  }

  /** Bytes that go through the table's removals, the removals included. It has entries. */
  removed(table: T): number {
    const { bytes, entryCount, rangeRemovalCount, removeCount } = table.meta
    const points = (removeCount - rangeRemovalCount) * this.shape.entryBytes
    const inRanges = rangeRemovalCount === 0 ? 0 : this.removedBehind(table)
    return bytes * (removeCount / entryCount) + Math.min(this.bytesBehind(table), points + inRanges)
  }

  /** Bytes of older entries that the table's values may hide. */
  overwritten(table: T): number {
    const { bytes, entryCount, removeCount } = table.meta
    return Math.min(bytes * (1 - removeCount / Math.max(1, entryCount)), this.bytesBehind(table))
  }

  /** Likewise of the values in value files that such entries name. */
  overwrittenValues(table: T): number {
    const own = valueBytesOf(table)
    if (own === 0) return 0
    const behind = [...this.olderInLevel0(table), ...this.shape.deeper(table.meta.level, table.meta)]
    return Math.min(
      own,
      behind.reduce((sum, other) => sum + valueBytesOf(other), 0)
    )
  }

  /** Of older tables that may hold keys of this one. */
  private bytesBehind(table: T): number {
    return bytesOf(this.olderInLevel0(table)) + this.shape.deeperBytes(table.meta.level, table.meta)
  }

  private removedBehind(table: T): number {
    const behind = [...this.olderInLevel0(table), ...this.shape.deeper(table.meta.level, table.meta)]
    return behind.reduce((sum, other) => sum + this.removedOf(other), 0)
  }

  private olderInLevel0(table: T): ReadonlyArray<T> {
    if (table.meta.level > 0) return []
    const { level0 } = this.shape
    return level0.slice(level0.indexOf(table) + 1).filter(({ meta }) => overlaps(meta, table.meta))
  }

  /** All of a table that range removals hide; half of one that they touch. */
  private removedOf(table: T): number {
    const { meta } = table
    if (this.isHidden(table)) return meta.bytes
    const piece = this.removals.pieces[this.removals.firstEndingAfter(meta.smallest, 0, meta.smallest.length)]
    if (piece === undefined || compareKeys(piece.from, meta.largest) > 0) return 0
    return piece.sequence > meta.sequenceMin ? meta.bytes / 2 : 0
  }
}

/** Of the values in value files that its entries name. */
export const valueBytesOf = ({ meta }: WithMeta): number => meta.valueRefs.reduce((sum, { bytes }) => sum + bytes, 0)

const covers = ({ from, sequence }: RangeRemoval, key: Uint8Array, sequenceMax: number): boolean =>
  compareKeys(from, key) <= 0 && sequence > sequenceMax
