// `strata set KEY [VALUE]`: the value from the command line or, with `-` or without one, from standard input.
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Database } from "../../services/Database.ts"
import * as Flags from "../flags.ts"
import { readAll } from "../output.ts"
import { type Notation, utf8 } from "../text.ts"

const units: Readonly<Record<string, Duration.Input>> = {
  ms: "1 millis",
  s: "1 second",
  m: "1 minute",
  h: "1 hour",
  d: "1 day",
  w: "1 week"
}

/** `90s`, `1.5h`, or any of Effect's notations, as `90 seconds`; at least a millisecond. */
export const durationMillis = (text: string): Option.Option<number> => {
  const [, count, unit] = /^(\d+(?:\.\d+)?)\s*(ms|[smhdw])$/.exec(text.trim()) ?? []
  const duration =
    unit === undefined
      ? Duration.fromInput(text as Duration.Input)
      : Option.some(Duration.times(Duration.fromInputUnsafe(units[unit]!), Number(count)))
  return duration.pipe(
    Option.map((duration) => Math.round(Duration.toMillis(duration))),
    Option.filter((millis) => Number.isSafeInteger(millis) && millis > 0)
  )
}

const valueOf = Effect.fnUntraced(function* (given: Option.Option<string>, notation: Notation) {
  if (Option.isSome(given) && given.value !== "-") return yield* Flags.bytesOf(given.value, notation)
  const { options } = yield* Database
  // Two digits a byte and a line feed, if it is hexadecimal.
  const bytes = yield* readAll(notation === "hex" ? options.valueBytesMax * 2 + 2 : options.valueBytesMax)
  return notation === "hex" ? yield* Flags.bytesOf((utf8(bytes) ?? "?").trim(), notation) : bytes
})

export const set = Command.make(
  "set",
  {
    key: Flags.key,
    value: Argument.String("value").pipe(
      Argument.withMetavar("VALUE"),
      Argument.withDescription("The value; - or nothing reads standard input"),
      Argument.optional
    ),
    db: Flags.db,
    ttl: Flag.String("ttl").pipe(
      Flag.withMetavar("DURATION"),
      Flag.withDescription("How long the entry lives, as 90s, 12h or 7d"),
      Flag.filterMap(durationMillis, () => "a duration, as 500ms, 90s, 15m, 12h, 7d or 2w"),
      Flag.optional
    ),
    userMeta: Flag.Int("user-meta").pipe(
      Flag.withMetavar("N"),
      Flag.withDescription("A number of your own to keep with the value, 0 to 255"),
      Flag.filter(
        (meta) => meta >= 0 && meta <= 255,
        () => "0 to 255"
      ),
      Flag.optional
    ),
    durability: Flags.durability,
    hex: Flags.hex
  },
  Effect.fnUntraced(function* (input) {
    const database = yield* Database
    const notation = Flags.notationOf(input)
    yield* database.set(yield* Flags.bytesOf(input.key, notation), yield* valueOf(input.value, notation), {
      ttlMillis: Option.getOrUndefined(input.ttl),
      userMeta: Option.getOrUndefined(input.userMeta),
      durability: input.durability
    })
  })
).pipe(
  Command.withDescription("Store a value; creates the database if there is none"),
  Command.withExamples([
    { command: "strata set user/1 Ada --db ./data", description: "Store a text" },
    { command: "strata set logo --db ./data < logo.png", description: "Store a file" },
    { command: "strata set session/9 open --ttl 30m --db ./data", description: "Store for half an hour" }
  ])
)
