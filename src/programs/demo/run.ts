// The demo from beginning to end, as the parent sees it.
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { Database } from "../../services/Database.ts"
import { defaults } from "../../services/Options.ts"
import { failed } from "../failure.ts"
import { bytesText, countText, plural, table } from "../table.ts"
import { Checks } from "./checks.ts"
import { type Acknowledged, runAndKill } from "./child.ts"
import { checkConflict, checkScan, checkSnapshot } from "./moments.ts"
import type { Place } from "./place.ts"
import { checkReadBack, checkRecovered, type ReadBack } from "./readBack.ts"
import { nanosText, percentile, rateText, recoveryText, sizesOnDisk } from "./report.ts"
import { list, type Source } from "./source.ts"
import { storeFrom } from "./store.ts"

/** The second half of the import, and everything that is checked. */
const reopened = Effect.fnUntraced(function* (source: Source, acknowledged: Acknowledged, checks: Checks) {
  const database = yield* Database
  yield* Console.log(`reopened: ${recoveryText(database.recovery)}`)
  const batches = yield* checkRecovered(source, acknowledged, checks)
  const start = yield* Clock.currentTimeMillis
  yield* storeFrom(source, batches, () => Effect.void)
  const millis = (yield* Clock.currentTimeMillis) - start
  yield* Console.log("finished the import")
  const readBack = yield* checkReadBack(source, checks)
  yield* checkScan(source, checks)
  yield* checkSnapshot(source, checks)
  yield* checkConflict(checks)
  return { millis, readBack }
})

const opening = ({ batches, bytes, files, skipped }: Source): string =>
  [
    `node_modules: ${plural(files.length, "file")}, ${bytesText(bytes)}, in ${plural(batches.length, "commit")}`,
    ...skipped.map((file) => `  skipped ${file.path}: ${bytesText(file.bytes)} is over the value limit`)
  ].join("\n")

const spread = ({ bytes, getNanos, millis }: ReadBack): ReadonlyArray<readonly [string, string]> => [
  ["get", `p50 ${nanosText(percentile(getNanos, 50))}, p99 ${nanosText(percentile(getNanos, 99))}`],
  ["read", rateText(bytes, millis)]
]

export const run = Effect.fnUntraced(function* (place: Place) {
  const start = yield* Clock.currentTimeMillis
  const checks = new Checks()
  const source = yield* list(place.root, defaults.valueBytesMax)
  yield* Console.log(opening(source))
  const acknowledged = yield* runAndKill(place, source)
  yield* Console.log(`killed the importing process after ${plural(acknowledged.batches, "acknowledged commit")}`)
  const { millis, readBack } = yield* Effect.provide(reopened(source, acknowledged, checks), place.open)
  const sizes = yield* sizesOnDisk(place.directory)
  const seconds = ((yield* Clock.currentTimeMillis) - start) / 1000
  yield* Console.log(
    table([
      ["entries", countText(source.files.length)],
      ["bytes", bytesText(source.bytes)],
      ["import", rateText(source.bytes, acknowledged.millis + millis)],
      ...spread(readBack),
      ["on disk", sizes.text],
      ["peak memory", `${bytesText(acknowledged.peakBytes)} child, ${bytesText(place.peakBytes())} parent`],
      ["time", `${seconds.toFixed(1)} s`],
      ["checks", `${checks.held} held, ${checks.broken} broken`]
    ])
  )
  if (checks.broken > 0) return yield* failed(`${plural(checks.broken, "check")} did not hold`)
})
