// What a full reading of a table looks for, block by block in their order: everything that lookups and scans rely on
// without looking again.
//
//   in a block    structure, keys ascending and the sequences of a key descending
//   between       no key below the one before it, the last key as the index names it, none below the smallest
//   of an entry   its sequence within the table's, its key in the filter
//   of the table  entries and removes as counted by the footer, the checksum of all tags, the values that entries name
//
// Range removals count as both. That they are in order and within the table's bounds was seen when it was opened.
// A damaged block is noted and left out; those behind it are compared with what the index says it ends with.
import { BlockReader } from "../format/block.ts"
import { type EntryView, makeEntryView } from "../format/blockEntry.ts"
import { crc32 } from "../format/checksum.ts"
import { compareBytes, hashKey, hashKeyHigh } from "../format/compare.ts"
import { mayContain } from "../format/filter.ts"
import { FormatError } from "../format/formatError.ts"
import { Kind } from "../format/record.ts"
import type { Footer, RangeRemoval } from "../format/table.ts"
import type { TableIndex } from "../format/tableIndex.ts"
import type { TableMeta } from "../format/tableMeta.ts"
import { type FileRefs, sameRefs, ValueRefsBuilder } from "../format/valueRefs.ts"

export interface AuditedTable {
  readonly footer: Footer
  readonly index: TableIndex
  readonly filter: Uint8Array | undefined
  readonly rangeRemovals: ReadonlyArray<RangeRemoval>
  readonly valueRefs: ReadonlyArray<FileRefs>
}

export class TableAudit {
  /** In the blocks that are sound, and range removals. */
  entries: number
  readonly damage: Array<{ readonly offset: number; readonly message: string }> = []
  private readonly meta: TableMeta
  private readonly table: AuditedTable
  private readonly view = makeEntryView()
  private removes: number
  private readonly refs = new ValueRefsBuilder()
  private tagsCrc = 0
  // The key that nothing further may be below. The sequence is that of its last version, if that was seen.
  private lastBytes: Uint8Array
  private lastStart = 0
  private lastEnd: number
  private lastSequence = Number.POSITIVE_INFINITY

  constructor(meta: TableMeta, table: AuditedTable) {
    this.meta = meta
    this.table = table
    this.entries = table.rangeRemovals.length
    this.removes = this.entries
    this.lastBytes = meta.smallest
    this.lastEnd = meta.smallest.length
  }

  /** The next block, which `decode` opens, and the tag it stands with in the file. */
  block(ordinal: number, tag: Uint8Array, decode: () => Uint8Array): void {
    this.tagsCrc = crc32(tag, this.tagsCrc)
    try {
      const block = BlockReader.open(decode())
      block.checkOrder()
      this.entriesOf(block)
      this.checkEnd(ordinal)
      this.entries += block.count
    } catch (error) {
      if (!(error instanceof FormatError)) throw error
      this.skip(ordinal, error.message)
    }
  }

  /** The next block, which cannot be used. */
  skip(ordinal: number, message: string): void {
    const { keyOffsets, keys, offsets } = this.table.index
    this.damage.push({ offset: offsets[ordinal], message: `block ${ordinal}: ${message}` })
    this.lastBytes = keys
    this.lastStart = keyOffsets[ordinal]
    this.lastEnd = keyOffsets[ordinal + 1]
    this.lastSequence = Number.POSITIVE_INFINITY
  }

  /** After the last block. Counts say nothing where blocks are left out. */
  finish(): void {
    if (this.damage.length > 0) return
    const { blockTagsCrc, entryCount, properties, removeCount } = this.table.footer
    const offset = properties.offset + properties.bytes
    if (this.entries !== entryCount || this.removes !== removeCount) {
      const found = `${this.entries} entries and ${this.removes} removes`
      this.damage.push({ offset, message: `${found}; the footer counts ${entryCount} and ${removeCount}` })
    }
    if (!sameRefs(this.refs.finish(), this.table.valueRefs)) {
      const message = "the entries name other values than the table says"
      this.damage.push({ offset: this.table.footer.valueRefs.offset, message })
    }
    if (this.tagsCrc !== blockTagsCrc) {
      this.damage.push({ offset, message: "the checksum of the blocks' tags is not the footer's" })
    }
  }

  private entriesOf(block: BlockReader): void {
    const { view } = this
    for (let index = 0; index < block.count; index++) {
      block.read(index, view)
      if (index === 0) this.checkStart(view)
      this.checkEntry(view)
      if (view.kind === Kind.remove) this.removes += 1
      if (view.kind === Kind.valueHandle) this.refs.add(view.bytes, view.valueStart, view.valueEnd)
    }
    this.lastBytes = view.bytes
    this.lastStart = view.keyStart
    this.lastEnd = view.keyEnd
    this.lastSequence = view.sequence
  }

  private checkStart({ bytes, keyEnd, keyStart, sequence }: EntryView): void {
    const order = compareBytes(this.lastBytes, this.lastStart, this.lastEnd, bytes, keyStart, keyEnd)
    if (order > 0 || (order === 0 && sequence >= this.lastSequence)) {
      throw new FormatError("it begins before what is due", keyStart)
    }
  }

  private checkEnd(ordinal: number): void {
    const { keyOffsets, keys } = this.table.index
    const { lastBytes, lastEnd, lastStart } = this
    const [start, end] = [keyOffsets[ordinal], keyOffsets[ordinal + 1]]
    if (compareBytes(lastBytes, lastStart, lastEnd, keys, start, end) !== 0) {
      throw new FormatError("it does not end with the key that the index names", lastStart)
    }
  }

  private checkEntry({ bytes, keyEnd, keyStart, sequence }: EntryView): void {
    const { sequenceMax, sequenceMin } = this.meta
    if (sequence < sequenceMin || sequence > sequenceMax) {
      throw new FormatError(`sequence ${sequence} is not between ${sequenceMin} and ${sequenceMax}`, keyStart)
    }
    const { filter } = this.table
    if (filter === undefined) return
    if (!mayContain(filter, hashKey(bytes, keyStart, keyEnd), hashKeyHigh(bytes, keyStart, keyEnd))) {
      throw new FormatError("the filter denies one of its keys", keyStart)
    }
  }
}
