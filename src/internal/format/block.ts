// A block of a table before it is sealed, layout 1: entries by key ascending, then sequence descending.
//
//   block := entry{count}  offset: u32{count}  count: u32  baseSequence: u64
//   entry := keyLength: varint  key  kind: u8  flags: u8  sequenceDelta: varint
//            [valueLength: varint  value]  [expiresAt: varint]  [userMeta: u8]
//
//   offset         of each entry; the first is 0, each begins where the one before ends, the last ends at the offsets
//   count          at least 1
//   baseSequence   the lowest sequence in the block; an entry's is baseSequence + sequenceDelta
//
// Fields of an entry are as in record.ts, but a removeRange is never in a block. The key comes first so that a search
// touches an offset, a length and the key. Readers check the structure once, when a block is opened, and not again.
import { readU32, readU64, writeU32, writeU64 } from "./bytes.ts"
import { compareBytes } from "./compare.ts"
import { entryBytes, type EntryView, makeEntryView, PendingEntries, readEntry } from "./blockEntry.ts"
import { FormatError } from "./formatError.ts"
import { readVarint, varintBytes } from "./varint.ts"

const tailBytes = 12
const entryBytesMin = 4

/** Collects the entries of one block; reused from block to block. */
export class BlockBuilder {
  private readonly entries = new PendingEntries()
  /** About how long the block would be now: exact but for the sequences. */
  bytes = tailBytes

  get count(): number {
    return this.entries.count
  }

  /** How much `add` of this entry would add to `bytes`. */
  static bytesOf(entry: EntryView): number {
    return entryBytes(entry, 0) + 4
  }

  /** Copies the entry. The caller adds in table order. */
  add(entry: EntryView): void {
    this.entries.add(entry)
    this.bytes += BlockBuilder.bytesOf(entry)
  }

  /** How long the block is. */
  plainBytes(): number {
    const { entries } = this
    return entries.encodedBytes(entries.sequenceMin()) + entries.count * 4 + tailBytes
  }

  /** Writes the `plainBytes` of the block, and leaves an empty builder. */
  finish(target: Uint8Array, start: number): void {
    const { entries } = this
    const { count } = entries
    const base = entries.sequenceMin()
    let place = start + entries.encodedBytes(base)
    let at = start
    for (let index = 0; index < count; index++) {
      writeU32(target, place, at - start)
      place += 4
      at = entries.write(index, base, target, at)
    }
    writeU32(target, place, count)
    writeU64(target, place + 4, base)
    entries.reset()
    this.bytes = tailBytes
  }
}

/** A block in memory, without a copy of its bytes, which must never change. Lookups allocate nothing. */
export class BlockReader {
  readonly bytes: Uint8Array
  readonly count: number
  readonly isLent: boolean
  private readonly offsetsStart: number
  private readonly baseSequence: number

  private constructor(bytes: Uint8Array, count: number, given: { readonly base: number; readonly isLent: boolean }) {
    this.bytes = bytes
    this.count = count
    this.isLent = given.isLent
    this.offsetsStart = bytes.length - tailBytes - count * 4
    this.baseSequence = given.base
  }

  /** Checks the structure, not the order. `isLent`: the bytes change when they were looked at. Throws `FormatError`. */
  static open(plain: Uint8Array, isLent = false): BlockReader {
    const count = plain.length < tailBytes ? 0 : readU32(plain, plain.length - tailBytes)
    if (count === 0 || count * (entryBytesMin + 4) > plain.length - tailBytes) {
      throw new FormatError(`a block of ${plain.length} bytes with ${count} entries`, plain.length - tailBytes)
    }
    const block = new BlockReader(plain, count, { base: readU64(plain, plain.length - 8), isLent })
    block.check()
    return block
  }

  /** Fills the view with the entry, an index below `count`. */
  read(index: number, into: EntryView): void {
    into.bytes = this.bytes
    readEntry(this.bytes, readU32(this.bytes, this.offsetsStart + index * 4), this.offsetsStart, into)
    into.sequence += this.baseSequence
  }

  /** The first index whose key is at or after target[start, end); `count` if there is none. */
  seek(target: Uint8Array, start: number, end: number): number {
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.compareKey(middle, target, start, end) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  /** The first index whose key is after the target, or is the target with a sequence at or below the given one. */
  seekVersion(target: Uint8Array, start: number, end: number, sequence: number): number {
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      const order = this.compareKey(middle, target, start, end)
      if (order < 0 || (order === 0 && this.sequenceAt(middle, end - start) > sequence)) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Throws `FormatError` unless keys ascend and the sequences of a key descend: for `verify`, not for each load. */
  checkOrder(): void {
    for (let index = 1; index < this.count; index++) {
      const keyStart = this.keyStart(index)
      const keyEnd = keyStart + readVarint(this.bytes, this.offsetAt(index), this.offsetsStart)
      const order = this.compareKey(index - 1, this.bytes, keyStart, keyEnd)
      const length = keyEnd - keyStart
      if (order > 0 || (order === 0 && this.sequenceAt(index - 1, length) <= this.sequenceAt(index, length))) {
        throw new FormatError(`entry ${index} of a block is out of order`, this.offsetAt(index))
      }
    }
  }

  private check(): void {
    const { bytes, count, offsetsStart } = this
    const view = makeEntryView()
    let at = 0
    for (let index = 0; index < count; index++) {
      if (readU32(bytes, offsetsStart + index * 4) !== at) throw new FormatError("an offset in a block is wrong", at)
      const end = readEntry(bytes, at, offsetsStart, view)
      if (view.sequence + this.baseSequence > Number.MAX_SAFE_INTEGER)
        throw new FormatError("a sequence is too large", at)
      at = end
    }
    if (at !== offsetsStart) throw new FormatError("a block is longer than its entries", at)
  }

  private offsetAt(index: number): number {
    return readU32(this.bytes, this.offsetsStart + index * 4)
  }

  private keyStart(index: number): number {
    const offset = this.offsetAt(index)
    return offset + varintBytes(readVarint(this.bytes, offset, this.offsetsStart))
  }

  private compareKey(index: number, target: Uint8Array, start: number, end: number): number {
    const { bytes } = this
    const offset = readU32(bytes, this.offsetsStart + index * 4)
    const length = bytes[offset]
    if (length < 128) return compareBytes(bytes, offset + 1, offset + 1 + length, target, start, end)
    const long = readVarint(bytes, offset, this.offsetsStart)
    const keyStart = offset + varintBytes(long)
    return compareBytes(bytes, keyStart, keyStart + long, target, start, end)
  }

  private sequenceAt(index: number, keyLength: number): number {
    return this.baseSequence + readVarint(this.bytes, this.keyStart(index) + keyLength + 2, this.offsetsStart)
  }
}
