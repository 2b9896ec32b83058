// Reads of ranges: scans, keys, counts. A scan works in steps, each on one stack: it takes up its place by the last
// key, fills a chunk, and lets everything go. So a scan that nobody pulls holds neither memory nor files, only its
// moment, and the writes of its own consumer never wait for it.
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Entry, LazyEntry, Range } from "../../services/Database.ts"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import type { Moment } from "../../services/Oracle.ts"
import { RangeCursor, Step } from "../structure/rangeCursor.ts"
import type { ScanTracker } from "../structure/readTracker.ts"
import { attempt } from "./attempt.ts"
import { ChunkBuilder, type Parts } from "./chunk.ts"
import { type ChunkShape, entryShape, keyShape, lazyShape } from "./chunkShapes.ts"
import { load, loadNow, mergeOf, pinned, type Reading, type ReadParts } from "./readContext.ts"
import { rangeLimit, toBytes, toKeyRange } from "./userKeys.ts"
import { MomentValues } from "./valueReads.ts"
import type { View } from "./view.ts"
import { isEmpty } from "../structure/keyRange.ts"

/** A chunk ends at this many entries or bytes: about a millisecond of work. */
const chunkEntriesMax = 1024
const chunkBytesMax = 256 * 1024

/** The place of one reader in one range, tied to the view of the moment it last moved. */
export class Walk {
  readonly cursor: RangeCursor
  readonly forward: boolean
  private readonly parts: ReadParts
  private readonly reading: Reading
  private readonly reader: Parameters<typeof mergeOf>[1]
  private view: View

  constructor(parts: ReadParts, reading: Reading, options: { readonly range: Range; readonly moment: Moment }) {
    const { range } = options
    this.parts = parts
    this.reading = reading
    const { writes } = reading
    this.reader = {
      sequence: options.moment.sequence,
      range: toKeyRange(range),
      own: writes === undefined ? undefined : { writes, operations: writes.operations }
    }
    this.forward = range.reverse !== true
    this.view = parts.live.current
    this.cursor = new RangeCursor(mergeOf(this.view, this.reader), {
      range: this.reader.range,
      suffix: range.suffix === undefined ? undefined : toBytes(range.suffix, "suffix"),
      nowMillis: () => options.moment.nowMillis
    })
    if (!this.forward) this.cursor.toEnd()
  }

  /** Whether the current record is one of the transaction's own writes. */
  get isOwn(): boolean {
    return this.reader.own !== undefined && this.cursor.source === 0
  }

  /** Before each move: the files and memtables may have changed. */
  refresh(): void {
    this.reading.check()
    if (this.view === this.parts.live.current) return
    this.view = this.parts.live.current
    this.cursor.rebind(mergeOf(this.view, this.reader))
  }

  /**
   * Waits for what the cursor's move needs. The view stays in place for that long. If another one has taken its place
   * already, its tables may be gone: nothing is loaded, and the move begins again in the new one.
   */
  load(fillCache: boolean): Effect.Effect<void, DatabaseError> {
    return pinned(this.parts.live, this.reading, ({ view }) =>
      view === this.view ? load(this.cursor.request!, fillCache) : Effect.void
    )
  }
}

/** A moment for one read: the reader's own, or one opened for it. */
export const momentOf = (parts: ReadParts, reading: Reading): Moment => reading.moment ?? parts.oracle.open(false)

export class RangeReads {
  private readonly parts: ReadParts
  private readonly reading: Reading

  constructor(parts: ReadParts, reading: Reading) {
    this.parts = parts
    this.reading = reading
  }

  scan(range: Range): Stream.Stream<Entry, DatabaseError> {
    return this.stream(range, entryShape)
  }

  scanLazy(range: Range): Stream.Stream<LazyEntry, DatabaseError> {
    return this.stream(range, lazyShape)
  }

  keys(range: Range): Stream.Stream<Uint8Array, DatabaseError> {
    return this.stream(range, keyShape)
  }

  count(range: Range): Effect.Effect<number, DatabaseError> {
    return Effect.acquireUseRelease(
      this.acquire,
      (moment) =>
        attempt(() => {
          const scan = this.begin(range, moment, this.builder("count"))
          let total = 0
          const step = (): Effect.Effect<number, DatabaseError> =>
            Effect.flatMap(this.fill(scan), () => {
              total += scan.builder.count
              scan.builder.clear()
              return scan.ended ? Effect.succeed(total) : Effect.flatMap(Effect.yieldNow, step)
            })
          return step()
        }),
      (moment) => this.release(moment)
    )
  }

  private stream<A>(range: Range, shape: ChunkShape<A>): Stream.Stream<A, DatabaseError> {
    const acquire = Effect.map(this.acquire, (moment) => ({
      moment,
      values: new MomentValues(this.parts, this.reading),
      builder: this.builder(shape.parts)
    }))
    const pull = Effect.map(
      Effect.acquireRelease(acquire, ({ builder, moment, values }) => {
        values.close()
        builder.close()
        return this.release(moment)
      }),
      ({ builder, moment, values }) => {
        let scan: Scan | undefined
        const next: Effect.Effect<readonly [A, ...Array<A>], DatabaseError | Cause.Done> = attempt(() => {
          if (scan?.ended === true) return Cause.done()
          scan ??= this.begin(range, moment, builder)
          return Effect.flatMap(this.fill(scan), (): typeof next => {
            if (builder.count === 0) return Cause.done()
            return Effect.map(shape.build(builder, values), (chunk) => {
              builder.clear()
              return chunk as readonly [A, ...Array<A>]
            })
          })
        })
        return next
      }
    )
    return Stream.scoped(Stream.fromPull(pull))
  }

  private readonly acquire: Effect.Effect<Moment, DatabaseError> = attempt(() => {
    this.reading.check()
    return Effect.succeed(momentOf(this.parts, this.reading))
  })

  private release(moment: Moment): Effect.Effect<void> {
    return Effect.sync(() => {
      if (moment !== this.reading.moment) moment.release()
    })
  }

  private builder(parts: Parts): ChunkBuilder {
    return new ChunkBuilder(parts, (entry) => this.parts.separated.lengthOf(entry))
  }

  private begin(range: Range, moment: Moment, builder: ChunkBuilder): Scan {
    const remaining = rangeLimit(range)
    const walk = new Walk(this.parts, this.reading, { range, moment })
    const { forward } = walk
    return {
      walk,
      builder,
      remaining,
      ended: remaining === 0 || isEmpty(walk.cursor.range),
      tracker: this.reading.tracker?.scan(walk.cursor.range, forward),
      fillCache: range.fillCache !== false
    }
  }

  /** Fills the builder with the next entries. At the end, `ended` is set; the builder may hold the last ones. */
  private fill(scan: Scan): Effect.Effect<void, DatabaseError> {
    return attempt(() => {
      const step = this.fillNow(scan)
      if (step === Step.pause) {
        this.parts.crowded(scan.walk.cursor.range)
        return Effect.flatMap(Effect.yieldNow, () => this.fill(scan))
      }
      if (step !== Step.needs) return Effect.void
      return Effect.flatMap(scan.walk.load(scan.fillCache), () => this.fill(scan))
    })
  }

  private fillNow(scan: Scan): Step {
    const { builder, walk } = scan
    const { cursor } = walk
    walk.refresh()
    while (!scan.ended && builder.count < chunkEntriesMax && builder.bytes < chunkBytesMax) {
      if (scan.moving !== true) cursor.move(walk.forward)
      scan.moving = true
      const step = this.run(scan)
      if (step === Step.needs || (step === Step.pause && builder.count === 0)) return step
      if (step === Step.pause) break
      scan.moving = false
      if (step === Step.end) {
        scan.ended = true
        scan.tracker?.whole()
        return Step.ready
      }
      builder.add(cursor.entry, walk.isOwn)
      scan.remaining -= 1
      if (scan.remaining === 0) scan.ended = true
    }
    if (builder.count > 0) scan.tracker?.upTo(cursor.currentKey.slice())
    return Step.ready
  }

  /** One move, with the blocks that can be had at once. */
  private run(scan: Scan): Step {
    const { cursor } = scan.walk
    let step = cursor.run()
    while (step === Step.needs && loadNow(cursor.request!, scan.fillCache ? "keep" : "leave")) step = cursor.run()
    return step
  }
}

interface Scan {
  readonly walk: Walk
  readonly builder: ChunkBuilder
  readonly tracker: ScanTracker | undefined
  readonly fillCache: boolean
  remaining: number
  ended: boolean
  /** A move was begun and is not finished. */
  moving?: boolean
}
