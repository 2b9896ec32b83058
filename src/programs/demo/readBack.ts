// Comparing the database with the disk.
import * as Effect from "effect/Effect"
import { Database } from "../../services/Database.ts"
import { entriesText, plural } from "../table.ts"
import type { Acknowledged } from "./child.ts"
import type { Checks } from "./checks.ts"
import { compare } from "./comparison.ts"
import type { Source } from "./source.ts"

/**
 * After the kill: every acknowledged file is there, and what is there is whole batches from the first on, none missing
 * and none in part. Returns how many batches there are.
 */
export const checkRecovered = Effect.fnUntraced(function* (source: Source, acknowledged: Acknowledged, checks: Checks) {
  const database = yield* Database
  const present = yield* database.count()
  const acknowledgedFiles = source.batches[acknowledged.batches - 1]!.end
  let missing = 0
  let first = 0
  for (const [index, { path }] of source.files.entries()) {
    const has = yield* database.has(path)
    if (has && index === first) first += 1
    if (!has && index < acknowledgedFiles) missing += 1
  }
  const batches = source.batches.findIndex(({ end }) => end === first) + 1
  yield* checks.expect(
    "every acknowledged file survived the kill",
    missing === 0,
    missing === 0 ? plural(acknowledgedFiles, "file") : `${plural(missing, "file")} missing`
  )
  yield* checks.expect(
    "what survived is whole commits, in order, without a gap",
    batches >= acknowledged.batches && first === present,
    `${entriesText(present)} in ${plural(batches, "commit")}, ${acknowledged.batches} of them acknowledged`
  )
  return batches
})

/** How long the gets took, and the bytes they brought. */
export interface ReadBack {
  readonly bytes: number
  readonly getNanos: Float64Array
  readonly millis: number
}

/** Gets every file and compares it with the disk, one in memory at a time, and of a long one a piece. */
export const checkReadBack = Effect.fnUntraced(function* (source: Source, checks: Checks) {
  const database = yield* Database
  const getNanos = new Float64Array(source.files.length)
  const differing: Array<string> = []
  let bytes = 0
  for (const [index, file] of source.files.entries()) {
    const compared = yield* compare(source, file)
    getNanos[index] = compared.nanos
    if (!compared.isEqual) differing.push(file.path)
    bytes += compared.bytes
  }
  yield* checks.expect(
    "every file reads back byte for byte",
    differing.length === 0,
    differing.length === 0
      ? plural(source.files.length, "file")
      : `${plural(differing.length, "file")} differing, the first ${differing[0]}`
  )
  const count = yield* database.count()
  yield* checks.expect("there is nothing else", count === source.files.length, entriesText(count))
  const millis = getNanos.reduce((sum, nanos) => sum + nanos, 0) / 1e6
  return { bytes, getNanos: getNanos.sort(), millis } satisfies ReadBack
})
