// A position in a range as a reader sees it: only keys that are there (not removed by themselves or in a range, not
// expired at the reader's moment) and that pass the suffix filter.
//
// The sources may be replaced between moves (`rebind`), because a memtable was flushed or a scan paused: the cursor
// keeps a copy of the key it stands on and finds its place again from that. Nothing of a source needs to live longer
// than one move.
//
// A move is begun by `seek` or `move`, and driven by `run` until it answers `ready` (an entry is current) or `end`.
// `needs`: answer `request` and run again. `pause`: many keys were passed over; let others run, and run again.
import { Kind } from "../format/record.ts"
import type { Reach } from "./coverage.ts"
import type { EntryView, Request } from "./entry.ts"
import { compareKeys, isAfterStart, isBeforeEnd, type KeyRange } from "./keyRange.ts"
import type { Merge } from "./merge.ts"

export const Step = { ready: 0, end: 1, pause: 2, needs: 3 } as const
export type Step = (typeof Step)[keyof typeof Step]

/** Keys passed over between pauses: about 1 ms. */
const passedMax = 4096

type Position = "before" | "at" | "after"

export class RangeCursor {
  readonly range: KeyRange
  request: Request | undefined = undefined
  position: Position = "before"
  private merge: Merge
  private readonly suffix: Uint8Array | undefined
  private readonly nowMillis: () => number
  /** A copy of the current key, grown as needed. */
  private key: Uint8Array = new Uint8Array(64)
  private keyLength = 0
  private forward = true
  /**
   * What `run` does first: nothing left to do, move the merge on, by one key or over a range that was removed, find the
   * place after the copied key, or look at where the merge stands.
   */
  private todo: "nothing" | "move" | "skip" | "return" | "look" = "nothing"
  /** Whether the merge stands on the current key. */
  private attached = false
  /** Keys passed over since the last pause or answer. */
  private passed = 0
  /** Where an unfinished `seek` goes. */
  private sought: Uint8Array | undefined = undefined

  constructor(
    merge: Merge,
    options: { readonly range: KeyRange; readonly suffix: Uint8Array | undefined; readonly nowMillis: () => number }
  ) {
    this.merge = merge
    this.range = options.range
    this.suffix = options.suffix
    this.nowMillis = options.nowMillis
  }

  /** The current record. Only when `position` is `at` and since `run` answered `ready`. */
  get entry(): EntryView {
    return this.merge.entry
  }

  /** Which of the merge's sources the current record is of. */
  get source(): number {
    return this.merge.source
  }

  /** A copy of the current key, valid until the next move. */
  get currentKey(): Uint8Array {
    return this.key.subarray(0, this.keyLength)
  }

  /** Goes on with other sources that show the same moment. A move that is not finished begins again. */
  rebind(merge: Merge): void {
    this.merge = merge
    this.attached = false
    if (this.todo === "nothing" || this.todo === "return") return
    if (this.sought !== undefined) this.seek(this.sought, this.forward)
    else this.move(this.forward)
  }

  /**
   * To the first key at or after (forward) or the last at or before the given one, within the range. The key must not
   * change until `run` has ended.
   */
  seek(key: Uint8Array, forward: boolean): void {
    this.forward = forward
    this.sought = key
    if (forward && !isAfterStart(this.range, key, 0, key.length)) this.seekStart()
    else if (!forward && !isBeforeEnd(this.range, key, 0, key.length)) this.seekEnd()
    else this.seekMerge(key, true)
    this.todo = "look"
  }

  /** One key on. From before the range (or beyond it) to its first (or last) key in the direction. */
  move(forward: boolean): void {
    // A move before this one that failed or was interrupted has left the merge anywhere.
    if (this.todo !== "nothing") this.attached = false
    this.forward = forward
    this.sought = undefined
    if (this.position === "at") {
      this.todo = this.attached ? "move" : "return"
    } else if (this.position === (forward ? "after" : "before")) {
      this.todo = "nothing"
    } else {
      if (forward) this.seekStart()
      else this.seekEnd()
      this.todo = "look"
    }
  }

  /** Stands on a key that is not there: the next one is found from it. */
  standAt(key: Uint8Array): void {
    this.holdKey(key, 0, key.length)
    this.attached = false
    this.todo = "nothing"
  }

  /** Puts the cursor beyond the range's end, so that moving back finds the last key. */
  toEnd(): void {
    this.position = "after"
  }

  run(): Step {
    if (this.todo === "nothing") return Step.end
    if (this.todo === "return") {
      this.seekMerge(this.currentKey, false)
      this.todo = "look"
    }
    // Blocks that are read on the way do not begin the count anew: they may come without a pause.
    for (; this.passed < passedMax; this.passed++) {
      if (this.todo === "move") this.merge.move(this.forward)
      else if (this.todo === "skip") this.merge.skip(this.isBeyond)
      this.todo = "look"
      this.request = this.merge.resume()
      if (this.request !== undefined) return Step.needs
      if (!this.merge.valid || !this.isInside(this.merge.entry)) return this.finish()
      const { coverage } = this.merge
      if (coverage !== undefined) {
        this.request = coverage.ask(this.merge.entry, this.forward)
        if (this.request !== undefined) return Step.needs
        if (coverage.hides(this.merge.source, this.merge.entry.sequence)) {
          this.todo = "skip"
          continue
        }
      }
      if (this.isThere(this.merge.entry)) {
        this.hold(this.merge.entry)
        this.attached = true
        this.todo = "nothing"
        this.passed = 0
        return Step.ready
      }
      this.todo = "move"
    }
    // Others run now and may take the sources away: remember the place by its key.
    this.hold(this.merge.entry)
    this.attached = false
    this.todo = "return"
    this.passed = 0
    return Step.pause
  }

  private seekStart(): void {
    this.seekMerge(this.range.from, this.range.fromInclusive)
  }

  private seekEnd(): void {
    if (this.range.to === undefined) this.merge.seekEnd(false)
    else this.seekMerge(this.range.to, this.range.toInclusive)
  }

  private seekMerge(key: Uint8Array, inclusive: boolean): void {
    this.merge.seek({ key, start: 0, end: key.length, forward: this.forward, inclusive })
  }

  private finish(): Step {
    this.passed = 0
    this.position = this.forward ? "after" : "before"
    this.todo = "nothing"
    return Step.end
  }

  private isInside(entry: EntryView): boolean {
    return this.forward
      ? isBeforeEnd(this.range, entry.bytes, entry.keyStart, entry.keyEnd)
      : isAfterStart(this.range, entry.bytes, entry.keyStart, entry.keyEnd)
  }

  /** Whether no key of the range lies beyond the reach. */
  private readonly isBeyond = ({ bound, holdsAtBound }: Reach): boolean => {
    const { from, fromInclusive } = this.range
    if (this.forward) return !isBeforeEnd(this.range, bound, 0, bound.length)
    const order = compareKeys(bound, from)
    return order < 0 || (order === 0 && (holdsAtBound || !fromInclusive))
  }

  private isThere(entry: EntryView): boolean {
    if (entry.kind === Kind.remove) return false
    if (entry.expiresAt !== 0 && entry.expiresAt <= this.nowMillis()) return false
    const suffix = this.suffix
    if (suffix === undefined) return true
    const from = entry.keyEnd - suffix.length
    // The keyspace byte is not part of the user's key, so a suffix cannot reach it.
    if (from <= entry.keyStart) return false
    for (let index = 0; index < suffix.length; index++) if (entry.bytes[from + index] !== suffix[index]) return false
    return true
  }

  private hold(entry: EntryView): void {
    this.holdKey(entry.bytes, entry.keyStart, entry.keyEnd)
  }

  private holdKey(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start
    if (length > this.key.length) this.key = new Uint8Array(2 * length)
    for (let index = 0; index < length; index++) this.key[index] = bytes[start + index]!
    this.keyLength = length
    this.position = "at"
  }
}
