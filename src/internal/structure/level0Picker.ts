// Merges of level 0: down, or among themselves.
//
// Tables of level 0 overlap, and the newer hides the older. A table may leave the level only with every older one that
// overlaps it; newer ones come along as far as they can, so that the level below is written once for all of them.
//
// A table leaves as a whole, with all that it overlaps below: one of removals that spans all keys has the whole level
// below written anew, and its space is free only when all of that is written. On a scarce disk there may never be so
// much room. So there it is cut in level 0, where that costs no more than the table itself, in two, at the middle of
// what it overlaps; and its parts, if need be, again. Those that a merge has room for go down, and make room.
//
//   ends       fewer tables below begin inside each part than inside the whole, and without one it is not cut
//   undone by  nothing: there neighbours become one again only where they are so many that none is cut any more; to be
//              as many again takes another flush
import type { Choice, Reason, WithMeta } from "./compactionChoice.ts"
import { compareKeys } from "./keyRange.ts"
import { bytesOf, hullOf, type LevelShape, overlaps } from "./levelShape.ts"
import { type MergeInputs, planCut, planDown, planWithinLevel0 } from "./mergePlan.ts"
import { slicesOf } from "./mergeSlices.ts"

/** As many neighbours at least become one, where the way down is taken: fewer gain little for what they cost. */
const reliefTables = 4

/** Of what a job should write: where no tables below say where to cut, fewer are taken. */
const sliceShareMax = 1.25

export interface Level0Wish<T> {
  readonly reason: Reason
  /** The tables that are to leave the level; all of them if it is not said. */
  readonly wants?: (table: T) => boolean
}

/** The oldest tables that are wanted and free, with all they need, to the level below. */
export const pickLevel0 = <T extends WithMeta>(
  shape: LevelShape<T>,
  { reason, wants }: Level0Wish<T>
): Choice<T> | undefined => {
  const inputs = level0Inputs(shape, wants)
  return inputs === undefined ? pickCut(shape, wants) : planDown(shape, inputs, reason)
}

/** Likewise, but few bytes stay in the level and become one table, rather than that many bytes below are rewritten. */
export const pickFullLevel0 = <T extends WithMeta>(shape: LevelShape<T>): Choice<T> | undefined => {
  const inputs = level0Inputs(shape, undefined)
  if (inputs === undefined) return pickCut(shape, undefined) ?? pickRelief(shape)
  const { isScarce, level0Relief, levelRatio } = shape.limits
  const mayStay = !isScarce || shape.level0.length >= level0Relief
  if (mayStay && levelRatio * bytesOf(inputs.upper) < bytesOf(inputs.lower)) {
    const neighbours = cheapestNeighbours(shape, 2)
    if (neighbours !== undefined) return planWithinLevel0(shape, neighbours)
  }
  return planDown(shape, inputs, "level0")
}

const pickRelief = <T extends WithMeta>(shape: LevelShape<T>): Choice<T> | undefined => {
  if (shape.level0.length < shape.limits.level0Relief) return undefined
  const neighbours = cheapestNeighbours(shape, reliefTables)
  return neighbours === undefined ? undefined : planWithinLevel0(shape, neighbours)
}

/** Where too little is free for any table that is wanted: one that keeps removals from going down, in two. */
const pickCut = <T extends WithMeta>(
  shape: LevelShape<T>,
  wants: ((table: T) => boolean) | undefined
): Choice<T> | undefined => {
  const { isScarce, level0Relief, roomBytes } = shape.limits
  if (!isScarce || shape.level0.length + 1 >= level0Relief) return undefined
  const output = shape.below(0)
  const free = freeTables(shape, output)
  for (const seed of free) {
    if (wants !== undefined && !wants(seed)) continue
    const group = connected(seed, free)
    const freed = group.reduce((sum, { meta }) => sum + meta.removeCount, 0) * shape.entryBytes
    for (const table of group) {
      const { bytes, largest } = table.meta
      if (bytes > Math.min(roomBytes, freed)) continue
      const lower = shape.overlapping(output, table.meta)
      // Where it ends, nothing of it could be cut off.
      const guides = lower.filter(({ meta }) => compareKeys(meta.smallest, largest) < 0)
      const cut = planCut(shape, table, guides)
      if (cut !== undefined) return cut
    }
  }
  return undefined
}

const level0Inputs = <T extends WithMeta>(
  shape: LevelShape<T>,
  wants: ((table: T) => boolean) | undefined
): MergeInputs<T> | undefined => {
  const output = shape.below(0)
  const free = freeTables(shape, output)
  for (const seed of free) {
    if (wants !== undefined && !wants(seed)) continue
    const inputs = fitting(shape, connected(seed, free), output)
    if (inputs !== undefined) return inputs
  }
  return undefined
}

/** From the oldest: what no running merge keeps from going down, itself or through an older one that it overlaps. */
const freeTables = <T extends WithMeta>(shape: LevelShape<T>, output: number): ReadonlyArray<T> => {
  const free: Array<T> = []
  const stuck: Array<T> = []
  for (const table of shape.level0.toReversed()) {
    const isStuck =
      shape.isBusy(table) ||
      stuck.some(({ meta }) => overlaps(meta, table.meta)) ||
      shape.isClaimed(table.meta, 0, output) ||
      shape.overlapping(output, table.meta).some((lower) => shape.isBusy(lower))
    if (isStuck) stuck.push(table)
    else free.push(table)
  }
  return free
}

/** From the oldest: the table, those that overlap it, those that overlap these, and so on. */
const connected = <T extends WithMeta>(seed: T, free: ReadonlyArray<T>): ReadonlyArray<T> => {
  let group: ReadonlyArray<T> = [seed]
  for (;;) {
    const hull = hullOf(group)
    const larger = free.filter(({ meta }) => overlaps(meta, hull))
    if (larger.length === group.length) return group
    group = larger
  }
}

/** Without the newest ones where a merge of all could not be cut into slices of a bearable size. */
const fitting = <T extends WithMeta>(
  shape: LevelShape<T>,
  group: ReadonlyArray<T>,
  output: number
): MergeInputs<T> | undefined => {
  for (let count = group.length; count > 0; count--) {
    const oldest = group.slice(0, count)
    const lower = shape.overlapping(output, hullOf(oldest))
    if (shape.isClaimed(hullOf([...oldest, ...lower]), 0, output) || !shape.hasRoom([...oldest, ...lower])) continue
    const upper = oldest.toReversed()
    const inputs = { level: 0, upper, output, lower }
    if (count === 1 || largestSlice(shape, inputs) <= sliceShareMax * shape.limits.jobBytesMax) return inputs
  }
  return undefined
}

const largestSlice = <T extends WithMeta>(shape: LevelShape<T>, { lower, output, upper }: MergeInputs<T>): number => {
  const runs = [...upper.map((table) => ({ level: 0, tables: [table] })), { level: output, tables: lower }]
  const guides = shape.overlapping(output + 1, hullOf([...upper, ...lower]))
  return Math.max(...slicesOf(runs, guides, shape.limits.jobBytesMax).map(({ bytes }) => bytes))
}

/**
 * Of all rows of free tables that follow each other in age and fit one job, the one with the fewest bytes to write for
 * each table less. What was merged before is large, so that it is rarely merged again.
 */
const cheapestNeighbours = <T extends WithMeta>(
  shape: LevelShape<T>,
  countMin: number
): ReadonlyArray<T> | undefined => {
  const { level0, limits } = shape
  let best: ReadonlyArray<T> | undefined
  let bestCost = Infinity
  for (let first = 0; first < level0.length; first++) {
    let bytes = 0
    for (let last = first; last < level0.length; last++) {
      const table = level0[last]!
      bytes += table.meta.bytes
      if (shape.isBusy(table) || bytes > Math.min(limits.jobBytesMax, limits.roomBytes)) break
      const cost = bytes / (last - first)
      if (last - first + 1 < countMin || cost >= bestCost) continue
      bestCost = cost
      best = level0.slice(first, last + 1)
    }
  }
  return best
}
