// A process of its own in which a test measures what large values cost in memory: `node valueChild.ts <task as JSON>`.
// Prints a JSON object: resident bytes when the database was open, and the highest of the whole process, at the end.
//
// Values are made piece by piece from their number, and compared piece by piece, so that the process itself holds none
// of them, unless the task is to give it whole.
import { strict as assert } from "node:assert"
import { Context, Effect, Layer, Stream } from "effect"
import * as LsmDatabase from "../../src/layers/LsmDatabase.ts"
import { Database, type DatabaseService, type Reader } from "../../src/services/Database.ts"
import { Maintenance } from "../../src/services/Maintenance.ts"
import type { OptionsInput } from "../../src/services/Options.ts"
import { peakBytes } from "./peakMemory.ts"

export interface ChildTask {
  readonly directory: string
  readonly what: "whole" | "streamed" | "concurrent" | "tooLong"
  readonly bytes: number
  /** Values under way at once. */
  readonly count?: number
  readonly options?: OptionsInput
}

/** Resident bytes: when the database was open, and the most so far after each step. */
export interface ChildResult {
  readonly openBytes: number
  readonly writtenBytes: number
  /** Then it was read, flushed and read again; then the next process read it; then it was verified. */
  readonly readBytes: number
  readonly reopenedBytes: number
  readonly verifiedBytes: number
}

const task = JSON.parse(process.argv[2]!) as ChildTask
/** Not a divisor of anything, so that the caller's pieces and the file's do not end together. */
const pieceBytes = 100_003

const noise = Uint8Array.from(
  { length: pieceBytes + 251 },
  (_, index) => (Math.imul(index ^ 0x5bd1e995, 0x9e3779b1) >>> 13) & 255
)

/** A piece of a value, in the same array each time: garbage of the test would hide what is measured. */
const pieceAt = (into: Uint8Array, { name, piece, length }: { name: number; piece: number; length: number }) => {
  const copy = into.subarray(0, length)
  const from = (name + piece) % 251
  copy.set(noise.subarray(from, from + length))
  if (length >= 8) new DataView(copy.buffer).setUint32(0, piece + name * 1000)
  return copy
}

const pieceLengths = (bytes: number): ReadonlyArray<number> =>
  Array.from({ length: Math.ceil(bytes / pieceBytes) }, (_, piece) => Math.min(pieceBytes, bytes - piece * pieceBytes))

const pieces = (name: number, bytes: number): Stream.Stream<Uint8Array> =>
  Stream.suspend(() => {
    const own = new Uint8Array(pieceBytes)
    return Stream.fromIterable(pieceLengths(bytes).entries()).pipe(
      // One at a time: the array is free again when the next is asked for.
      Stream.rechunk(1),
      Stream.map(([piece, length]) => pieceAt(own, { name, piece, length }))
    )
  })

const whole = (name: number, bytes: number): Uint8Array => {
  const value = new Uint8Array(bytes)
  const own = new Uint8Array(pieceBytes)
  for (const [piece, length] of pieceLengths(bytes).entries()) {
    value.set(pieceAt(own, { name, piece, length }), piece * pieceBytes)
  }
  return value
}

/** Compares pieces of any lengths with the value, as they come. */
class Comparison {
  private at = 0
  private readonly own = new Uint8Array(pieceBytes)
  private readonly name: number
  private readonly bytes: number

  constructor(name: number, bytes: number) {
    this.name = name
    this.bytes = bytes
  }

  feed(found: Uint8Array): void {
    assert.ok(this.at + found.length <= this.bytes, `longer than ${this.bytes}`)
    for (let from = 0; from < found.length;) {
      const piece = Math.floor(this.at / pieceBytes)
      const inPiece = this.at - piece * pieceBytes
      const length = Math.min(pieceBytes, this.bytes - piece * pieceBytes)
      const expected = pieceAt(this.own, { name: this.name, piece, length }).subarray(inPiece)
      const common = Math.min(expected.length, found.length - from)
      const part = found.subarray(from, from + common)
      assert.equal(Buffer.compare(part, expected.subarray(0, common)), 0, `other bytes at ${this.at} of ${this.bytes}`)
      this.at += common
      from += common
    }
  }

  end(): void {
    assert.equal(this.at, this.bytes)
  }
}

const compare = (found: Uint8Array | undefined, name: number, bytes: number): void => {
  const comparison = new Comparison(name, bytes)
  comparison.feed(found!)
  comparison.end()
}

const compareStream = (reader: Reader, key: string, name: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const stream = yield* reader.getStream(key)
      const comparison = new Comparison(name, task.bytes)
      yield* Stream.runForEach(stream!, (piece) => Effect.sync(() => comparison.feed(piece)))
      comparison.end()
    })
  )

const setWhole = Effect.fnUntraced(function* (database: DatabaseService) {
  yield* database.set("a", whole(1, task.bytes))
})

/** By every way in which a value comes whole. */
const readWhole = Effect.fnUntraced(function* (database: DatabaseService) {
  compare(yield* database.get("a"), 1, task.bytes)
  const [scanned] = yield* Stream.runCollect(database.scan())
  compare(scanned!.value, 1, task.bytes)
  yield* Effect.scoped(
    Effect.gen(function* () {
      const cursor = yield* database.cursor()
      assert.ok(yield* cursor.next)
      compare(cursor.value, 1, task.bytes)
      const lazy = yield* database.cursor({ lazy: true })
      assert.ok(yield* lazy.next)
      assert.equal(lazy.valueBytes, task.bytes)
      compare(yield* lazy.readValue, 1, task.bytes)
    })
  )
  const [entry] = yield* Stream.runCollect(Stream.mapEffect(database.scanLazy(), ({ value }) => value))
  compare(entry, 1, task.bytes)
})

const setStreamed = Effect.fnUntraced(function* (database: DatabaseService) {
  yield* database.setStream("a", pieces(1, task.bytes))
})

const readStreamed = Effect.fnUntraced(function* (database: DatabaseService) {
  yield* compareStream(database, "a", 1)
  yield* compareStream(database, "a", 1)
  assert.equal(yield* database.count(), 1)
})

/** One array of the caller's for all of them: the memory that is measured is the engine's. */
const setConcurrently = Effect.fnUntraced(function* (database: DatabaseService) {
  const value = whole(1, task.bytes)
  const keys = Array.from({ length: task.count! }, (_, index) => `key${index}`)
  yield* Effect.forEach(keys, (key) => database.set(key, value), { concurrency: "unbounded", discard: true })
})

const readConcurrent = Effect.fnUntraced(function* (database: DatabaseService) {
  assert.equal(yield* database.count(), task.count)
  for (let index = 0; index < task.count!; index += 97) yield* compareStream(database, `key${index}`, 1)
})

const refuseTooLong = Effect.fnUntraced(function* (database: DatabaseService) {
  const attempts = [
    database.set("a", new Uint8Array(task.bytes)),
    database.setStream("a", pieces(1, task.bytes)),
    Effect.asVoid(database.write([{ type: "set", key: "a", value: new Uint8Array(task.bytes) }])),
    database.transaction((tx) => tx.set("a", new Uint8Array(task.bytes)))
  ]
  for (const attempt of attempts) assert.equal((yield* Effect.flip(attempt)).reason._tag, "Invalid")
  assert.equal(yield* database.has("a"), false)
})

const bodies = {
  whole: [setWhole, readWhole],
  streamed: [setStreamed, readStreamed],
  concurrent: [setConcurrently, readConcurrent],
  tooLong: [refuseTooLong, () => Effect.void]
} as const

const opened = Effect.map(
  Layer.build(Layer.fresh(LsmDatabase.layer({ ...task.options, directory: task.directory }))),
  (context) => ({ database: Context.get(context, Database), maintenance: Context.get(context, Maintenance) })
)

const program = Effect.gen(function* () {
  const [write, read] = bodies[task.what]
  const first = yield* Effect.scoped(
    Effect.gen(function* () {
      const { database, maintenance } = yield* opened
      const openBytes = process.memoryUsage.rss()
      yield* write(database)
      const writtenBytes = peakBytes()
      yield* read(database)
      yield* maintenance.flush
      yield* read(database)
      return { openBytes, writtenBytes, readBytes: peakBytes() }
    })
  )
  // As the next process finds it.
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const { database, maintenance } = yield* opened
      yield* read(database)
      const reopenedBytes = peakBytes()
      assert.deepEqual((yield* maintenance.verify).damage, [])
      return { ...first, reopenedBytes, verifiedBytes: peakBytes() } satisfies ChildResult
    })
  )
})

process.stdout.write(JSON.stringify(await Effect.runPromise(program)))
