// The entries of one chunk of a scan: their bytes are gathered in one place and copied once, and the entries are views
// into that copy. Of a value that is not with its record, the handle is gathered; the values of a chunk are then read
// together, or each when somebody asks for it.
//
// Key and value lie side by side in arenas and blocks: they are copied as one piece, with the few bytes between them.
import { copyBytes } from "../format/bytes.ts"
import { readHandle } from "../format/valueHandle.ts"
import type { EntryView } from "../structure/entry.ts"
import { userKeyStart } from "./userKeys.ts"
import { isSeparated, type Separated } from "./valueReads.ts"

/** What is gathered of an entry: all of it, all but values that are not with their records, its key, or nothing. */
export type Parts = "entries" | "lazy" | "keys" | "count"

const bytesInitial = 16 * 1024
/** Numbers kept of an entry, by these names. */
const At = {
  keyStart: 0,
  keyEnd: 1,
  valueStart: 2,
  valueEnd: 3,
  sequence: 4,
  expiresAt: 5,
  userMeta: 6,
  place: 7
} as const
const slots = 8
/** Places of values: with the record, in a value file, and in one of the transaction's own. */
const Place = { here: 0, separate: 1, own: 2 } as const

// Where entries are gathered. What one scan leaves the next one takes: short ones would spend more on growing it than
// on their entries.
interface Gathering {
  bytes: Uint8Array
  readonly numbers: Array<number>
}
const spareBytesMax = 512 * 1024
let spare: Gathering | undefined

export class ChunkBuilder {
  count = 0
  /** How many values are not with their records, and how long they are. */
  separate = 0
  valueBytes = 0
  private readonly parts: Parts
  private readonly lengthOf: (entry: EntryView) => number
  private filled = 0
  private into: Gathering | undefined = undefined

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
    const { bytes, keyEnd, valueEnd, valueStart } = entry
    const withValue = this.parts !== "keys"
    const separate = withValue && isSeparated(entry)
    if (separate) {
      this.separate += 1
      this.valueBytes += this.lengthOf(entry)
    }
    // The owner of a separate value is a stored key, with its keyspace.
    const start = separate ? entry.keyStart : userKeyStart(entry.keyStart)
    const end = withValue ? valueEnd : keyEnd
    const at = this.filled
    const { bytes: gathered, numbers } = this.reserved(end - start)
    copyBytes(gathered, at, bytes, start, end)
    const first = (this.count - 1) * slots
    numbers[first + At.keyStart] = at
    numbers[first + At.keyEnd] = at + keyEnd - start
    numbers[first + At.valueStart] = at + valueStart - start
    numbers[first + At.valueEnd] = at + end - start
    numbers[first + At.sequence] = own ? 0 : entry.sequence
    numbers[first + At.expiresAt] = entry.expiresAt
    numbers[first + At.userMeta] = entry.userMeta
    numbers[first + At.place] = separate ? (own ? Place.own : Place.separate) : Place.here
  }

  clear(): void {
    this.count = 0
    this.filled = 0
    this.separate = 0
    this.valueBytes = 0
  }

  /** The scan has ended. */
  close(): void {
    if (this.into !== undefined && this.into.bytes.length <= spareBytesMax) spare = this.into
    this.into = undefined
    this.clear()
  }

  /** A copy of the gathered bytes, which are then the chunk's. */
  take(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.gathering().bytes.subarray(0, this.filled))
  }

  /** The user's key, in the buffer of the bytes that were taken. */
  keyAt(index: number, buffer: ArrayBuffer): Uint8Array {
    const first = index * slots
    const numbers = this.into!.numbers
    const start = numbers[first]!
    const userStart = numbers[first + At.place] === Place.here ? start : userKeyStart(start)
    return new Uint8Array(buffer, userStart, numbers[first + At.keyEnd]! - userStart)
  }

  /** The value, or the handle of one that is not with its record. */
  valueAt(index: number, buffer: ArrayBuffer): Uint8Array {
    const start = this.into!.numbers[index * slots + At.valueStart]!
    return new Uint8Array(buffer, start, this.into!.numbers[index * slots + At.valueEnd]! - start)
  }

  sequenceAt(index: number): number {
    return this.into!.numbers[index * slots + At.sequence]!
  }

  expiresAt(index: number): number | undefined {
    const expiresAt = this.into!.numbers[index * slots + At.expiresAt]!
    return expiresAt === 0 ? undefined : expiresAt
  }

  userMetaAt(index: number): number {
    return this.into!.numbers[index * slots + At.userMeta]!
  }

  /** The value of an entry, if it is not among the bytes that were taken. */
  separatedAt(index: number, bytes: Uint8Array): Separated | undefined {
    const { numbers } = this.into!
    const first = index * slots
    const place = numbers[first + At.place]
    if (place === Place.here) return undefined
    const keyStart = numbers[first]!
    const owner = { bytes, keyStart, keyEnd: numbers[first + At.keyEnd]!, sequence: this.sequenceAt(index) }
    const handle = readHandle(bytes, numbers[first + At.valueStart]!, numbers[first + At.valueEnd]!)
    return { handle, owner, own: place === Place.own }
  }

  private gathering(): Gathering {
    if (this.into === undefined) {
      this.into = spare ?? { bytes: new Uint8Array(bytesInitial), numbers: [] }
      spare = undefined
    }
    return this.into
  }

  private reserved(bytes: number): Gathering {
    const into = this.gathering()
    const needed = this.filled + bytes
    if (needed > into.bytes.length) {
      const grown = new Uint8Array(Math.max(needed, 2 * into.bytes.length))
      grown.set(into.bytes.subarray(0, this.filled))
      into.bytes = grown
    }
    this.filled = needed
    return into
  }
}
