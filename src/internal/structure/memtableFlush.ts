// A memtable in table order: keys ascending, versions of a key from the newest. Versions that no reader can see any
// more are left out: of those at or below the watermark only the newest is kept. Removals, of keys and of ranges, are
// kept; what they hide may lie in older tables.
import type { RangeRemoval } from "../format/table.ts"
import type { EntryView } from "./entry.ts"
import type { Memtable } from "./memtable.ts"
import type { KeyCursor } from "./memtableSource.ts"

/** A memtable, as far as a flush needs one. */
export type FlushedMemtable = Pick<Memtable, "older" | "sequenceOf" | "rangeRemovals"> & {
  readonly cursor: () => KeyCursor
  readonly readEntry: (entry: number, into: EntryView) => void
}

export class MemtableFlush {
  private readonly memtable: FlushedMemtable
  private readonly watermark: number
  private readonly cursor: KeyCursor
  private started = false
  /** The version to be looked at next, or -1 to go to the next key. */
  private entry = -1

  constructor(memtable: FlushedMemtable, watermark: number) {
    this.memtable = memtable
    this.watermark = watermark
    this.cursor = memtable.cursor()
  }

  get rangeRemovals(): ReadonlyArray<RangeRemoval> {
    return this.memtable.rangeRemovals
  }

  next(into: EntryView): boolean {
    if (this.entry < 0 && !this.nextKey()) return false
    const entry = this.entry
    this.memtable.readEntry(entry, into)
    this.entry = this.memtable.sequenceOf(entry) <= this.watermark ? -1 : this.memtable.older(entry)
    return true
  }

  private nextKey(): boolean {
    const at = this.started ? this.cursor.next() : this.cursor.seekFirst()
    this.started = true
    if (!at) return false
    this.entry = this.cursor.newest(Number.MAX_SAFE_INTEGER)
    return true
  }
}
