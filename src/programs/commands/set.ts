// `strata set KEY [VALUE]`: the value from the command line or, with `-` or without one, from standard input; a long
// one is written while it comes.
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Database, type SetOptions, type WriteOptions } from "../../services/Database.ts"
import * as Flags from "../flags.ts"
import * as Input from "../input.ts"
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
  // What would not get a value file of its own as a whole, is not to get one for coming in pieces.
  const wholeBytesMax = options.directValueBytesMin
  if (notation === "text") return yield* Input.read({ bytesMax: options.valueBytesMax, wholeBytesMax })
  // Two digits a byte and a line feed.
  const input = yield* Input.read({ bytesMax: options.valueBytesMax * 2 + 2, wholeBytesMax: wholeBytesMax * 2 + 2 })
  return input instanceof Uint8Array
    ? yield* Flags.bytesOf((utf8(input) ?? "?").trim(), notation)
    : Input.fromHex(input)
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
    const key = yield* Flags.bytesOf(input.key, notation)
    const value = yield* valueOf(input.value, notation)
    const options: SetOptions & WriteOptions = {
      ttlMillis: Option.getOrUndefined(input.ttl),
      userMeta: Option.getOrUndefined(input.userMeta),
      durability: input.durability
    }
    yield* value instanceof Uint8Array ? database.set(key, value, options) : database.setStream(key, value, options)
  }, Effect.scoped)
).pipe(
  Command.withDescription("Store a value; creates the database if there is none"),
  Command.withExamples([
    { command: "strata set user/1 Ada --db ./data", description: "Store a text" },
    { command: "strata set logo --db ./data < logo.png", description: "Store a file" },
    { command: "strata set session/9 open --ttl 30m --db ./data", description: "Store for half an hour" }
  ])
)
