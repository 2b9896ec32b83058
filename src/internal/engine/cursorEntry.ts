// The entry that a cursor stands on: a copy, so that nothing of its source is kept.
import * as Effect from "effect/Effect"
import type { Entry, LazyEntry } from "../../services/Database.ts"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import type { EntryView } from "../structure/entry.ts"
import { userKeyStart } from "./userKeys.ts"
import { isSeparated, type MomentValues, type Separated, separatedOf, type ValueReads } from "./valueReads.ts"

type Head = Omit<Entry, "value">

const headOf = (entry: EntryView, own: boolean): Head => {
  const { bytes, expiresAt, keyEnd, keyStart, sequence, userMeta } = entry
  return {
    key: bytes.slice(userKeyStart(keyStart), keyEnd),
    sequence: own ? 0 : sequence,
    expiresAt: expiresAt === 0 ? undefined : expiresAt,
    userMeta
  }
}

export class CursorEntry {
  readonly head: Head
  readonly valueBytes: number
  /** Known, or read. */
  value: Uint8Array | undefined
  private readonly separated: Separated | undefined
  private readonly values: MomentValues

  /** Throws `DatabaseError`. */
  constructor(
    entry: EntryView,
    reads: { readonly separated: ValueReads; readonly values: MomentValues; readonly own: boolean }
  ) {
    const { own, separated, values } = reads
    this.head = headOf(entry, own)
    this.values = values
    this.separated = isSeparated(entry) ? separatedOf(separated, entry, own) : undefined
    this.value = this.separated === undefined ? entry.bytes.slice(entry.valueStart, entry.valueEnd) : undefined
    this.valueBytes = this.separated?.handle.length ?? this.value!.length
  }

  get whole(): Entry | undefined {
    const { head, value } = this
    return value === undefined ? undefined : { ...head, value }
  }

  get lazy(): LazyEntry {
    const { head, read, valueBytes } = this
    return { ...head, valueBytes, value: read }
  }

  get read(): Effect.Effect<Uint8Array, DatabaseError> {
    const { separated, value, values } = this
    return value === undefined ? values.one(separated!) : Effect.succeed(value)
  }
}
