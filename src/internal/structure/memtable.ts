// The index of one arena of commits: versions of each key, newest first, found by hash or walked in order.
//
// Records stay where the commit put them (format/record.ts); the index knows their offsets only. A version is an entry,
// four u32: record offset, sequence low, sequence high, the next older entry of the key + 1. The newest entry + 1 is
// the value that the key index keeps for the key. Range removals are few and are kept apart (growingRemovals.ts).
//
// Measured beside other work (Node 24, 2.5 GHz Xeon VM; random 16-byte keys in a SharedArrayBuffer; 128-byte values, 16
// at 500 k; µs an operation, merging into order included in put):
//
//   keys     put        put ascending   overwrite   find       find nothing   next + newest   seek
//   10 k     0.3–0.4    0.1–0.2         0.2         0.14–0.3   0.07           0.04            0.3
//   100 k    0.45–0.6   0.15–0.25       0.35–0.6    0.3–0.6    0.06–0.09      0.06–0.13       0.6–0.8
//   500 k    0.8–1.1    0.25–0.45       0.6–0.75    0.55–0.75  0.08–0.13      0.2–0.3         1.1–1.6
//
// The prototypes (PERFORMANCE §3) took 0.87 for a find by hash at 100 k, and 1.9 for a set into sorted leaves alone.
// The index takes about 90 bytes a key beside its record, overwrites 16 each.
import { hashKey } from "../format/compare.ts"
import { assert } from "../format/formatError.ts"
import { Kind, readRecord, RecordView } from "../format/record.ts"
import type { RangeRemoval } from "../format/table.ts"
import { readVarint, varintBytes } from "../format/varint.ts"
import type { ArenaLike } from "./arena.ts"
import type { EntryView } from "./entry.ts"
import { GrowingRemovals } from "./growingRemovals.ts"
import { KeyIndex } from "./keyIndex.ts"
import { MemtableCursor } from "./memtableCursor.ts"
import type { RemovalSet } from "./rangeRemovals.ts"

const entryWords = 4
const highUnit = 0x1_0000_0000
// Arena bytes for each key and entry that the first arrays have room for; smaller records make them grow.
const arenaBytesPerKey = 128

export class Memtable {
  readonly arena: ArenaLike
  readonly keys: KeyIndex
  /** Indexed records, without range removals. */
  entryCount = 0
  /** Records that remove something, range removals among them. */
  removeCount = 0
  /** In the order in which they were put. */
  rangeRemovals: ReadonlyArray<RangeRemoval>
  private readonly removals = new GrowingRemovals()
  private entries: Uint32Array
  private readonly entriesInitial: number
  private readonly view = new RecordView()

  constructor(arena: ArenaLike) {
    this.arena = arena
    this.rangeRemovals = this.removals.all
    const keysInitial = Math.max(Math.ceil(arena.bytes.length / arenaBytesPerKey), 16)
    this.keys = new KeyIndex(arena, keysInitial)
    this.entriesInitial = keysInitial
    this.entries = new Uint32Array(this.entriesInitial * entryWords)
  }

  get keyCount(): number {
    return this.keys.count
  }

  /** The arena's memory. Read it again after `reserve`. */
  get bytes(): Uint8Array {
    return this.arena.bytes
  }

  get used(): number {
    return this.arena.used
  }

  /** Memory of the index, beside the arena. */
  get indexBytes(): number {
    return this.entries.byteLength + this.keys.bytes
  }

  /** Room in the arena for so many bytes: an offset, or -1. */
  reserve(bytes: number): number {
    return this.arena.reserve(bytes)
  }

  /** Indexes the record at the offset. Sequences of one key must increase. */
  put(recordOffset: number, sequence: number): void {
    const bytes = this.arena.bytes
    const kind = bytes[recordOffset]
    if (kind === Kind.remove || kind === Kind.removeRange) this.removeCount += 1
    if (kind === Kind.removeRange) return this.putRange(recordOffset, sequence)
    const length = readVarint(bytes, recordOffset + 2, this.arena.used)
    const start = recordOffset + 2 + varintBytes(length)
    assert(start + length <= this.arena.used, "a record lies in what the arena has handed out")
    const hash = hashKey(bytes, start, start + length)
    const keys = this.keys
    let id = keys.find(bytes, start, start + length, hash)
    if (id < 0) id = keys.add(start, length, hash)
    const newer = keys.valueOf(id)
    const entry = this.entryCount
    assert(newer === 0 || this.sequenceOf(newer - 1) < sequence, "sequences of one key must increase")
    if ((entry + 1) * entryWords > this.entries.length) this.grow()
    const at = entry * entryWords
    const entries = this.entries
    entries[at] = recordOffset
    entries[at + 1] = sequence >>> 0
    entries[at + 2] = (sequence / highUnit) >>> 0
    entries[at + 3] = newer
    this.entryCount = entry + 1
    keys.setValue(id, entry + 1)
  }

  /** The entry of the newest version at or below the sequence, or -1. */
  find(key: Uint8Array, start: number, end: number, sequence: number): number {
    const id = this.keys.find(key, start, end, hashKey(key, start, end))
    return id < 0 ? -1 : this.newestOf(id, sequence)
  }

  /** As `find`, for a key by its number. */
  newestOf(id: number, sequence: number): number {
    let entry = this.keys.valueOf(id) - 1
    while (entry >= 0 && this.sequenceOf(entry) > sequence) entry = this.older(entry)
    return entry
  }

  recordOffset(entry: number): number {
    return this.entries[entry * entryWords]
  }

  sequenceOf(entry: number): number {
    const at = entry * entryWords
    return this.entries[at + 2] * highUnit + this.entries[at + 1]
  }

  /** The next older version of the same key, or -1. */
  older(entry: number): number {
    return this.entries[entry * entryWords + 3] - 1
  }

  /** The highest sequence at or below the given one of a range removal that covers the key; 0 if there is none. */
  covering(key: Uint8Array, start: number, end: number, sequence: number): number {
    return this.removals.covering(key, start, end, sequence)
  }

  /** The range removals that a reader at the sequence sees, from the newest. */
  removalsAt(sequence: number): ReadonlyArray<RemovalSet> {
    return this.removals.at(sequence)
  }

  /** Fills the view with the entry's record, where it lies in the arena. */
  readEntry(entry: number, into: EntryView): void {
    const bytes = this.arena.bytes
    const view = this.view
    readRecord(bytes, this.recordOffset(entry), this.arena.used, view)
    into.bytes = bytes
    into.keyStart = view.keyStart
    into.keyEnd = view.keyEnd
    into.valueStart = view.valueStart
    into.valueEnd = view.valueEnd
    into.kind = view.kind
    into.flags = view.flags
    into.sequence = this.sequenceOf(entry)
    into.expiresAt = view.expiresAt
    into.userMeta = view.userMeta
  }

  cursor(): MemtableCursor {
    return new MemtableCursor(this)
  }

  /** Empties index and arena, to be used again. No cursor may be in use. */
  reset(): void {
    this.arena.reset()
    this.keys.reset()
    this.entryCount = 0
    this.removeCount = 0
    this.removals.reset()
    this.rangeRemovals = this.removals.all
    if (this.entries.length > this.entriesInitial * entryWords) {
      this.entries = new Uint32Array(this.entriesInitial * entryWords)
    }
  }

  private putRange(recordOffset: number, sequence: number): void {
    const bytes = this.arena.bytes
    const view = this.view
    readRecord(bytes, recordOffset, this.arena.used, view)
    const from = bytes.slice(view.keyStart, view.keyEnd)
    this.removals.add({ from, to: bytes.slice(view.valueStart, view.valueEnd), sequence })
  }

  private grow(): void {
    const grown = new Uint32Array(this.entries.length * 2)
    grown.set(this.entries)
    this.entries = grown
  }
}
