// Asks a reader a question of a plan; the answer is the text that `answerOf` makes of the model.
import { assert } from "@effect/vitest"
import { Effect, type Scope, Stream } from "effect"
import type { Cursor, Entry, Reader } from "../../src/services/Database.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import { bytes, hex, toModelEntry } from "../support/model.ts"
import { streamed } from "../support/valueKit.ts"
import { type Read, toRange } from "./plan.ts"
import { shown } from "./readings.ts"

/** Between two entries of a slow scan, and two moves of a cursor. */
const pause = "40 millis"

const shownOf = (entry: Entry): string => shown(toModelEntry(entry))

const valueOf = (value: Uint8Array | undefined): string => (value === undefined ? "nothing" : hex(value))

const joined = <A, E>(stream: Stream.Stream<A, E>, show: (item: A) => string): Effect.Effect<string, E> =>
  Effect.map(Stream.runCollect(stream), (items) => Array.from(items, show).join(" "))

/** There and back. */
const walked = Effect.fnUntraced(function* (cursor: Cursor) {
  const found: Array<string> = []
  while (yield* cursor.next) {
    found.push(shownOf(cursor.entry!))
    yield* Effect.sleep(pause)
  }
  for (const entry of found.toReversed()) {
    assert.isTrue(yield* cursor.previous, "a cursor that walks back")
    assert.strictEqual(cursor.entry && shownOf(cursor.entry), entry, "a cursor that walks back")
  }
  return found.join(" ")
})

export const ask = (reader: Reader, read: Read): Effect.Effect<string, DatabaseError, Scope.Scope> => {
  switch (read.read) {
    case "get":
      return Effect.map(reader.get(bytes(read.key)), valueOf)
    case "entry":
      return Effect.map(reader.getEntry(bytes(read.key)), (entry) => (entry === undefined ? "nothing" : shownOf(entry)))
    case "has":
      return Effect.map(reader.has(bytes(read.key)), String)
    case "stream":
      return Effect.map(streamed(reader, bytes(read.key)), valueOf)
    case "many":
      return Effect.map(reader.getMany(read.keys.map(bytes)), (values) => values.map(valueOf).join(" "))
    case "scan":
      return joined(reader.scan(toRange(read.range)), shownOf)
    case "slow": {
      const slow = Stream.mapEffect(reader.scan(toRange(read.range)), (entry) => Effect.as(Effect.sleep(pause), entry))
      return joined(slow, shownOf)
    }
    case "lazy": {
      const entries = Stream.mapEffect(reader.scanLazy(toRange(read.range)), (entry) =>
        Effect.map(entry.value, (value) => shownOf({ ...entry, value }))
      )
      return joined(entries, String)
    }
    case "keys":
      return joined(reader.keys(toRange(read.range)), hex)
    case "count":
      return Effect.map(reader.count(toRange(read.range)), String)
    case "cursor":
      return Effect.scoped(Effect.flatMap(reader.cursor(toRange(read.range)), walked))
  }
}
