// Tables that are sealed with a data key of an older generation: each is written again where it is, until none is left
// and the key can be forgotten.
//
// It ends, however much is written meanwhile: what is written is sealed with the newest key, so every such merge leaves
// one table fewer of the older ones, and nothing makes another. It comes after all other merges, which do the same
// where they come across such a table, and free space or speed reads besides. So of the tables of one generation the
// deepest come first, which other merges reach last; the oldest generation comes before all others.
//
// A table stays in its level, and in level 0 at its age: the tables around it, newer and older ones, are as they were.
import type { Merge, WithMeta } from "./compactionChoice.ts"
import type { LevelShape } from "./levelShape.ts"
import { planMerge, planWithinLevel0 } from "./mergePlan.ts"

export const pickOlderKey = <T extends WithMeta>(shape: LevelShape<T>): Merge<T> | undefined => {
  if (shape.limits.keyGeneration === 0) return undefined
  const table = oldestFree(shape)
  if (table === undefined) return undefined
  const { level } = table.meta
  if (level === 0) return planWithinLevel0(shape, [table], "olderKey")
  const merge = planMerge(shape, { level, upper: [table], output: level, lower: [] }, "olderKey")
  // Not cut where it was not: it would be merged with its neighbours next.
  return { ...merge, grandparents: [] }
}

/** Of the oldest generation, the deepest, and there the first by key; of level 0 the one with the oldest entries. */
const oldestFree = <T extends WithMeta>(shape: LevelShape<T>): T | undefined => {
  let oldest: T | undefined
  let generation = shape.limits.keyGeneration
  const byLevel = [shape.level0.toReversed(), ...shape.levels.slice(1)]
  for (const [level, tables] of [...byLevel.entries()].reverse()) {
    for (const table of tables) {
      const { keyGeneration } = table.meta
      if (keyGeneration >= generation || !isFree(shape, table, level)) continue
      oldest = table
      generation = keyGeneration
    }
  }
  return oldest
}

/** Whether no running merge reads the table, or writes where it is. In level 0 each is held by itself. */
const isFree = <T extends WithMeta>(shape: LevelShape<T>, table: T, level: number): boolean =>
  level === 0 ? !shape.isBusy(table) : shape.isFree([table], level, level)
