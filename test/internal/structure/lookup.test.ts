// Lookups in runs whose tables are cut at random, against a list of all versions.
import { assert, describe, it } from "@effect/vitest"
import { compareKeys } from "../../../src/internal/structure/keyRange.ts"
import type { Run } from "../../../src/internal/structure/levels.ts"
import { Found, Lookup } from "../../../src/internal/structure/lookup.ts"
import { LooseTable, order, runOf, type Version } from "../../support/looseTables.ts"
import { bytes, hex } from "../../support/model.ts"
import { Dice } from "../../support/randomPlan.ts"

const letters = ["61", "6161", "62", "6262", "63", "64", "65", "66", "6700"]

const finish = (lookup: Lookup, begun: Found): Found => {
  let found = begun
  while (found === Found.needs) {
    const request = lookup.request!
    ;(request.table as LooseTable).answer(request)
    found = lookup.step()
  }
  return found
}

/** Runs from the newest to the oldest, and all their versions from the newest. */
const randomRuns = (dice: Dice) => {
  const runs: Array<Run<LooseTable>> = []
  const all: Array<Version> = []
  for (let count = 1 + dice.below(4); count > 0; count--) {
    const versions: Array<Version> = []
    for (let entries = 1 + dice.below(12); entries > 0; entries--)
      versions.push({
        key: bytes(`01${dice.pick(letters)}`),
        sequence: all.length + versions.length + 1,
        removed: false
      })
    all.push(...versions)
    const sorted = versions.sort(order)
    runs.unshift({ level: count, tables: dice.chance(50) ? [new LooseTable(sorted, dice)] : runOf(sorted, dice) })
  }
  return { runs, all: all.sort((a, b) => b.sequence - a.sequence) }
}

describe("a lookup", () => {
  it("finds the newest version that the reader sees, whatever of the runs is missing", () => {
    const lookup = new Lookup()
    for (let seed = 1; seed <= 4000; seed++) {
      const dice = new Dice(seed)
      const { all, runs } = randomRuns(dice)
      for (let count = 0; count < 12; count++) {
        const key = bytes(`01${dice.pick([...letters, "60", "6163", "68"])}`)
        const sequence = dice.below(all.length + 2)
        const due = all.find((version) => version.sequence <= sequence && compareKeys(version.key, key) === 0)
        const found = finish(
          lookup,
          lookup.start({ memtables: [], runs }, { bytes: key, start: 0, end: key.length }, sequence)
        )
        const at = found === Found.entry ? lookup.entry.sequence : undefined
        assert.strictEqual(at, due?.sequence, `seed ${seed}: ${hex(key)} at ${sequence}`)
      }
    }
  })

  it("asks one table of a run", () => {
    const dice = new Dice(1)
    const versions = letters.map((letter) => ({ key: bytes(`01${letter}`), sequence: 1, removed: false }))
    const tables = versions.map((version) => new LooseTable([version], dice))
    const key = bytes("0163")
    const lookup = new Lookup()
    const begun = lookup.start({ memtables: [], runs: [{ level: 1, tables }] }, { bytes: key, start: 0, end: 2 }, 5)
    assert.strictEqual(finish(lookup, begun), Found.entry)
    assert.deepStrictEqual(
      tables.flatMap(({ asked }, index) => (asked > 0 ? [letters[index]] : [])),
      ["63"]
    )
  })
})
