// Range removals that come one by one, each newer than those before: the ones of a memtable.
//
// A removal is added as a set of its own, and sets of equal size become one of twice the size (rangeRemovals.ts), so n
// of them cost n log² n in all and a question looks into log n sets. A set that has reached `setMax` grows no more: it
// is built in one step, and a step is short. The sets are in the order of their sequences, so the first that covers a
// key, from the newest, has its newest removal.
import { assert } from "../format/formatError.ts"
import type { RangeRemoval } from "../format/table.ts"
import { compareKeys } from "./keyRange.ts"
import { RangeRemovals } from "./rangeRemovals.ts"

/** Sets of so many join once more, and are then built in a millisecond. */
const setMax = 2048

const none: ReadonlyArray<RangeRemovals> = []

export class GrowingRemovals {
  /** In the order in which they came. */
  all: Array<RangeRemoval> = []
  /** From the newest. */
  private sets: ReadonlyArray<RangeRemovals> = none

  /** Sequences never decrease. One that removes nothing is left out. */
  add(removal: RangeRemoval): void {
    if (compareKeys(removal.from, removal.to) >= 0) return
    const { all, sets } = this
    assert((all.at(-1)?.sequence ?? 0) <= removal.sequence, "range removals are added in the order of their sequences")
    all.push(removal)
    let count = 1
    let joined = 0
    for (; joined < sets.length; joined++) {
      const { length } = sets[joined]!.removals
      if (length > count || length >= setMax) break
      count += length
    }
    this.sets = [new RangeRemovals(all.slice(-count)), ...sets.slice(joined)]
  }

  /** The highest sequence at or below the given one of a removal that covers the key; 0 if there is none. */
  covering(key: Uint8Array, start: number, end: number, sequence: number): number {
    const { sets } = this
    for (let index = 0; index < sets.length; index++) {
      const covering = sets[index]!.covering(key, start, end, sequence)
      if (covering > 0) return covering
    }
    return 0
  }

  /** All that a reader at the sequence sees, from the newest. */
  at(sequence: number): ReadonlyArray<RangeRemovals> {
    const { sets } = this
    if (sets.length === 0 || sets[0]!.removals[0]!.sequence <= sequence) return sets
    return sets.map((set) => set.at(sequence)).filter((set) => !set.isEmpty)
  }

  reset(): void {
    if (this.all.length === 0) return
    this.all = []
    this.sets = none
  }
}
