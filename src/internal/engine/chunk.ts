// The entries of one chunk of a scan: their bytes are gathered in one place and copied once, and the entries are views
// into that copy. Of a value that is not with its record, the handle is gathered; the values of a chunk are then read
// together, or each when somebody asks for it.
import { readHandle } from "../format/valueHandle.ts"
import type { EntryView } from "../structure/entry.ts"
import { userKeyStart } from "./userKeys.ts"
import { isSeparated, type Separated } from "./valueReads.ts"

/** What is gathered of an entry: all of it, all but values that are not with their records, its key, or nothing. */
export type Parts = "entries" | "lazy" | "keys" | "count"

const bytesInitial = 4096
/** Numbers kept of an entry: key start, value start, value end, sequence, expiry, user meta, place of the value. */
const slots = 7
/** Places of values: with the record, in a value file, and in one of the transaction's own. */
const Place = { here: 0, separate: 1, own: 2 } as const

export class ChunkBuilder {
  count = 0
  /** How many values are not with their records, and how long they are. */
  separate = 0
  valueBytes = 0
  private readonly parts: Parts
  private readonly lengthOf: (entry: EntryView) => number
  private filled = 0
  private buffer = new Uint8Array(0)
  private numbers: Array<number> = []

  /** `lengthOf`: of a value that is not with its record. */
  constructor(parts: Parts, lengthOf: (entry: EntryView) => number) {
    this.parts = parts
    this.lengthOf = lengthOf
  }

  /** What the chunk will hold, with the values that are read for it. */
  get bytes(): number {
    return this.parts === "lazy" ? this.filled : this.filled + this.valueBytes
  }

  /** Throws what `lengthOf` does. */
  add(entry: EntryView, own: boolean): void {
    this.count += 1
    if (this.parts === "count") return
    const withValue = this.parts !== "keys"
    const separate = withValue && isSeparated(entry)
    if (separate) {
      this.separate += 1
      this.valueBytes += this.lengthOf(entry)
    }
    // The owner of a separate value is a stored key, with its keyspace.
    const start = separate ? entry.keyStart : userKeyStart(entry.keyStart)
    const keyLength = entry.keyEnd - start
    const valueLength = withValue ? entry.valueEnd - entry.valueStart : 0
    const at = this.filled
    this.reserve(keyLength + valueLength)
    copy(entry.bytes, { start, end: entry.keyEnd }, this.buffer, at)
    if (withValue) copy(entry.bytes, { start: entry.valueStart, end: entry.valueEnd }, this.buffer, at + keyLength)
    const place = separate ? (own ? Place.own : Place.separate) : Place.here
    const sequence = own ? 0 : entry.sequence
    this.numbers.push(at, at + keyLength, this.filled, sequence, entry.expiresAt, entry.userMeta, place)
  }

  clear(): void {
    this.count = 0
    this.filled = 0
    this.separate = 0
    this.valueBytes = 0
    this.numbers = []
  }

  /** A copy of the gathered bytes, which are then the chunk's. */
  take(): Uint8Array {
    return this.buffer.slice(0, this.filled)
  }

  at(index: number): ReadonlyArray<number> {
    return this.numbers.slice(index * slots, (index + 1) * slots)
  }

  /** Where the user's key begins in them. */
  userKeyStartAt(index: number): number {
    const start = this.numbers[index * slots]!
    return this.numbers[index * slots + 6] === Place.here ? start : userKeyStart(start)
  }

  /** The value of an entry, if it is not among the bytes that were taken. */
  separatedAt(index: number, bytes: Uint8Array): Separated | undefined {
    const [keyStart, keyEnd, end, sequence, , , place] = this.at(index)
    if (place === Place.here) return undefined
    const owner = { bytes, keyStart: keyStart!, keyEnd: keyEnd!, sequence: sequence! }
    return { handle: readHandle(bytes, keyEnd!, end!), owner, own: place === Place.own }
  }

  private reserve(bytes: number): void {
    const needed = this.filled + bytes
    if (needed > this.buffer.length) {
      const grown = new Uint8Array(Math.max(needed, 2 * this.buffer.length, bytesInitial))
      grown.set(this.buffer.subarray(0, this.filled))
      this.buffer = grown
    }
    this.filled = needed
  }
}

/** By hand below this length: `set` needs a view, about 60 ns before the first byte. */
const shortLength = 64

const copy = (
  from: Uint8Array,
  part: { readonly start: number; readonly end: number },
  to: Uint8Array,
  offset: number
): void => {
  const { end, start } = part
  if (end - start > shortLength) {
    to.set(from.subarray(start, end), offset)
    return
  }
  for (let index = start; index < end; index++) to[offset + index - start] = from[index]!
}
