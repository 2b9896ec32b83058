// The newest write of each key and range, as far back as an open transaction may have to know.
//
// Two generations: writes are learned into the younger; the older goes as a whole once no transaction needs any of it.
// When the younger is full (half of the memory limit), the older goes whether needed or not and the younger takes its
// place. Whatever goes raises `floor` to its highest sequence, so the index always knows every write above the floor;
// below it, it knows nothing, and a transaction that began there must be taken to conflict. A conflict is never missed.
//
// Measured beside other work at random 16-byte keys: learn and forget of each commit 0.25–0.5 µs, learn into 100 k keys
// that are still needed 0.7–1.1 µs and 95 bytes a key, newestFor 0.2–0.4 µs, a range after 10 recent writes 0.2 µs, in
// order 6 µs.
//
// A range is checked first against the latest writes, newest first: few were made since most transactions began, and no
// order is needed for it. After `recentMax` of them the keys of the range are walked in order instead.
import { compareBytes, hashKey } from "../format/compare.ts"
import { assert } from "../format/formatError.ts"
import { GrowingArena } from "./arena.ts"
import { KeyIndex } from "./keyIndex.ts"

/** What a transaction read. Without `from` or `to` it is open there. */
export interface ReadRange {
  readonly from: Uint8Array | undefined
  readonly fromExclusive: boolean
  readonly to: Uint8Array | undefined
  readonly toInclusive: boolean
}

const keysInitial = 32
const arenaBytesInitial = 1024
const recentMax = 64
// Ranges are looked through one by one.
const rangesMax = 1024
const rangeBytesFixed = 200
// With everything as large as growth by doubling makes it: record 24, slots 12, leaves 16, tail 4, sequence and links
// 16.
const indexBytesPerKey = 72

export class ConflictIndex {
  /** Every write above it is known; a transaction whose snapshot is below it must conflict. Check it first. */
  floor: number
  private readonly generationBytesMax: number
  private young: Generation
  private old: Generation | undefined = undefined

  /** `floor` is the sequence up to which writes were made before anybody was there to learn them. */
  constructor(options: { readonly bytesMax: number; readonly floor?: number }) {
    this.floor = options.floor ?? 0
    this.generationBytesMax = Math.floor(options.bytesMax / 2)
    this.young = new Generation(this.generationBytesMax)
  }

  get bytes(): number {
    return this.young.bytes + (this.old === undefined ? 0 : this.old.bytes)
  }

  /** A write of a key. Sequences never decrease from call to call. The bytes are copied if they are new. */
  learn(key: Uint8Array, start: number, end: number, sequence: number): void {
    const hash = hashKey(key, start, end)
    let id = this.young.index.find(key, start, end, hash)
    if (id < 0) {
      if (!this.young.hasRoom(end - start)) this.rotate()
      if (!this.young.hasRoom(end - start)) return this.giveUp(sequence)
      id = this.young.add(key.subarray(start, end), hash)
    }
    this.young.write(id, sequence)
  }

  /** A removal of all keys from `from` (inclusive) to `to` (exclusive). */
  learnRange(from: Uint8Array, to: Uint8Array | undefined, sequence: number): void {
    const bytes = from.length + (to === undefined ? 0 : to.length) + rangeBytesFixed
    if (!this.young.hasRangeRoom(bytes)) this.rotate()
    if (!this.young.hasRangeRoom(bytes)) return this.giveUp(sequence)
    this.young.writeRange({ from: from.slice(), to: to?.slice(), sequence, bytes })
  }

  /** The sequence of the newest known write of the key, by itself or in a range; 0 if none is known above the floor. */
  newestFor(key: Uint8Array, start: number, end: number): number {
    const hash = hashKey(key, start, end)
    const newest = this.young.newestFor(key, start, end, hash)
    return newest > 0 || this.old === undefined ? newest : this.old.newestFor(key, start, end, hash)
  }

  /** The sequence of a known write above the given one in the range, not always the newest; 0 if there is none. */
  writtenSince(range: ReadRange, sequence: number): number {
    const found = this.young.writtenSince(range, sequence)
    return found > 0 || this.old === undefined ? found : this.old.writtenSince(range, sequence)
  }

  /**
   * Nobody will ask about sequences at or below `below`: the lowest that an open or coming transaction can have as its
   * snapshot. `Infinity` forgets everything. Cheap enough for every commit.
   */
  forget(below: number): void {
    if (this.old !== undefined && this.old.highest <= below) this.dropOld()
    if (this.old !== undefined || this.young.isEmpty || this.young.highest > below) return
    this.floor = Math.max(this.floor, this.young.highest)
    this.young.reset()
  }

  private rotate(): void {
    this.dropOld()
    this.old = this.young
    this.young = new Generation(this.generationBytesMax)
  }

  private dropOld(): void {
    if (this.old === undefined) return
    this.floor = Math.max(this.floor, this.old.highest)
    this.old = undefined
  }

  // One key or range that is too large to be remembered at all: everybody who does not see it yet conflicts.
  private giveUp(sequence: number): void {
    this.floor = Math.max(this.floor, sequence)
    this.old = undefined
    this.young.reset()
  }
}

interface LearnedRange {
  readonly from: Uint8Array
  readonly to: Uint8Array | undefined
  readonly sequence: number
  readonly bytes: number
}

class Generation {
  readonly index: KeyIndex
  /** The highest sequence in it. */
  highest = 0
  private readonly arena: GrowingArena
  private readonly keysMax: number
  private readonly rangeBytesMax: number
  private sequences = new Float64Array(keysInitial)
  // The keys from the one written last to the one written first: two i32 a key, number + 1 of the key written next and
  // before.
  private links = new Int32Array(keysInitial * 2)
  private last = 0
  // By sequence.
  private ranges: Array<LearnedRange> = []
  private rangeBytes = 0

  constructor(bytesMax: number) {
    const arenaBytesMax = Math.floor(bytesMax / 4)
    this.rangeBytesMax = Math.floor(bytesMax / 8)
    this.keysMax = powerOfTwoWithin((bytesMax - arenaBytesMax - this.rangeBytesMax) / indexBytesPerKey)
    this.arena = new GrowingArena({ bytesInitial: arenaBytesInitial, bytesMax: arenaBytesMax })
    this.index = new KeyIndex(this.arena, keysInitial)
  }

  get bytes(): number {
    const own = this.sequences.byteLength + this.links.byteLength + this.rangeBytes
    return own + this.arena.bytes.length + this.index.bytes
  }

  get isEmpty(): boolean {
    return this.index.count === 0 && this.ranges.length === 0
  }

  hasRoom(keyBytes: number): boolean {
    return this.index.count < this.keysMax && keyBytes <= this.arena.capacity - this.arena.used
  }

  hasRangeRoom(bytes: number): boolean {
    return this.ranges.length < rangesMax && this.rangeBytes + bytes <= this.rangeBytesMax
  }

  add(key: Uint8Array, hash: number): number {
    const offset = this.arena.reserve(key.length)
    this.arena.bytes.set(key, offset)
    const id = this.index.add(offset, key.length, hash)
    if (id === this.sequences.length) this.grow()
    this.link(id)
    return id
  }

  write(id: number, sequence: number): void {
    this.raise(sequence)
    this.sequences[id] = sequence
    if (this.last === id + 1) return
    this.unlink(id)
    this.link(id)
  }

  writeRange(range: LearnedRange): void {
    this.raise(range.sequence)
    this.ranges.push(range)
    this.rangeBytes += range.bytes
  }

  newestFor(key: Uint8Array, start: number, end: number, hash: number): number {
    const id = this.index.find(key, start, end, hash)
    const newest = id < 0 ? 0 : this.sequences[id]
    for (let at = this.ranges.length - 1; at >= 0 && this.ranges[at].sequence > newest; at--) {
      const { from, sequence, to } = this.ranges[at]
      if (compareBytes(from, 0, from.length, key, start, end) > 0) continue
      if (to === undefined || compareBytes(key, start, end, to, 0, to.length) < 0) return sequence
    }
    return newest
  }

  writtenSince(range: ReadRange, sequence: number): number {
    if (this.highest <= sequence) return 0
    for (let at = this.ranges.length - 1; at >= 0 && this.ranges[at].sequence > sequence; at--) {
      if (overlaps(range, this.ranges[at])) return this.ranges[at].sequence
    }
    let next = this.last
    for (let steps = 0; next > 0 && this.sequences[next - 1] > sequence; steps++) {
      if (steps === recentMax) return this.writtenInOrder(range, sequence)
      if (this.contains(range, next - 1)) return this.sequences[next - 1]
      next = this.links[(next - 1) * 2 + 1]
    }
    return 0
  }

  reset(): void {
    this.index.reset()
    this.arena.reset()
    this.highest = 0
    this.last = 0
    if (this.ranges.length > 0) this.ranges = []
    this.rangeBytes = 0
    if (this.sequences.length === keysInitial) return
    this.sequences = new Float64Array(keysInitial)
    this.links = new Int32Array(keysInitial * 2)
  }

  private writtenInOrder(range: ReadRange, sequence: number): number {
    const { from, to } = range
    const order = this.index.order
    order.settle()
    let position = from === undefined ? order.first() : order.atLeast(from, 0, from.length)
    const stop = to === undefined ? -1 : order.atLeast(to, 0, to.length)
    for (; position >= 0 && position !== stop; position = order.next(position)) {
      // An inverted range begins behind its end.
      if (stop >= 0 && position > stop) return 0
      const id = order.at(position)
      if (this.sequences[id] > sequence && this.contains(range, id)) return this.sequences[id]
    }
    if (stop < 0 || position < 0) return 0
    const id = order.at(stop)
    return this.sequences[id] > sequence && this.contains(range, id) ? this.sequences[id] : 0
  }

  private contains(range: ReadRange, id: number): boolean {
    const { from, to } = range
    const bytes = this.arena.bytes
    const start = this.index.keyStart(id)
    const end = this.index.keyEnd(id)
    if (from !== undefined) {
      const order = compareBytes(bytes, start, end, from, 0, from.length)
      if (order < 0 || (order === 0 && range.fromExclusive)) return false
    }
    if (to === undefined) return true
    const order = compareBytes(bytes, start, end, to, 0, to.length)
    return order < 0 || (order === 0 && range.toInclusive)
  }

  private raise(sequence: number): void {
    assert(sequence >= this.highest, "writes are learned in the order of their sequences")
    this.highest = sequence
  }

  private link(id: number): void {
    this.links[id * 2] = 0
    this.links[id * 2 + 1] = this.last
    if (this.last > 0) this.links[(this.last - 1) * 2] = id + 1
    this.last = id + 1
  }

  private unlink(id: number): void {
    const next = this.links[id * 2]
    const before = this.links[id * 2 + 1]
    this.links[(next - 1) * 2 + 1] = before
    if (before > 0) this.links[(before - 1) * 2] = next
  }

  private grow(): void {
    const sequences = new Float64Array(this.sequences.length * 2)
    sequences.set(this.sequences)
    const links = new Int32Array(this.links.length * 2)
    links.set(this.links)
    this.sequences = sequences
    this.links = links
  }
}

const overlaps = (range: ReadRange, learned: LearnedRange): boolean => {
  const { from, to } = range
  if (from !== undefined && learned.to !== undefined) {
    if (compareBytes(from, 0, from.length, learned.to, 0, learned.to.length) >= 0) return false
  }
  if (to === undefined) return true
  const order = compareBytes(learned.from, 0, learned.from.length, to, 0, to.length)
  return order < 0 || (order === 0 && range.toInclusive)
}

const powerOfTwoWithin = (count: number): number => {
  let power = 16
  while (power * 2 <= count) power *= 2
  return power
}
