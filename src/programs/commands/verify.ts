// `strata verify`: reads everything and changes nothing. Damage is printed as `file:offset: message`, a line each, and
// makes the exit code 1; so does damage that the database cannot be opened over.
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { type Damage, Maintenance, type VerifyReport } from "../../services/Maintenance.ts"
import { damageText, Negative } from "../failure.ts"
import * as Flags from "../flags.ts"
import { writeJson, writeLine } from "../output.ts"
import { bytesText, entriesText, plural } from "../table.ts"

const summary = ({ blocks, bytes, damage, entries, files, values }: VerifyReport): string => {
  const parts = [plural(files, "file"), bytesText(bytes), plural(blocks, "block"), entriesText(entries)]
  const read = [...parts, ...(values === 0 ? [] : [`${plural(values, "value")} in value files`])].join(", ")
  return `${read}: ${damage.length === 0 ? "no damage" : plural(damage.length, "damaged place")}`
}

const lines = (report: VerifyReport): string => [...report.damage.map(damageText), summary(report)].join("\n")

const finish = Effect.fnUntraced(function* (report: VerifyReport, json: boolean) {
  yield* json ? writeJson(report) : writeLine(lines(report))
  if (report.damage.length > 0) return yield* new Negative()
})

/** Damage that ended the check, or the opening before it, as its only finding. */
export const stoppedBy =
  (input: { readonly json: boolean }) =>
  ({ file, message, offset }: Damage) =>
    finish({ files: 0, bytes: 0, blocks: 0, entries: 0, values: 0, damage: [{ file, offset, message }] }, input.json)

export const verify = Command.make("verify", { db: Flags.db, json: Flags.json }).pipe(
  Command.withDescription("Read every file and check it; exits 1 on damage and prints where"),
  Command.withExamples([{ command: "strata verify --db ./data", description: "Check a database" }])
)

export const check = Effect.fnUntraced(function* (input: { readonly json: boolean }) {
  const maintenance = yield* Maintenance
  yield* finish(yield* maintenance.verify, input.json)
})
