// Comparing the database with the disk.
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { compareBytes } from "../../internal/format/compare.ts"
import { Database } from "../../services/Database.ts"
import { entriesText, plural } from "../table.ts"
import type { Acknowledged } from "./child.ts"
import type { Checks } from "./checks.ts"
import type { Source } from "./source.ts"
import { readSource } from "./store.ts"

const equal = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && compareBytes(a, 0, a.length, b, 0, b.length) === 0

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

/** Gets every file and compares it with the disk, one in memory at a time. */
export const checkReadBack = Effect.fnUntraced(function* (source: Source, checks: Checks) {
  const database = yield* Database
  const clock = yield* Clock.Clock
  const getNanos = new Float64Array(source.files.length)
  const differing: Array<string> = []
  let bytes = 0
  for (const [index, { path }] of source.files.entries()) {
    const start = clock.monotonicTimeNanosUnsafe()
    const value = yield* database.get(path)
    getNanos[index] = Number(clock.monotonicTimeNanosUnsafe() - start)
    const expected = yield* readSource(source, index)
    if (value === undefined || !equal(value, expected)) differing.push(path)
    bytes += value?.length ?? 0
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
