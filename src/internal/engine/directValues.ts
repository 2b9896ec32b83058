// Values that go to a value file before their commit enters: long ones, streamed ones, and those for which the memtable
// has no room.
//
//   write the file, sync, close → sync the directory → the commit enters, with a handle for each value
//
// So whatever of a frame a power cut leaves, what it names is there. A commit of any durability waits for these syncs:
// a frame without its value would be damage.
//
// At most `writersMax` files are written at once, each a piece of 256 KiB at a time; who comes later waits, its value
// unread. So a thousand long values at once cost the memory of a few pieces, besides the users' own. A stream cannot
// hold a writer's place while it waits for its source (the source may itself be writing to this database): it takes one
// for each append, and what is bounded beside that is how many streams have an open file.
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { Bytes } from "../../services/Database.ts"
import { type DatabaseError, invalid } from "../../services/DatabaseError.ts"
import type { OptionsShape } from "../../services/Options.ts"
import type { ValueHandle, ValueLogService, ValueOwner, ValueWriter } from "../../services/ValueLog.ts"
import { Kind, type RecordFields, recordFields } from "../format/record.ts"
import { handleBytes, writeHandle } from "../format/valueHandle.ts"
import { CommitValues } from "./commitValues.ts"
import { storedKeyOf } from "./userKeys.ts"
import { ValueWriters } from "./valueWriters.ts"
import type { LiveView } from "./view.ts"

/** Files written at once. */
const writersMax = 4
/** Streams that have a file open. */
const streamsMax = 128
/** Of a value that is handed on at once: a piece of a value file. */
const stepBytes = 256 * 1024

/** A record whose value goes to a value file: the fields without it. */
export interface DirectValue {
  readonly fields: RecordFields
  readonly value: Bytes
}

export interface DirectParts {
  readonly options: OptionsShape
  readonly values: ValueLogService
  readonly live: LiveView
  /** Why no commit is taken any more. */
  readonly refusal: () => DatabaseError | undefined
}

const encoder = new TextEncoder()

export class DirectValues {
  readonly options: OptionsShape
  readonly create: Effect.Effect<ValueWriter, DatabaseError>
  /** No value is written any more. */
  readonly stop: Effect.Effect<void>
  /** In files that are finished. */
  bytesWritten = 0
  readonly streams = Semaphore.makeUnsafe(streamsMax)
  private readonly values: ValueLogService
  private readonly live: LiveView
  private readonly files: ValueWriters
  /** Those that hold a file. */
  private readonly held = new Set<CommitValues>()
  private readonly writers = Semaphore.makeUnsafe(writersMax)
  // What strings are encoded into. Filled and handed on in one step.
  private readonly scratch = new Uint8Array(stepBytes)

  constructor({ live, options, refusal, values }: DirectParts) {
    this.options = options
    this.values = values
    this.live = live
    this.files = new ValueWriters(values, refusal)
    this.create = this.files.create
    this.stop = this.files.stop
  }

  /** For the files of one commit. */
  newValues(): CommitValues {
    return new CommitValues(this.live, this.held)
  }

  /** For files that are wanted only if the body hands them on. */
  withValues<A, E, R>(body: (values: CommitValues) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.acquireUseRelease(
      Effect.sync(() => this.newValues()),
      body,
      (values) => Effect.sync(() => values.release())
    )
  }

  /** Lets go of the files of all commits that have not entered, and will not. */
  releaseAll(): void {
    for (const values of this.held) values.release()
  }

  /** Writes the values, and returns for each the record that names it. The files are durable then, and in `into`. */
  write(
    values: ReadonlyArray<DirectValue>,
    into: CommitValues
  ): Effect.Effect<ReadonlyArray<RecordFields>, DatabaseError> {
    return Effect.suspend(() => {
      const records: Array<RecordFields> = []
      const files: Effect.Effect<void, DatabaseError> = Effect.suspend(() =>
        records.length === values.length ? Effect.void : Effect.andThen(this.writeFile(values, records, into), files)
      )
      return Effect.as(Effect.andThen(this.writers.withPermit(files), this.values.syncNames), records)
    })
  }

  /** For one append of a stream. */
  append(effect: Effect.Effect<void, DatabaseError>): Effect.Effect<void, DatabaseError> {
    return this.writers.withPermit(effect)
  }

  /** Of a stream's file: it is durable then, and in `into`. */
  finish(writer: ValueWriter, into: CommitValues): Effect.Effect<void, DatabaseError> {
    return Effect.andThen(this.writers.withPermit(this.finishFile(writer, into)), this.values.syncNames)
  }

  private finishFile(writer: ValueWriter, into: CommitValues): Effect.Effect<void, DatabaseError> {
    return Effect.uninterruptible(
      Effect.map(writer.finish, (meta) => {
        this.bytesWritten += meta.bytes
        into.add(this.values.handle(meta))
      })
    )
  }

  /** One file, which is removed again unless it is finished. */
  private writeFile(
    values: ReadonlyArray<DirectValue>,
    records: Array<RecordFields>,
    into: CommitValues
  ): Effect.Effect<void, DatabaseError> {
    return Effect.acquireUseRelease(
      this.create,
      (writer) => Effect.andThen(this.fill(writer, values, records), this.finishFile(writer, into)),
      (writer) => writer.discard
    )
  }

  /** As many of the values that are left as the file takes: one at least. */
  private fill(
    writer: ValueWriter,
    values: ReadonlyArray<DirectValue>,
    records: Array<RecordFields>
  ): Effect.Effect<void, DatabaseError> {
    const { valueFileBytesMax } = this.options
    const step: Effect.Effect<void, DatabaseError> = Effect.suspend(() => {
      const next = values[records.length]
      if (next === undefined) return Effect.void
      if (writer.bytes + next.value.length > valueFileBytesMax && records.length > first) return Effect.void
      const { fields, value } = next
      const index = writer.begin(ownerOf(fields))
      const pushed = typeof value === "string" ? this.pushText(writer, value) : pushBytes(writer, value)
      return Effect.andThen(
        pushed,
        Effect.suspend(() => {
          records.push(handleFields(fields, { file: writer.id, fileTag: writer.fileTag, index, length: writer.end() }))
          return step
        })
      )
    })
    const first = records.length
    return step
  }

  /** Encodes the text as it is written. */
  private pushText(writer: ValueWriter, text: string): Effect.Effect<void, DatabaseError> {
    const { valueBytesMax } = this.options
    let at = 0
    let bytes = 0
    const step: Effect.Effect<void, DatabaseError> = Effect.suspend(() => {
      if (at === text.length) return Effect.void
      // A part that is not the last may end within a pair: `encodeInto` would replace its half.
      let end = Math.min(text.length, at + stepBytes)
      if (end < text.length && isHighSurrogate(text.charCodeAt(end - 1))) end -= 1
      const { read, written } = encoder.encodeInto(text.slice(at, end), this.scratch)
      at += read
      bytes += written
      if (bytes > valueBytesMax) return Effect.fail(tooLong(valueBytesMax))
      // Copied within the call, before another text can come into the scratch memory.
      return Effect.andThen(writer.push(this.scratch.subarray(0, written)), step)
    })
    return step
  }
}

const isHighSurrogate = (code: number): boolean => code >= 0xd800 && code <= 0xdbff

/** Hands the bytes on in steps, so that none of them is copied long before it is written. */
export const pushBytes = (writer: ValueWriter, bytes: Uint8Array): Effect.Effect<void, DatabaseError> => {
  if (bytes.length <= stepBytes) return Effect.suspend(() => writer.push(bytes))
  let at = 0
  const step: Effect.Effect<void, DatabaseError> = Effect.suspend(() => {
    if (at === bytes.length) return Effect.void
    const end = Math.min(bytes.length, at + stepBytes)
    const part = bytes.subarray(at, end)
    at = end
    return Effect.andThen(writer.push(part), step)
  })
  return step
}

/** Whose value it will be. */
export const ownerOf = (fields: RecordFields): ValueOwner => {
  const key = fields.keyspace < 0 ? fields.key.subarray(fields.keyStart, fields.keyEnd) : storedKeyOf(fields.key)
  return { bytes: key, keyStart: 0, keyEnd: key.length, sequence: 0 }
}

/** The same record with a handle in the place of its value. */
export const handleFields = (fields: RecordFields, handle: ValueHandle): RecordFields => {
  const value = new Uint8Array(handleBytes(handle))
  writeHandle(value, 0, handle)
  return recordFields({ ...fields, kind: Kind.valueHandle, value, valueStart: 0, valueEnd: value.length })
}

export const tooLong = (valueBytesMax: number): DatabaseError =>
  invalid(`the value has more bytes than valueBytesMax (${valueBytesMax}) allows`)
