// How many levels are in use, and how much each should hold: both follow from the largest level.
//
//   level 0 → base → … → bottom
//
// A small database has level 0 and the bottom only, so that what is flushed early is written once more and not six
// times. Each level less makes a merge of level 0 rewrite more of the bottom; each level more is one more rewrite. The
// levels between are as many as it takes to keep the step from level to level within `levelRatio`, and the steps are
// equal: with S bytes in the bottom, b in level 0 and k levels between, every step is (S / b) ^ (1 / (k + 1)). As b
// counts half of what level 0 may hold: that is what it holds on average.
//
// A level that is in use stays in use until the bottom has shrunk well below where it would come into use again.
import type { CompactionLimits } from "./compactionLimits.ts"

export interface LevelTargets {
  /** The first level in use below level 0. Tables of levels between, from larger times, are to go down. */
  readonly base: number
  readonly bottom: number
  /** By level. That of level 0 is not used, those before the base are 0, the bottom has none: it is infinite. */
  readonly bytes: ReadonlyArray<number>
}

/** Of the size at which a level came into use, where it goes out of use. */
const unneededShare = 0.5

/** `levelBytes` by level, to the deepest that holds tables or more. */
export const levelTargets = (levelBytes: ReadonlyArray<number>, limits: CompactionLimits): LevelTargets => {
  const bottom = Math.max(limits.levelCount, levelBytes.length, 2) - 1
  const deep = levelBytes.slice(1)
  const level0Bytes = limits.baseBytes / 2
  const steps = Math.max(...deep, 0) / level0Bytes
  const first = deep.findIndex((bytes) => bytes > 0) + 1
  const used = first === 0 ? 0 : bottom - first
  let between = 0
  while (between < bottom - 1 && steps > neededFrom(between, used, limits.levelRatio)) between += 1
  const ratio = Math.max(1, steps) ** (1 / (between + 1))
  const bytes = Array.from({ length: bottom + 1 }, (_, level) => {
    if (level === bottom) return Infinity
    return level < bottom - between ? 0 : level0Bytes * ratio ** (level - (bottom - between) + 1)
  })
  return { base: bottom - between, bottom, bytes }
}

/** How many times what level 0 holds the bottom holds when one more level than `between` is needed. */
const neededFrom = (between: number, used: number, levelRatio: number): number =>
  levelRatio ** (between + 1) * (between < used ? unneededShare : 1)

/** What a new table of the level holds at most. */
export const tableBytesMaxOf = (level: number, { base }: LevelTargets, limits: CompactionLimits): number =>
  Math.min(limits.tableBytesMax, limits.tableBytes * 2 ** Math.max(0, level - base))
