// What an import reads: the files of a directory, or the rows of a file.
//
//   directory   key: the path from it, with /        value: the file's bytes
//   .ndjson     key: the field --key of the line     value: the line
//   .csv .tsv   key: the column --key of the row     value: the row as a JSON object of strings, by the header's names
//
// Rows are quoted as in RFC 4180, in .tsv too. A line that is no row ends the import; a row without a key is skipped,
// as is a file over the value limit.
import * as Effect from "effect/Effect"
import * as Csv from "effect/encoding/Csv"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as Stream from "effect/Stream"
import { type CommandFailed, failed, platformText } from "./failure.ts"
import { bytesOf, type Found, pieces, type Tree, walk } from "./files.ts"
import { LineSplitter, LineTooLong } from "./lines.ts"
import { batchBytesMax, type Item, overLimit } from "./load.ts"
import type { Progress } from "./progress.ts"
import { utf8 } from "./text.ts"

export interface SourceOptions {
  readonly progress: Progress
  readonly valueBytesMax: number
}

const advancing = <E, R>(stream: Stream.Stream<Uint8Array, E, R>, progress: Progress) =>
  Stream.map(stream, (bytes) => {
    progress.advance(bytes.length)
    return bytes
  })

const itemOfFile = Effect.fnUntraced(function* (found: Found, file: string, options: SourceOptions) {
  const at = found.path
  if (found.type === "link") return { _tag: "Link" } satisfies Item
  if (found.type === "other") return { _tag: "Skipped", at, reason: "it is no regular file" } satisfies Item
  const files = yield* FileSystem.FileSystem
  const { progress, valueBytesMax } = options
  // Looked at first: a file of gigabytes is not to be in memory, nor to be read only to be refused.
  const bytes = yield* bytesOf(file)
  const reason = overLimit(bytes, valueBytesMax)
  if (reason === undefined && bytes > batchBytesMax) {
    return { _tag: "Long", at, key: at, pieces: advancing(pieces(file), progress) } satisfies Item
  }
  progress.advance(bytes)
  if (reason !== undefined) return { _tag: "Skipped", at, reason } satisfies Item
  const value = yield* files.readFile(file)
  return { _tag: "Entry", at, key: at, value } satisfies Item
})

/** Every file of the tree. One that cannot be read is an item too, so that the others are stored. */
export const filesOf = (tree: Tree, options: SourceOptions) =>
  Stream.unwrap(
    Path.Path.use((paths) =>
      Effect.succeed(
        Stream.mapEffect(walk(tree), (found) =>
          Effect.catchTag(itemOfFile(found, paths.join(tree.root, found.path), options), "PlatformError", (error) =>
            Effect.succeed<Item>({ _tag: "Unreadable", at: found.path, reason: platformText(error) })
          )
        )
      )
    )
  )

/** A file of rows, and which of their fields is the key. */
export interface Rows {
  readonly file: string
  readonly keyField: string
}

const chunksOf = (file: string, progress: Progress) =>
  Stream.unwrap(FileSystem.FileSystem.use((files) => Effect.succeed(files.stream(file)))).pipe(
    Stream.mapError((error) => failed(`${file}: ${platformText(error)}`)),
    (chunks) => advancing(chunks, progress)
  )

const encoder = new TextEncoder()

type Row = Readonly<Record<string, unknown>>

const itemOfRow = (row: Row, at: string, rest: { readonly keyField: string; readonly value: Uint8Array }): Item => {
  const { keyField, value } = rest
  const key = Object.hasOwn(row, keyField) ? row[keyField] : undefined
  if (key === undefined || key === null) return { _tag: "Skipped", at, reason: `it has no "${keyField}"` }
  if (typeof key === "string") return { _tag: "Entry", at, key, value }
  if (typeof key === "number" || typeof key === "boolean") return { _tag: "Entry", at, key: String(key), value }
  return { _tag: "Skipped", at, reason: `its "${keyField}" is neither a text nor a number` }
}

const rowOfLine = (line: Uint8Array): Row => {
  const text = utf8(line)
  if (text === undefined) throw new Error("not UTF-8")
  const row: unknown = JSON.parse(text)
  if (typeof row !== "object" || row === null || Array.isArray(row)) throw new Error("not a JSON object")
  return row as Row
}

const isBlank = (line: Uint8Array): boolean => line.every((byte) => byte === 0x20 || byte === 0x09)

/** A JSON object a line; blank lines are passed over. For one run. */
export const ndjson = ({ file, keyField }: Rows, { progress, valueBytesMax }: SourceOptions) => {
  let count = 0
  const splitter = new LineSplitter(valueBytesMax)
  const itemsOf = (lines: ReadonlyArray<Uint8Array>): Array<Item> => {
    const items: Array<Item> = []
    for (const line of lines) {
      count += 1
      if (!isBlank(line)) items.push(itemOfRow(rowOfLine(line), `${file}:${count}`, { keyField, value: line }))
    }
    return items
  }
  const orFailed = (cut: () => Array<Item>) =>
    Effect.try({
      try: cut,
      catch: (error) =>
        failed(`${file}:${error instanceof LineTooLong ? error.line : count}: ${(error as Error).message}`)
    })
  return chunksOf(file, progress).pipe(
    Stream.mapEffect((chunk) => orFailed(() => itemsOf(splitter.push(chunk)))),
    Stream.concat(Stream.fromEffect(Effect.suspend(() => orFailed(() => itemsOf(splitter.end()))))),
    Stream.flattenIterable
  )
}

/** Rows under a header. For one run. */
export const delimited = (
  { file, keyField }: Rows,
  { delimiter, progress, valueBytesMax }: SourceOptions & { readonly delimiter: string }
): Stream.Stream<Item, CommandFailed, FileSystem.FileSystem> => {
  let count = 0
  const itemOf = (row: Record<string, string>): Effect.Effect<Item, CommandFailed> => {
    count += 1
    if (count === 1 && !Object.hasOwn(row, keyField)) {
      return Effect.fail(failed(`${file}: no column "${keyField}"; the columns are ${Object.keys(row).join(", ")}`))
    }
    const value = encoder.encode(JSON.stringify(row))
    return Effect.succeed(itemOfRow(row, `${file} row ${count}`, { keyField, value }))
  }
  return chunksOf(file, progress).pipe(
    Stream.pipeThroughChannel(
      Csv.decode({ delimiter, headers: true, ignoreEmptyLines: true, maxRecordSize: valueBytesMax })
    ),
    Stream.mapError((error) => (error._tag === "CsvError" ? failed(`${file}:${error.line}: ${error.message}`) : error)),
    Stream.mapEffect(itemOf)
  )
}
