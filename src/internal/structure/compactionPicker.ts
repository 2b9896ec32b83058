// Which merge is next. Pure: the same tables, the same answer. The caller installs Moves and Drops at once, runs
// Merges, and asks again after each, also for what can run beside; with nothing to do the answer is Nothing, and stays
// it until something is written, a snapshot closes, or the database comes to rest.
//
// In this order:
//   1. tables that range removals hide entirely are dropped, unread
//   2. what someone asked for by hand, unless writers already wait
//   3. levels over their targets. A level's excess counts for less where the next one is over its target too: what is
//      pushed onto a full level is rewritten with it, so that goes down first
//   4. tables that are mostly removals; removals that slow a scan down; versions kept for snapshots that are gone
//   5. at rest: removals that are worth it, and overwritten data until little is left
//   6. rows of small tables
//   7. tables that are sealed with an older data key
import { type Choice, nothing, type PickerInput, type WithMeta } from "./compactionChoice.ts"
import { type CompactionLimits, compactionLimits } from "./compactionLimits.ts"
import { GarbagePicker, isWithin } from "./garbagePicker.ts"
import { pickFullLevel0 } from "./level0Picker.ts"
import { pickTable } from "./levelPicker.ts"
import { LevelShape } from "./levelShape.ts"
import { pickOlderKey } from "./olderKeyPicker.ts"

export const choose = <T extends WithMeta>(
  input: PickerInput<T>,
  limits: CompactionLimits = compactionLimits
): Choice<T> => {
  const shape = new LevelShape(input, limits)
  const garbage = new GarbagePicker(shape, input)
  const writersWait = shape.level0.length >= limits.level0Slow
  return (
    garbage.dropped() ??
    (writersWait ? undefined : garbage.manual()) ??
    pickByScore(shape) ??
    garbage.manual() ??
    garbage.dense() ??
    garbage.crowded() ??
    garbage.bottom() ??
    garbage.idle() ??
    garbage.smallTables() ??
    pickOlderKey(shape) ??
    nothing
  )
}

/** Whether something of what was asked for by hand is not at the bottom yet, running merges included. */
export const isManualPending = <T extends WithMeta>(
  { manual, runs }: Pick<PickerInput<T>, "manual" | "runs">,
  limits: CompactionLimits = compactionLimits
): boolean =>
  manual !== undefined &&
  runs.some(
    ({ level, tables }) =>
      level < limits.levelCount - 1 &&
      tables.some(({ meta }) => meta.sequenceMin <= manual.sequence && isWithin(meta, manual))
  )

const pickByScore = <T extends WithMeta>(shape: LevelShape<T>): Choice<T> | undefined => {
  for (const level of levelsByScore(shape)) {
    const isUnneeded = level > 0 && level < shape.targets.base
    const choice =
      level === 0 ? pickFullLevel0(shape) : pickTable(shape, { level, reason: isUnneeded ? "unneededLevel" : "size" })
    if (choice !== undefined) return choice
  }
  return undefined
}

/** The levels over their targets, the most urgent first; of equals, the upper one. */
const levelsByScore = <T extends WithMeta>(shape: LevelShape<T>): ReadonlyArray<number> => {
  const scores = shape.levels.map((_, level) => scoreOf(shape, level))
  const urgency = scores.map((score, level) => score / Math.max(1, scores[shape.below(level)] ?? 0))
  return [...scores.keys()].filter((level) => scores[level]! >= 1).sort((a, b) => urgency[b]! - urgency[a]!)
}

/** At 1 the level is full. Tables in running merges do not count: they are about to leave. */
const scoreOf = <T extends WithMeta>(shape: LevelShape<T>, level: number): number => {
  const { idleBytes, level0, limits, targets } = shape
  const bytes = idleBytes[level]!
  if (level === 0) {
    const count = level0.filter((table) => !shape.isBusy(table)).length
    return Math.max(count / limits.level0Trigger, bytes / limits.baseBytes)
  }
  if (level < targets.base) return bytes > 0 ? 1 + bytes / limits.baseBytes : 0
  return bytes / targets.bytes[level]!
}
