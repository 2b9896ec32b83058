// `strata flush`: what the log holds goes into tables, as it does by itself when there is enough of it.
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { Maintenance } from "../../services/Maintenance.ts"
import * as Flags from "../flags.ts"
import { writeJson, writeLine } from "../output.ts"
import { bytesText, plural } from "../table.ts"

export const flush = Command.make(
  "flush",
  { db: Flags.db, json: Flags.json },
  Effect.fnUntraced(function* (input) {
    const maintenance = yield* Maintenance
    const before = (yield* maintenance.stats).memtableBytes
    yield* maintenance.flush
    const { tableBytes, tables } = yield* maintenance.stats
    yield* input.json
      ? writeJson({ bytes: before, tables, tableBytes })
      : writeLine(`${bytesText(before)} flushed: ${plural(tables, "table")}, ${bytesText(tableBytes)}`)
  })
).pipe(
  Command.withDescription("Write what the log holds into tables"),
  Command.withExamples([{ command: "strata flush --db ./data", description: "Leave nothing to be replayed" }])
)
