// From chosen tables to a choice: what a merge of them must know, or that it needs none.
//
// The run invariant (levels.ts) holds after it because of what the callers chose: with a table come all older tables
// of level 0 that overlap it, if it leaves level 0; nothing that overlaps it stays between its level and the new one;
// and all tables of the new level that overlap any input are inputs.
import type { Choice, Merge, Reason, WithMeta } from "./compactionChoice.ts"
import type { Run } from "./levels.ts"
import { bytesOf, hullOf, type LevelShape, overlaps } from "./levelShape.ts"
import { tableBytesMaxOf } from "./levelTargets.ts"
import { slicesOf } from "./mergeSlices.ts"

export interface MergeInputs<T> {
  readonly level: number
  /** Of that level: from the newest for level 0, else ascending. */
  readonly upper: ReadonlyArray<T>
  readonly output: number
  /** Of the new level, ascending: those that overlap. */
  readonly lower: ReadonlyArray<T>
}

/** Tables go down a level: as they are where that is possible. */
export const planDown = <T extends WithMeta>(
  shape: LevelShape<T>,
  inputs: MergeInputs<T>,
  reason: Reason
): Choice<T> => {
  const { lower, output, upper } = inputs
  const table = upper[0]!
  if (upper.length === 1 && lower.length === 0 && isMovable(shape, table, output)) {
    return { _tag: "Move", reason, table, level: output }
  }
  return planMerge(shape, inputs, reason)
}

/**
 * A table that would shrink by being written again is not moved, nor one that would make the next step large, nor one
 * that is not compressed as its new level is.
 */
const isMovable = <T extends WithMeta>(shape: LevelShape<T>, table: T, output: number): boolean => {
  const { grandparentTables } = shape.limits
  if (
    shape.overlapBytes(output + 1, table.meta) >
    grandparentTables * tableBytesMaxOf(output + 1, shape.targets, shape.limits)
  )
    return false
  if (!shape.isCompressedFor(table, output)) return false
  const garbage = table.meta.removeCount + table.meta.hiddenCount
  return garbage === 0 || table.meta.sequenceMin > shape.oldest || shape.deeperBytes(output, table.meta) > 0
}

export const planMerge = <T extends WithMeta>(
  shape: LevelShape<T>,
  { level, lower, output, upper }: MergeInputs<T>,
  reason: Reason
): Merge<T> => {
  const { limits, targets } = shape
  const span = hullOf([...upper, ...lower])
  const inputs = [...runsAt(level, upper), ...runsAt(output, lower)]
  const grandparents = shape.overlapping(output + 1, span)
  return {
    _tag: "Merge",
    reason,
    inputs,
    level: output,
    slices: slicesOf(inputs, grandparents, limits.jobBytesMax).map(({ from, to }) => ({ from, to })),
    deeper: shape.deeper(output, span),
    grandparents,
    tableBytesMax: tableBytesMaxOf(output, targets, limits),
    claim: { ...span, level, output }
  }
}

/** Neighbours of level 0, one after the other in age, become one table there. */
export const planWithinLevel0 = <T extends WithMeta>(
  shape: LevelShape<T>,
  tables: ReadonlyArray<T>,
  reason: Reason = "level0Relief"
): Merge<T> => {
  const span = hullOf(tables)
  const oldest = shape.level0.indexOf(tables.at(-1)!)
  const older = shape.level0.slice(oldest + 1).filter(({ meta }) => overlaps(meta, span))
  return {
    _tag: "Merge",
    reason,
    inputs: runsAt(0, tables),
    level: 0,
    slices: [{ from: undefined, to: undefined }],
    deeper: [...older, ...shape.deeper(0, span)],
    grandparents: [],
    // Whatever a new table costs beside its entries, it stays one.
    tableBytesMax: 2 * bytesOf(tables),
    claim: { ...span, level: 0, output: 0 }
  }
}

/** A table of level 0 becomes two there, if it can be cut at one of these tables below. */
export const planCut = <T extends WithMeta>(
  shape: LevelShape<T>,
  table: T,
  guides: ReadonlyArray<T>
): Merge<T> | undefined => {
  const to = slicesOf(runsAt(0, [table]), guides, Math.ceil(table.meta.bytes / 2))[0]!.to
  if (to === undefined) return undefined
  const slices = [
    { from: undefined, to },
    { from: to, to: undefined }
  ]
  return { ...planWithinLevel0(shape, [table], "level0Cut"), slices }
}

const runsAt = <T>(level: number, tables: ReadonlyArray<T>): ReadonlyArray<Run<T>> => {
  if (tables.length === 0) return []
  return level === 0 ? tables.map((table) => ({ level, tables: [table] })) : [{ level, tables }]
}
