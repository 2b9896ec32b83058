// `strata count`: how many entries a range has. The number alone is JSON already.
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { Database } from "../../services/Database.ts"
import * as Flags from "../flags.ts"
import { writeLine } from "../output.ts"

export const count = Command.make(
  "count",
  { db: Flags.db, ...Flags.range, hex: Flags.hex, json: Flags.json },
  Effect.fnUntraced(function* (input) {
    const database = yield* Database
    yield* writeLine(String(yield* database.count(yield* Flags.rangeOf(input))))
  })
).pipe(
  Command.withDescription("Print the number of entries in a range"),
  Command.withExamples([{ command: "strata count --prefix user/ --db ./data", description: "Count a prefix" }])
)
