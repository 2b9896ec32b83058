// `strata gc`: takes the space of large values that nothing names any more back at once, instead of in time.
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import { type CollectedValues, Maintenance, type ValueFileStats } from "../../services/Maintenance.ts"
import * as Flags from "../flags.ts"
import { writeJson, writeLine } from "../output.ts"
import { bytesText, plural } from "../table.ts"

const summary = ({ bytes, files }: CollectedValues, left: ValueFileStats): string => {
  const rest = `${plural(left.files, "value file")} of ${bytesText(left.bytes)} left`
  return `${plural(files, "value file")} collected, ${bytesText(bytes)} reclaimed; ${rest}`
}

export const gc = Command.make(
  "gc",
  {
    ratio: Flag.Finite("ratio").pipe(
      Flag.withMetavar("SHARE"),
      Flag.withDescription("Collect files with a larger share of garbage, from 0 to 1"),
      Flag.withDefault(0.05)
    ),
    db: Flags.db,
    json: Flags.json
  },
  Effect.fnUntraced(function* (input) {
    const maintenance = yield* Maintenance
    const collected = yield* maintenance.collectValues({ garbageRatioMin: input.ratio })
    const { valueFiles } = yield* maintenance.stats
    yield* input.json ? writeJson({ ...collected, valueFiles }) : writeLine(summary(collected, valueFiles))
  })
).pipe(
  Command.withDescription("Rewrite the files of large values without what no table names any more"),
  Command.withExamples([
    { command: "strata gc --db ./data", description: "Collect what has more than a twentieth of garbage" },
    { command: "strata gc --ratio 0 --db ./data", description: "Collect whatever has any" }
  ])
)
