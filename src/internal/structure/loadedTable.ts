// What is kept in memory of a table beside its blocks: where they are, which keys they may hold, and what they are
// opened with.
import { BlockReader } from "../format/block.ts"
import { type EntryView, makeEntryView } from "../format/blockEntry.ts"
import { mayContain } from "../format/filter.ts"
import { FormatError } from "../format/formatError.ts"
import { decodingAt, Layout } from "../format/storedBlock.ts"
import type { RangeRemoval } from "../format/table.ts"
import type { PartsLike } from "./entry.ts"
import { RangeRemovals } from "./rangeRemovals.ts"
import { TableBlocks } from "./tableBlocks.ts"
import { type OpenedTableParts, openStored, type SealedTable } from "./tableOpening.ts"

// Objects and buffers of a table and its parts; of a removal and the piece made of it.
const tableBytes = 1024
const removalBytes = 400

// One for all: it is filled and looked at within one synchronous step.
const last: EntryView = makeEntryView()

export class LoadedTable implements PartsLike {
  readonly blockCount: number
  readonly rangeRemovals: RangeRemovals | undefined
  /** What it holds in memory. */
  readonly bytes: number
  private readonly sealed: SealedTable
  private readonly blocks: TableBlocks
  private readonly filter: Uint8Array | undefined

  constructor(opened: OpenedTableParts) {
    const { fileTag, filter, index, rangeRemovals, sealer } = opened
    this.blockCount = index.count
    this.rangeRemovals = rangeRemovals.length === 0 ? undefined : new RangeRemovals(rangeRemovals)
    this.sealed = { fileTag, sealer }
    this.blocks = new TableBlocks(index)
    this.filter = filter
    this.bytes = tableBytes + this.blocks.bytes + (filter?.buffer.byteLength ?? 0) + bytesOf(rangeRemovals)
  }

  mayContain(hash: number, hashHigh: number): boolean {
    const { filter } = this
    return filter === undefined || mayContain(filter, hash, hashHigh)
  }

  blockFor(target: Uint8Array, start: number, end: number): number {
    return this.blocks.seek(target, start, end)
  }

  /** Of the stored block in the file. */
  offsetOf(ordinal: number): number {
    return this.blocks.offsetOf(ordinal)
  }

  lengthOf(ordinal: number): number {
    return this.blocks.lengthOf(ordinal)
  }

  /** The block out of its stored bytes. Throws `FormatError`. */
  openBlock(ordinal: number, bytes: Uint8Array): BlockReader {
    const offset = this.offsetOf(ordinal)
    const plain = openStored(this.sealed, Layout.entries, { bytes, offset })
    return decodingAt(offset, () => {
      const block = BlockReader.open(plain)
      this.checkLast(ordinal, block)
      return block
    })
  }

  /** A search that the index sends to this block relies on it. */
  private checkLast(ordinal: number, block: BlockReader): void {
    block.read(block.count - 1, last)
    const isAsNamed = this.blocks.endsWith(ordinal, last.bytes, last.keyStart, last.keyEnd)
    if (!isAsNamed) throw new FormatError("a block does not end with the key that the index names", last.keyStart)
  }
}

const bytesOf = (removals: ReadonlyArray<RangeRemoval>): number =>
  removals.reduce((sum, { from, to }) => sum + removalBytes + from.length + to.length, 0)
