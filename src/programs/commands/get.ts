// `strata get KEY`: the value's bytes, exactly; on a terminal a line feed follows, so that the prompt starts on a line
// of its own. They are written piece by piece: of a long value with damage, exit code 1, what is before it comes out.
import * as Command from "effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { Database } from "../../services/Database.ts"
import { Negative } from "../failure.ts"
import * as Flags from "../flags.ts"
import { lines } from "../lineText.ts"
import { write } from "../output.ts"
import { printed } from "../text.ts"

const orNotFound = Effect.fnUntraced(function* <A>(input: { readonly key: string }, found: A | undefined) {
  if (found !== undefined) return found
  yield* Console.error(`Key not found: ${input.key}`)
  return yield* new Negative()
})

const writeHex = <E>(pieces: Stream.Stream<Uint8Array, E>) =>
  write(
    Stream.concat(
      Stream.map(pieces, (piece) => printed(piece, "hex")),
      Stream.succeed("\n")
    )
  )

export const get = Command.make(
  "get",
  { key: Flags.key, db: Flags.db, hex: Flags.hex, json: Flags.json },
  Effect.fnUntraced(function* (input) {
    const database = yield* Database
    const notation = Flags.notationOf(input)
    const key = yield* Flags.bytesOf(input.key, notation)
    if (input.json) {
      const snapshot = yield* database.snapshot
      const cursor = yield* snapshot.cursor({ lazy: true })
      yield* cursor.seekExact(key)
      const entry = yield* orNotFound(input, cursor.lazyEntry)
      return yield* write(lines(snapshot, Stream.succeed(entry), { notation, json: true }))
    }
    const pieces = yield* orNotFound(input, yield* database.getStream(key))
    if (input.hex) return yield* writeHex(pieces)
    yield* write(pieces)
    const { stdoutIsTerminal } = yield* Stdio.Stdio
    if (yield* stdoutIsTerminal) yield* write(Stream.succeed("\n"))
  }, Effect.scoped)
).pipe(
  Command.withDescription("Print the value of a key; exits 1 if there is none"),
  Command.withExamples([
    { command: "strata get user/1 --db ./data", description: "Print a value's bytes" },
    { command: "strata get 00ff --hex --json --db ./data", description: "Print an entry with a binary key" }
  ])
)
