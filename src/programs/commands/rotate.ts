// `strata rotate`: another master key, or a new data key. With `--full` it stays until everything is sealed with that;
// otherwise the rest is written again while the database is open the next times.
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { type EncryptionStats, Maintenance, type RotationProgress } from "../../services/Maintenance.ts"
import { failed } from "../failure.ts"
import * as Flags from "../flags.ts"
import { isGiven, type KeyInput, newKeyFlags, newMasterKey } from "../keys.ts"
import { writeJson, writeLine } from "../output.ts"
import * as Progress from "../progress.ts"
import { bytesText, plural } from "../table.ts"

const masterTexts: Record<EncryptionStats["masterKind"], string> = {
  raw: "the new key",
  "passphrase-scrypt": "the new passphrase",
  "passphrase-argon2id": "the new passphrase",
  provider: "the provider's key"
}

const master = Effect.fnUntraced(function* (input: { readonly json: boolean; readonly newKey: KeyInput }) {
  const to = yield* newMasterKey(input.newKey)
  if (to === undefined) return yield* failed("--master needs the new key: --new-key-file or --new-passphrase-file")
  const maintenance = yield* Maintenance
  yield* maintenance.rotateMasterKey(to)
  const { masterKind } = (yield* maintenance.stats).encryption!
  yield* input.json
    ? writeJson({ masterKind })
    : writeLine(`the database opens with ${masterTexts[masterKind]} from now on, and not with the old one`)
})

const summary = (generation: number, { full, left, millis, rewritten }: Outcome): string => {
  const key = `data key ${generation} is in use`
  if (full) {
    const files = `${plural(rewritten.files, "file")}, ${bytesText(rewritten.bytes)} sealed anew`
    return `${key}; ${files} in ${(millis / 1000).toFixed(1)} s, older keys are forgotten`
  }
  if (left.files === 0) return key
  return `${key}; ${plural(left.files, "file")}, ${bytesText(left.bytes)} of older keys are sealed anew in time`
}

interface Outcome {
  readonly full: boolean
  readonly millis: number
  readonly rewritten: { readonly files: number; readonly bytes: number }
  readonly left: { readonly files: number; readonly bytes: number }
}

const data = Effect.fnUntraced(function* ({ full, json }: { readonly full: boolean; readonly json: boolean }) {
  const maintenance = yield* Maintenance
  const start = yield* Clock.currentTimeMillis
  let last: RotationProgress = { files: 0, bytes: 0, filesDone: 0, bytesDone: 0 }
  const { generation } = yield* Effect.scoped(
    Effect.gen(function* () {
      const bar = yield* Progress.make(Effect.map(maintenance.stats, ({ encryption }) => bytesOf(encryption)))
      const onProgress = (progress: RotationProgress) =>
        Effect.sync(() => {
          bar.advance(Math.max(0, progress.bytesDone - last.bytesDone))
          last = progress
        })
      return yield* maintenance.rotateDataKey({ full, onProgress })
    })
  )
  const millis = (yield* Clock.currentTimeMillis) - start
  const { encryption } = yield* maintenance.stats
  const older = encryption!.generations.filter((key) => key.generation < generation)
  const left = { files: older.reduce((sum, { files }) => sum + files, 0), bytes: bytesOf({ generations: older }) }
  const outcome: Outcome = { full, millis, left, rewritten: { files: last.filesDone, bytes: last.bytesDone } }
  yield* json ? writeJson({ generation, ...outcome }) : writeLine(summary(generation, outcome))
})

const bytesOf = (encryption: Pick<EncryptionStats, "generations"> | undefined): number =>
  (encryption?.generations ?? []).reduce((sum, { bytes }) => sum + bytes, 0)

const boolean = (name: string, description: string) =>
  Flag.Boolean(name).pipe(Flag.withDescription(description), Flag.withDefault(false))

export const rotate = Command.make(
  "rotate",
  {
    master: boolean("master", "Replace the master key, which opens the database"),
    data: boolean("data", "Make a new data key, which seals the files"),
    full: boolean("full", "With --data: seal all files anew now, and forget the older keys"),
    newKey: newKeyFlags,
    db: Flags.db,
    json: Flags.json
  },
  Effect.fnUntraced(function* (input) {
    if (input.master === input.data) return yield* failed("rotate either the --master key or the --data key")
    if (input.full && input.master) return yield* failed("--full belongs to --data")
    if (input.data && isGiven(input.newKey)) {
      return yield* failed("--new-key-file and --new-passphrase-file belong to --master; a data key is made at random")
    }
    yield* input.master ? master(input) : data(input)
  })
).pipe(
  Command.withDescription("Replace the master key of an encrypted database, or make a new data key"),
  Command.withExamples([
    {
      command: "strata rotate --master --key-file old.key --new-key-file new.key --db ./data",
      description: "Open it with another key from now on"
    },
    { command: "strata rotate --data --full --key-file my.key --db ./data", description: "Seal all files anew" }
  ])
)
