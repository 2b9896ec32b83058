// `strata get KEY`: the value's bytes, exactly; on a terminal a line feed follows, so that the prompt starts on a line
// of its own.
import * as Command from "effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { Database } from "../../services/Database.ts"
import { Negative } from "../failure.ts"
import * as Flags from "../flags.ts"
import { write, writeJson, writeLine } from "../output.ts"
import { entryJson, printed } from "../text.ts"

export const get = Command.make(
  "get",
  { key: Flags.key, db: Flags.db, hex: Flags.hex, json: Flags.json },
  Effect.fnUntraced(function* (input) {
    const database = yield* Database
    const notation = Flags.notationOf(input)
    const entry = yield* database.getEntry(yield* Flags.bytesOf(input.key, notation))
    if (entry === undefined) {
      yield* Console.error(`Key not found: ${input.key}`)
      return yield* new Negative()
    }
    if (input.json) return yield* writeJson(entryJson(entry, notation))
    if (input.hex) return yield* writeLine(printed(entry.value, notation))
    yield* write(Stream.succeed(entry.value))
    const { stdoutIsTerminal } = yield* Stdio.Stdio
    if (yield* stdoutIsTerminal) yield* write(Stream.succeed("\n"))
  })
).pipe(
  Command.withDescription("Print the value of a key; exits 1 if there is none"),
  Command.withExamples([
    { command: "strata get user/1 --db ./data", description: "Print a value's bytes" },
    { command: "strata get 00ff --hex --json --db ./data", description: "Print an entry with a binary key" }
  ])
)
