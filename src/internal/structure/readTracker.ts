// What a serializable transaction has read: the keys it asked for and the ranges it was handed, whatever they held. A
// range grows while it is handed out.
import { compareKeys, type KeyRange } from "./keyRange.ts"

/** A range being read: from the range's start (or end, in reverse) as far as was handed out. */
export interface TrackedRange {
  from: Uint8Array
  fromExclusive: boolean
  to: Uint8Array | undefined
  toInclusive: boolean
}

export class ReadTracker {
  readonly keys: Array<Uint8Array> = []
  readonly ranges: Array<TrackedRange> = []
  /** Bytes remembered, for the limit. */
  bytes = 0

  key(bytes: Uint8Array, start: number, end: number): void {
    this.keys.push(bytes.slice(start, end))
    this.bytes += end - start
  }

  /** All of the range. */
  range(range: KeyRange): void {
    this.ranges.push({
      from: range.from,
      fromExclusive: !range.fromInclusive,
      to: range.to,
      toInclusive: range.toInclusive
    })
  }

  /** Begins a scan of which nothing is handed out yet. */
  scan(range: KeyRange, forward: boolean): ScanTracker {
    return new ScanTracker(this, range, forward)
  }

  /** What lies between two places that a cursor stood on, both included. */
  between(a: Uint8Array, b: Uint8Array): void {
    const [from, to] = compareKeys(a, b) <= 0 ? [a, b] : [b, a]
    const last = this.ranges.at(-1)
    // A cursor that walks on makes its last range longer instead of adding one for each step.
    if (last !== undefined && last.to !== undefined && last.toInclusive && !last.fromExclusive) {
      if (compareKeys(from, last.to) === 0) {
        last.to = to
        return
      }
      if (compareKeys(to, last.from) === 0) {
        last.from = from
        return
      }
    }
    this.ranges.push({ from, fromExclusive: false, to, toInclusive: true })
  }
}

export class ScanTracker {
  private readonly tracker: ReadTracker
  private readonly range: KeyRange
  private readonly forward: boolean
  private tracked: TrackedRange | undefined = undefined

  constructor(tracker: ReadTracker, range: KeyRange, forward: boolean) {
    this.tracker = tracker
    this.range = range
    this.forward = forward
  }

  /** Keys up to this one were handed out. The key must be a copy. */
  upTo(key: Uint8Array): void {
    const tracked = this.begin()
    if (this.forward) {
      tracked.to = key
      tracked.toInclusive = true
    } else {
      tracked.from = key
      tracked.fromExclusive = false
    }
  }

  /** The scan came to the end of its range. */
  whole(): void {
    const tracked = this.begin()
    tracked.from = this.range.from
    tracked.fromExclusive = !this.range.fromInclusive
    tracked.to = this.range.to
    tracked.toInclusive = this.range.toInclusive
  }

  private begin(): TrackedRange {
    if (this.tracked === undefined) {
      this.tracker.range(this.range)
      this.tracked = this.tracker.ranges.at(-1)!
    }
    return this.tracked
  }
}
