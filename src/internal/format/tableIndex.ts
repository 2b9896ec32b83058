// Where the blocks of a table are, and which keys they end with.
//
//   index := count: u32  block{count}
//   block := length: u32  keyLength: varint  lastKey
//
// Blocks stand without gaps from behind the file header, so their offsets follow from their lengths. Last keys ascend;
// they may be equal, since the versions of one key may fill several blocks.
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

  finish(): Uint8Array {
    writeU32(this.writer.bytes, 0, this.count)
    return this.writer.finish()
  }
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

  /** Reads an index that fills the bytes, and that must name `blocksBytes` of blocks. Throws `FormatError`. */
  static open(plain: Uint8Array, blocksBytes: number): TableIndex {
    const count = plain.length < 4 ? 0 : readU32(plain, 0)
    // Walked to its end before anything is allocated for it: the typed arrays take 16 bytes a block, so they are at
    // most about three times as long as the bytes.
    const index = new TableIndex(count, keyBytesOf(plain, count))
    index.fill(plain)
    const end = count === 0 ? fileHeaderBytes : index.offsets[count - 1] + index.lengths[count - 1]
    if (end !== fileHeaderBytes + blocksBytes) throw new FormatError(`an index of ${end} bytes of blocks`, 0)
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

  private fill(plain: Uint8Array): void {
    const { count, keyOffsets, keys, lengths, offsets } = this
    let at = 4
    let offset = fileHeaderBytes
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
