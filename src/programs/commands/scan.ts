// `strata scan`: the entries of a range in key order, a line each.
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import { Database } from "../../services/Database.ts"
import * as Flags from "../flags.ts"
import { lines } from "../lineText.ts"
import { write, writeLines } from "../output.ts"
import { keyJson, printed } from "../text.ts"

export const scan = Command.make(
  "scan",
  {
    db: Flags.db,
    ...Flags.range,
    keysOnly: Flag.Boolean("keys-only").pipe(
      Flag.withDescription("Print keys; values are not read"),
      Flag.withDefault(false)
    ),
    hex: Flags.hex,
    json: Flags.json
  },
  Effect.fnUntraced(function* (input) {
    const database = yield* Database
    const notation = Flags.notationOf(input)
    const range = yield* Flags.rangeOf(input)
    if (input.keysOnly) {
      return yield* writeLines(
        database.keys(range),
        input.json ? (key) => JSON.stringify(keyJson(key, notation)) : (key) => printed(key, notation)
      )
    }
    // A long value is looked up again, and is to be the one that was seen.
    const snapshot = yield* database.snapshot
    yield* write(lines(snapshot, snapshot.scanLazy(range), { notation, json: input.json }))
  }, Effect.scoped)
).pipe(
  Command.withDescription("Print the entries of a range: key, tab, value, with control characters escaped"),
  Command.withExamples([
    { command: "strata scan --prefix user/ --limit 10 --db ./data", description: "The first ten of a prefix" },
    { command: "strata scan --from a --to b --reverse --json --db ./data", description: "A range, backwards, as JSON" }
  ])
)
