// How many bytes of a database are live, at least, without reading any: a table that overlaps none of an older run
// holds keys that nothing else holds, and one that does is taken to overwrite it. In a tree at rest nearly all is in
// the deepest level, so the estimate is as good as that level is full; in one that only ever had new keys it is too low
// by what the upper levels hold.
import type { TableMeta } from "../format/tableMeta.ts"
import { compareKeys } from "./keyRange.ts"
import { type Run, runsOf } from "./levels.ts"

interface Sized {
  readonly meta: Pick<TableMeta, "level" | "smallest" | "largest" | "sequenceMax" | "number" | "bytes">
}

/** Of the tables in the state of one moment. */
export const liveBytes = (tables: Iterable<Sized>): number => {
  // Disjoint and ascending.
  let kept: ReadonlyArray<Sized> = []
  for (const run of [...runsOf(tables)].reverse()) kept = withoutOverlap(kept, run)
  return kept.reduce((sum, { meta }) => sum + meta.bytes, 0)
}

/** The older ones, and those of the run that overlap none of them. */
const withoutOverlap = (older: ReadonlyArray<Sized>, run: Run<Sized>): ReadonlyArray<Sized> => {
  const kept: Array<Sized> = []
  let next = 0
  for (const table of run.tables) {
    while (next < older.length && compareKeys(older[next]!.meta.largest, table.meta.smallest) < 0) {
      kept.push(older[next++]!)
    }
    const follows = older[next]
    if (follows === undefined || compareKeys(follows.meta.smallest, table.meta.largest) > 0) kept.push(table)
  }
  return [...kept, ...older.slice(next)]
}
