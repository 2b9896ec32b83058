// `strata checkpoint DIR`: a copy of the database as it is now, of links where the file system has them.
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { type Checkpoint, Maintenance } from "../../services/Maintenance.ts"
import * as Flags from "../flags.ts"
import { writeJson, writeLine } from "../output.ts"
import { bytesText, countText, plural } from "../table.ts"

const summary = ({ bytes, directory, sequence, tables, valueFiles }: Checkpoint): string => {
  const files = [plural(tables, "table"), ...(valueFiles === 0 ? [] : [plural(valueFiles, "value file")])].join(", ")
  return `${directory}: ${files}, ${bytesText(bytes)}, at sequence ${countText(sequence)}`
}

export const checkpoint = Command.make(
  "checkpoint",
  {
    directory: Argument.Path("directory").pipe(
      Argument.withMetavar("DIR"),
      Argument.withDescription("Where the copy goes: a new directory, or an empty one")
    ),
    db: Flags.db,
    json: Flags.json
  },
  Effect.fnUntraced(function* (input) {
    const maintenance = yield* Maintenance
    const made = yield* maintenance.checkpoint(input.directory)
    yield* input.json ? writeJson(made) : writeLine(summary(made))
  })
).pipe(
  Command.withDescription("Copy the database into a new directory, by links where there are any"),
  Command.withExamples([
    { command: "strata checkpoint ./before-upgrade --db ./data", description: "A copy to go back to" }
  ])
)
