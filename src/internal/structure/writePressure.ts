// How far compaction is behind what is written, for those who write.
import type { PickerInput, WithMeta } from "./compactionChoice.ts"
import { type CompactionLimits, compactionLimits } from "./compactionLimits.ts"
import { LevelShape } from "./levelShape.ts"

export interface WritePressure {
  /** Writers go on, wait a little each time, or wait until it is less. */
  readonly state: "none" | "slow" | "stop"
  readonly reason: "none" | "level0Tables" | "debtBytes"
  /** How far from slow to stop, from 0 to 1: the nearer, the longer the waits. */
  readonly severity: number
  readonly level0Tables: number
  /** About what is to be written until every level is within its target. */
  readonly debtBytes: number
}

export const pressure = <T extends WithMeta>(
  input: PickerInput<T>,
  limits: CompactionLimits = compactionLimits
): WritePressure => {
  const shape = new LevelShape(input, limits)
  const level0Tables = shape.level0.length
  const debtBytes = debtOf(shape)
  const byTables = severityOf(level0Tables, limits.level0Slow, limits.level0Stop)
  const byDebt = severityOf(debtBytes, limits.debtBytesSlow, limits.debtBytesStop)
  const severity = Math.max(byTables, byDebt)
  const isNone = level0Tables < limits.level0Slow && debtBytes < limits.debtBytesSlow
  return {
    state: isNone ? "none" : severity === 1 ? "stop" : "slow",
    reason: isNone ? "none" : byTables >= byDebt ? "level0Tables" : "debtBytes",
    severity,
    level0Tables,
    debtBytes
  }
}

const severityOf = (value: number, slow: number, stop: number): number =>
  Math.min(1, Math.max(0, (value - slow) / (stop - slow)))

/**
 * What is too much in a level goes to the next, is written there with what it overlaps, and may be too much there. It
 * is spread over the keys, so that of the next level the same share is overlapped as of its own level goes.
 */
const debtOf = <T extends WithMeta>({ bytes, level0, limits, targets }: LevelShape<T>): number => {
  const isFull = level0.length >= limits.level0Trigger || bytes[0]! >= limits.baseBytes
  let excess = isFull ? bytes[0]! : 0
  let share = 1
  let debt = 0
  for (let level = 1; level < bytes.length; level++) {
    const held = bytes[level]!
    // Levels that are not in use are passed.
    if (excess > 0 && (held > 0 || level >= targets.base)) debt += excess + held * share
    const sum = held + excess
    excess = Math.max(0, sum - targets.bytes[level]!)
    share = sum === 0 ? 1 : excess / sum
  }
  return debt
}
