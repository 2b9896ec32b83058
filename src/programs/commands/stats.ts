// `strata stats`: what the database is made of.
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { Maintenance, type Stats } from "../../services/Maintenance.ts"
import * as Flags from "../flags.ts"
import { writeJson, writeLine } from "../output.ts"
import { bytesText, countText, plural, table } from "../table.ts"

const layout = (stats: Stats): string =>
  table([
    ["state", stats.state],
    ["sequence", countText(stats.sequence)],
    [
      "tables",
      `${plural(
        stats.levels.reduce((sum, level) => sum + level.tables, 0),
        "table"
      )}, ${bytesText(stats.tableBytes)}`
    ],
    ...stats.levels.map(
      ({ bytes, level, tables }) => [`  level ${level}`, `${plural(tables, "table")}, ${bytesText(bytes)}`] as const
    ),
    ["  records", countText(stats.entries)],
    ["  removals", countText(stats.removals)],
    ["log", `${plural(stats.logSegments, "segment")}, ${bytesText(stats.logBytes)}`],
    ["memtables", `${countText(stats.memtables)}, ${bytesText(stats.memtableBytes)}`],
    ["manifest", bytesText(stats.manifestBytes)],
    [
      "recovered",
      `${plural(stats.counters.recoveredCommits, "commit")} in ${Math.round(stats.counters.recoveryMillis)} ms`
    ]
  ])

export const stats = Command.make(
  "stats",
  { db: Flags.db, json: Flags.json },
  Effect.fnUntraced(function* (input) {
    const maintenance = yield* Maintenance
    const stats = yield* maintenance.stats
    yield* input.json ? writeJson(stats) : writeLine(layout(stats))
  })
).pipe(
  Command.withDescription("Print what the database is made of"),
  Command.withExamples([{ command: "strata stats --db ./data", description: "Print a table" }])
)
