// Tables of the bottom level that are not compressed as new ones are there: who compacts by hand wants them to be. Each
// is written again where it is, and is then one of the others, also if the codec did not shorten it: it ends.
import type { Choice, WithMeta } from "./compactionChoice.ts"
import type { LevelShape } from "./levelShape.ts"
import { planMerge } from "./mergePlan.ts"

export const pickRecoded = <T extends WithMeta>(
  shape: LevelShape<T>,
  wants: (table: T) => boolean
): Choice<T> | undefined => {
  const level = shape.bottom
  const table = shape.levels[level]!.find(
    (one) => shape.isRecoded(one) && wants(one) && shape.isFree([one], level, level)
  )
  if (table === undefined) return undefined
  const merge = planMerge(shape, { level, upper: [table], output: level, lower: [] }, "manual")
  // Not cut where it was not: it would be merged with its neighbours next.
  return { ...merge, grandparents: [] }
}
