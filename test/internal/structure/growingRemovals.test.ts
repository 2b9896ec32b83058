import { assert, describe, it } from "@effect/vitest"
import { GrowingRemovals } from "../../../src/internal/structure/growingRemovals.ts"
import { Dice } from "../../support/randomPlan.ts"

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

interface Removal {
  readonly from: string
  readonly to: string
  readonly sequence: number
}

const add = (growing: GrowingRemovals, { from, sequence, to }: Removal): void =>
  growing.add({ from: utf8(from), to: utf8(to), sequence })

const newest = (all: ReadonlyArray<Removal>, key: string, sequence: number): number =>
  all
    .filter((one) => one.sequence <= sequence && one.from <= key && key < one.to)
    .reduce((highest, one) => Math.max(highest, one.sequence), 0)

describe("growing range removals", () => {
  it("answer after each addition as a search of all, at every sequence", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const dice = new Dice(seed)
      const letter = () => "abcdefgh"[dice.below(8)]! + (dice.chance(50) ? "" : "abc"[dice.below(3)]!)
      const growing = new GrowingRemovals()
      const all: Array<Removal> = []
      for (let sequence = 1; all.length < 60; sequence += dice.below(2)) {
        const [from, to] = [letter(), letter()].sort()
        all.push({ from: from!, to: to!, sequence })
        add(growing, all.at(-1)!)
        const [key, at] = [letter(), dice.below(sequence + 2)]
        const bytes = utf8(key)
        const expected = newest(all, key, at)
        const where = `seed ${seed}, ${key} at ${at} of ${JSON.stringify(all)}`
        assert.strictEqual(growing.covering(bytes, 0, bytes.length, at), expected, where)
        const sets = growing.at(at).map((set) => set.covering(bytes, 0, bytes.length, Number.MAX_SAFE_INTEGER))
        assert.strictEqual(sets.find((one) => one > 0) ?? 0, expected, where)
      }
    }
  })

  it("are kept in few sets, none of which is built of too many", () => {
    const growing = new GrowingRemovals()
    for (let sequence = 1; sequence <= 5000; sequence++) {
      add(growing, { from: `${sequence + 10_000}`, to: `${sequence + 10_001}`, sequence })
      const sizes = growing.at(sequence).map(({ removals }) => removals.length)
      assert.isAtMost(Math.max(...sizes), 4096)
      assert.isAtMost(sizes.length, 13 + sequence / 2048)
    }
    assert.lengthOf(growing.all, 5000)
    growing.reset()
    assert.deepStrictEqual([growing.all, growing.at(9000)], [[], []])
  })

  it("keep none that removes nothing", () => {
    const growing = new GrowingRemovals()
    add(growing, { from: "b", to: "b", sequence: 1 })
    add(growing, { from: "b", to: "a", sequence: 2 })
    assert.deepStrictEqual([growing.all, growing.at(9)], [[], []])
  })
})
