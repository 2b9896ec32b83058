// One key: its newest version at or below a sequence, in memtables and tables from the newest to the oldest.
//
// `step` answers with the record in `entry`, with nothing, or with a block that must be loaded first; then call it
// again. All else it needs is in memory.
import { type BlockRequest as Request, BlockRequest, emptyEntry, type EntryView, type TableLike } from "./entry.ts"
import { compareBytes } from "../format/compare.ts"

/** The part of a memtable that a lookup uses. */
export interface PointSource {
  /** The entry of the newest version at or below the sequence, or -1. */
  readonly find: (key: Uint8Array, start: number, end: number, sequence: number) => number
  readonly readEntry: (entry: number, into: EntryView) => void
}

export const Found = { nothing: 0, entry: 1, block: 2 } as const
export type Found = (typeof Found)[keyof typeof Found]

const noTables: ReadonlyArray<TableLike> = []

export class Lookup {
  readonly entry: EntryView = emptyEntry()
  request: Request | undefined = undefined
  /** Whether the record lies in a memtable's arena, which is recycled, and not in a block. */
  inMemtable = false
  private key: Uint8Array = new Uint8Array(0)
  private keyStart = 0
  private keyEnd = 0
  private sequence = 0
  private tables: ReadonlyArray<TableLike> = noTables
  private position = 0
  /** The block of the current table that may hold the key, or -1 before the table was asked. */
  private ordinal = -1

  /** Begins. The key must not change until the lookup has ended. Answers at once if a memtable knows. */
  start(
    sources: { readonly memtables: ReadonlyArray<PointSource>; readonly tables: ReadonlyArray<TableLike> },
    key: { readonly bytes: Uint8Array; readonly start: number; readonly end: number },
    sequence: number
  ): Found {
    const { bytes, end, start } = key
    const memtables = sources.memtables
    for (let index = 0; index < memtables.length; index++) {
      const memtable = memtables[index]!
      const found = memtable.find(bytes, start, end, sequence)
      if (found < 0) continue
      memtable.readEntry(found, this.entry)
      this.inMemtable = true
      return Found.entry
    }
    this.inMemtable = false
    this.key = bytes
    this.keyStart = start
    this.keyEnd = end
    this.sequence = sequence
    this.tables = sources.tables
    this.position = 0
    this.ordinal = -1
    this.request = undefined
    return this.step()
  }

  step(): Found {
    const { key, keyEnd, keyStart, tables } = this
    for (; this.position < tables.length; this.position++, this.ordinal = -1) {
      const table = tables[this.position]!
      if (this.ordinal < 0) {
        if (!this.mayHold(table)) continue
        this.ordinal = table.blockFor(key, keyStart, keyEnd)
      }
      while (this.ordinal < table.blockCount) {
        const request = this.request
        const block =
          request !== undefined && request.table === table && request.ordinal === this.ordinal
            ? request.block
            : table.blockUnsafe(this.ordinal)
        if (block === undefined) {
          this.request = new BlockRequest(table, this.ordinal)
          return Found.block
        }
        const index = block.seekVersion(key, keyStart, keyEnd, this.sequence)
        if (index < block.count) {
          block.read(index, this.entry)
          if (this.isKey()) return Found.entry
          break
        }
        // All its versions here are too new; older ones may begin the next block.
        this.ordinal += 1
      }
    }
    return Found.nothing
  }

  private mayHold(table: TableLike): boolean {
    const { key, keyEnd, keyStart } = this
    const { largest, sequenceMin, smallest } = table.meta
    return (
      sequenceMin <= this.sequence &&
      compareBytes(key, keyStart, keyEnd, smallest, 0, smallest.length) >= 0 &&
      compareBytes(key, keyStart, keyEnd, largest, 0, largest.length) <= 0 &&
      table.mayContain(key, keyStart, keyEnd)
    )
  }

  private isKey(): boolean {
    const { bytes, keyEnd, keyStart } = this.entry
    return compareBytes(bytes, keyStart, keyEnd, this.key, this.keyStart, this.keyEnd) === 0
  }
}
