// Values that are not where their keys are: what a record of `Kind.valueHandle` names is read from its value file.
//
// A handle says nothing of the physical file, which a collection may replace: it is looked up in a view, when it is
// read. As long as the reader's moment is open, its versions stay in tables and so their values in files, and the view
// of now has them. A read of no moment of its own keeps to the view that it found the handle in.
import * as Effect from "effect/Effect"
import { Closed, Corruption, type DatabaseError, fail, Stale } from "../../services/DatabaseError.ts"
import type { StoredValue, ValueFile, ValueHandle } from "../../services/ValueLog.ts"
import { FormatError } from "../format/formatError.ts"
import { Kind } from "../format/record.ts"
import { readHandle, readHandleLength } from "../format/valueHandle.ts"
import type { EntryView } from "../structure/entry.ts"
import { attempt, attemptNow } from "./attempt.ts"
import { ofFormat } from "./diskErrors.ts"
import { pinned, type Reading, type ReadParts } from "./readContext.ts"

/** Which file has the values of a logical id. A `View` is one. */
export interface ValueSource {
  readonly valueFile: (id: number) => ValueFile | undefined
}

/** A value that is not with its record, and whether that is one of the transaction's own writes. */
export interface Separated extends StoredValue {
  readonly own: boolean
}

export const isSeparated = ({ kind }: EntryView): boolean => kind === Kind.valueHandle

const nowhere: ValueSource = { valueFile: () => undefined }

/** Finds files by handles. What is wrong with a handle is damage of the table or log that it came from. */
export class ValueReads {
  private readonly directory: string
  private readonly readOnly: boolean

  constructor(options: { readonly directory: string; readonly readOnly: boolean }) {
    this.directory = options.directory
    this.readOnly = options.readOnly
  }

  /** Of a record with one. Throws `DatabaseError`. */
  handleOf({ bytes, valueEnd, valueStart }: EntryView): ValueHandle {
    return this.decoding(() => readHandle(bytes, valueStart, valueEnd))
  }

  /** The value's length. Throws `DatabaseError`. */
  lengthOf({ bytes, valueEnd, valueStart }: EntryView): number {
    return this.decoding(() => readHandleLength(bytes, valueStart, valueEnd))
  }

  /** Throws `DatabaseError`. */
  fileOf(source: ValueSource | undefined, { file, index }: ValueHandle): ValueFile {
    const found = (source ?? nowhere).valueFile(file)
    if (found !== undefined) return found
    const { directory } = this
    const message = `${directory}: value ${index} of file ${file} is referred to, and no value file has it`
    throw fail(
      this.readOnly
        ? new Stale({ message: `${message} any more; open the database again`, file: directory })
        : new Corruption({ message, file: directory, offset: 0 })
    )
  }

  /** The value if it can be had at once. Throws `DatabaseError`. */
  now(source: ValueSource | undefined, entry: EntryView): Uint8Array | undefined {
    const handle = this.handleOf(entry)
    return this.fileOf(source, handle).readUnsafe(handle, entry)
  }

  read(source: ValueSource | undefined, value: StoredValue): Effect.Effect<Uint8Array, DatabaseError> {
    return attemptNow(() => this.fileOf(source, value.handle).read(value.handle, value.owner))
  }

  /** The values, those of each file together. */
  readMany(
    sourceOf: (value: Separated) => ValueSource | undefined,
    values: ReadonlyArray<Separated>
  ): Effect.Effect<ReadonlyArray<Uint8Array>, DatabaseError> {
    return attempt(() => {
      const groups = new Map<ValueFile, Array<number>>()
      for (const [ordinal, value] of values.entries()) {
        const file = this.fileOf(sourceOf(value), value.handle)
        const group = groups.get(file)
        if (group === undefined) groups.set(file, [ordinal])
        else group.push(ordinal)
      }
      const found: Array<Uint8Array> = Array.from({ length: values.length })
      const readGroup = ([file, ordinals]: [ValueFile, Array<number>]) =>
        Effect.map(file.readMany(ordinals.map((ordinal) => values[ordinal]!)), (read) => {
          for (const [position, ordinal] of ordinals.entries()) found[ordinal] = read[position]!
        })
      return Effect.as(Effect.forEach(groups, readGroup, { discard: true }), found)
    })
  }

  private decoding<A>(decode: () => A): A {
    try {
      return decode()
    } catch (error) {
      throw error instanceof FormatError ? ofFormat(error, this.directory) : error
    }
  }
}

/** A separated value that can be read later: its key and handle are copied. Throws `DatabaseError`. */
export const separatedOf = (reads: ValueReads, entry: EntryView, own: boolean): Separated => {
  const { bytes, keyEnd, keyStart, sequence } = entry
  const key = bytes.slice(keyStart, keyEnd)
  return { handle: reads.handleOf(entry), owner: { bytes: key, keyStart: 0, keyEnd: key.length, sequence }, own }
}

/** The values of one moment, which a scan or cursor or the reader itself holds open. */
export class MomentValues {
  private readonly parts: ReadParts
  private readonly reading: Reading
  private closed = false

  constructor(parts: ReadParts, reading: Reading) {
    this.parts = parts
    this.reading = reading
  }

  /** The scan or cursor has ended. A snapshot or transaction goes on. */
  close(): void {
    this.closed = this.reading.moment === undefined
  }

  /** Of the current record, if it can be had at once. Throws `DatabaseError`. */
  now(entry: EntryView, own: boolean): Uint8Array | undefined {
    const { live, separated } = this.parts
    return separated.now(own ? this.reading.direct : live.current, entry)
  }

  one(value: Separated): Effect.Effect<Uint8Array, DatabaseError> {
    return attempt(() => {
      this.check()
      const { live, separated } = this.parts
      const source = this.sourceOf(live.current, value)
      const now = separated.fileOf(source, value.handle).readUnsafe(value.handle, value.owner)
      if (now !== undefined) return Effect.succeed(now)
      return pinned(live, this.reading, ({ view }) =>
        attempt(() => {
          // Its moment may have ended since, and then the view has the value no more.
          this.check()
          return separated.read(this.sourceOf(view, value), value)
        })
      )
    })
  }

  many(values: ReadonlyArray<Separated>): Effect.Effect<ReadonlyArray<Uint8Array>, DatabaseError> {
    const { live, separated } = this.parts
    return pinned(live, this.reading, ({ view }) => separated.readMany((value) => this.sourceOf(view, value), values))
  }

  private sourceOf(view: ValueSource, { own }: Separated): ValueSource | undefined {
    return own ? this.reading.direct : view
  }

  private check(): void {
    this.reading.check()
    if (!this.closed) return
    throw fail(new Closed({ message: "the scan or cursor that the value is of has ended; read values before it does" }))
  }
}
