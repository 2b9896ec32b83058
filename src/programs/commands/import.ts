// `strata import SOURCE`: the files of a directory, or the rows of a file, in batches; see `../sources.ts` for what
// becomes of each.
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import { Database } from "../../services/Database.ts"
import { failed, onFile, failureText } from "../failure.ts"
import * as Files from "../files.ts"
import * as Flags from "../flags.ts"
import { emptyTally, load, type Tally } from "../load.ts"
import { writeJson, writeLine } from "../output.ts"
import * as Progress from "../progress.ts"
import * as Sources from "../sources.ts"
import { bytesText, countText, entriesText, plural } from "../table.ts"

interface Input {
  readonly source: string
  readonly db: string
  readonly keyField: Option.Option<string>
}

/** The tree without the database, should that lie in it: its log would be stored into itself. */
const treeOf = Effect.fnUntraced(function* ({ db, source }: Input) {
  const files = yield* FileSystem.FileSystem
  const paths = yield* Path.Path
  const database = paths.relative(yield* onFile(source)(files.realPath(source)), yield* onFile(db)(files.realPath(db)))
  if (database === "") return yield* failed(`${source} is the database itself`)
  return { root: source, except: (path: string) => path === database.split(paths.sep).join("/") } satisfies Files.Tree
})

const fromDirectory = Effect.fnUntraced(function* (input: Input, valueBytesMax: number) {
  if (Option.isSome(input.keyField)) return yield* failed("--key is for files of rows; a file's key is its path")
  const tree = yield* treeOf(input)
  const progress = yield* Progress.make(Files.bytesIn(tree))
  return { items: Sources.filesOf(tree, { progress, valueBytesMax }), progress }
})

const fromRows = Effect.fnUntraced(function* (input: Input, valueBytesMax: number) {
  const paths = yield* Path.Path
  const file = input.source
  const extension = paths.extname(file)
  if (extension !== ".ndjson" && extension !== ".csv" && extension !== ".tsv") {
    return yield* failed(`${file} is neither a directory nor a .ndjson, .csv or .tsv file`)
  }
  if (Option.isNone(input.keyField)) return yield* failed(`${file} needs --key COLUMN, the column that names the row`)
  const rows: Sources.Rows = { file, keyField: input.keyField.value }
  const progress = yield* Progress.make(onFile(file)(Files.bytesOf(file)))
  const options = { progress, valueBytesMax }
  if (extension === ".ndjson") return { items: Sources.ndjson(rows, options), progress }
  const delimiter = extension === ".csv" ? "," : "\t"
  return { items: Sources.delimited(rows, { ...options, delimiter }), progress }
})

const summary = (tally: Tally, millis: number): string => {
  const rate = millis === 0 ? "" : `, ${bytesText((tally.bytes / millis) * 1000)}/s`
  const left = [
    tally.links === 0 ? "" : `; ${plural(tally.links, "symbolic link")} passed over`,
    tally.skipped === 0 ? "" : `; ${countText(tally.skipped)} skipped`
  ].join("")
  const seconds = (millis / 1000).toFixed(1)
  return `${entriesText(tally.entries)}, ${bytesText(tally.bytes)} in ${seconds} s${rate}${left}`
}

const run = Effect.fnUntraced(function* (input: Input & { readonly prefix: Uint8Array }) {
  const files = yield* FileSystem.FileSystem
  const { options } = yield* Database
  const { type } = yield* onFile(input.source)(files.stat(input.source))
  const tally = emptyTally()
  yield* Effect.gen(function* () {
    const source = type === "Directory" ? fromDirectory : fromRows
    const { items, progress } = yield* source(input, options.valueBytesMax)
    yield* load(items, { prefix: input.prefix, note: progress.note, tally })
  }).pipe(
    Effect.scoped,
    Effect.mapError((error) =>
      failed(`${failureText(error)}${tally.entries === 0 ? "" : ` (${entriesText(tally.entries)} stored before)`}`)
    )
  )
  return tally
})

export const importCommand = Command.make(
  "import",
  {
    source: Argument.Path("source").pipe(
      Argument.withMetavar("SOURCE"),
      Argument.withDescription("A directory, or a .ndjson, .csv or .tsv file")
    ),
    db: Flags.db,
    keyField: Flag.String("key").pipe(
      Flag.withMetavar("COLUMN"),
      Flag.withDescription("The column of a row that is its key"),
      Flag.optional
    ),
    prefix: Flag.String("prefix").pipe(
      Flag.withMetavar("KEY"),
      Flag.withDescription("Goes before every key"),
      Flag.withDefault("")
    ),
    hex: Flags.hex,
    json: Flags.json
  },
  Effect.fnUntraced(function* (input) {
    const start = yield* Clock.currentTimeMillis
    const tally = yield* run({ ...input, prefix: yield* Flags.bytesOf(input.prefix, Flags.notationOf(input)) })
    const millis = (yield* Clock.currentTimeMillis) - start
    yield* input.json ? writeJson({ ...tally, millis }) : writeLine(summary(tally, millis))
    if (tally.unreadable > 0) return yield* failed(`${plural(tally.unreadable, "file")} could not be read`)
  })
).pipe(
  Command.withDescription(
    "Store the files of a directory or the rows of a file; creates the database if there is none"
  ),
  Command.withExamples([
    { command: "strata import ./photos --prefix photos/ --db ./data", description: "Store files by their paths" },
    { command: "strata import people.csv --key email --db ./data", description: "Store rows by a column" }
  ])
)
