// The flags that several commands share, and the keys and values that people write.
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Range } from "../services/Database.ts"
import { Durability } from "../services/Options.ts"
import { type CommandFailed, failed } from "./failure.ts"
import { type Notation, parsed } from "./text.ts"

export const db = Flag.Path("db", { typeName: "directory" }).pipe(
  Flag.withFallbackConfig(Config.NonEmptyString("STRATA_DB")),
  Flag.withMetavar("DIR"),
  Flag.withDescription("The database's directory; without it, the environment's STRATA_DB")
)

export const hex = Flag.Boolean("hex").pipe(
  Flag.withDescription("Keys and values are hexadecimal, as given and as printed"),
  Flag.withDefault(false)
)

export const json = Flag.Boolean("json").pipe(Flag.withDescription("Print JSON, for programs"), Flag.withDefault(false))

export const key = Argument.String("key").pipe(
  Argument.withMetavar("KEY"),
  Argument.withDescription("The key, as text; behind -- if it begins with a dash")
)

export const durability = Flag.Literals("durability", Durability.literals).pipe(
  Flag.withDescription(
    "What the write survives once the command has ended: a power cut, a killed system process, neither"
  ),
  Flag.withDefault("disk")
)

const bound = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withMetavar("KEY"), Flag.withDescription(description), Flag.optional)

/** The flags of all keys of a part of the key space. */
export const bounds = {
  prefix: bound("prefix", "Only keys that begin so"),
  from: bound("from", "Only this key and those behind it"),
  to: bound("to", "Only keys before this one")
}

/** The flags of what is read of a part of the key space. */
export const range = {
  ...bounds,
  suffix: bound("suffix", "Only keys that end so; the whole range is read"),
  reverse: Flag.Boolean("reverse").pipe(
    Flag.withDescription("From the last key to the first"),
    Flag.withDefault(false)
  ),
  limit: Flag.Int("limit").pipe(
    Flag.withMetavar("N"),
    Flag.withDescription("At most so many entries"),
    Flag.filter(
      (limit) => limit >= 0,
      () => "0 or more"
    ),
    Flag.optional
  )
}

/** What `bounds` parses to. */
export interface BoundsInput {
  readonly prefix: Option.Option<string>
  readonly from: Option.Option<string>
  readonly to: Option.Option<string>
}

/** What `range` parses to. */
export interface RangeInput extends BoundsInput {
  readonly suffix: Option.Option<string>
  readonly reverse: boolean
  readonly limit: Option.Option<number>
}

export const notationOf = (input: { readonly hex: boolean }): Notation => (input.hex ? "hex" : "text")

/** A key or value as the user wrote it. */
export const bytesOf = (text: string, notation: Notation): Effect.Effect<Uint8Array, CommandFailed> => {
  const bytes = parsed(text, notation)
  return bytes === undefined ? Effect.fail(failed(`"${text}" is not hexadecimal`)) : Effect.succeed(bytes)
}

/** The bounds that the flags describe. */
export const boundsOf = Effect.fnUntraced(function* (input: BoundsInput & { readonly hex: boolean }) {
  const end = (text: Option.Option<string>) =>
    Option.isNone(text) ? Effect.succeed(undefined) : bytesOf(text.value, notationOf(input))
  return { prefix: yield* end(input.prefix), from: yield* end(input.from), to: yield* end(input.to) }
})

/** The range that the flags describe. */
export const rangeOf = Effect.fnUntraced(function* (input: RangeInput & { readonly hex: boolean }) {
  const range: Range = {
    ...(yield* boundsOf(input)),
    suffix: Option.isNone(input.suffix) ? undefined : yield* bytesOf(input.suffix.value, notationOf(input)),
    reverse: input.reverse,
    limit: Option.getOrUndefined(input.limit)
  }
  return range
})
