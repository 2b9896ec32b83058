// Entries as lines. A long value is made into text piece by piece, while it is read and written: as a text of its own
// it would be up to four times as long, and longer than a string can be. It is read twice, for whether it is UTF-8 is
// known at its end.
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { LazyEntry, Reader } from "../services/Database.ts"
import type { DatabaseError } from "../services/DatabaseError.ts"
import { Base64Writer, entryJson, escapeBinary, escapeText, keyJson, type Notation, printed, restJson } from "./text.ts"

export interface LineForm {
  readonly notation: Notation
  /** Key, tab and value otherwise. */
  readonly json: boolean
}

/** The longest value that becomes text as a whole. */
const wholeBytesMax = 256 * 1024

type Texts = Stream.Stream<string, DatabaseError>

const wholeLine = (entry: LazyEntry, value: Uint8Array, { json, notation }: LineForm): string =>
  json
    ? JSON.stringify(entryJson({ ...entry, value }, notation))
    : `${printed(entry.key, notation)}\t${printed(value, notation)}`

/** A value's text, of its pieces in their order. */
interface Writer {
  readonly push: (piece: Uint8Array) => string
  readonly end: () => string
}

const utf8Writer = (escape: (text: string) => string): Writer => {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
  return {
    push: (piece) => escape(decoder.decode(piece, { stream: true })),
    end: () => escape(decoder.decode())
  }
}

const nothingLeft = (): string => ""

/** Without the quotes. */
const jsonEscaped = (text: string): string => JSON.stringify(text).slice(1, -1)

const writerOf = ({ json, notation }: LineForm, isUtf8: boolean): Writer => {
  if (notation === "hex") return { push: (piece) => printed(piece, "hex"), end: nothingLeft }
  if (isUtf8) return utf8Writer(json ? jsonEscaped : escapeText)
  return json ? new Base64Writer() : { push: escapeBinary, end: nothingLeft }
}

/** What is around the value. */
const frameOf = (entry: LazyEntry, { json, notation }: LineForm, isUtf8: boolean): readonly [string, string] => {
  if (!json) return [`${printed(entry.key, notation)}\t`, "\n"]
  const valueEncoding = notation === "hex" ? "hex" : isUtf8 ? "utf8" : "base64"
  const head = JSON.stringify(keyJson(entry.key, notation))
  const tail = JSON.stringify({ valueEncoding, ...restJson(entry) })
  return [`${head.slice(0, -1)},"value":"`, `",${tail.slice(1)}\n`]
}

class NotUtf8 extends Data.TaggedError("NotUtf8")<{}> {}

const taken = (take: () => string) => Effect.try({ try: take, catch: () => new NotUtf8() })

/** Reads no further than they are. */
const areUtf8 = (pieces: Stream.Stream<Uint8Array, DatabaseError>): Effect.Effect<boolean, DatabaseError> =>
  Effect.suspend(() => {
    const writer = utf8Writer(nothingLeft)
    return Stream.runForEach(pieces, (piece) => taken(() => writer.push(piece))).pipe(
      Effect.andThen(taken(writer.end)),
      Effect.as(true),
      Effect.catchTag("NotUtf8", () => Effect.succeed(false))
    )
  })

const longLine = (reader: Reader, entry: LazyEntry, form: LineForm): Texts => {
  const pieces = Effect.map(reader.getStream(entry.key), (pieces) => pieces ?? Stream.empty)
  return Stream.unwrap(
    Effect.gen(function* () {
      const isUtf8 = form.notation === "text" && (yield* Effect.scoped(Effect.flatMap(pieces, areUtf8)))
      const writer = writerOf(form, isUtf8)
      const [head, tail] = frameOf(entry, form, isUtf8)
      return Stream.succeed(head).pipe(
        Stream.concat(Stream.map(yield* pieces, (piece) => writer.push(piece))),
        Stream.concat(Stream.sync(() => `${writer.end()}${tail}`))
      )
    })
  )
}

/** One after the other: entries that become text together, of `wholeBytesMax` at most, or one that is longer. */
type Run = ReadonlyArray<LazyEntry>

const isLong = ({ valueBytes }: LazyEntry): boolean => valueBytes > wholeBytesMax

const runsOf = (entries: readonly [LazyEntry, ...Array<LazyEntry>]): [Run, ...Array<Run>] => {
  let run = [entries[0]]
  const runs: [Run, ...Array<Run>] = [run]
  let bytes = entries[0].valueBytes
  for (let index = 1; index < entries.length; index += 1) {
    const entry = entries[index]!
    bytes += entry.valueBytes
    if (bytes <= wholeBytesMax) {
      run.push(entry)
      continue
    }
    run = [entry]
    runs.push(run)
    bytes = entry.valueBytes
  }
  return runs
}

const wholeLines = Effect.fnUntraced(function* (run: Run, form: LineForm) {
  let text = ""
  for (const entry of run) {
    const value = yield* entry.value
    text += `${wholeLine(entry, value, form)}\n`
  }
  return text
})

/** The entries that the reader gave, each as a line. */
export const lines = (reader: Reader, entries: Stream.Stream<LazyEntry, DatabaseError>, form: LineForm): Texts =>
  entries.pipe(
    Stream.mapArray(runsOf),
    Stream.flatMap((run) =>
      isLong(run[0]!) ? longLine(reader, run[0]!, form) : Stream.fromEffect(wholeLines(run, form))
    )
  )
