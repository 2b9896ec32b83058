// Where the blocks of a table are, and which keys they end with.
//
//   index := count: u32  block{count}
//   block := length: u32  keyLength: varint  lastKey
//
// Blocks stand without gaps, so their offsets follow from their lengths and from where the first one begins: behind the
// file header. Last keys ascend; they may be equal, since the versions of one key may fill several blocks.
//
// An index that is too long for one piece is cut into partitions, each an index of consecutive blocks (indexTop.ts).
import { ByteWriter, readU32, writeU32 } from "./bytes.ts"
import { compareBytes } from "./compare.ts"
import { fileHeaderBytes } from "./fileHeader.ts"
import { FormatError } from "./formatError.ts"
import { storedKeyBytesMax } from "./record.ts"
import { readVarint, varintBytes } from "./varint.ts"

/** Writes an index. */
export class TableIndexBuilder {
  count = 0
  private readonly writer = new ByteWriter(4096)

  constructor() {
    this.writer.u32(0)
  }

  /** The next block: its stored length, and bytes[keyStart, keyEnd), its last key. */
  add(length: number, bytes: Uint8Array, keyStart: number, keyEnd: number): void {
    this.writer.u32(length)
    this.writer.varint(keyEnd - keyStart)
    this.writer.range(bytes, keyStart, keyEnd)
    this.count += 1
  }

  /** How long the whole index is so far. */
  get bytes(): number {
    return this.writer.offset
  }

  finish(): Uint8Array {
    writeU32(this.writer.bytes, 0, this.count)
    return this.writer.finish()
  }

  /** The same in partitions of at most so many bytes, or of one block. */
  partitions(bytesMax: number): ReadonlyArray<Partition> {
    const { bytes, offset: end } = this.writer
    const partitions: Array<Partition> = []
    let start = 4
    let blockCount = 0
    let blocksBytes = 0
    for (let at = 4; at < end;) {
      const next = keyEndAt(bytes, at)
      blockCount += 1
      blocksBytes += readU32(bytes, at)
      if (next === end || keyEndAt(bytes, next) - start > bytesMax - 4) {
        const plain = new Uint8Array(4 + next - start)
        writeU32(plain, 0, blockCount)
        plain.set(bytes.subarray(start, next), 4)
        const last = lastKeyAt(bytes, at)
        const bound = next === end ? last.slice() : separator(last, lastKeyAt(bytes, next))
        partitions.push({ plain, blockCount, blocksBytes, bound })
        start = next
        blockCount = 0
        blocksBytes = 0
      }
      at = next
    }
    return partitions
  }
}

/** A piece of an index that can be read alone. */
export interface Partition {
  readonly plain: Uint8Array
  readonly blockCount: number
  readonly blocksBytes: number
  /** At or after its last key, and at or before the last key of the block that follows. */
  readonly bound: Uint8Array
}

// Of what the builder has written, and so without checks.
const keyEndAt = (bytes: Uint8Array, at: number): number => {
  const length = readVarint(bytes, at + 4, bytes.length)
  return at + 4 + varintBytes(length) + length
}

const lastKeyAt = (bytes: Uint8Array, at: number): Uint8Array => {
  const length = readVarint(bytes, at + 4, bytes.length)
  const start = at + 4 + varintBytes(length)
  return bytes.subarray(start, start + length)
}

/** The shortest key at or after `low` and at or before `high`, which is not below it. */
const separator = (low: Uint8Array, high: Uint8Array): Uint8Array => {
  let shared = 0
  while (shared < low.length && low[shared] === high[shared]) shared += 1
  return high.slice(0, shared === low.length ? shared : shared + 1)
}

/** An index in memory. */
export class TableIndex {
  readonly count: number
  /** Of each stored block in the file. */
  readonly offsets: Float64Array
  readonly lengths: Uint32Array
  /** The last key of block i is keys[keyOffsets[i], keyOffsets[i + 1]). */
  readonly keys: Uint8Array
  readonly keyOffsets: Uint32Array

  private constructor(count: number, keyBytes: number) {
    this.count = count
    this.offsets = new Float64Array(count)
    this.lengths = new Uint32Array(count)
    this.keys = new Uint8Array(keyBytes)
    this.keyOffsets = new Uint32Array(count + 1)
  }

  /**
   * Reads an index that fills the bytes, and that must name `blocksBytes` of blocks, the first of which stands at
   * `offset`. Throws `FormatError`.
   */
  static open(plain: Uint8Array, blocksBytes: number, offset = fileHeaderBytes): TableIndex {
    const count = plain.length < 4 ? 0 : readU32(plain, 0)
    // Walked to its end before anything is allocated for it: the typed arrays take 16 bytes a block, so they are at
    // most about three times as long as the bytes.
    const index = new TableIndex(count, keyBytesOf(plain, count))
    index.fill(plain, offset)
    const end = count === 0 ? offset : index.offsets[count - 1] + index.lengths[count - 1]
    if (end !== offset + blocksBytes) throw new FormatError(`an index of ${end - offset} bytes of blocks`, 0)
    return index
  }

  /** The index of which these are the partitions, in their order. */
  static joined(partitions: ReadonlyArray<TableIndex>): TableIndex {
    let count = 0
    let keyBytes = 0
    for (const partition of partitions) {
      count += partition.count
      keyBytes += partition.keys.length
    }
    const index = new TableIndex(count, keyBytes)
    let block = 0
    let keyStart = 0
    for (const partition of partitions) {
      index.offsets.set(partition.offsets, block)
      index.lengths.set(partition.lengths, block)
      index.keys.set(partition.keys, keyStart)
      for (let own = 0; own < partition.count; own++) {
        index.keyOffsets[block + own + 1] = keyStart + partition.keyOffsets[own + 1]
      }
      block += partition.count
      keyStart += partition.keys.length
    }
    return index
  }

  /** The first block whose last key is at or after target[start, end); `count` if there is none. Allocates nothing. */
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

  private fill(plain: Uint8Array, start: number): void {
    const { count, keyOffsets, keys, lengths, offsets } = this
    let at = 4
    let offset = start
    for (let block = 0; block < count; block++) {
      offsets[block] = offset
      lengths[block] = readU32(plain, at)
      offset += lengths[block]
      const keyLength = readVarint(plain, at + 4, plain.length)
      const keyStart = at + 4 + varintBytes(keyLength)
      at = keyStart + keyLength
      const to = keyOffsets[block]
      for (let index = 0; index < keyLength; index++) keys[to + index] = plain[keyStart + index]
      keyOffsets[block + 1] = to + keyLength
      if (block > 0 && compareBytes(keys, keyOffsets[block - 1], to, keys, to, to + keyLength) > 0) {
        throw new FormatError(`the last key of block ${block} is below that of the one before`, at)
      }
    }
  }
}

// Walks the index once, checking every length, so that `fill` need not.
const keyBytesOf = (plain: Uint8Array, count: number): number => {
  let at = 4
  let total = 0
  for (let block = 0; block < count; block++) {
    const keyLength = readVarint(plain, at + 4, plain.length)
    const keyStart = at + 4 + varintBytes(keyLength)
    if (keyLength > plain.length - keyStart || keyLength > storedKeyBytesMax) {
      throw new FormatError("a key in an index is too long", at)
    }
    total += keyLength
    at = keyStart + keyLength
  }
  if (at !== plain.length) throw new FormatError("an index is longer than its blocks", at)
  return total
}
