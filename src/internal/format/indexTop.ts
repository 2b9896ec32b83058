// What stands in the place of an index that was cut into partitions: where they are, and which keys they answer for.
//
//   top       := count: u32  partition{count}
//   partition := length: u32  blockCount: varint  blocksBytes: varint  boundLength: varint  bound
//
//   length       of the stored partition; they stand without gaps, and so do their blocks
//   bound        at or after the partition's last key, and at or before the last key of the block that follows it. The
//                last one's is its last key
//
// So a search for a key goes into the first partition whose bound is at or after it. If that has no block whose last
// key is at or after the key, the block sought is the first of the next partition, which need not be read to tell.
// Bounds are shortened as far as that allows: keys may be long, and the top stays in memory.
import { ByteReader, ByteWriter } from "./bytes.ts"
import { compareBytes } from "./compare.ts"
import { fileHeaderBytes } from "./fileHeader.ts"
import { FormatError } from "./formatError.ts"
import { storedKeyBytesMax } from "./record.ts"
import { type Partition, TableIndex } from "./tableIndex.ts"

const partitionBytesMin = 7

/** Of partitions, and the lengths in which they are stored. */
export const encodeIndexTop = (partitions: ReadonlyArray<Partition>, lengths: ReadonlyArray<number>): Uint8Array => {
  const writer = new ByteWriter()
  writer.u32(partitions.length)
  for (const [index, { blockCount, blocksBytes, bound }] of partitions.entries()) {
    writer.u32(lengths[index])
    writer.varint(blockCount)
    writer.varint(blocksBytes)
    writer.sized(bound)
  }
  return writer.finish()
}

/** The top in memory. */
export class IndexTop {
  readonly count: number
  /** Of each stored partition in the file. */
  readonly offsets: Float64Array
  readonly lengths: Uint32Array
  /** The bound of partition i is keys[keyOffsets[i], keyOffsets[i + 1]). */
  readonly keys: Uint8Array
  readonly keyOffsets: Uint32Array
  /** The first block of each partition, and at the end the number of all. */
  readonly firstBlocks: Uint32Array
  /** Where it stands in the file, and at the end where the blocks end. */
  readonly blockOffsets: Float64Array

  private constructor(count: number, keys: { readonly bytes: Uint8Array; readonly offsets: Uint32Array }) {
    this.count = count
    this.offsets = new Float64Array(count)
    this.lengths = new Uint32Array(count)
    this.keys = keys.bytes
    this.keyOffsets = keys.offsets
    this.firstBlocks = new Uint32Array(count + 1)
    this.blockOffsets = new Float64Array(count + 1)
  }

  /** Reads a top that fills the bytes; partitions and blocks must be as the footer says. Throws `FormatError`. */
  static open(
    plain: Uint8Array,
    footer: {
      readonly blockCount: number
      readonly blocksBytes: number
      readonly partitions: { readonly offset: number; readonly bytes: number }
    }
  ): IndexTop {
    const { blockCount, blocksBytes, partitions } = footer
    const reader = new ByteReader(plain)
    const count = reader.u32()
    if (count * partitionBytesMin > reader.remaining) throw new FormatError(`${count} partitions are cut off`, 0)
    const keys = new ByteWriter(plain.length)
    const top = new IndexTop(count, { bytes: keys.bytes, offsets: new Uint32Array(count + 1) })
    let offset = partitions.offset
    top.blockOffsets[0] = fileHeaderBytes
    for (let index = 0; index < count; index++) {
      const { offset: at } = reader
      top.offsets[index] = offset
      top.lengths[index] = reader.u32()
      offset += top.lengths[index]
      const blocks = reader.varint()
      if (blocks === 0) throw new FormatError("a partition without blocks", at)
      top.firstBlocks[index + 1] = Math.min(top.firstBlocks[index] + blocks, 0xffffffff)
      top.blockOffsets[index + 1] = top.blockOffsets[index] + reader.varint()
      keys.raw(reader.sized(storedKeyBytesMax))
      top.keyOffsets[index + 1] = keys.offset
      if (top.isBelowPrevious(index)) throw new FormatError("the bounds of partitions do not ascend", at)
    }
    reader.done()
    const isWhole =
      offset === partitions.offset + partitions.bytes &&
      top.firstBlocks[count] === blockCount &&
      top.blockOffsets[count] === fileHeaderBytes + blocksBytes
    if (!isWhole) throw new FormatError(`${count} partitions of ${top.firstBlocks[count]} blocks`, 0)
    return top
  }

  /** What it holds in memory. */
  get bytes(): number {
    const { blockOffsets, firstBlocks, keyOffsets, keys, lengths, offsets } = this
    const arrays = [blockOffsets, firstBlocks, keyOffsets, keys, lengths, offsets]
    return arrays.reduce((sum, array) => sum + array.buffer.byteLength, 0)
  }

  /** The first partition whose bound is at or after target[start, end); `count` if there is none. */
  seek(target: Uint8Array, start: number, end: number): number {
    const { keyOffsets, keys } = this
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compareBytes(keys, keyOffsets[middle], keyOffsets[middle + 1], target, start, end) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  /** The partition that the block is named in. */
  partitionOf(block: number): number {
    const { firstBlocks } = this
    let low = 0
    let high = this.count - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (firstBlocks[middle] <= block) low = middle
      else high = middle - 1
    }
    return low
  }

  /** A partition out of its plain bytes. Throws `FormatError`. */
  open(partition: number, plain: Uint8Array): TableIndex {
    const { blockOffsets, firstBlocks } = this
    const offset = blockOffsets[partition]
    const index = TableIndex.open(plain, blockOffsets[partition + 1] - offset, offset)
    if (index.count !== firstBlocks[partition + 1] - firstBlocks[partition]) {
      throw new FormatError(`a partition of ${index.count} blocks`, 0)
    }
    const { count, keyOffsets, keys } = index
    const isBetween =
      this.compareBound(partition, keys, keyOffsets[count - 1], keyOffsets[count]) >= 0 &&
      (partition === 0 || this.compareBound(partition - 1, keys, 0, keyOffsets[1]) <= 0)
    if (!isBetween) throw new FormatError("the keys of a partition are beyond its bounds", 0)
    return index
  }

  private compareBound(partition: number, bytes: Uint8Array, start: number, end: number): number {
    const { keyOffsets, keys } = this
    return compareBytes(keys, keyOffsets[partition], keyOffsets[partition + 1], bytes, start, end)
  }

  private isBelowPrevious(index: number): boolean {
    const { keyOffsets, keys } = this
    if (index === 0) return false
    const [start, end] = [keyOffsets[index], keyOffsets[index + 1]]
    return compareBytes(keys, start, end, keys, keyOffsets[index - 1], start) < 0
  }
}
