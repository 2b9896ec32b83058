// Stores a stream of items in batches: the memory an import takes is a batch and the item at hand, however long the
// stream; of a long file, a piece.
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as PlatformError from "effect/PlatformError"
import * as Stream from "effect/Stream"
import { type Bytes, Database, type DatabaseService, type Operation } from "../services/Database.ts"
import type { DatabaseError } from "../services/DatabaseError.ts"
import { keyBytesMax } from "../services/Options.ts"
import { platformText } from "./failure.ts"

/** A file that would not fit into a batch. It is read when it is stored, as a commit of its own. */
export interface Long {
  readonly _tag: "Long"
  readonly at: string
  readonly key: string
  readonly pieces: Stream.Stream<Uint8Array, PlatformError.PlatformError, FileSystem.FileSystem>
}

/** One thing of an import's source; `at` says where it is, for messages. */
export type Item =
  | { readonly _tag: "Entry"; readonly at: string; readonly key: string; readonly value: Uint8Array }
  | Long
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

/** Why an entry of that key cannot be stored, or undefined. */
const keyRefusal = (key: Uint8Array): string | undefined => {
  if (key.length === 0) return "its key is empty"
  if (key.length > keyBytesMax) return `its key of ${key.length} bytes is over the limit of ${keyBytesMax}`
  return undefined
}

export interface LoadOptions {
  /** Goes before every key. */
  readonly prefix: Uint8Array
  /** Gets a line for each item that is not stored. */
  readonly note: (line: string) => Effect.Effect<void>
  readonly tally: Tally
}

// Durable by the one sync at the end: until then an import that dies is to be run again anyway.
const durability = "os"

class Loading {
  readonly #database: DatabaseService
  readonly #options: LoadOptions
  readonly #batch = new Batch()

  constructor(database: DatabaseService, options: LoadOptions) {
    this.#database = database
    this.#options = options
  }

  take(item: Item): Effect.Effect<void, DatabaseError, FileSystem.FileSystem> {
    switch (item._tag) {
      case "Entry":
        return this.#entry(item)
      case "Long":
        return this.#long(item)
      case "Skipped":
        return this.#skip(item.at, item.reason)
      case "Unreadable":
        return this.#unreadable(item.at, item.reason)
      case "Link":
        return Effect.sync(() => {
          this.#options.tally.links += 1
        })
    }
  }

  /** Stores what is gathered. */
  readonly commit: Effect.Effect<void, DatabaseError> = Effect.suspend(() => {
    const { bytes, operations } = this.#batch
    if (operations.length === 0) return Effect.void
    return Effect.map(this.#database.write(operations, { durability }), () => {
      this.#stored(operations.length, bytes)
      this.#batch.clear()
    })
  })

  #stored(entries: number, bytes: number): void {
    const { tally } = this.#options
    tally.commits += 1
    tally.entries += entries
    tally.bytes += bytes
  }

  #entry({ at, key, value }: Extract<Item, { readonly _tag: "Entry" }>): Effect.Effect<void, DatabaseError> {
    const bytes = joined(this.#options.prefix, key)
    const reason = keyRefusal(bytes) ?? overLimit(value.length, this.#database.options.valueBytesMax)
    if (reason !== undefined) return this.#skip(at, reason)
    const room = this.#batch.isFullFor(bytes.length + value.length) ? this.commit : Effect.void
    return Effect.map(room, () => this.#batch.add(bytes, value))
  }

  #long({ at, key, pieces }: Long): Effect.Effect<void, DatabaseError, FileSystem.FileSystem> {
    const bytes = joined(this.#options.prefix, key)
    const reason = keyRefusal(bytes)
    if (reason !== undefined) return this.#skip(at, reason)
    let length = 0
    const counted = Stream.map(pieces, (piece) => {
      length += piece.length
      return piece
    })
    const stored = this.#database.setStream(bytes, counted, { durability }).pipe(
      Effect.map(() => this.#stored(1, bytes.length + length)),
      Effect.catchTag("PlatformError", (error) => this.#unreadable(at, platformText(error))),
      // The key is good; the file has grown over the limit since it was looked at.
      Effect.catchReason("DatabaseError", "Invalid", ({ message }) => this.#skip(at, message))
    )
    // In order: on failure what is stored is the first of the items.
    return Effect.andThen(this.commit, stored)
  }

  #skip(at: string, reason: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#options.tally.skipped += 1
      return this.#options.note(`skipped ${at}: ${reason}`)
    })
  }

  #unreadable(at: string, reason: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#options.tally.unreadable += 1
      return this.#options.note(`cannot read ${at}: ${reason}`)
    })
  }
}

/** Stores the items, durable when it completes. On failure the tally tells how many are stored: the first of them. */
export const load = Effect.fnUntraced(function* <E, R>(items: Stream.Stream<Item, E, R>, options: LoadOptions) {
  const database = yield* Database
  const loading = new Loading(database, options)
  yield* Stream.runForEach(items, (item) => loading.take(item))
  yield* loading.commit
  yield* database.sync
})
