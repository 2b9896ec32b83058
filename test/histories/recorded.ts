// Calls of a reader or a transaction, and what came of them, as operations of a history. Everything is read in every
// way that there is.
import { Effect, Stream } from "effect"
import { type Cursor, NotInMemory, type Range, type Reader, type Transaction } from "../../src/services/Database.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import type { Dice } from "../support/randomPlan.ts"
import type { Recorder } from "./events.ts"
import { type Key, type List, only, type Operation, prefixed, type Span } from "./history.ts"

const decoder = new TextDecoder()

/** A list as a value: the numbers in base 36, and spaces behind, so that some are long enough for value files. */
export const encodeList = (list: List, dice: Dice): string =>
  list.map((element) => element.toString(36)).join(",") + " ".repeat(dice.pick([0, 0, 0, 20, 150]))

export const decodeList = (value: Uint8Array | undefined): List => {
  const text = value === undefined ? "" : decoder.decode(value).trimEnd()
  return text === "" ? [] : text.split(",").map((element) => Number.parseInt(element, 36))
}

export const keyOf = (bytes: Uint8Array): Key => decoder.decode(bytes)

export const markers = prefixed("t/")
export const markerOf = (id: number): Key => `t/${id.toString(36)}`
export const idOf = (marker: Key): number => Number.parseInt(marker.slice(2), 36)

/** Longer ones are begun anew. */
const lengthMax = 20

export class Recorded {
  readonly operations: Array<Operation> = []
  private readonly reader: Reader
  private readonly dice: Dice

  constructor(reader: Reader, dice: Dice) {
    this.reader = reader
    this.dice = dice
  }

  read(key: Key): Effect.Effect<List, DatabaseError> {
    return Effect.map(this.valueOf(key), (value) => {
      const list = decodeList(value)
      this.operations.push({ type: "read", key, list })
      return list
    })
  }

  /** What is there of the span, as far as it is read. */
  scan(span: Span): Effect.Effect<ReadonlyArray<readonly [Key, List]>, DatabaseError> {
    const { dice } = this
    const reverse = dice.chance(30)
    const limit = dice.chance(30) ? 1 + dice.below(4) : undefined
    const range = { ...span, reverse, ...(limit === undefined ? {} : { limit }) }
    return Effect.map(dice.chance(30) ? this.walk(range) : this.collect(range), (entries) => {
      const found = reverse ? entries.toReversed() : entries
      const isWhole = limit === undefined || found.length < limit
      const [first, last] = [found[0]?.[0] ?? span.from, found.at(-1)?.[0] ?? span.to]
      const read = isWhole ? span : reverse ? { ...span, from: first } : { ...span, to: only(last).to }
      this.operations.push({ type: "scan", span: read, found })
      return found
    })
  }

  /** All that is there of the span. */
  whole(span: Span): Effect.Effect<void, DatabaseError> {
    return Effect.map(this.collect(span), (found) => {
      this.operations.push({ type: "scan", span, found })
    })
  }

  /** For keys whose lists have the one element that they are named by, and so need not be read. */
  members(span: Span): Effect.Effect<ReadonlyArray<readonly [Key, List]>, DatabaseError> {
    if (this.dice.chance(50)) return this.scan(span)
    return Effect.map(Stream.runCollect(this.reader.keys(span)), (keys) => {
      const found = Array.from(keys, (bytes): readonly [Key, List] => [keyOf(bytes), [elementOf(keyOf(bytes))]])
      this.operations.push({ type: "scan", span, found })
      return found
    })
  }

  count(span: Span): Effect.Effect<number, DatabaseError> {
    return Effect.map(this.reader.count(span), (count) => {
      this.operations.push({ type: "count", span, count })
      return count
    })
  }

  private valueOf(key: Key): Effect.Effect<Uint8Array | undefined, DatabaseError> {
    const { dice, reader } = this
    switch (dice.below(6)) {
      case 0:
        return Effect.map(reader.getEntry(key), (entry) => entry?.value)
      case 1:
        return Effect.map(reader.getMany([key, key]), ([value]) => value)
      case 2:
        return Effect.suspend(() => {
          const value = reader.getUnsafe(key)
          return value === NotInMemory ? reader.get(key) : Effect.succeed(value?.slice())
        })
      case 3:
        return Effect.scoped(
          Effect.gen(function* () {
            const cursor = yield* reader.cursor(only(key))
            return (yield* cursor.seekExact(key)) ? cursor.value?.slice() : undefined
          })
        )
      default:
        return reader.get(key)
    }
  }

  private collect(range: Range) {
    const { limit, ...whole } = range
    const isTaken = limit !== undefined && this.dice.chance(50)
    const stream = isTaken ? Stream.take(this.reader.scan(whole), limit) : this.reader.scan(range)
    return Effect.map(Stream.runCollect(stream), (entries) =>
      Array.from(entries, ({ key, value }): readonly [Key, List] => [keyOf(key), decodeList(value)])
    )
  }

  private walk({ limit = Infinity, ...whole }: Range) {
    const { reader } = this
    return Effect.scoped(
      Effect.gen(function* () {
        const cursor = yield* reader.cursor(whole)
        const found: Array<readonly [Key, List]> = []
        while (found.length < limit && (yield* cursor.next)) {
          found.push([keyOf(cursor.key!), decodeList(cursor.value)])
          if (found.length % 3 === 0) yield* Effect.yieldNow
          if (found.length % 4 === 0) yield* backAndForth(cursor, found)
        }
        return found
      })
    )
  }
}

/** To the entry before the last that was found, and to that again: a reader sees both as it saw them. */
const backAndForth = Effect.fnUntraced(function* (cursor: Cursor, found: ReadonlyArray<readonly [Key, List]>) {
  for (const [step, [key, list]] of [
    [cursor.previous, found.at(-2)!],
    [cursor.next, found.at(-1)!]
  ] as const) {
    if (!(yield* step)) throw new Error(`a cursor does not find ${key} again`)
    const [seen, now] = [keyOf(cursor.key!), decodeList(cursor.value)]
    if (seen !== key || now.join() !== list.join()) throw new Error(`a cursor finds ${seen} ${now}, was ${key} ${list}`)
  }
})

export const memberOf = (group: number, element: number): Key => `m/${group}/${element.toString(36)}`

const elementOf = (member: Key): number => Number.parseInt(member.slice(member.lastIndexOf("/") + 1), 36)

export class RecordedTransaction extends Recorded {
  private readonly transaction: Transaction
  private readonly recorder: Recorder
  private readonly own: Dice

  constructor(transaction: Transaction, { dice, recorder }: { readonly dice: Dice; readonly recorder: Recorder }) {
    super(transaction, dice)
    this.transaction = transaction
    this.recorder = recorder
    this.own = dice
  }

  append(key: Key): Effect.Effect<void, DatabaseError> {
    return Effect.flatMap(this.read(key), (list) => {
      const element = this.recorder.newId()
      const isNew = list.length >= lengthMax
      const remove = isNew ? this.remove(only(key)) : Effect.void
      const written = isNew ? [element] : [...list, element]
      return Effect.andThen(
        remove,
        Effect.map(this.transaction.set(key, encodeList(written, this.own)), () => {
          this.operations.push({ type: "append", key, element })
        })
      )
    })
  }

  /** A key that nobody else will have. */
  insert(group: number): Effect.Effect<void, DatabaseError> {
    return Effect.suspend(() => {
      const element = this.recorder.newId()
      const key = memberOf(group, element)
      this.operations.push({ type: "append", key, element })
      return this.transaction.set(key, encodeList([element], this.own))
    })
  }

  remove(span: Span): Effect.Effect<void, DatabaseError> {
    return Effect.suspend(() => {
      this.operations.push({ type: "remove", span })
      const isPoint = span.to === only(span.from).to
      return isPoint && this.own.chance(70) ? this.transaction.remove(span.from) : this.transaction.removeRange(span)
    })
  }

  mark(id: number): Effect.Effect<void, DatabaseError> {
    return this.transaction.set(markerOf(id), "")
  }
}
