// The cursor that users hold. Between moves it holds a copy of its entry and its moment, nothing else; a move takes up
// its place by the copied key if the files have changed meanwhile.
import * as Effect from "effect/Effect"
import type { Bytes, Cursor, CursorRange, Entry, LazyEntry, Range } from "../../services/Database.ts"
import { Closed, type DatabaseError, fail, invalid } from "../../services/DatabaseError.ts"
import type { Moment } from "../../services/Oracle.ts"
import { compareKeys } from "../structure/keyRange.ts"
import type { TrackedRange } from "../structure/readTracker.ts"
import { Step } from "../structure/rangeCursor.ts"
import { attempt, attemptNow, failed } from "./attempt.ts"
import { CursorEntry } from "./cursorEntry.ts"
import { Walk } from "./rangeReads.ts"
import { loadNow, type Reading, type ReadParts } from "./readContext.ts"
import { storedKey } from "./userKeys.ts"
import { MomentValues } from "./valueReads.ts"

// A move makes no more than it must: these are the same each time.
const anEntry = Effect.succeed(true)
const noEntry = Effect.succeed(false)

export class CursorReads implements Cursor {
  private readonly reading: Reading
  private readonly walk: Walk
  private readonly fillCache: boolean
  private readonly lazy: boolean
  private readonly values: MomentValues
  /** Filled by each move. */
  private readonly held: CursorEntry
  /** It, or `undefined` without a current entry. */
  private current: CursorEntry | undefined = undefined
  private closed = false
  /**
   * For the tracker: where the walk last stood, where the move that is under way began, and the range that grew by it.
   */
  private stood: Uint8Array | undefined = undefined
  private origin: Uint8Array | undefined = undefined
  private tracked: TrackedRange | undefined = undefined

  constructor(parts: ReadParts, reading: Reading, options: { readonly range: CursorRange; readonly moment: Moment }) {
    const { fillCache, lazy } = options.range
    if ((options.range as Range).limit !== undefined) {
      throw invalid("a cursor has no limit, it goes as far as it is moved; count its moves, or use scan")
    }
    this.reading = reading
    this.walk = new Walk(parts, reading, options)
    this.fillCache = fillCache !== false
    this.lazy = lazy === true
    this.values = new MomentValues(parts, reading)
    this.held = new CursorEntry(parts, this.values)
  }

  get key(): Uint8Array | undefined {
    return this.current?.key
  }

  get value(): Uint8Array | undefined {
    return this.lazy ? undefined : this.current?.value
  }

  get entry(): Entry | undefined {
    return this.lazy ? undefined : this.current?.whole
  }

  get lazyEntry(): LazyEntry | undefined {
    return this.current?.lazy
  }

  get valueBytes(): number | undefined {
    return this.current?.valueBytes
  }

  readonly readValue: Effect.Effect<Uint8Array, DatabaseError> = attempt(() => {
    this.check()
    if (this.current === undefined) throw invalid("the cursor has no current entry, whose value could be read")
    return this.current.read
  })

  seek(key: Bytes): Effect.Effect<boolean, DatabaseError> {
    return Effect.suspend(() => this.seekFrom(key))
  }

  seekExact(key: Bytes): Effect.Effect<boolean, DatabaseError> {
    return Effect.flatMap(this.seek(key), (found) =>
      attempt(() => {
        const target = storedKey(key)
        const { cursor } = this.walk
        if (found && compareKeys(cursor.currentKey, target) === 0) return Effect.succeed(true)
        this.current = undefined
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
    this.current = undefined
    this.values.close()
  }

  private check(): void {
    if (this.closed) throw fail(new Closed({ message: "the cursor's scope was closed" }))
  }

  private move(forward: boolean): Effect.Effect<boolean, DatabaseError> {
    return this.step(undefined, forward)
  }

  private seekFrom(key: Bytes): Effect.Effect<boolean, DatabaseError> {
    return this.step(key, this.walk.forward)
  }

  /** To the key, or on by one without it. */
  private step(key: Bytes | undefined, forward: boolean): Effect.Effect<boolean, DatabaseError> {
    try {
      this.check()
      this.walk.refresh()
      const { cursor } = this.walk
      if (key === undefined) {
        this.origin = this.stood
        cursor.move(forward)
      } else {
        const target = storedKey(key)
        this.origin = target
        cursor.seek(target, forward)
      }
      return this.run(forward)
    } catch (error) {
      return failed(error)
    }
  }

  private run(forward: boolean): Effect.Effect<boolean, DatabaseError> {
    const { cursor } = this.walk
    let step = cursor.run()
    while (step === Step.needs && loadNow(cursor.request!, this.fillCache ? "keep" : "leave")) step = cursor.run()
    if (step === Step.needs) {
      return Effect.flatMap(this.walk.load(this.fillCache), () => this.again(forward))
    }
    if (step === Step.pause) return Effect.flatMap(Effect.yieldNow, () => this.again(forward))
    this.track(step, forward)
    return this.show(step)
  }

  /** A value that cannot be read fails the move. The cursor stands on its key, with no current entry. */
  private show(step: Step): Effect.Effect<boolean, DatabaseError> {
    this.current = undefined
    if (step !== Step.ready) return noEntry
    const { held, walk } = this
    const own = walk.isOwn
    const { entry } = walk.cursor
    held.hold(entry, own)
    if (this.lazy || held.readNow(entry, own)) {
      this.current = held
      return anEntry
    }
    return Effect.map(held.wait, (isHeld) => {
      if (isHeld) this.current = held
      return true
    })
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
