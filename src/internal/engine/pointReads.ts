// Reads of single keys. All of it runs on the caller's stack as long as memory (or a synchronous disk) has what it
// needs.
import * as Effect from "effect/Effect"
import { type Bytes, type Entry, NotInMemory } from "../../services/Database.ts"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import { Kind } from "../format/record.ts"
import { emptyEntry, type EntryView } from "../structure/entry.ts"
import { Found, Lookup } from "../structure/lookup.ts"
import { attemptNow } from "./attempt.ts"
import { load, loadNow, type Pinned, pinned, type Reading, type ReadParts } from "./readContext.ts"
import { KeyScratch, userKeyStart } from "./userKeys.ts"
import type { View } from "./view.ts"

/** Where a key's record was found. `own`: among the transaction's own writes. */
interface Hit {
  readonly entry: EntryView
  readonly own: boolean
}

type Take<A> = (hit: Hit | undefined) => A

// One lookup of each database runs on the stack at a time; it is used again and again. What it returns is read before
// the next begins.
const scratch = new KeyScratch()
const keyAt = { bytes: scratch.bytes, start: 0, end: 0 }

export class PointReads {
  private readonly parts: ReadParts
  private readonly reading: Reading
  private readonly lookup = new Lookup()
  private readonly ownHit: Hit = { entry: emptyEntry(), own: true }
  private readonly storedHit: Hit

  constructor(parts: ReadParts, reading: Reading) {
    this.parts = parts
    this.reading = reading
    this.storedHit = { entry: this.lookup.entry, own: false }
  }

  get(key: Bytes): Effect.Effect<Uint8Array | undefined, DatabaseError> {
    return Effect.suspend(() => this.read(key, this.takeValue))
  }

  getEntry(key: Bytes): Effect.Effect<Entry | undefined, DatabaseError> {
    return Effect.suspend(() => this.read(key, this.takeEntry))
  }

  has(key: Bytes): Effect.Effect<boolean, DatabaseError> {
    return Effect.suspend(() => this.read(key, isThere))
  }

  getUnsafe(key: Bytes): Uint8Array | undefined | NotInMemory {
    this.reading.check()
    const end = scratch.put(key)
    this.reading.tracker?.key(scratch.bytes, 0, end)
    const hit = this.find(this.parts.live.current, end, this.reading.sequence())
    if (hit === NotInMemory) return NotInMemory
    if (hit === undefined) return undefined
    const { bytes, valueEnd, valueStart } = hit.entry
    // A block stays as it is for as long as the view lives; an arena is recycled.
    return hit.own || this.lookup.inMemtable ? this.takeValue(hit) : bytes.subarray(valueStart, valueEnd)
  }

  getMany(keys: ReadonlyArray<Bytes>): Effect.Effect<ReadonlyArray<Uint8Array | undefined>, DatabaseError> {
    return pinned(this.parts.live, this.reading, (at) =>
      Effect.forEach(keys, (key) => Effect.suspend(() => this.readAt(at, key, this.takeValue)))
    )
  }

  private read<A>(key: Bytes, take: Take<A>): Effect.Effect<A, DatabaseError> {
    return this.readAt(undefined, key, take)
  }

  /** At the pinned moment, or without one at the present. */
  private readAt<A>(at: Pinned | undefined, key: Bytes, take: Take<A>): Effect.Effect<A, DatabaseError> {
    return attemptNow(() => {
      this.reading.check()
      const end = scratch.put(key)
      this.reading.tracker?.key(scratch.bytes, 0, end)
      const hit = this.find(at?.view ?? this.parts.live.current, end, at?.sequence ?? this.reading.sequence())
      if (hit !== NotInMemory) return Effect.succeed(take(hit))
      const stored = scratch.bytes.slice(0, end)
      if (at !== undefined) return this.suspended(at, stored, take)
      return pinned(this.parts.live, this.reading, (now) => this.suspended(now, stored, take))
    })
  }

  /** The key in the scratch memory, up to `end`. Removed and expired records are not found. */
  private find(view: View, end: number, sequence: number): Hit | undefined | NotInMemory {
    keyAt.end = end
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
      if (!loadNow(this.lookup.request!, true)) return NotInMemory
      found = this.lookup.step()
    }
    return found === Found.entry ? this.present(this.storedHit) : undefined
  }

  private present(hit: Hit): Hit | undefined {
    const { expiresAt, kind } = hit.entry
    if (kind === Kind.remove) return undefined
    return expiresAt !== 0 && expiresAt <= this.reading.nowMillis() ? undefined : hit
  }

  /** The same with a lookup of its own that can wait for blocks. */
  private suspended<A>(at: Pinned, key: Uint8Array, take: Take<A>): Effect.Effect<A, DatabaseError> {
    const lookup = new Lookup()
    const step = (found: Found): Effect.Effect<A, DatabaseError> => {
      if (found === Found.needs) return Effect.flatMap(load(lookup.request!, true), () => step(lookup.step()))
      const hit = found === Found.entry ? this.present({ entry: lookup.entry, own: false }) : undefined
      return Effect.succeed(take(hit))
    }
    return Effect.suspend(() => step(lookup.start(at.view, { bytes: key, start: 0, end: key.length }, at.sequence)))
  }

  private readonly takeValue = (hit: Hit | undefined): Uint8Array | undefined =>
    hit === undefined ? undefined : this.parts.values.copy(hit.entry.bytes, hit.entry.valueStart, hit.entry.valueEnd)

  private readonly takeEntry = (hit: Hit | undefined): Entry | undefined => {
    if (hit === undefined) return undefined
    const { bytes, expiresAt, keyEnd, keyStart, sequence, userMeta } = hit.entry
    return {
      key: this.parts.values.copy(bytes, userKeyStart(keyStart), keyEnd),
      value: this.takeValue(hit)!,
      sequence: hit.own ? 0 : sequence,
      expiresAt: expiresAt === 0 ? undefined : expiresAt,
      userMeta
    }
  }
}

const isThere = (hit: Hit | undefined): boolean => hit !== undefined
