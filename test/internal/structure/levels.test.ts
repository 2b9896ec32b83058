import { assert, describe, it } from "@effect/vitest"
import { isEmpty, type KeyRange } from "../../../src/internal/structure/keyRange.ts"
import { firstEndingAt, lastBeginningAt, runsOf, tablesWithin } from "../../../src/internal/structure/levels.ts"
import { bytes, hex } from "../../support/model.ts"
import { Dice } from "../../support/randomPlan.ts"

const table = (
  number: number,
  at: { readonly level: number; readonly smallest: string; readonly largest: string }
) => ({
  meta: {
    number,
    level: at.level,
    smallest: bytes(at.smallest),
    largest: bytes(at.largest),
    sequenceMax: number === 9 ? 1 : number
  }
})

describe("runs", () => {
  it("are each table of level 0 from the newest, then each level as one, ascending", () => {
    const tables = [
      table(1, { level: 3, smallest: "65", largest: "66" }),
      table(2, { level: 0, smallest: "61", largest: "66" }),
      table(3, { level: 1, smallest: "61", largest: "62" }),
      table(4, { level: 3, smallest: "61", largest: "62" }),
      table(5, { level: 0, smallest: "61", largest: "66" }),
      // The later number does not make it the newer one.
      table(9, { level: 0, smallest: "61", largest: "66" })
    ]
    assert.deepStrictEqual(
      runsOf(tables).map((run) => [run.level, ...run.tables.map(({ meta }) => meta.number)]),
      [
        [0, 5],
        [0, 2],
        [0, 9],
        [1, 3],
        [3, 4, 1]
      ]
    )
    assert.deepStrictEqual(runsOf([]), [])
  })

  it("are ordered by their numbers where they end with the same commit", () => {
    const at = { level: 0, smallest: "61", largest: "66" }
    for (const tables of [
      [table(1, at), table(9, at)],
      [table(9, at), table(1, at)]
    ]) {
      assert.deepStrictEqual(
        runsOf(tables).map((run) => run.tables[0]!.meta.number),
        [9, 1]
      )
    }
  })
})

describe("the tables of a run", () => {
  const key = (dice: Dice) => dice.pick(["60", "61", "62", "63", "64", "65", "66", "67"])

  /** Ascending; an end may be the next one's start. */
  const randomRun = (dice: Dice) => {
    const ends: Array<string> = []
    for (let count = 2 * dice.below(5); count > 0; count--) ends.push(key(dice))
    ends.sort()
    return ends.flatMap((smallest, index) =>
      index % 2 === 0 ? [table(index, { level: 1, smallest, largest: ends[index + 1]! })] : []
    )
  }

  it("are found by a key, and by a range that they overlap", () => {
    for (let seed = 1; seed <= 3000; seed++) {
      const dice = new Dice(seed)
      const run = randomRun(dice)
      const target = key(dice)
      const place = [bytes(target), 0, 1] as const
      const first = run.findIndex(({ meta }) => hex(meta.largest) >= target)
      assert.strictEqual(firstEndingAt(run, ...place), first < 0 ? run.length : first, `seed ${seed}`)
      const last = run.findLastIndex(({ meta }) => hex(meta.smallest) <= target)
      assert.strictEqual(lastBeginningAt(run, ...place), last, `seed ${seed}`)
      const to = dice.chance(20) ? undefined : key(dice)
      const range: KeyRange = {
        from: bytes(target),
        fromInclusive: dice.chance(50),
        to: to === undefined ? undefined : bytes(to),
        toInclusive: dice.chance(50)
      }
      if (isEmpty(range)) continue
      const due = run.filter(
        ({ meta }) =>
          hex(meta.largest) >= target &&
          (to === undefined || hex(meta.smallest) < to || (range.toInclusive && hex(meta.smallest) === to))
      )
      assert.deepStrictEqual(tablesWithin(run, range), due, `seed ${seed}`)
    }
  })
})
