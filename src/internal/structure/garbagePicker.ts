// Merges for what nobody can see any more, whatever the levels hold: space comes back by itself, also when nothing is
// written any more.
//
// Each of these ends. What goes down gets nearer to the bottom. What is rewritten where it is has no removal and no
// hidden version afterwards, because all of it is older than the oldest reader. And each row of small tables becomes
// fewer.
import type { Choice, KeySpan, PickerInput, PickerRange, Reason, WithMeta } from "./compactionChoice.ts"
import { GarbageEstimate, valueBytesOf } from "./garbageEstimate.ts"
import { compareKeys } from "./keyRange.ts"
import { pickLevel0 } from "./level0Picker.ts"
import { pickTable } from "./levelPicker.ts"
import { bytesOf, type LevelShape } from "./levelShape.ts"
import { tableBytesMaxOf } from "./levelTargets.ts"
import { planMerge } from "./mergePlan.ts"
import { pickRecoded } from "./recodePicker.ts"

/** Of a table in which a scan met many removals: with a smaller share it was not the one. */
const crowdedShareMin = 0.1

export class GarbagePicker<T extends WithMeta> {
  private readonly shape: LevelShape<T>
  private readonly input: PickerInput<T>
  private readonly estimate: GarbageEstimate<T>
  /** What would shrink by being written again. */
  private garbage: ReadonlyArray<T> | undefined

  constructor(shape: LevelShape<T>, input: PickerInput<T>) {
    this.shape = shape
    this.input = input
    this.estimate = new GarbageEstimate(shape, input)
  }

  dropped(): Choice<T> | undefined {
    if (this.input.rangeRemovals.length === 0) return undefined
    const { level0, levels } = this.shape
    const tables = [...level0, ...levels.flat()].filter(
      (table) => !this.shape.isBusy(table) && this.estimate.isHidden(table)
    )
    return tables.length === 0 ? undefined : { _tag: "Drop", tables }
  }

  manual(): Choice<T> | undefined {
    const { manual } = this.input
    if (manual === undefined) return undefined
    const wants = ({ meta }: T): boolean => meta.sequenceMin <= manual.sequence && isWithin(meta, manual)
    return this.down("manual", wants) ?? this.rewritten("manual", wants) ?? pickRecoded(this.shape, wants)
  }

  /** Tables that are mostly removals, where what goes is worth what one step of other merges costs. */
  dense(): Choice<T> | undefined {
    const { levelRatio, removeShareMax } = this.shape.limits
    return this.down(
      "removals",
      (table) =>
        table.meta.removeCount > removeShareMax * table.meta.entryCount &&
        this.estimate.removed(table) * levelRatio >= this.costOf(table)
    )
  }

  crowded(): Choice<T> | undefined {
    const { crowded } = this.input
    if (crowded === undefined || crowded.length === 0) return undefined
    const isMet = ({ meta }: T): boolean => crowded.some((range) => isWithin(meta, range))
    return (
      this.down(
        "crowded",
        (table) => table.meta.removeCount >= crowdedShareMin * table.meta.entryCount && isMet(table)
      ) ?? this.rewritten("crowded", (table, garbage) => garbage >= crowdedShareMin && isMet(table))
    )
  }

  /** What was kept for a snapshot that is gone. */
  bottom(): Choice<T> | undefined {
    const { bottomGarbageShare, bottomGarbageShareIdle } = this.shape.limits
    const share = this.input.idle ? bottomGarbageShareIdle : bottomGarbageShare
    return this.rewritten("bottomGarbage", (_, garbage) => garbage >= share)
  }

  idle(): Choice<T> | undefined {
    if (!this.input.idle) return undefined
    const { idleGainMin, tableBytes } = this.shape.limits
    const isWorth = (table: T): boolean => {
      if (table.meta.removeCount === 0) return false
      const cost = this.costOf(table)
      return cost <= tableBytes || this.estimate.removed(table) >= idleGainMin * cost
    }
    return this.down("idleRemovals", isWorth) ?? this.idleGarbage() ?? this.idleValues()
  }

  /** Neighbours that are small each and together become one. */
  smallTables(): Choice<T> | undefined {
    const { levels, limits, targets } = this.shape
    for (const [level, tables] of levels.entries()) {
      const bytesMax = tableBytesMaxOf(level, targets, limits) / 2
      let row: Array<T> = []
      for (const table of tables) {
        const isFree = this.shape.isFree([table], level, level)
        const isSmall = table.meta.bytes * limits.smallTables <= bytesMax
        if (!isFree || !isSmall || bytesOf(row) + table.meta.bytes > bytesMax) row = []
        if (isFree && isSmall) row.push(table)
        if (row.length >= limits.smallTables) {
          const merge = planMerge(this.shape, { level, upper: row, output: level, lower: [] }, "smallTables")
          // Not cut again where the small ones were.
          return { ...merge, grandparents: [] }
        }
      }
    }
    return undefined
  }

  /** From the top: a step lower, tables of the level above come along. */
  private down(reason: Reason, wants: (table: T) => boolean): Choice<T> | undefined {
    const { bottom, level0, levels } = this.shape
    if (level0.some(wants)) {
      const choice = pickLevel0(this.shape, { reason, wants })
      if (choice !== undefined) return choice
    }
    for (let level = 1; level < bottom; level++) {
      if (levels[level]!.length === 0) continue
      const choice = pickTable(this.shape, { level, reason, wants })
      if (choice !== undefined) return choice
    }
    return undefined
  }

  /** The level with the most hidden bytes goes down, until few enough are left. */
  private idleGarbage(): Choice<T> | undefined {
    const { bottom, bytes, level0, levels, limits } = this.shape
    const hidden = levels.map((tables, level) =>
      level === bottom
        ? 0
        : (level === 0 ? level0 : tables).reduce((sum, table) => sum + this.estimate.overwritten(table), 0)
    )
    const total = bytes.reduce((sum, levelBytes) => sum + levelBytes, 0)
    if (hidden.reduce((sum, levelHidden) => sum + levelHidden, 0) <= limits.idleGarbageShare * total) return undefined
    const wants = (table: T): boolean => this.estimate.overwritten(table) > 0
    const order = [...hidden.keys()].filter((level) => hidden[level]! > 0).sort((a, b) => hidden[b]! - hidden[a]!)
    for (const level of order) {
      const wish = { reason: "idleGarbage", wants } as const
      const choice = level === 0 ? pickLevel0(this.shape, wish) : pickTable(this.shape, { ...wish, level })
      if (choice !== undefined) return choice
    }
    return undefined
  }

  /** Overwritten values of value files are garbage only when the entries that name them are gone. */
  private idleValues(): Choice<T> | undefined {
    const { bottom, level0, levels, limits } = this.shape
    const tables = [...level0, ...levels.flat()]
    const total = tables.reduce((sum, table) => sum + valueBytesOf(table), 0)
    if (total === 0) return undefined
    const upper = tables.filter(({ meta }) => meta.level < bottom)
    const hidden = new Map(upper.map((table) => [table, this.estimate.overwrittenValues(table)]))
    const sum = [...hidden.values()].reduce((all, bytes) => all + bytes, 0)
    if (sum <= limits.idleValueGarbageShare * total) return undefined
    return this.down("idleValues", (table) => hidden.get(table)! >= this.costOf(table))
  }

  /** A table as it is again, without what no reader sees. Only where all of it is older than the oldest reader. */
  private rewritten(reason: Reason, wants: (table: T, share: number) => boolean): Choice<T> | undefined {
    this.garbage ??= this.shape.levels.flat().filter((table) => this.garbageOf(table) > 0)
    for (const table of this.garbage) {
      const { level, sequenceMax } = table.meta
      if (sequenceMax > this.shape.oldest || !wants(table, this.garbageOf(table))) continue
      if (!this.shape.isFree([table], level, level)) continue
      return planMerge(this.shape, { level, upper: [table], output: level, lower: [] }, reason)
    }
    return undefined
  }

  /** The share of a table's entries that go when it is rewritten where it is. */
  private garbageOf({ meta }: T): number {
    const { entryCount, hiddenCount, level, removeCount } = meta
    if (hiddenCount + removeCount === 0) return 0
    const removed = removeCount > 0 && this.shape.deeperBytes(level, meta) === 0 ? removeCount : 0
    return (hiddenCount + removed) / entryCount
  }

  /** What one step down writes. */
  private costOf({ meta }: T): number {
    return meta.bytes + this.shape.overlapBytes(this.shape.below(meta.level), meta)
  }
}

/** Whether the range has keys of the table. */
export const isWithin = ({ largest, smallest }: KeySpan, { from, to }: PickerRange): boolean =>
  (from === undefined || compareKeys(largest, from) >= 0) && (to === undefined || compareKeys(smallest, to) < 0)
