// One run of tables (without common keys, ascending) from front to back: all its versions, for a job.
//
// Many neighbouring blocks are read at once, past the cache, which they would only empty. Every block's checksum is
// checked, its structure as it is opened, and that it begins and ends where the index says: a job must not carry damage
// on into tables whose checksums are right.
import { BlockReader } from "../format/block.ts"
import { type EntryView, makeEntryView } from "../format/blockEntry.ts"
import { compareBytes } from "../format/compare.ts"
import { assert, FormatError } from "../format/formatError.ts"
import { decodingAt, Layout, openBlock } from "../format/storedBlock.ts"
import type { TableMeta } from "../format/tableMeta.ts"
import { inTable } from "./fileDamage.ts"
import type { JobRequest } from "./jobRequest.ts"
import type { OpenedTableParts } from "./tableOpening.ts"
import { type KeySpan, Step, type VersionSource } from "./versionSource.ts"

/** Of one read, unless a single block is longer. */
export const readBytesMax = 256 * 1024

export interface RunTable {
  readonly meta: TableMeta
  readonly parts: OpenedTableParts
}

/** The versions of a run with keys in the span. */
export class RunVersions implements VersionSource {
  readonly entry: EntryView = makeEntryView()
  private readonly tables: ReadonlyArray<RunTable>
  private readonly span: KeySpan
  private readonly lane: number
  private readonly readBytesMax: number
  private table = -1
  /** The next block of the table to be opened, the one behind the last of the span's, and that behind those read. */
  private ordinal = 0
  private ordinalEnd = 0
  private ordinalRead = 0
  private bytes: Uint8Array = new Uint8Array(0)
  /** Where `bytes` begin in the file. */
  private bytesOffset = 0
  private block: BlockReader | undefined
  private index = 0
  /** Keys of the next block may be before the span. */
  private isFirst = true
  /** Keys of the block may be beyond the span. */
  private isLast = false

  /** `lane`: of its reads. */
  constructor(options: {
    readonly tables: ReadonlyArray<RunTable>
    readonly span: KeySpan
    readonly lane: number
    readonly readBytesMax?: number
  }) {
    this.tables = options.tables
    this.span = options.span
    this.lane = options.lane
    this.readBytesMax = options.readBytesMax ?? readBytesMax
  }

  advance(): Step {
    for (;;) {
      const { block } = this
      if (block !== undefined && this.index < block.count) {
        block.read(this.index, this.entry)
        if (this.isLast && this.isBeyond()) return this.finish()
        this.index += 1
        return Step.version
      }
      if (this.ordinal < this.ordinalRead) this.openNext()
      else if (this.ordinal < this.ordinalEnd) return Step.bytes
      else if (this.table + 1 < this.tables.length) this.enter(this.table + 1)
      else return this.finish()
    }
  }

  request(): JobRequest {
    const { lengths, offsets } = this.current.parts.index
    const offset = offsets[this.ordinal]
    let length = 0
    for (let ordinal = this.ordinal; ordinal < this.ordinalEnd; ordinal++) {
      if (length > 0 && length + lengths[ordinal] > this.readBytesMax) break
      length += lengths[ordinal]
    }
    return { _tag: "Read", file: { kind: "table", number: this.current.meta.number }, offset, length, lane: this.lane }
  }

  feed(bytes: Uint8Array): void {
    const { lengths, offsets } = this.current.parts.index
    this.bytes = bytes
    this.bytesOffset = offsets[this.ordinal]
    this.ordinalRead = this.ordinal
    for (let left = bytes.length; left > 0; this.ordinalRead++) left -= lengths[this.ordinalRead]
  }

  private get current(): RunTable {
    return this.tables[this.table]!
  }

  private enter(table: number): void {
    const { from, to } = this.span
    this.table = table
    const { index } = this.current.parts
    this.ordinal = from === undefined ? 0 : index.seek(from, 0, from.length)
    const last = to === undefined ? index.count : index.seek(to, 0, to.length)
    // The block that the span ends in is looked into.
    this.ordinalEnd = Math.min(index.count, last + 1)
    this.ordinalRead = this.ordinal
    this.isFirst = true
  }

  private openNext(): void {
    const { current, ordinal } = this
    const { fileTag, index, sealer } = current.parts
    const offset = index.offsets[ordinal]
    const length = index.lengths[ordinal]
    const start = offset - this.bytesOffset
    const { bytes } = this
    this.block = inTable(current.meta.number, () => {
      const plain = openBlock({ bytes, start, length, layout: Layout.entries, fileTag, offset, sealer })
      return decodingAt(offset, () => {
        const block = BlockReader.open(plain)
        this.checkPlace(block)
        return block
      })
    })
    const { from, to } = this.span
    this.index = this.isFirst && from !== undefined ? this.block.seek(from, 0, from.length) : 0
    this.isFirst = false
    this.ordinal += 1
    this.isLast = to !== undefined && this.ordinal === this.ordinalEnd
  }

  /** Throws unless the block begins behind the one before it, and ends with the key that the index names. */
  private checkPlace(block: BlockReader): void {
    const { entry, ordinal } = this
    const { keyOffsets, keys } = this.current.parts.index
    if (ordinal > 0) {
      block.read(0, entry)
      const [start, end] = [keyOffsets[ordinal - 1], keyOffsets[ordinal]]
      if (compareBytes(keys, start, end, entry.bytes, entry.keyStart, entry.keyEnd) > 0) {
        throw new FormatError("a block begins before what is due", entry.keyStart)
      }
    }
    block.read(block.count - 1, entry)
    const [start, end] = [keyOffsets[ordinal], keyOffsets[ordinal + 1]]
    if (compareBytes(entry.bytes, entry.keyStart, entry.keyEnd, keys, start, end) !== 0) {
      throw new FormatError("a block does not end with the key that the index names", entry.keyStart)
    }
  }

  private isBeyond(): boolean {
    const { entry, span } = this
    const to = span.to
    assert(to !== undefined, "an open end has nothing beyond it")
    return compareBytes(entry.bytes, entry.keyStart, entry.keyEnd, to, 0, to.length) >= 0
  }

  private finish(): Step {
    this.table = this.tables.length
    this.block = undefined
    this.ordinal = 0
    this.ordinalEnd = 0
    this.ordinalRead = 0
    return Step.end
  }
}
