// The entries of one chunk of a scan: their bytes are gathered in one place and copied once, and the entries are views
// into that copy.
import type { Entry } from "../../services/Database.ts"
import type { EntryView } from "../structure/entry.ts"
import { userKeyStart } from "./userKeys.ts"

type Parts = "entries" | "keys" | "count"

/** What a chunk is made into. */
export interface ChunkShape<A> {
  readonly parts: Parts
  readonly build: (builder: ChunkBuilder) => ReadonlyArray<A>
}

const bytesInitial = 4096
/** Numbers kept of an entry: key start, value start, value end, sequence, expiry, user meta. */
const slots = 6

export class ChunkBuilder {
  count = 0
  bytes = 0
  private readonly parts: Parts
  private buffer = new Uint8Array(0)
  private numbers: Array<number> = []

  constructor(parts: Parts) {
    this.parts = parts
  }

  add(entry: EntryView, own: boolean): void {
    this.count += 1
    if (this.parts === "count") return
    const keyStart = userKeyStart(entry.keyStart)
    const withValue = this.parts === "entries"
    const keyLength = entry.keyEnd - keyStart
    const valueLength = withValue ? entry.valueEnd - entry.valueStart : 0
    const at = this.bytes
    this.reserve(keyLength + valueLength)
    copy(entry.bytes, { start: keyStart, end: entry.keyEnd }, this.buffer, at)
    if (withValue) copy(entry.bytes, { start: entry.valueStart, end: entry.valueEnd }, this.buffer, at + keyLength)
    this.numbers.push(at, at + keyLength, this.bytes, own ? 0 : entry.sequence, entry.expiresAt, entry.userMeta)
  }

  clear(): void {
    this.count = 0
    this.bytes = 0
    this.numbers = []
  }

  /** A copy of the gathered bytes, which are then the chunk's. */
  take(): Uint8Array {
    return this.buffer.slice(0, this.bytes)
  }

  at(index: number): ReadonlyArray<number> {
    return this.numbers.slice(index * slots, (index + 1) * slots)
  }

  private reserve(bytes: number): void {
    const needed = this.bytes + bytes
    if (needed > this.buffer.length) {
      const grown = new Uint8Array(Math.max(needed, 2 * this.buffer.length, bytesInitial))
      grown.set(this.buffer.subarray(0, this.bytes))
      this.buffer = grown
    }
    this.bytes = needed
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

export const entryShape: ChunkShape<Entry> = {
  parts: "entries",
  build: (builder) => {
    const bytes = builder.take()
    const entries: Array<Entry> = []
    for (let index = 0; index < builder.count; index++) {
      const [keyStart, valueStart, end, sequence, expiresAt, userMeta] = builder.at(index)
      entries.push({
        key: bytes.subarray(keyStart, valueStart),
        value: bytes.subarray(valueStart, end),
        sequence: sequence!,
        expiresAt: expiresAt === 0 ? undefined : expiresAt,
        userMeta: userMeta!
      })
    }
    return entries
  }
}

export const keyShape: ChunkShape<Uint8Array> = {
  parts: "keys",
  build: (builder) => {
    const bytes = builder.take()
    const keys: Array<Uint8Array> = []
    for (let index = 0; index < builder.count; index++) {
      const [keyStart, end] = builder.at(index)
      keys.push(bytes.subarray(keyStart, end))
    }
    return keys
  }
}

/** Nothing is kept but how many there are. */
export const countShape: ChunkShape<never> = { parts: "count", build: () => [] }
