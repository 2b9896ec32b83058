// Merges of a level below level 0 into the next: the table that costs least for its size, and its neighbours where they
// come for nothing.
import type { Choice, Reason, WithMeta } from "./compactionChoice.ts"
import { compareKeys } from "./keyRange.ts"
import { bytesOf, type LevelShape } from "./levelShape.ts"
import { planDown } from "./mergePlan.ts"

export interface LevelWish<T> {
  readonly level: number
  readonly reason: Reason
  /** The tables that may be taken; all of them if it is not said. */
  readonly wants?: (table: T) => boolean
}

/**
 * The table whose merge rewrites the fewest bytes of the level below for each of its own; of several, the first by key.
 * Removals count as what they will remove.
 */
export const pickTable = <T extends WithMeta>(
  shape: LevelShape<T>,
  { level, reason, wants }: LevelWish<T>
): Choice<T> | undefined => {
  const output = shape.below(level)
  let best: Overlap<T> | undefined
  let bestCost = Infinity
  for (const overlap of overlapsOf(shape, level, output)) {
    const { bytes, table } = overlap
    const cost = bytes / (table.meta.bytes + table.meta.removeCount * shape.entryBytes)
    if (cost >= bestCost || (wants !== undefined && !wants(table)) || !isFree(shape, overlap, level)) continue
    best = overlap
    bestCost = cost
  }
  if (best === undefined) return undefined
  const lower = shape.levels[output]!.slice(best.first, best.end)
  return planDown(shape, { level, upper: withNeighbours(shape, best, level), output, lower }, reason)
}

/** A table and what it overlaps in the level below: the tables from `first` up to `end` there. */
interface Overlap<T> {
  readonly table: T
  readonly index: number
  readonly first: number
  readonly end: number
  readonly bytes: number
}

/** One pass over both levels. */
const overlapsOf = <T extends WithMeta>(
  shape: LevelShape<T>,
  level: number,
  output: number
): ReadonlyArray<Overlap<T>> => {
  const lower = shape.levels[output]!
  let first = 0
  let end = 0
  let bytes = 0
  return shape.levels[level]!.map((table, index) => {
    const { largest, smallest } = table.meta
    while (end < lower.length && compareKeys(lower[end]!.meta.smallest, largest) <= 0) bytes += lower[end++]!.meta.bytes
    while (first < end && compareKeys(lower[first]!.meta.largest, smallest) < 0) bytes -= lower[first++]!.meta.bytes
    return { table, index, first, end, bytes }
  })
}

const isFree = <T extends WithMeta>(
  shape: LevelShape<T>,
  { end, first, table }: Overlap<T>,
  level: number
): boolean => {
  const output = shape.below(level)
  return shape.isFree([table, ...shape.levels[output]!.slice(first, end)], level, output)
}

/** More of the level, as far as they overlap the same below, and nothing else, and all fits one job. */
const withNeighbours = <T extends WithMeta>(
  shape: LevelShape<T>,
  { end, first, index, table }: Overlap<T>,
  level: number
): ReadonlyArray<T> => {
  const tables = shape.levels[level]!
  const overlap = overlapsOf(shape, level, shape.below(level))
  const bytesMax = Math.min(shape.limits.jobBytesMax, shape.limits.roomBytes)
  let bytes = table.meta.bytes + bytesOf(shape.levels[shape.below(level)]!.slice(first, end))
  const joins = (at: number): boolean => {
    const other = overlap[at]
    if (other === undefined || other.first < first || other.end > end || other.first >= other.end) return false
    if (!isFree(shape, other, level) || bytes + other.table.meta.bytes > bytesMax) return false
    bytes += other.table.meta.bytes
    return true
  }
  let from = index
  let to = index + 1
  while (joins(from - 1)) from -= 1
  while (joins(to)) to += 1
  return tables.slice(from, to)
}
