import { assert, describe, it } from "@effect/vitest"
import type { RangeRemoval } from "../../../src/internal/format/table.ts"
import { joined, RangeRemovals } from "../../../src/internal/structure/rangeRemovals.ts"
import { Dice } from "../../support/randomPlan.ts"

const key = (text: string): Uint8Array => new TextEncoder().encode(text)
const removal = (from: string, to: string, sequence: number): RangeRemoval => ({
  from: key(from),
  to: key(to),
  sequence
})
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

const shown = (removals: RangeRemovals): ReadonlyArray<string> =>
  removals.pieces.map(({ from, sequence, to }) => `${text(from)}-${text(to)}:${sequence}`)

const covering = (removals: RangeRemovals, at: string, sequence: number): number => {
  const bytes = key(at)
  return removals.covering(bytes, 0, bytes.length, sequence)
}

describe("range removals", () => {
  it("cover from their start up to but without their end", () => {
    const removals = new RangeRemovals([removal("b", "d", 5)])
    assert.deepStrictEqual(
      ["a", "b", "c", "czz", "d"].map((at) => covering(removals, at, 9)),
      [0, 5, 5, 5, 0]
    )
    assert.strictEqual(covering(removals, "c", 4), 0)
  })

  it("are cut into pieces of the newest removal", () => {
    const nested = new RangeRemovals([removal("a", "z", 1), removal("f", "m", 3), removal("h", "j", 2)])
    assert.deepStrictEqual(shown(nested), ["a-f:1", "f-m:3", "m-z:1"])
    const staggered = new RangeRemovals([removal("a", "f", 2), removal("c", "h", 1), removal("h", "k", 1)])
    assert.deepStrictEqual(shown(staggered), ["a-f:2", "f-k:1"])
  })

  it("without keys between their ends remove nothing", () => {
    assert.isTrue(new RangeRemovals([removal("b", "b", 1), removal("d", "c", 2)]).isEmpty)
  })

  it("joined, are spans that do not touch", () => {
    const spans = joined([removal("m", "p", 9), removal("a", "c", 1), removal("b", "b", 2), removal("c", "e", 3)])
    assert.deepStrictEqual(
      spans.map(({ from, to }) => `${text(from)}-${text(to)}`),
      ["a-e", "m-p"]
    )
  })

  it("answer as a search of all of them, at every sequence", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const dice = new Dice(seed)
      const letter = () => "abcdefgh"[dice.below(8)]! + (dice.chance(50) ? "" : "abc"[dice.below(3)]!)
      const all = Array.from({ length: dice.below(12) }, (_, index) => removal(letter(), letter(), index + 1))
      const removals = new RangeRemovals(all)
      for (let round = 0; round < 30; round++) {
        const at = letter()
        const sequence = dice.below(14)
        const expected = all
          .filter((one) => one.sequence <= sequence && text(one.from) <= at && at < text(one.to))
          .reduce((highest, one) => Math.max(highest, one.sequence), 0)
        assert.strictEqual(covering(removals, at, sequence), expected, `seed ${seed}, ${at} at ${sequence}`)
        const seen = covering(removals.at(sequence), at, Number.MAX_SAFE_INTEGER)
        assert.strictEqual(seen, expected, `seed ${seed}, ${at} of those seen at ${sequence}`)
      }
    }
  })
})
