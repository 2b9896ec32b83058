// Where the blocks of an open table are, and which of them may hold a key: the table's index, packed for searching.
//
// A binary search over the blocks' last keys seldom looks at a key. What all last keys begin with is kept and compared
// once. Of what follows in each key, the first eight bytes, padded with zeros, are two u32: where they differ, they
// order the keys as their bytes do. Where they are equal, the key's tail decides:
//
//   tail := length: u8  rest      length: how many of the eight bytes are the key's own; rest: what follows them
//
// Against a search of the index as it is on disk: 24 bytes a block instead of 32 (random keys of 16 bytes), and a third
// less time, for the two arrays are dense, and bytes of keys are a cache miss a step.
import { compareBytes } from "../format/compare.ts"
import type { TableIndex } from "../format/tableIndex.ts"

const prefixBytes = 8

/** The u32 of bytes[at, at + 4) in the order of keys; what is behind `end` counts as zero. */
const prefixAt = (bytes: Uint8Array, at: number, end: number): number => {
  if (at + 4 <= end) {
    return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0
  }
  let prefix = 0
  if (at < end) prefix = bytes[at] << 24
  if (at + 1 < end) prefix |= bytes[at + 1] << 16
  if (at + 2 < end) prefix |= bytes[at + 2] << 8
  return prefix >>> 0
}

/** How many bytes the first and the last key, and so all between them, have in common. */
const sharedLength = ({ count, keyOffsets, keys }: TableIndex): number => {
  if (count === 0) return 0
  const last = keyOffsets[count - 1]
  const length = Math.min(keyOffsets[1], keyOffsets[count] - last)
  let shared = 0
  while (shared < length && keys[shared] === keys[last + shared]) shared += 1
  return shared
}

export class TableBlocks {
  readonly count: number
  private readonly shared: Uint8Array
  private readonly high: Uint32Array
  private readonly low: Uint32Array
  // The tail of block i is tails[tailOffsets[i], tailOffsets[i + 1]).
  private readonly tails: Uint8Array
  private readonly tailOffsets: Uint32Array
  // Of each block in the file, and of the end of the last one.
  private readonly offsets: Uint32Array | Float64Array

  /** Copies what it needs of the index. */
  constructor(index: TableIndex) {
    const { count, keyOffsets, keys, lengths, offsets } = index
    const end = count === 0 ? 0 : offsets[count - 1] + lengths[count - 1]
    this.count = count
    this.shared = keys.slice(0, sharedLength(index))
    this.high = new Uint32Array(count)
    this.low = new Uint32Array(count)
    this.tailOffsets = new Uint32Array(count + 1)
    this.offsets = end < 2 ** 32 ? new Uint32Array(count + 1) : new Float64Array(count + 1)
    this.offsets.set(offsets)
    this.offsets[count] = end
    for (let block = 0; block < count; block++) {
      const own = keyOffsets[block + 1] - keyOffsets[block] - this.shared.length
      this.tailOffsets[block + 1] = this.tailOffsets[block] + 1 + Math.max(0, own - prefixBytes)
    }
    this.tails = new Uint8Array(this.tailOffsets[count])
    for (let block = 0; block < count; block++)
      this.pack(block, keys.subarray(keyOffsets[block], keyOffsets[block + 1]))
  }

  /** What it holds in memory. */
  get bytes(): number {
    const { high, low, offsets, shared, tailOffsets, tails } = this
    return (
      high.byteLength + low.byteLength + offsets.byteLength + shared.length + tailOffsets.byteLength + tails.byteLength
    )
  }

  /** Of the stored block in the file. */
  offsetOf(block: number): number {
    return this.offsets[block]
  }

  /** Of the stored block. Blocks stand without gaps. */
  lengthOf(block: number): number {
    return this.offsets[block + 1] - this.offsets[block]
  }

  /** The first block whose last key is at or after target[start, end); `count` if there is none. Allocates nothing. */
  seek(target: Uint8Array, start: number, end: number): number {
    const { count, high, low, shared } = this
    for (let index = 0; index < shared.length; index++) {
      if (start + index === end) return 0
      const difference = target[start + index] - shared[index]
      if (difference !== 0) return difference < 0 ? 0 : count
    }
    const own = start + shared.length
    const targetHigh = prefixAt(target, own, end)
    const targetLow = prefixAt(target, own + 4, end)
    let first = 0
    let last = count
    while (first < last) {
      const middle = (first + last) >>> 1
      const middleHigh = high[middle]
      let isBefore = middleHigh < targetHigh
      if (middleHigh === targetHigh) {
        const middleLow = low[middle]
        isBefore = middleLow === targetLow ? this.compareTail(middle, target, own, end) < 0 : middleLow < targetLow
      }
      if (isBefore) first = middle + 1
      else last = middle
    }
    return first
  }

  /** Whether bytes[start, end) is the last key of the block. */
  endsWith(block: number, bytes: Uint8Array, start: number, end: number): boolean {
    const { high, low, shared } = this
    const own = start + shared.length
    return (
      own <= end &&
      compareBytes(bytes, start, own, shared, 0, shared.length) === 0 &&
      prefixAt(bytes, own, end) === high[block] &&
      prefixAt(bytes, own + 4, end) === low[block] &&
      this.compareTail(block, bytes, own, end) === 0
    )
  }

  /** The order of the block's last key against a target, which has what is shared before `own`, and the same prefix. */
  private compareTail(block: number, target: Uint8Array, own: number, end: number): number {
    const { tailOffsets, tails } = this
    const at = tailOffsets[block]
    const length = Math.min(prefixBytes, end - own)
    const order = tails[at] - length
    if (order !== 0 || length < prefixBytes) return order
    return compareBytes(tails, at + 1, tailOffsets[block + 1], target, own + prefixBytes, end)
  }

  private pack(block: number, key: Uint8Array): void {
    const own = this.shared.length
    this.high[block] = prefixAt(key, own, key.length)
    this.low[block] = prefixAt(key, own + 4, key.length)
    const at = this.tailOffsets[block]
    this.tails[at] = Math.min(prefixBytes, key.length - own)
    for (let from = own + prefixBytes; from < key.length; from++)
      this.tails[at + 1 + from - own - prefixBytes] = key[from]
  }
}
