// The entry that a cursor stands on: a copy, so that nothing of its source is kept. One is filled again and again; its
// bytes are copied to memory that is not, and views of them are made when somebody asks. Two copies in buffers of their
// own for each move were three quarters of a walk: 1.26 µs an entry (16 and 128 bytes), 0.3 without them.
import * as Effect from "effect/Effect"
import type { Entry, LazyEntry } from "../../services/Database.ts"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import { copyBytes } from "../format/bytes.ts"
import type { EntryView } from "../structure/entry.ts"
import { userKeyStart } from "./userKeys.ts"
import { isSeparated, type MomentValues, type Separated, separatedOf, type ValueReads } from "./valueReads.ts"
import type { ValueSlab } from "./valueSlab.ts"

/** Entries of a walk are seldom kept. */
const slabBytes = 16 * 1024

export class CursorEntry {
  /** How long the value is. */
  valueBytes = 0
  private buffer = new ArrayBuffer(0)
  private keyStart = 0
  /** Where the key ends, and the value begins if it is with the record. */
  private keyEnd = 0
  private sequence = 0
  private expiresAt = 0
  private userMeta = 0
  /** Of a value that is not with its record. */
  private separated: Separated | undefined = undefined
  private separatedValue: Uint8Array | undefined = undefined
  private readonly slab: ValueSlab
  private readonly reads: ValueReads
  private readonly values: MomentValues

  constructor(parts: { readonly values: ValueSlab; readonly separated: ValueReads }, values: MomentValues) {
    this.slab = parts.values.withSlabs(slabBytes)
    this.reads = parts.separated
    this.values = values
  }

  /** Takes a copy. Throws `DatabaseError`. */
  hold(entry: EntryView, own: boolean): void {
    const { bytes, keyEnd, keyStart, valueEnd, valueStart } = entry
    const keyLength = keyEnd - userKeyStart(keyStart)
    const separated = isSeparated(entry)
    this.separated = separated ? separatedOf(this.reads, entry, own) : undefined
    this.separatedValue = undefined
    const here = separated ? 0 : valueEnd - valueStart
    this.valueBytes = separated ? this.separated!.handle.length : here
    const room = this.slab.room(keyLength + here)
    this.buffer = this.slab.buffer
    this.keyStart = this.slab.start
    this.keyEnd = copyBytes(room, this.keyStart, bytes, userKeyStart(keyStart), keyEnd)
    if (!separated) copyBytes(room, this.keyEnd, bytes, valueStart, valueEnd)
    this.sequence = own ? 0 : entry.sequence
    this.expiresAt = entry.expiresAt
    this.userMeta = entry.userMeta
  }

  get key(): Uint8Array {
    return new Uint8Array(this.buffer, this.keyStart, this.keyEnd - this.keyStart)
  }

  /** `undefined` if it has not been read. */
  get value(): Uint8Array | undefined {
    if (this.separated !== undefined) return this.separatedValue
    return new Uint8Array(this.buffer, this.keyEnd, this.valueBytes)
  }

  /** Whether the value is there, or could be had at once. Throws `DatabaseError`. */
  readNow(entry: EntryView, own: boolean): boolean {
    if (this.separated === undefined) return true
    this.separatedValue = this.values.now(entry, own)
    return this.separatedValue !== undefined
  }

  /** Reads the value. False if another entry has been taken meanwhile. */
  get wait(): Effect.Effect<boolean, DatabaseError> {
    const { separated } = this
    return Effect.map(this.values.one(separated!), (value) => {
      if (this.separated !== separated) return false
      this.separatedValue = value
      return true
    })
  }

  get whole(): Entry | undefined {
    const { value } = this
    return value === undefined ? undefined : { ...this.head(), value }
  }

  get lazy(): LazyEntry {
    return { ...this.head(), valueBytes: this.valueBytes, value: this.read }
  }

  /** Of the entry that is held now, whenever it is run. */
  get read(): Effect.Effect<Uint8Array, DatabaseError> {
    const { separated, value, values } = this
    return value === undefined ? values.one(separated!) : Effect.succeed(value)
  }

  private head(): Omit<Entry, "value"> {
    const { expiresAt, key, sequence, userMeta } = this
    return { key, sequence, expiresAt: expiresAt === 0 ? undefined : expiresAt, userMeta }
  }
}
