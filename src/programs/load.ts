// Stores a stream of items in batches: the memory an import takes is a batch and the item at hand, however long the
// stream.
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { type Bytes, Database, type Operation } from "../services/Database.ts"
import { keyBytesMax } from "../services/Options.ts"

/** One thing of an import's source; `at` says where it is, for messages. */
export type Item =
  | { readonly _tag: "Entry"; readonly at: string; readonly key: string; readonly value: Uint8Array }
  /** Against a rule, which is the reason. */
  | { readonly _tag: "Skipped"; readonly at: string; readonly reason: string }
  /** The system would not hand it out. */
  | { readonly _tag: "Unreadable"; readonly at: string; readonly reason: string }
  /** A symbolic link: not stored, and only counted. */
  | { readonly _tag: "Link" }

/** What was done so far. A failure leaves what had been acknowledged. */
export interface Tally {
  entries: number
  bytes: number
  commits: number
  skipped: number
  unreadable: number
  links: number
}

export const emptyTally = (): Tally => ({ entries: 0, bytes: 0, commits: 0, skipped: 0, unreadable: 0, links: 0 })

/** A commit's share: whichever is reached first. */
export const batchOperationsMax = 1000
export const batchBytesMax = 1024 * 1024

/** Operations that go into one commit. */
export class Batch {
  readonly #bytesMax: number
  operations: Array<Operation> = []
  bytes = 0

  constructor(bytesMax = batchBytesMax) {
    this.#bytesMax = bytesMax
  }

  /** Whether an operation of that size should wait for the next batch. A batch takes at least one, of whatever size. */
  isFullFor(bytes: number): boolean {
    const { length } = this.operations
    return length > 0 && (length >= batchOperationsMax || this.bytes + bytes > this.#bytesMax)
  }

  add(key: Bytes, value: Uint8Array): void {
    this.operations.push({ type: "set", key, value })
    this.bytes += key.length + value.length
  }

  clear(): void {
    this.operations = []
    this.bytes = 0
  }
}

const encoder = new TextEncoder()

const joined = (prefix: Uint8Array, key: string): Uint8Array => {
  const tail = encoder.encode(key)
  const bytes = new Uint8Array(prefix.length + tail.length)
  bytes.set(prefix)
  bytes.set(tail, prefix.length)
  return bytes
}

/** Why a value of so many bytes cannot be stored, or undefined. */
export const overLimit = (bytes: number, valueBytesMax: number): string | undefined =>
  bytes > valueBytesMax ? `${bytes} bytes are over the value limit of ${valueBytesMax}` : undefined

/** Why an entry cannot be stored, or undefined. */
const refusal = (key: Uint8Array, value: Uint8Array, valueBytesMax: number): string | undefined => {
  if (key.length === 0) return "its key is empty"
  if (key.length > keyBytesMax) return `its key of ${key.length} bytes is over the limit of ${keyBytesMax}`
  return overLimit(value.length, valueBytesMax)
}

export interface LoadOptions {
  /** Goes before every key. */
  readonly prefix: Uint8Array
  /** Gets a line for each item that is not stored. */
  readonly note: (line: string) => Effect.Effect<void>
  readonly tally: Tally
}

/** Stores the items, durable when it completes. On failure the tally tells how many are stored: the first of them. */
export const load = Effect.fnUntraced(function* <E, R>(items: Stream.Stream<Item, E, R>, options: LoadOptions) {
  const database = yield* Database
  const { note, prefix, tally } = options
  const batch = new Batch()
  const commit = Effect.fnUntraced(function* () {
    if (batch.operations.length === 0) return
    // Durable by the one sync at the end: until then an import that dies is to be run again anyway.
    yield* database.write(batch.operations, { durability: "os" })
    tally.commits += 1
    tally.entries += batch.operations.length
    tally.bytes += batch.bytes
    batch.clear()
  })
  const skip = Effect.fnUntraced(function* (at: string, reason: string) {
    tally.skipped += 1
    yield* note(`skipped ${at}: ${reason}`)
  })
  const take = Effect.fnUntraced(function* (item: Item) {
    if (item._tag === "Link") tally.links += 1
    else if (item._tag === "Skipped") yield* skip(item.at, item.reason)
    else if (item._tag === "Unreadable") {
      tally.unreadable += 1
      yield* note(`cannot read ${item.at}: ${item.reason}`)
    } else {
      const key = joined(prefix, item.key)
      const reason = refusal(key, item.value, database.options.valueBytesMax)
      if (reason !== undefined) return yield* skip(item.at, reason)
      if (batch.isFullFor(key.length + item.value.length)) yield* commit()
      batch.add(key, item.value)
    }
  })
  yield* Stream.runForEach(items, take)
  yield* commit()
  yield* database.sync
})
