// A memtable as a source of a merge. Everything is in memory, so a move is finished when it is begun.
import { memtableRemovals, type SourceRemovals } from "./coverage.ts"
import { emptyEntry, type EntryView, type Request } from "./entry.ts"
import type { RemovalSet } from "./rangeRemovals.ts"
import type { Source, Target } from "./source.ts"

/** The cursor of a memtable, at key granularity. */
export interface KeyCursor {
  readonly seek: (key: Uint8Array, start: number, end: number, forward: boolean) => boolean
  readonly seekFirst: () => boolean
  readonly seekLast: () => boolean
  readonly next: () => boolean
  readonly previous: () => boolean
  readonly newest: (sequence: number) => number
}

/** A memtable, as far as a source needs one. */
export interface OrderedSource {
  readonly removalsAt: (sequence: number) => ReadonlyArray<RemovalSet>
  readonly cursor: () => KeyCursor
  readonly readEntry: (entry: number, into: EntryView) => void
}

export class MemtableSource implements Source {
  valid = false
  readonly entry: EntryView = emptyEntry()
  readonly removals: SourceRemovals | undefined
  private readonly memtable: OrderedSource
  private readonly cursor: KeyCursor
  private readonly sequence: number

  constructor(memtable: OrderedSource, sequence: number) {
    this.memtable = memtable
    this.cursor = memtable.cursor()
    this.sequence = sequence
    this.removals = memtableRemovals(memtable.removalsAt(sequence))
  }

  seek(target: Target): void {
    const { end, forward, inclusive, key, start } = target
    let at = this.cursor.seek(key, start, end, forward)
    if (at && !inclusive) {
      // The key itself is left out: look at any version to see whether this is it.
      const entry = this.cursor.newest(Number.MAX_SAFE_INTEGER)
      this.memtable.readEntry(entry, this.entry)
      if (isSame(this.entry, target)) at = forward ? this.cursor.next() : this.cursor.previous()
    }
    this.settle(at, forward)
  }

  seekEnd(forward: boolean): void {
    this.settle(forward ? this.cursor.seekFirst() : this.cursor.seekLast(), forward)
  }

  move(forward: boolean): void {
    this.settle(forward ? this.cursor.next() : this.cursor.previous(), forward)
  }

  resume(): Request | undefined {
    return undefined
  }

  /** On to a key with a version that the reader may see. */
  private settle(at: boolean, forward: boolean): void {
    while (at) {
      const entry = this.cursor.newest(this.sequence)
      if (entry >= 0) {
        this.memtable.readEntry(entry, this.entry)
        this.valid = true
        return
      }
      at = forward ? this.cursor.next() : this.cursor.previous()
    }
    this.valid = false
  }
}

const isSame = (entry: EntryView, target: Target): boolean => {
  const length = target.end - target.start
  if (entry.keyEnd - entry.keyStart !== length) return false
  for (let index = 0; index < length; index++) {
    if (entry.bytes[entry.keyStart + index] !== target.key[target.start + index]) return false
  }
  return true
}
