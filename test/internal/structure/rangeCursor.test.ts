// Merges of tables whose versions are cut into blocks and runs at random, walked in both directions by several readers,
// against a sorted list.
import { assert, describe, it } from "@effect/vitest"
import type { KeyRange } from "../../../src/internal/structure/keyRange.ts"
import { Merge } from "../../../src/internal/structure/merge.ts"
import { RangeCursor, Step } from "../../../src/internal/structure/rangeCursor.ts"
import { RunSource } from "../../../src/internal/structure/runSource.ts"
import { TableSource } from "../../../src/internal/structure/tableSource.ts"
import { firstIndex, LooseTable, order, runOf, type Version } from "../../support/looseTables.ts"
import { bytes, hex } from "../../support/model.ts"
import { Dice } from "../../support/randomPlan.ts"

const randomVersions = (dice: Dice, from: number): Array<Version> => {
  const versions: Array<Version> = []
  for (let count = 1 + dice.below(14); count > 0; count--) {
    const key = bytes(`01${dice.pick(["61", "6161", "62", "6262", "63", "64", "65"])}`)
    versions.push({ key, sequence: from + versions.length, removed: dice.chance(20) })
  }
  return versions.sort(order)
}

const visible = (all: ReadonlyArray<Version>, sequence: number, range: KeyRange): Array<string> => {
  const keys = new Map<string, Version>()
  for (const version of [...all].sort((a, b) => a.sequence - b.sequence)) {
    if (version.sequence <= sequence) keys.set(hex(version.key), version)
  }
  return [...keys]
    .filter(([, version]) => !version.removed)
    .map(([key]) => key)
    .filter((key) => key >= hex(range.from) && (range.to === undefined || key < hex(range.to)))
    .sort()
}

const walk = (seed: number): void => {
  const dice = new Dice(seed)
  const older = randomVersions(dice, 1)
  const newer = randomVersions(dice, 1 + older.length)
  const all = [...older, ...newer]
  const sequence = 1 + dice.below(all.length + 2)
  const range: KeyRange = {
    from: bytes(dice.pick(["01", "0161", "016262"])),
    fromInclusive: true,
    to: dice.chance(50) ? undefined : bytes(dice.pick(["0164", "0162", "02"])),
    toInclusive: false
  }
  const expected = visible(all, sequence, range)
  const table = new LooseTable(newer, dice)
  const run = runOf(older, dice)
  const merge = () => new Merge([new TableSource(table, sequence), new RunSource(run, sequence)])
  const cursor = new RangeCursor(merge(), { range, suffix: undefined, nowMillis: () => 0 })
  let at = -1
  const trail: Array<string> = []
  for (let step = 0; step < 20; step++) {
    if (dice.chance(20)) cursor.rebind(merge())
    const forward = dice.chance(55)
    if (dice.chance(25)) {
      const key = `01${dice.pick(["61", "6162", "62", "63", "65", "66"])}`
      trail.push(`seek ${key} ${forward}`)
      cursor.seek(bytes(key), forward)
      at = forward ? firstIndex(expected, (one) => one >= key) : expected.findLastIndex((one) => one <= key)
    } else {
      trail.push(forward ? "next" : "previous")
      cursor.move(forward)
      at = forward ? Math.min(expected.length, at + 1) : Math.max(-1, at - 1)
    }
    let answer: Step = cursor.run()
    while (answer === Step.needs) {
      const request = cursor.request!
      if (dice.chance(10)) cursor.rebind(merge())
      else (request.table as LooseTable).answer(request)
      answer = cursor.run()
    }
    const found = answer === Step.ready ? hex(cursor.currentKey) : undefined
    assert.strictEqual(
      found,
      expected[at],
      `seed ${seed}, at ${sequence}: ${trail.join(", ")} of ${expected.join(" ")}`
    )
  }
}

describe("a range cursor", () => {
  it("walks any merge of tables in both directions, whatever of them is missing", () => {
    for (let seed = 1; seed <= 4000; seed++) walk(seed)
  })
})
