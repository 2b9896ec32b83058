// `strata remove KEY...`: all of them in one commit. A key that is not there is no failure.
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { Database } from "../../services/Database.ts"
import * as Flags from "../flags.ts"

export const remove = Command.make(
  "remove",
  { keys: Flags.key.pipe(Argument.atLeast(1)), db: Flags.db, durability: Flags.durability, hex: Flags.hex },
  Effect.fnUntraced(function* (input) {
    const database = yield* Database
    const keys = yield* Effect.forEach(input.keys, (key) => Flags.bytesOf(key, Flags.notationOf(input)))
    yield* database.write(
      keys.map((key) => ({ type: "remove", key })),
      { durability: input.durability }
    )
  })
).pipe(
  Command.withDescription("Remove keys, all or none"),
  Command.withExamples([{ command: "strata remove user/1 user/2 --db ./data", description: "Remove two keys" }])
)
