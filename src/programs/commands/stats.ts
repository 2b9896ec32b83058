// `strata stats`: what the database is made of. The table has what is true of the files; what an open database counts
// (waits, cache, jobs) is in it only where there is something to tell, and in the JSON always.
import * as Command from "effect/cli/Command"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import {
  type DataKeyStats,
  type EncryptionStats,
  type LevelStats,
  Maintenance,
  type Stats
} from "../../services/Maintenance.ts"
import * as Flags from "../flags.ts"
import { writeJson, writeLine } from "../output.ts"
import { bytesText, columns, countText, plural, table } from "../table.ts"

type Rows = ReadonlyArray<readonly [name: string, value: string]>

const millisText = (millis: number): string => `${countText(Math.round(millis))} ms`

const when = (is: boolean, ...row: readonly [name: string, value: string]): Rows => (is ? [row] : [])

const amplificationText = ({ read, space, write }: Stats["amplification"]): string =>
  [`space ${space.toFixed(2)}`, ...(write === 0 ? [] : [`write ${write.toFixed(1)}`]), `read ${read}`].join(", ")

const stallsText = ({ count, millis, millisOf, slowed, slowedMillis }: Stats["stalls"]): string => {
  const reasons = Object.entries(millisOf).flatMap(([name, of]) => (of === 0 ? [] : [`${name} ${millisText(of)}`]))
  const why = reasons.length === 0 ? "" : ` (${reasons.join(", ")})`
  const stopped = `stopped ${countText(count)} times, ${millisText(millis)}${why}`
  return `${stopped}; slowed ${countText(slowed)} times, ${millisText(slowedMillis)}`
}

const cacheText = ({ budgetBytes, bytes, hits, misses }: Stats["cache"]): string => {
  const share = ((100 * hits) / Math.max(1, hits + misses)).toFixed(1)
  return `${bytesText(bytes)} of ${bytesText(budgetBytes)}, ${share} % of ${countText(hits + misses)} reads hit`
}

const jobsText = ({ done, failed, replaced, running, waiting }: Stats["jobs"]): string =>
  [
    `${countText(running)} running`,
    `${countText(waiting)} waiting`,
    `${countText(done)} done`,
    ...(failed === 0 ? [] : [`${countText(failed)} failed`]),
    ...(replaced === 0 ? [] : [`${plural(replaced, "worker")} replaced`])
  ].join(", ")

const valuesText = ({ bytes, files, garbageBytes, liveBytes, liveValues, values }: Stats["valueFiles"]): string => {
  const share = ((100 * garbageBytes) / Math.max(1, garbageBytes + liveBytes)).toFixed(1)
  const live = `${countText(liveValues)} of ${plural(values, "value")} live`
  return `${plural(files, "file")}, ${bytesText(bytes)}, ${live}, ${bytesText(garbageBytes)} (${share} %) garbage`
}

const collectionsText = ({ collectedBytes, collectionFailures, collections, reclaimedBytes }: Stats["counters"]) =>
  [
    `${countText(collections)} done`,
    `${bytesText(collectedBytes)} written`,
    `${bytesText(reclaimedBytes)} reclaimed`,
    ...(collectionFailures === 0 ? [] : [`${countText(collectionFailures)} failed`])
  ].join(", ")

const facts = (stats: Stats): string => {
  const { cache, counters, encryption, jobs, snapshots, stalls, valueFiles } = stats
  return table([
    ["state", stats.state],
    ["sequence", countText(stats.sequence)],
    ["tables", `${plural(stats.tables, "table")}, ${bytesText(stats.tableBytes)}`],
    ["  records", countText(stats.entries)],
    ["  removals", countText(stats.removals)],
    ...when(valueFiles.files > 0, "values", valuesText(valueFiles)),
    ...when(counters.collections + counters.collectionFailures > 0, "collections", collectionsText(counters)),
    ["log", `${plural(stats.logSegments, "segment")}, ${bytesText(stats.logBytes)}`],
    ["memtables", `${countText(stats.memtables)}, ${bytesText(stats.memtableBytes)}`],
    ["manifest", bytesText(stats.manifestBytes)],
    ...when(stats.ballast.bytes > 0, "ballast", bytesText(stats.ballast.bytes)),
    ...(encryption === undefined ? [] : [["encryption", encryptionText(encryption)] as const]),
    ...when(stats.openFiles > 0, "open files", countText(stats.openFiles)),
    ["amplification", amplificationText(stats.amplification)],
    ...when(cache.hits + cache.misses > 0, "cache", cacheText(cache)),
    ...when(jobs.running + jobs.waiting + jobs.done + jobs.failed > 0, "jobs", jobsText(jobs)),
    ...when(stalls.count + stalls.slowed > 0, "stalls", stallsText(stalls)),
    ...when(
      snapshots.open > 0,
      "snapshots",
      `${countText(snapshots.open)} open, the oldest ${plural(snapshots.oldestCommitsAgo, "commit")} ago`
    ),
    ["recovered", `${plural(counters.recoveredCommits, "commit")} in ${millisText(counters.recoveryMillis)}`]
  ])
}

const masterTexts = {
  raw: "a key",
  "passphrase-scrypt": "a passphrase (scrypt)",
  "passphrase-argon2id": "a passphrase (argon2id)",
  provider: "a key of the provider"
}

const encryptionText = ({ cipher, keyGeneration, masterKind, providerKeyId }: EncryptionStats): string => {
  const master = `${masterTexts[masterKind]}${providerKeyId === undefined ? "" : ` ${providerKeyId}`}`
  return `${cipher}, opened by ${master}, data key ${keyGeneration}`
}

const keyRow = ({ bytes, createdMillis, createdSequence, files, generation }: DataKeyStats): ReadonlyArray<string> => [
  String(generation),
  DateTime.formatIso(DateTime.makeUnsafe(createdMillis)),
  countText(createdSequence),
  countText(files),
  bytesText(bytes)
]

const keys = ({ generations }: EncryptionStats): string =>
  columns([["data key", "made", "at sequence", "files", "bytes"], ...generations.map(keyRow)])

const levelRow = ({ bytes, entries, level, removals, tables, targetBytes }: LevelStats): ReadonlyArray<string> => [
  String(level),
  countText(tables),
  bytesText(bytes),
  targetBytes === undefined ? "" : bytesText(targetBytes),
  countText(entries),
  countText(removals)
]

const levels = (stats: Stats): string =>
  columns([["level", "tables", "bytes", "target", "records", "removals"], ...stats.levels.map(levelRow)])

const layout = (stats: Stats): string => {
  const { encryption } = stats
  const parts = [
    facts(stats),
    ...(encryption === undefined ? [] : [keys(encryption)]),
    ...(stats.levels.length === 0 ? [] : [levels(stats)])
  ]
  return parts.join("\n\n")
}

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
