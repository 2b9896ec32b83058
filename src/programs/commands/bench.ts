// `strata bench`: what the standard workloads cost on this machine, with these options, in a database of its own. One
// kind of work after the other, each for a second unless told, none beside another; a database in use does several at
// once. Figures of two machines, or of two versions, compare only where the flags are the same.
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import type * as Stdio from "effect/Stdio"
import { Database } from "../../services/Database.ts"
import { Maintenance } from "../../services/Maintenance.ts"
import { type Measured, measureOnce } from "../bench/measure.ts"
import { keyBytes, Pairs } from "../bench/pairs.ts"
import * as Place from "../bench/place.ts"
import {
  type AtRest,
  type Figure,
  figureOf,
  head,
  lineOf,
  machineText,
  restText,
  type Settings,
  settingsText
} from "../bench/report.ts"
import { workloads } from "../bench/workloads.ts"
import { failed } from "../failure.ts"
import * as Flags from "../flags.ts"
import { writeJson, writeLine } from "../output.ts"

const keysMax = 100_000_000
const valueBytesMax = 1024 * 1024
const secondsMax = 3600
const masterKeyBytes = 32
const opens = 5

const between = (flag: Flag.Flag<number>, least: number, most: number) =>
  Flag.filter(
    flag,
    (value) => value >= least && value <= most,
    () => `${least} to ${most}`
  )

const flags = {
  directory: Flag.Path("directory").pipe(
    Flag.withMetavar("DIR"),
    Flag.withDescription(
      "Where the database is made and removed: a new directory or an empty one, on the disk in question"
    ),
    Flag.optional
  ),
  keys: between(
    Flag.Int("keys").pipe(Flag.withMetavar("N"), Flag.withDescription("How many keys"), Flag.withDefault(100_000)),
    1,
    keysMax
  ),
  valueBytes: between(
    Flag.Int("value-bytes").pipe(
      Flag.withMetavar("N"),
      Flag.withDescription("How long each value is; they compress to about half"),
      Flag.withDefault(128)
    ),
    1,
    valueBytesMax
  ),
  seconds: between(
    Flag.Finite("seconds").pipe(
      Flag.withMetavar("S"),
      Flag.withDescription("How long each workload runs that has no end of its own"),
      Flag.withDefault(1)
    ),
    0,
    secondsMax
  ),
  durability: Flags.durability.pipe(
    Flag.withDescription("What each write survives: a power cut, a killed process, neither")
  ),
  encrypted: Flag.Boolean("encrypted").pipe(
    Flag.withDescription("Encrypt the database, with a key made for it"),
    Flag.withDefault(false)
  ),
  codec: Flag.Literals("codec", ["none", "zstd", "lz4", "snappy"]).pipe(
    Flag.withDescription("What compresses the tables of the bottom level; zstd if it is not given"),
    Flag.optional
  ),
  json: Flags.json
}

/** The layer that opens the bench's database; a new one each time. */
const opening = Effect.fnUntraced(function* (place: Place.Place, settings: Settings, directory: string) {
  const { codec, durability, encrypted } = settings
  const bytes = yield* Effect.all(Array.from({ length: masterKeyBytes }, () => Random.nextIntBetween(0, 256)))
  const key = Redacted.make(Uint8Array.from(bytes), { label: "key" })
  return () =>
    place.open({
      directory,
      durability,
      ...(codec === undefined ? {} : { codec }),
      ...(encrypted ? { encryption: place.encryption({ _tag: "Raw", key }) } : {})
    })
})

/** From the call until a get has been answered. */
const reopened = Effect.fnUntraced(function* (open: Effect.Success<ReturnType<typeof opening>>, pairs: Pairs) {
  const answered = Effect.gen(function* () {
    const value = yield* (yield* Database).get(pairs.key(0))
    return value !== undefined && pairs.isValue(0, value) ? 1 : yield* failed("a get after opening found nothing")
  })
  const nanos: Array<number> = []
  for (let time = 0; time < opens; time += 1) {
    nanos.push((yield* measureOnce(Effect.provide(answered, open()))).nanos)
  }
  const sampled = Float64Array.from(nanos).sort()
  const measured: Measured = { operations: opens, things: opens, nanos: sampled.reduce((a, b) => a + b), sampled }
  return figureOf({ id: "open", title: "open, first get and close", spread: true }, measured)
})

const atRest = Effect.fnUntraced(function* (place: Place.Place, { keys, valueBytes }: Settings) {
  const { amplification, logBytes, manifestBytes, tableBytes, valueFiles } = yield* (yield* Maintenance).stats
  const found: AtRest = {
    liveBytes: keys * (keyBytes + valueBytes),
    fileBytes: tableBytes + valueFiles.bytes + logBytes + manifestBytes,
    amplification,
    peakBytes: place.peakBytes()
  }
  return found
})

interface Run {
  readonly place: Place.Place
  readonly settings: Settings
  readonly directory: string
  /** Is told each figure as soon as it is there. */
  readonly told: (figure: Figure) => Effect.Effect<void, Effect.Error<ReturnType<typeof writeLine>>, Stdio.Stdio>
}

/** All workloads in their order; what is found is told when it is. */
export const run = Effect.fnUntraced(function* ({ directory, place, settings, told }: Run) {
  const pairs = new Pairs({ count: settings.keys, valueBytes: settings.valueBytes })
  const open = yield* opening(place, settings, directory)
  const figures: Array<Figure> = []
  const add = (figure: Figure) =>
    Effect.andThen(
      Effect.sync(() => figures.push(figure)),
      told(figure)
    )
  const rest = yield* Effect.gen(function* () {
    for (const workload of workloads) yield* add(figureOf(workload, yield* workload.run(pairs, settings.seconds)))
    return yield* atRest(place, settings)
  }).pipe(Effect.provide(open()))
  yield* add(yield* reopened(open, pairs))
  return { figures, rest }
})

/** `keyGiven`: whether the flags of all commands name a key, which is none of this one's. */
export const bench = <R>(place: Place.Place, keyGiven: Effect.Effect<boolean, never, R>) =>
  Command.make(
    "bench",
    flags,
    Effect.fnUntraced(function* ({ codec, directory: parent, json, ...input }) {
      if (yield* keyGiven) return yield* failed("bench makes a key of its own: --encrypted")
      const settings: Settings = { ...input, codec: Option.getOrUndefined(codec) }
      const machine = place.machine()
      const told = (figure: Figure) => (json ? Effect.void : writeLine(lineOf(figure)))
      const { figures, rest } = yield* Effect.gen(function* () {
        const directory = yield* Place.directory(parent)
        if (!json) yield* writeLine(`${machineText(machine)}\n${settingsText(settings)}\n\n${head}`)
        return yield* run({ place, settings, directory, told })
      }).pipe(Effect.scoped)
      yield* json
        ? writeJson({ machine, settings, workloads: figures, atRest: rest })
        : writeLine(`\n${restText(rest)}`)
    })
  ).pipe(
    Command.withDescription("Measure the standard workloads on this machine, in a database of its own"),
    Command.withExamples([
      { command: "strata bench", description: "In the directory for temporary files, with the default options" },
      {
        command: "strata bench --directory /mnt/data/bench --value-bytes 1024 --durability os",
        description: "On another disk, with longer values, and no sync for each write"
      }
    ])
  )
