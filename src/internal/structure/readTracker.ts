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
  keys: Array<Uint8Array> = []
  ranges: Array<TrackedRange> = []
  private readonly bytesMax: number
  private bytes = 0

  /** Over so many bytes it stops counting single reads and takes all to have been read. */
  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  key(bytes: Uint8Array, start: number, end: number): void {
    if (!this.hasRoom(end - start)) return
    this.keys.push(bytes.slice(start, end))
  }

  /** All of the range. */
  range(range: KeyRange): TrackedRange {
    const tracked = {
      from: range.from,
      fromExclusive: !range.fromInclusive,
      to: range.to,
      toInclusive: range.toInclusive
    }
    if (this.hasRoom(range.from.length + (range.to?.length ?? 0))) this.ranges.push(tracked)
    return tracked
  }

  /** Begins a scan of which nothing is handed out yet. */
  scan(range: KeyRange, forward: boolean): ScanTracker {
    return new ScanTracker(this, range, forward)
  }

  /**
   * What lies between two places that a cursor stood on, both included. A cursor that walks on gives its last range,
   * which is then made longer instead of adding one for each step. Only the cursor's own: a scan may still shrink its.
   */
  between(a: Uint8Array, b: Uint8Array, last: TrackedRange | undefined): TrackedRange {
    const [from, to] = compareKeys(a, b) <= 0 ? [a, b] : [b, a]
    if (last?.to !== undefined && compareKeys(from, last.to) === 0) {
      last.to = to
      return last
    }
    if (last !== undefined && compareKeys(to, last.from) === 0) {
      last.from = from
      return last
    }
    return this.range({ from, fromInclusive: true, to, toInclusive: true })
  }

  private hasRoom(bytes: number): boolean {
    if (this.bytes > this.bytesMax) return false
    this.bytes += bytes + readBytesFixed
    if (this.bytes <= this.bytesMax) return true
    this.keys = []
    this.ranges = [{ from: new Uint8Array(0), fromExclusive: false, to: undefined, toInclusive: false }]
    return false
  }
}

/** What remembering a read costs beside its keys. */
const readBytesFixed = 64

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
      this.tracked = this.tracker.range(this.range)
    }
    return this.tracked
  }
}
