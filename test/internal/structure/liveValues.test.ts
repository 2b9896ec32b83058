import { assert, describe, it } from "@effect/vitest"
import { LiveValues } from "../../../src/internal/structure/liveValues.ts"
import { type Dice, manySeeds } from "../format/support.ts"

const ascending = (indexes: Iterable<number>): ReadonlyArray<number> => [...indexes].sort((a, b) => a - b)

const someIndexes = (dice: Dice): ReadonlySet<number> =>
  new Set(Array.from({ length: 1 + dice.below(20) }, () => dice.below(30) + dice.below(2) * 2 ** 31))

describe("live values", () => {
  it("are those that at least one table names, ascending and each once", () => {
    manySeeds(300, (dice) => {
      const ids = [3, 5, 9]
      const live = new LiveValues(ids)
      const expected = new Map(ids.map((id) => [id, new Set<number>()]))
      for (let table = dice.below(6); table > 0; table--) {
        for (const file of [2, ...ids].filter(() => dice.chance(0.7))) {
          const named = someIndexes(dice)
          live.add({ file, indexes: Uint32Array.from(ascending(named)) })
          for (const index of named) expected.get(file)?.add(index)
        }
      }
      for (const [id, indexes] of expected) assert.deepStrictEqual([...live.of(id)], ascending(indexes))
      assert.lengthOf(live.of(2), 0)
    })
  })
})
