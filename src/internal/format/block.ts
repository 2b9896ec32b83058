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
//
// A block that is kept is prepared for searching, in its own memory: an offset that fits in 16 bits leaves 16 for the
// first two bytes of the key behind what all keys of the block begin with. A search then looks at the offsets, which
// lie together, and at one or two keys. Of a block that is in no processor's cache each key is 100 ns or more: gets of
// 1 M keys with all blocks in memory took 3.2 µs, 1.4 of them here, and take 2.6.
import { readU32, readU64, writeU32, writeU64 } from "./bytes.ts"
import { compareBytes } from "./compare.ts"
import { entryBytes, type EntryView, makeEntryView, PendingEntries, readEntry } from "./blockEntry.ts"
import { FormatError } from "./formatError.ts"
import { readVarint, varintBytes } from "./varint.ts"

const tailBytes = 12
const entryBytesMin = 4
/** Longer blocks are not prepared. */
const preparedBytesMax = 0x10000
const unprepared = -1

// One for all: it is filled within one synchronous step.
const checked: EntryView = makeEntryView()

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
  /** Of a place, the bits that are the offset. */
  private offsetMask = -1
  /** How many bytes all keys have in common; `unprepared` before it is known. */
  private shared = unprepared

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

  /** For searching often: changes its bytes, which must be nobody else's. */
  prepare(): void {
    const { bytes, count, offsetsStart } = this
    if (bytes.length > preparedBytesMax || this.shared !== unprepared) return
    const shared = this.sharedLength()
    for (let index = 0; index < count; index++) {
      const keyStart = this.keyStart(index)
      const place = offsetsStart + index * 4
      const own = prefixOf(bytes, keyStart + shared, this.keyEnd(index))
      bytes[place + 2] = own
      bytes[place + 3] = own >>> 8
    }
    this.offsetMask = 0xffff
    this.shared = shared
  }

  /** Fills the view with the entry, an index below `count`. */
  read(index: number, into: EntryView): void {
    into.bytes = this.bytes
    readEntry(this.bytes, this.offsetAt(index), this.offsetsStart, into)
    into.sequence += this.baseSequence
  }

  /** The first index whose key is at or after target[start, end); `count` if there is none. */
  seek(target: Uint8Array, start: number, end: number): number {
    return this.seekVersion(target, start, end, Infinity)
  }

  /** The first index whose key is after the target, or is the target with a sequence at or below the given one. */
  seekVersion(target: Uint8Array, start: number, end: number, sequence: number): number {
    if (this.shared > 0) {
      const first = this.keyStart(0)
      const sharedEnd = Math.min(end, start + this.shared)
      const order = compareBytes(target, start, sharedEnd, this.bytes, first, first + this.shared)
      if (order !== 0) return order < 0 ? 0 : this.count
    }
    return this.findVersion(target, start, end, sequence)
  }

  /** The same if a key of the block is the target; any index if none is. */
  findVersion(target: Uint8Array, start: number, end: number, sequence: number): number {
    const { bytes, offsetsStart, shared } = this
    const isPrepared = shared !== unprepared
    const prefix = isPrepared ? prefixOf(target, start + shared, end) : 0
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      let order = 0
      if (isPrepared) {
        const place = offsetsStart + middle * 4
        order = (bytes[place + 2] | (bytes[place + 3] << 8)) - prefix
      }
      if (order === 0) {
        order = this.compareKey(middle, target, start, end)
        if (order === 0 && this.sequenceAt(middle, end - start) > sequence) order = -1
      }
      if (order < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Throws `FormatError` unless keys ascend and the sequences of a key descend: for `verify`, not for each load. */
  checkOrder(): void {
    for (let index = 1; index < this.count; index++) {
      const keyStart = this.keyStart(index)
      const keyEnd = this.keyEnd(index)
      const order = this.compareKey(index - 1, this.bytes, keyStart, keyEnd)
      const length = keyEnd - keyStart
      if (order > 0 || (order === 0 && this.sequenceAt(index - 1, length) <= this.sequenceAt(index, length))) {
        throw new FormatError(`entry ${index} of a block is out of order`, this.offsetAt(index))
      }
    }
  }

  private check(): void {
    const { baseSequence, bytes, count, offsetsStart } = this
    let at = 0
    for (let index = 0; index < count; index++) {
      if (readU32(bytes, offsetsStart + index * 4) !== at) throw new FormatError("an offset in a block is wrong", at)
      const end = readEntry(bytes, at, offsetsStart, checked)
      if (checked.sequence + baseSequence > Number.MAX_SAFE_INTEGER)
        throw new FormatError("a sequence is too large", at)
      at = end
    }
    if (at !== offsetsStart) throw new FormatError("a block is longer than its entries", at)
  }

  private offsetAt(index: number): number {
    return readU32(this.bytes, this.offsetsStart + index * 4) & this.offsetMask
  }

  private keyStart(index: number): number {
    const offset = this.offsetAt(index)
    return offset + varintBytes(readVarint(this.bytes, offset, this.offsetsStart))
  }

  private keyEnd(index: number): number {
    return this.keyStart(index) + readVarint(this.bytes, this.offsetAt(index), this.offsetsStart)
  }

  /** How many bytes the first and the last key, and so all between them, have in common. */
  private sharedLength(): number {
    const { bytes } = this
    const first = this.keyStart(0)
    const last = this.keyStart(this.count - 1)
    const length = Math.min(this.keyEnd(0) - first, this.keyEnd(this.count - 1) - last)
    let shared = 0
    while (shared < length && bytes[first + shared] === bytes[last + shared]) shared += 1
    return shared
  }

  private compareKey(index: number, target: Uint8Array, start: number, end: number): number {
    const { bytes } = this
    const offset = this.offsetAt(index)
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

/** The two bytes at the offset in the order of keys; what is behind `end` counts as zero. */
const prefixOf = (bytes: Uint8Array, at: number, end: number): number =>
  at + 2 <= end ? (bytes[at] << 8) | bytes[at + 1] : at < end ? bytes[at] << 8 : 0
