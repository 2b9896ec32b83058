import { assert, describe, it } from "@effect/vitest"
import { KeySpans, unionOf } from "../../../src/internal/structure/keySpans.ts"
import { latin1 } from "../format/entries.ts"
import { manySeeds } from "../format/support.ts"

const bounds = (...all: ReadonlyArray<readonly [string, string]>) =>
  all.map(([smallest, largest]) => ({ smallest: latin1(smallest), largest: latin1(largest) }))

const names = ["", "a", "a\0", "aa", "b", "b\0", "c", "ca", "d", "e"]

describe("key spans", () => {
  it("are joined where they have a key in common", () => {
    assert.deepStrictEqual(
      unionOf(bounds(["c", "d"], ["a", "b"], ["b", "bb"], ["c", "c"])),
      bounds(["a", "bb"], ["c", "d"])
    )
    assert.deepStrictEqual(unionOf([]), [])
  })

  it("answer as a search of all of them", () => {
    manySeeds(500, (dice) => {
      const all = Array.from(
        { length: dice.below(6) },
        () => [dice.pick(names), dice.pick(names)].sort() as [string, string]
      )
      const spans = new KeySpans(bounds(...all))
      for (const key of names) {
        const expected = all.some(([smallest, largest]) => smallest <= key && key <= largest)
        assert.strictEqual(spans.contains(latin1(`<${key}`), 1, key.length + 1), expected, key)
        for (const to of names.filter((name) => name > key)) {
          const overlaps = all.some(([smallest, largest]) => smallest < to && key <= largest)
          assert.strictEqual(spans.overlaps(latin1(key), latin1(to)), overlaps, `${key} to ${to}`)
        }
      }
    })
  })
})
