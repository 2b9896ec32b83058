// Tables in the order in which a reader asks them: runs from the newest to the oldest. A run is tables without common
// keys, ascending; a table of level 0 is a run of its own, a deeper level is one run. For every key, what a run holds
// of it (also in range removals) is newer than what any later run holds.
import { compareBytes } from "../format/compare.ts"
import type { TableMeta } from "../format/tableMeta.ts"
import { compareKeys, type KeyRange } from "./keyRange.ts"

export interface Run<T> {
  readonly level: number
  readonly tables: ReadonlyArray<T>
}

interface OfTable {
  readonly meta: Pick<TableMeta, "level" | "smallest" | "sequenceMax" | "number">
}

/** Among tables of level 0, the one with the later commits first. */
const newestFirst = (a: OfTable, b: OfTable): number =>
  b.meta.sequenceMax - a.meta.sequenceMax || b.meta.number - a.meta.number

export const runsOf = <T extends OfTable>(tables: Iterable<T>): ReadonlyArray<Run<T>> => {
  const levels = new Map<number, Array<T>>()
  for (const table of tables) {
    const level = levels.get(table.meta.level)
    if (level === undefined) levels.set(table.meta.level, [table])
    else level.push(table)
  }
  const numbers = [...levels.keys()].sort((a, b) => a - b)
  return numbers.flatMap((level): ReadonlyArray<Run<T>> => {
    const members = levels.get(level)!
    if (level === 0) return members.sort(newestFirst).map((table) => ({ level, tables: [table] }))
    return [{ level, tables: members.sort((a, b) => compareKeys(a.meta.smallest, b.meta.smallest)) }]
  })
}

interface Ends {
  readonly meta: Pick<TableMeta, "smallest" | "largest">
}

/** The first of a run's tables whose largest key is at or after the target; their number if there is none. */
export const firstEndingAt = (tables: ReadonlyArray<Ends>, target: Uint8Array, start: number, end: number): number => {
  let first = 0
  let last = tables.length
  while (first < last) {
    const middle = (first + last) >>> 1
    const { largest } = tables[middle]!.meta
    if (compareBytes(largest, 0, largest.length, target, start, end) < 0) first = middle + 1
    else last = middle
  }
  return first
}

/** How many of a run's tables begin before the target, or with `limit` 1, at or before it. */
const countBeginning = (
  tables: ReadonlyArray<Ends>,
  target: Uint8Array,
  start: number,
  end: number,
  limit: number
): number => {
  let first = 0
  let last = tables.length
  while (first < last) {
    const middle = (first + last) >>> 1
    const { smallest } = tables[middle]!.meta
    if (compareBytes(smallest, 0, smallest.length, target, start, end) < limit) first = middle + 1
    else last = middle
  }
  return first
}

/** The last of a run's tables whose smallest key is at or before the target; -1 if there is none. */
export const lastBeginningAt = (tables: ReadonlyArray<Ends>, target: Uint8Array, start: number, end: number): number =>
  countBeginning(tables, target, start, end, 1) - 1

/** Those of a run's tables that can hold keys of the range. */
export const tablesWithin = <T extends Ends>(tables: ReadonlyArray<T>, range: KeyRange): ReadonlyArray<T> => {
  const { from, to, toInclusive } = range
  const first = firstEndingAt(tables, from, 0, from.length)
  const end = to === undefined ? tables.length : countBeginning(tables, to, 0, to.length, toInclusive ? 1 : 0)
  return first === 0 && end === tables.length ? tables : tables.slice(first, Math.max(first, end))
}
