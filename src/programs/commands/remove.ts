// `strata remove`, in one of three ways: the keys that are named, all in one commit; the keys of a prefix; the keys
// between two bounds. The last two cost the same however many keys there are, and print what they removed. A key that
// is not there is no failure.
import * as Argument from "effect/cli/Argument"
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Database } from "../../services/Database.ts"
import * as Flags from "../flags.ts"
import { writeLine } from "../output.ts"

interface Input extends Flags.BoundsInput {
  readonly keys: ReadonlyArray<string>
}

/** In the words of the user. */
const wayOf = ({ from, keys, prefix, to }: Input): "keys" | "prefix" | "bounds" | undefined => {
  const ways = [
    ...(keys.length > 0 ? (["keys"] as const) : []),
    ...(Option.isSome(prefix) ? (["prefix"] as const) : []),
    ...(Option.isSome(from) || Option.isSome(to) ? (["bounds"] as const) : [])
  ]
  return ways.length === 1 ? ways[0] : undefined
}

const removed = ({ from, prefix, to }: Input): string => {
  if (Option.isSome(prefix)) return `removed every key that begins with ${prefix.value}`
  const first = Option.isSome(from) ? ` from ${from.value} on` : ""
  return `removed every key${first}${Option.isSome(to) ? ` before ${to.value}` : ""}`
}

export const remove = Command.make(
  "remove",
  {
    keys: Flags.key.pipe(Argument.variadic()),
    db: Flags.db,
    ...Flags.bounds,
    durability: Flags.durability,
    hex: Flags.hex
  },
  Effect.fnUntraced(function* (input) {
    const database = yield* Database
    const options = { durability: input.durability }
    if (wayOf(input) !== "keys") {
      yield* database.removeRange(yield* Flags.boundsOf(input), options)
      return yield* writeLine(removed(input))
    }
    const keys = yield* Effect.forEach(input.keys, (key) => Flags.bytesOf(key, Flags.notationOf(input)))
    yield* database.write(
      keys.map((key) => ({ type: "remove", key })),
      options
    )
  })
).pipe(
  Command.validate((input) =>
    wayOf(input) === undefined
      ? Effect.fail(new CliError.ValidationError({ message: "One of three: KEY..., --prefix, or --from and --to" }))
      : Effect.void
  ),
  Command.withDescription("Remove keys: those named, those of a prefix, or those between two; all or none"),
  Command.withExamples([
    { command: "strata remove user/1 user/2 --db ./data", description: "Remove two keys" },
    { command: "strata remove --prefix session/ --db ./data", description: "Remove all that begin so" },
    { command: "strata remove --from a --to b --db ./data", description: "Remove a and what follows, up to b" }
  ])
)
