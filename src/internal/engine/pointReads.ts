// Reads of single keys. All of it runs on the caller's stack as long as memory (or a synchronous disk) has what it
// needs.
import * as Effect from "effect/Effect"
import { type Bytes, type Entry, NotInMemory } from "../../services/Database.ts"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import { Kind } from "../format/record.ts"
import { emptyEntry, type EntryView } from "../structure/entry.ts"
import { Found, Lookup } from "../structure/lookup.ts"
import { attemptNow, failed } from "./attempt.ts"
import { load, loadNow, type Pinned, pinned, type Reading, type ReadParts } from "./readContext.ts"
import { KeyScratch, userKeyStart } from "./userKeys.ts"
import { isSeparated, type Separated, separatedOf, type ValueSource } from "./valueReads.ts"
import type { ValueSlab } from "./valueSlab.ts"
import type { View } from "./view.ts"

/** Where a key's record was found. Filled anew by each lookup. */
export interface Hit {
  readonly entry: EntryView
  /** Whether it is among the transaction's own writes. */
  readonly own: boolean
  /** Which has the value, if that is not with the record. */
  files: ValueSource | undefined
}

/** What is made of a hit. */
export interface Take<A> {
  /** Whether a value that is not with its record is read for it. */
  readonly readsValue: boolean
  /** `read` is that value. */
  of(hit: Hit | undefined, read: Uint8Array | undefined): A
  /** Of no hit, made once. */
  readonly absent: Effect.Effect<A>
}

/** Of a buffer, beside the value: its key, and what seals it. */
const sharedBytesMax = 512

// One lookup of each database runs on the stack at a time; it is used again and again. What it returns is read before
// the next begins.
const scratch = new KeyScratch()
const keyAt = { bytes: scratch.bytes, start: 0, end: 0 }

export class PointReads {
  private readonly parts: ReadParts
  private readonly reading: Reading
  private readonly lookup = new Lookup()
  private readonly ownHit: Hit
  private readonly storedHit: Hit
  private readonly takeValue: TakeValue

  constructor(parts: ReadParts, reading: Reading) {
    this.parts = parts
    this.reading = reading
    this.ownHit = { entry: emptyEntry(), own: true, files: reading.direct }
    this.storedHit = { entry: this.lookup.entry, own: false, files: undefined }
    this.takeValue = new TakeValue(parts.values)
  }

  get(key: Bytes): Effect.Effect<Uint8Array | undefined, DatabaseError> {
    return Effect.suspend(() => this.readAt(undefined, key, this.takeValue))
  }

  getEntry(key: Bytes): Effect.Effect<Entry | undefined, DatabaseError> {
    return Effect.suspend(() => this.readAt(undefined, key, new TakeEntry(this.parts.values)))
  }

  has(key: Bytes): Effect.Effect<boolean, DatabaseError> {
    return Effect.suspend(() => this.readAt(undefined, key, isThere))
  }

  getUnsafe(key: Bytes): Uint8Array | undefined | NotInMemory {
    this.reading.check()
    const end = scratch.put(key)
    this.reading.tracker?.key(scratch.bytes, 0, end)
    const hit = this.find(this.parts.live.current, end, this.reading.sequence())
    if (hit === NotInMemory) return NotInMemory
    if (hit === undefined) return undefined
    const { entry } = hit
    if (isSeparated(entry)) return this.parts.separated.now(hit.files, entry) ?? NotInMemory
    // A block stays as it is for as long as the view lives; an arena is recycled, and what is lent is filled again.
    return hit.own || this.lookup.isPassing
      ? this.takeValue.of(hit, undefined)
      : entry.bytes.subarray(entry.valueStart, entry.valueEnd)
  }

  getMany(keys: ReadonlyArray<Bytes>): Effect.Effect<ReadonlyArray<Uint8Array | undefined>, DatabaseError> {
    return pinned(this.parts.live, this.reading, (at) => {
      const { separated } = this.parts
      const awaited: Array<Separated> = []
      const ordinals: Array<number> = []
      const readOne = (key: Bytes, ordinal: number) => {
        const of: Take<Uint8Array | undefined>["of"] = (hit) => {
          if (hit === undefined || !isSeparated(hit.entry)) return this.takeValue.of(hit, undefined)
          awaited.push(separatedOf(separated, hit.entry, hit.own))
          ordinals.push(ordinal)
          return undefined
        }
        return this.readAt(at, key, { readsValue: false, of, absent: Effect.undefined })
      }
      return Effect.flatMap(Effect.forEach(keys, readOne), (values) => {
        if (awaited.length === 0) return Effect.succeed(values)
        const sourceOf = ({ own }: Separated) => (own ? this.reading.direct : at.view)
        return Effect.map(separated.readMany(sourceOf, awaited), (read) => {
          for (const [position, ordinal] of ordinals.entries()) values[ordinal] = alone(read[position]!)
          return values
        })
      })
    })
  }

  /** At the pinned moment, or without one at the present. */
  readAt<A>(at: Pinned | undefined, key: Bytes, take: Take<A>): Effect.Effect<A, DatabaseError> {
    try {
      const { live } = this.parts
      const { reading } = this
      reading.check()
      const end = scratch.put(key)
      reading.tracker?.key(scratch.bytes, 0, end)
      const hit =
        at === undefined ? this.find(live.current, end, reading.sequence()) : this.find(at.view, end, at.sequence)
      const answer = hit === NotInMemory ? undefined : this.answerNow(hit, take)
      return answer ?? this.readLater(at, scratch.bytes.slice(0, end), take)
    } catch (error) {
      return failed(error)
    }
  }

  private readLater<A>(at: Pinned | undefined, key: Uint8Array, take: Take<A>): Effect.Effect<A, DatabaseError> {
    if (at !== undefined) return this.suspended(at, key, take)
    return pinned(this.parts.live, this.reading, (now) => this.suspended(now, key, take))
  }

  /** `undefined` if the value is elsewhere and has to be waited for; the lookup is then done again in a pinned view. */
  private answerNow<A>(hit: Hit | undefined, take: Take<A>): Effect.Effect<A, DatabaseError> | undefined {
    if (hit === undefined) return take.absent
    if (!take.readsValue || !isSeparated(hit.entry)) return Effect.succeed(take.of(hit, undefined))
    const { separated } = this.parts
    const { entry, files, own } = hit
    const now = separated.now(files, entry)
    if (now !== undefined) return Effect.succeed(take.of(hit, now))
    if (!own) return undefined
    const value = separatedOf(separated, entry, own)
    const { bytes, keyEnd } = value.owner
    const kept = { ...hit, entry: { ...entry, bytes, keyStart: 0, keyEnd } }
    return Effect.map(separated.read(files, value), (read) => take.of(kept, read))
  }

  /** The key in the scratch memory, up to `end`. Removed and expired records are not found. */
  private find(view: View, end: number, sequence: number): Hit | undefined | NotInMemory {
    keyAt.end = end
    this.storedHit.files = view
    const { writes } = this.reading
    if (writes !== undefined) {
      const { memtable, operations } = writes
      const own = memtable.find(scratch.bytes, 0, end, operations)
      const covering = memtable.covering(scratch.bytes, 0, end, operations)
      if (covering > (own < 0 ? 0 : memtable.sequenceOf(own))) return undefined
      if (own >= 0) {
        memtable.readEntry(own, this.ownHit.entry)
        return this.present(this.ownHit)
      }
    }
    let found = this.lookup.start(view, keyAt, sequence)
    while (found === Found.needs) {
      if (!loadNow(this.lookup.request!, "look")) return NotInMemory
      found = this.lookup.step()
    }
    return found === Found.entry ? this.present(this.storedHit) : undefined
  }

  private present(hit: Hit): Hit | undefined {
    const { expiresAt, kind } = hit.entry
    if (kind === Kind.remove) return undefined
    return expiresAt !== 0 && expiresAt <= this.reading.nowMillis() ? undefined : hit
  }

  /** The same with a lookup of its own that can wait for blocks, and for the value. */
  private suspended<A>(at: Pinned, key: Uint8Array, take: Take<A>): Effect.Effect<A, DatabaseError> {
    const lookup = new Lookup()
    const { entry } = lookup
    const answer = (found: Found): Effect.Effect<A, DatabaseError> => {
      const hit = found === Found.entry ? this.present({ entry, own: false, files: at.view }) : undefined
      if (hit === undefined || !take.readsValue || !isSeparated(entry)) return Effect.succeed(take.of(hit, undefined))
      const { separated } = this.parts
      const read = separated.read(at.view, { handle: separated.handleOf(entry), owner: entry })
      return Effect.map(read, (value) => take.of(hit, value))
    }
    const step = (found: Found): Effect.Effect<A, DatabaseError> =>
      found === Found.needs
        ? Effect.flatMap(load(lookup.request!, true), () => step(lookup.step()))
        : attemptNow(() => answer(found))
    return Effect.suspend(() => step(lookup.start(at.view, { bytes: key, start: 0, end: key.length }, at.sequence)))
  }
}

// A class each, not closures in a field: V8 makes those old at once, and they would keep a short transaction's memory.
class TakeValue implements Take<Uint8Array | undefined> {
  readonly readsValue = true
  readonly absent = Effect.undefined
  private readonly values: ValueSlab

  constructor(values: ValueSlab) {
    this.values = values
  }

  of(hit: Hit | undefined, read: Uint8Array | undefined): Uint8Array | undefined {
    if (hit === undefined || read !== undefined) return read
    return this.values.copy(hit.entry.bytes, hit.entry.valueStart, hit.entry.valueEnd)
  }
}

class TakeEntry implements Take<Entry | undefined> {
  readonly readsValue = true
  readonly absent = Effect.undefined
  private readonly values: ValueSlab
  private readonly value: TakeValue

  constructor(values: ValueSlab) {
    this.values = values
    this.value = new TakeValue(values)
  }

  of(hit: Hit | undefined, read: Uint8Array | undefined): Entry | undefined {
    if (hit === undefined) return undefined
    const { bytes, expiresAt, keyEnd, keyStart, sequence, userMeta } = hit.entry
    return {
      key: this.values.copy(bytes, userKeyStart(keyStart), keyEnd),
      value: this.value.of(hit, read)!,
      sequence: hit.own ? 0 : sequence,
      expiresAt: expiresAt === 0 ? undefined : expiresAt,
      userMeta
    }
  }
}

const isThere: Take<boolean> = {
  readsValue: false,
  absent: Effect.succeed(false),
  of: (hit) => hit !== undefined
}

/** Values that were read together share a buffer, and whoever keeps one would keep them all. */
const alone = (value: Uint8Array): Uint8Array =>
  value.buffer.byteLength > 2 * value.length + sharedBytesMax ? value.slice() : value
