// The cursor that users hold. Between moves it holds a copy of its entry and its moment, nothing else; a move takes up
// its place by the copied key if the files have changed meanwhile.
import * as Effect from "effect/Effect"
import type { Bytes, Cursor, CursorRange, Entry, LazyEntry, Range } from "../../services/Database.ts"
import { Closed, type DatabaseError, fail, invalid } from "../../services/DatabaseError.ts"
import type { Moment } from "../../services/Oracle.ts"
import { compareKeys } from "../structure/keyRange.ts"
import type { TrackedRange } from "../structure/readTracker.ts"
import { Step } from "../structure/rangeCursor.ts"
import { attempt, attemptNow } from "./attempt.ts"
import { CursorEntry } from "./cursorEntry.ts"
import { Walk } from "./rangeReads.ts"
import { loadNow, type Reading, type ReadParts } from "./readContext.ts"
import { storedKey } from "./userKeys.ts"
import { MomentValues } from "./valueReads.ts"

export class CursorReads implements Cursor {
  private readonly parts: ReadParts
  private readonly reading: Reading
  private readonly walk: Walk
  private readonly fillCache: boolean
  private readonly lazy: boolean
  private readonly values: MomentValues
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
    this.parts = parts
    this.reading = reading
    this.walk = new Walk(parts, reading, options)
    this.fillCache = fillCache !== false
    this.lazy = lazy === true
    this.values = new MomentValues(parts, reading)
  }

  get key(): Uint8Array | undefined {
    return this.current?.head.key
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
      this.check()
      this.walk.refresh()
      begin()
      return this.run(forward)
    })
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
    if (step !== Step.ready) return Effect.succeed(false)
    const { values, walk } = this
    const own = walk.isOwn
    const current = new CursorEntry(walk.cursor.entry, { separated: this.parts.separated, values, own })
    if (!this.lazy) current.value ??= values.now(walk.cursor.entry, own)
    if (this.lazy || current.value !== undefined) {
      this.current = current
      return Effect.succeed(true)
    }
    return Effect.map(current.read, (value) => {
      current.value = value
      this.current = current
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
