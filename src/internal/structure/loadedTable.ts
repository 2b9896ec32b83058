// What is kept in memory of a table beside its blocks: where they are, which keys they may hold, and what they are
// opened with.
import { BlockReader } from "../format/block.ts"
import { type EntryView, makeEntryView } from "../format/blockEntry.ts"
import { mayContain } from "../format/filter.ts"
import { FormatError } from "../format/formatError.ts"
import { IndexTop } from "../format/indexTop.ts"
import { decodingAt, Layout } from "../format/storedBlock.ts"
import type { RangeRemoval, Section } from "../format/table.ts"
import type { PartsLike } from "./entry.ts"
import { RangeRemovals } from "./rangeRemovals.ts"
import { checkLengths } from "./tableFacts.ts"
import { TableBlocks } from "./tableBlocks.ts"
import { openStored, type ReadableParts, type SealedTable } from "./tableOpening.ts"

// Objects and buffers of a table and its parts; of a removal and the piece made of it.
const tableBytes = 1024
const removalBytes = 400

// One for all: it is filled and looked at within one synchronous step.
const last: EntryView = makeEntryView()

/**
 * The index is one piece that stays in memory, or a top that stays and partitions that are read when they are needed.
 */
export class LoadedTable implements PartsLike {
  readonly blockCount: number
  readonly partitionCount: number
  readonly rangeRemovals: RangeRemovals | undefined
  /** What it holds in memory. */
  readonly bytes: number
  private readonly sealed: SealedTable
  private readonly whole: TableBlocks | undefined
  private readonly top: IndexTop | undefined
  private readonly partitionUnsafe: (partition: number) => TableBlocks | undefined
  private readonly filter: Uint8Array | undefined

  /** `partitionUnsafe`: the partition if it is in memory. */
  constructor(opened: ReadableParts, partitionUnsafe: (partition: number) => TableBlocks | undefined) {
    const { fileTag, filter, footer, index, rangeRemovals, sealer } = opened
    this.blockCount = footer.blockCount
    this.rangeRemovals = rangeRemovals.length === 0 ? undefined : new RangeRemovals(rangeRemovals)
    this.sealed = { fileTag, sealer }
    this.whole = index instanceof IndexTop ? undefined : new TableBlocks(index)
    this.top = index instanceof IndexTop ? index : undefined
    this.partitionCount = this.top?.count ?? 0
    this.partitionUnsafe = partitionUnsafe
    this.filter = filter
    const indexBytes = this.whole?.bytes ?? this.top!.bytes
    this.bytes = tableBytes + indexBytes + (filter?.buffer.byteLength ?? 0) + bytesOf(rangeRemovals)
  }

  mayContain(hash: number, hashHigh: number): boolean {
    const { filter } = this
    return filter === undefined || mayContain(filter, hash, hashHigh)
  }

  blockFor(target: Uint8Array, start: number, end: number): number {
    const { whole } = this
    if (whole !== undefined) return whole.seek(target, start, end)
    const partition = this.partitionFor(target, start, end)
    if (partition === this.partitionCount) return this.blockCount
    const blocks = this.partitionUnsafe(partition)
    return blocks === undefined ? -1 : this.blockIn(partition, blocks.seek(target, start, end))
  }

  /** The partition that `blockFor` looks into; their number if it need not. */
  partitionFor(target: Uint8Array, start: number, end: number): number {
    return this.top?.seek(target, start, end) ?? 0
  }

  /** The partition that names the block. */
  partitionOf(ordinal: number): number {
    return this.top?.partitionOf(ordinal) ?? 0
  }

  /** The blocks of the partition, if they are in memory: all of the table where there are no partitions. */
  blocksUnsafe(partition: number): TableBlocks | undefined {
    return this.whole ?? this.partitionUnsafe(partition)
  }

  /** Of all blocks, the one that is so many behind the first of the partition. */
  blockIn(partition: number, own: number): number {
    return own + (this.top?.firstBlocks[partition] ?? 0)
  }

  /** Where the stored partition is in the file. */
  rangeOfPartition(partition: number): Section {
    const { lengths, offsets } = this.top!
    return { offset: offsets[partition], bytes: lengths[partition] }
  }

  /** Where the stored block is in the file, as the blocks of its partition say. */
  rangeOf(ordinal: number, blocks: TableBlocks): Section {
    const own = this.ownOrdinal(ordinal)
    return { offset: blocks.offsetOf(own), bytes: blocks.lengthOf(own) }
  }

  /** The partition out of its stored bytes. Throws `FormatError`. */
  openPartition(partition: number, bytes: Uint8Array): TableBlocks {
    const { offset } = this.rangeOfPartition(partition)
    const plain = openStored(this.sealed, Layout.index, { bytes, offset })
    return decodingAt(offset, () => {
      const index = this.top!.open(partition, plain)
      checkLengths(index)
      return new TableBlocks(index)
    })
  }

  /** The block out of its stored bytes, which may be in memory that is lent. Throws `FormatError`. */
  openBlock(
    ordinal: number,
    blocks: TableBlocks,
    stored: { readonly bytes: Uint8Array; readonly isLent: boolean }
  ): BlockReader {
    const { bytes } = stored
    const own = this.ownOrdinal(ordinal)
    const offset = blocks.offsetOf(own)
    const plain = openStored(this.sealed, Layout.entries, { bytes, offset })
    return decodingAt(offset, () => {
      // What was decrypted is in memory of its own.
      const block = BlockReader.open(plain, stored.isLent && plain.buffer === bytes.buffer)
      // A search that the index sends to this block relies on it.
      block.read(block.count - 1, last)
      const isAsNamed = blocks.endsWith(own, last.bytes, last.keyStart, last.keyEnd)
      if (!isAsNamed) throw new FormatError("a block does not end with the key that the index names", last.keyStart)
      if (!block.isLent) block.prepare()
      return block
    })
  }

  private ownOrdinal(ordinal: number): number {
    const { top } = this
    return top === undefined ? ordinal : ordinal - top.firstBlocks[top.partitionOf(ordinal)]
  }
}

const bytesOf = (removals: ReadonlyArray<RangeRemoval>): number =>
  removals.reduce((sum, { from, to }) => sum + removalBytes + from.length + to.length, 0)
