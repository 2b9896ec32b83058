// Tables in the order in which a reader asks them: runs from the newest to the oldest. A run is tables without common
// keys, ascending; a table of level 0 is a run of its own, a deeper level is one run. For every key, what a run holds
// of it (also in range removals) is newer than what any later run holds.
import type { TableMeta } from "../format/tableMeta.ts"
import { compareKeys } from "./keyRange.ts"

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
