// The reader that users hold, of whichever kind: the database, a snapshot, a transaction.
import * as Effect from "effect/Effect"
import type { CursorRange, Range, Reader } from "../../services/Database.ts"
import { attempt } from "./attempt.ts"
import { CursorReads } from "./cursorReads.ts"
import { PointReads } from "./pointReads.ts"
import { momentOf, RangeReads } from "./rangeReads.ts"
import type { Reading, ReadParts } from "./readContext.ts"
import { StreamReads } from "./streamReads.ts"

const everything: Range = {}

export const makeReader = (parts: ReadParts, reading: Reading): Reader => {
  // Most transactions read a few keys: what reads the rest is made when it is asked for.
  let made: PointReads | undefined
  const points = () => (made ??= new PointReads(parts, reading))
  const streams = () => new StreamReads(parts, reading, points())
  const ranges = () => new RangeReads(parts, reading)
  const openCursor = (range: CursorRange) =>
    attempt(() => {
      reading.check()
      const moment = momentOf(parts, reading)
      try {
        return Effect.succeed({ cursor: new CursorReads(parts, reading, { range, moment }), moment })
      } catch (error) {
        if (moment !== reading.moment) moment.release()
        throw error
      }
    })
  return {
    get: (key) => points().get(key),
    getUnsafe: (key) => points().getUnsafe(key),
    getMany: (keys) => points().getMany(keys),
    getEntry: (key) => points().getEntry(key),
    getStream: (key) => streams().get(key),
    has: (key) => points().has(key),
    scan: (range) => ranges().scan(range ?? everything),
    scanLazy: (range) => ranges().scanLazy(range ?? everything),
    keys: (range) => ranges().keys(range ?? everything),
    count: (range) => ranges().count(range ?? everything),
    cursor: (range) =>
      Effect.map(
        Effect.acquireRelease(openCursor(range ?? everything), ({ cursor, moment }) =>
          Effect.sync(() => {
            cursor.close()
            if (moment !== reading.moment) moment.release()
          })
        ),
        ({ cursor }) => cursor
      )
  }
}
