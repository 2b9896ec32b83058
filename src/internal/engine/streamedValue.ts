// A value that comes in pieces, of a length that nobody knows before its end. A short one becomes an ordinary record; a
// longer one goes to a value file while it comes, so it is never in memory as a whole.
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Bytes, SetOptions } from "../../services/Database.ts"
import { type DatabaseError, invalid } from "../../services/DatabaseError.ts"
import type { OptionsShape } from "../../services/Options.ts"
import type { ValueHandle, ValueWriter } from "../../services/ValueLog.ts"
import { concatBytes } from "../format/bytes.ts"
import type { RecordFields } from "../format/record.ts"
import type { CommitValues } from "./commitValues.ts"
import { type DirectValues, handleFields, ownerOf, pushBytes, tooLong } from "./directValues.ts"
import { type Limits, setFields } from "./requests.ts"

/** The longest that is kept in memory to its end: what tables keep inline too, and never much. */
const inlineBytesMax = ({ directValueBytesMin, valueThreshold }: OptionsShape): number =>
  Math.min(valueThreshold, directValueBytesMin - 1, 64 * 1024)

/** What came: the value itself, or where it is. */
export type Received = { readonly value: Uint8Array } | { readonly handle: ValueHandle }

/** Reads the stream to its end. A file that was written for it is in `into` then; if anything fails, there is none. */
export const receive = <E, R>(
  direct: DirectValues,
  source: { readonly fields: RecordFields; readonly stream: Stream.Stream<Uint8Array, E, R> },
  into: CommitValues
): Effect.Effect<Received, E | DatabaseError, R> =>
  Effect.acquireUseRelease(
    Effect.sync(() => new StreamedValue(direct, source.fields)),
    (value) =>
      Effect.andThen(
        Stream.runForEachArray(source.stream, (pieces) => value.take(pieces)),
        Effect.suspend(() => value.end(into))
      ),
    (value) => value.close
  )

class StreamedValue {
  private readonly direct: DirectValues
  private readonly fields: RecordFields
  private readonly kept: Array<Uint8Array> = []
  private writer: ValueWriter | undefined = undefined
  private hasPlace = false
  private length = 0

  constructor(direct: DirectValues, fields: RecordFields) {
    this.direct = direct
    this.fields = fields
  }

  /** The next pieces, which are the source's again when it completes. */
  take(pieces: ReadonlyArray<Uint8Array>): Effect.Effect<void, DatabaseError> {
    const { options } = this.direct
    for (const piece of pieces) {
      if (!(piece instanceof Uint8Array)) return Effect.fail(invalid("a piece of the value is not a Uint8Array"))
      this.length += piece.length
    }
    if (this.length > options.valueBytesMax) return Effect.fail(tooLong(options.valueBytesMax))
    if (this.writer !== undefined) return this.write(pieces)
    if (this.length > inlineBytesMax(options)) {
      return Effect.andThen(
        this.open,
        Effect.suspend(() => this.write([...this.kept.splice(0), ...pieces]))
      )
    }
    for (const piece of pieces) this.kept.push(piece.slice())
    return Effect.void
  }

  end(into: CommitValues): Effect.Effect<Received, DatabaseError> {
    const { writer } = this
    if (writer === undefined) return Effect.succeed({ value: concatBytes(this.kept) })
    const handle = { file: writer.id, fileTag: writer.fileTag, index: 0, length: writer.end() }
    return Effect.as(this.direct.finish(writer, into), { handle })
  }

  /** Removes a file that was not finished. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    const discarded = this.writer?.discard ?? Effect.void
    return this.hasPlace ? Effect.andThen(discarded, this.direct.streams.release(1)) : discarded
  })

  // What is had is noted before the fiber can be interrupted.
  private readonly open: Effect.Effect<void, DatabaseError> = Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(restore(this.direct.streams.take(1)), () => {
      this.hasPlace = true
      return Effect.map(this.direct.create, (writer) => {
        writer.begin(ownerOf(this.fields))
        this.writer = writer
      })
    })
  )

  private write(pieces: ReadonlyArray<Uint8Array>): Effect.Effect<void, DatabaseError> {
    const writer = this.writer!
    return Effect.forEach(pieces, (piece) => this.direct.append(pushBytes(writer, piece)), { discard: true })
  }
}

const nothing = new Uint8Array(0)

/** A streamed set, checked before anything of the stream is read. */
export const streamSource = <E, R>(
  limits: Limits,
  key: Bytes,
  set: { readonly stream: Stream.Stream<Uint8Array, E, R>; readonly options: SetOptions | undefined }
) => {
  if (!Stream.isStream(set.stream)) throw invalid("the value is not a stream; set takes strings and bytes")
  return { fields: setFields(limits, key, { value: nothing, options: set.options }), stream: set.stream }
}

/** The record of what came. A time to live counts from now. */
export const receivedFields = (
  limits: Limits,
  key: Bytes,
  set: { readonly received: Received; readonly options: SetOptions | undefined }
): RecordFields => {
  const { options, received } = set
  if ("value" in received) return setFields(limits, key, { value: received.value, options })
  return handleFields(setFields(limits, key, { value: nothing, options }), received.handle)
}
