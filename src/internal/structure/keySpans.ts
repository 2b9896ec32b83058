// The parts of the key space that some tables may hold keys of, as disjoint spans: is this key, or any of this range,
// in one of them?
import { compareBytes } from "../format/compare.ts"
import { compareKeys } from "./keyRange.ts"

/** From `smallest` to `largest`, both of them part of it. */
export interface Bounds {
  readonly smallest: Uint8Array
  readonly largest: Uint8Array
}

/** Their union: ascending, without common keys. */
export const unionOf = (all: Iterable<Bounds>): ReadonlyArray<Bounds> => {
  const sorted = [...all].sort((a, b) => compareKeys(a.smallest, b.smallest))
  const union: Array<Bounds> = []
  for (const { largest, smallest } of sorted) {
    const last = union.at(-1)
    if (last === undefined || compareKeys(last.largest, smallest) < 0) union.push({ smallest, largest })
    else if (compareKeys(last.largest, largest) < 0) union[union.length - 1] = { smallest: last.smallest, largest }
  }
  return union
}

export class KeySpans {
  private readonly spans: ReadonlyArray<Bounds>

  constructor(all: Iterable<Bounds>) {
    this.spans = unionOf(all)
  }

  contains(key: Uint8Array, start: number, end: number): boolean {
    const span = this.spans[this.firstEndingAt(key, start, end)]
    return span !== undefined && compareBytes(span.smallest, 0, span.smallest.length, key, start, end) <= 0
  }

  /** Whether any key from `from` up to but without `to` is in them. */
  overlaps(from: Uint8Array, to: Uint8Array): boolean {
    const span = this.spans[this.firstEndingAt(from, 0, from.length)]
    return span !== undefined && compareKeys(span.smallest, to) < 0
  }

  /** The first span that ends at the key or behind it. */
  private firstEndingAt(key: Uint8Array, start: number, end: number): number {
    const { spans } = this
    let first = 0
    let last = spans.length
    while (first < last) {
      const middle = (first + last) >>> 1
      const { largest } = spans[middle]!
      if (compareBytes(largest, 0, largest.length, key, start, end) < 0) first = middle + 1
      else last = middle
    }
    return first
  }
}
