// `strata compact`: takes the space of what was overwritten, removed or expired back at once, instead of in time.
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { Maintenance, type Stats } from "../../services/Maintenance.ts"
import * as Flags from "../flags.ts"
import { writeJson, writeLine } from "../output.ts"
import { bytesText, plural } from "../table.ts"

const sizeOf = ({ tableBytes, tables }: Stats) => ({ tables, bytes: tableBytes })

const sizeText = ({ bytes, tables }: ReturnType<typeof sizeOf>): string =>
  `${plural(tables, "table")}, ${bytesText(bytes)}`

const codec = Flag.Literals("codec", ["none", "zstd", "lz4", "snappy"]).pipe(
  Flag.withDescription("Write all tables by this codec that were written by another; without it each keeps its own"),
  Flag.optional
)

export const compact = Command.make(
  "compact",
  { db: Flags.db, ...Flags.bounds, codec, hex: Flags.hex, json: Flags.json },
  Effect.fnUntraced(function* (input) {
    const maintenance = yield* Maintenance
    const bounds = yield* Flags.boundsOf(input)
    // What is in the log is not in a table yet, and is part of what there is to compact.
    yield* maintenance.flush
    const before = sizeOf(yield* maintenance.stats)
    const start = yield* Clock.currentTimeMillis
    yield* maintenance.compact(bounds)
    const millis = (yield* Clock.currentTimeMillis) - start
    const after = sizeOf(yield* maintenance.stats)
    yield* input.json
      ? writeJson({ before, after, millis })
      : writeLine(`${sizeText(before)} → ${sizeText(after)} in ${(millis / 1000).toFixed(1)} s`)
  })
).pipe(
  Command.withDescription("Take back the space of what was overwritten, removed or expired, in all or in a range"),
  Command.withExamples([
    { command: "strata compact --db ./data", description: "The whole database" },
    { command: "strata compact --prefix log/2025/ --db ./data", description: "The keys of a prefix" },
    { command: "strata compact --codec zstd --db ./data", description: "And what is compressed otherwise, by zstd" }
  ])
)
