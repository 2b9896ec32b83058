// The cursor that users hold. Between moves it holds a copy of its entry and its moment, nothing else; a move takes up
// its place by the copied key if the files have changed meanwhile.
import * as Effect from "effect/Effect"
import type { Bytes, Cursor, Entry, Range } from "../../services/Database.ts"
import { Closed, type DatabaseError, fail } from "../../services/DatabaseError.ts"
import type { Moment } from "../../services/Oracle.ts"
import type { EntryView } from "../structure/entry.ts"
import { compareKeys } from "../structure/keyRange.ts"
import type { TrackedRange } from "../structure/readTracker.ts"
import { Step } from "../structure/rangeCursor.ts"
import { attempt, attemptNow } from "./attempt.ts"
import { Walk } from "./rangeReads.ts"
import { loadNow, type Reading, type ReadParts } from "./readContext.ts"
import { storedKey, userKeyStart } from "./userKeys.ts"

export class CursorReads implements Cursor {
  entry: Entry | undefined = undefined
  private readonly reading: Reading
  private readonly walk: Walk
  private readonly fillCache: boolean
  private closed = false
  /**
   * For the tracker: where the walk last stood, where the move that is under way began, and the range that grew by it.
   */
  private stood: Uint8Array | undefined = undefined
  private origin: Uint8Array | undefined = undefined
  private tracked: TrackedRange | undefined = undefined

  constructor(parts: ReadParts, reading: Reading, options: { readonly range: Range; readonly moment: Moment }) {
    this.reading = reading
    this.walk = new Walk(parts, reading, options)
    this.fillCache = options.range.fillCache !== false
  }

  get key(): Uint8Array | undefined {
    return this.entry?.key
  }

  get value(): Uint8Array | undefined {
    return this.entry?.value
  }

  seek(key: Bytes): Effect.Effect<boolean, DatabaseError> {
    return Effect.suspend(() => this.seekFrom(key))
  }

  seekExact(key: Bytes): Effect.Effect<boolean, DatabaseError> {
    return Effect.flatMap(this.seek(key), (found) =>
      attempt(() => {
        const target = storedKey(key)
        const { cursor } = this.walk
        if (found && compareKeys(cursor.currentKey, target) === 0) return Effect.succeed(true)
        this.entry = undefined
        cursor.standAt(target)
        this.stood = target
        return Effect.succeed(false)
      })
    )
  }

  readonly next: Effect.Effect<boolean, DatabaseError> = Effect.suspend(() => this.move(this.walk.forward))

  readonly previous: Effect.Effect<boolean, DatabaseError> = Effect.suspend(() => this.move(!this.walk.forward))

  close(): void {
    this.closed = true
    this.entry = undefined
  }

  private move(forward: boolean): Effect.Effect<boolean, DatabaseError> {
    return this.step(() => {
      this.origin = this.stood
      this.walk.cursor.move(forward)
    }, forward)
  }

  private seekFrom(key: Bytes): Effect.Effect<boolean, DatabaseError> {
    const { forward } = this.walk
    return this.step(() => {
      const target = storedKey(key)
      this.origin = target
      this.walk.cursor.seek(target, forward)
    }, forward)
  }

  private step(begin: () => void, forward: boolean): Effect.Effect<boolean, DatabaseError> {
    return attempt(() => {
      if (this.closed) throw fail(new Closed({ message: "the cursor's scope was closed" }))
      this.walk.refresh()
      begin()
      return this.run(forward)
    })
  }

  private run(forward: boolean): Effect.Effect<boolean, DatabaseError> {
    const { cursor } = this.walk
    let step = cursor.run()
    while (step === Step.needs && loadNow(cursor.request!, this.fillCache)) step = cursor.run()
    if (step === Step.needs) {
      return Effect.flatMap(this.walk.load(this.fillCache), () => this.again(forward))
    }
    if (step === Step.pause) return Effect.flatMap(Effect.yieldNow, () => this.again(forward))
    this.track(step, forward)
    this.entry = step === Step.ready ? copyOf(cursor.entry, this.walk.isOwn) : undefined
    return Effect.succeed(step === Step.ready)
  }

  private again(forward: boolean): Effect.Effect<boolean, DatabaseError> {
    return attemptNow(() => {
      this.walk.refresh()
      return this.run(forward)
    })
  }

  private track(step: Step, forward: boolean): void {
    const { tracker } = this.reading
    if (tracker === undefined) return
    const { cursor } = this.walk
    const before = this.origin
    if (step === Step.end) {
      const { from, fromInclusive, to, toInclusive } = cursor.range
      if (forward) tracker.range({ from: before ?? from, fromInclusive: true, to, toInclusive })
      else tracker.range({ from, fromInclusive, to: before ?? to, toInclusive: true })
      return
    }
    const now = cursor.currentKey.slice()
    const { from, to } = cursor.range
    if (before !== undefined) this.tracked = tracker.between(before, now, this.tracked)
    else if (forward) this.tracked = tracker.between(from, now, undefined)
    else this.tracked = tracker.range({ from: now, fromInclusive: true, to, toInclusive: true })
    this.stood = now
  }
}

/** One buffer for key and value, sliced so that nothing of the source is kept. */
const copyOf = (entry: EntryView, own: boolean): Entry => {
  const { bytes, expiresAt, keyEnd, keyStart, sequence, userMeta, valueEnd, valueStart } = entry
  return {
    key: bytes.slice(userKeyStart(keyStart), keyEnd),
    value: bytes.slice(valueStart, valueEnd),
    sequence: own ? 0 : sequence,
    expiresAt: expiresAt === 0 ? undefined : expiresAt,
    userMeta
  }
}
