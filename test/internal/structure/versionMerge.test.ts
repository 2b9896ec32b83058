import { assert, describe, it } from "@effect/vitest"
import { makeEntryView } from "../../../src/internal/format/blockEntry.ts"
import { VersionMerge } from "../../../src/internal/structure/versionMerge.ts"
import { Step, type VersionSource } from "../../../src/internal/structure/versionSource.ts"
import { byKey } from "../../support/jobPlan.ts"
import { fromView, type Plain, plain, toView } from "../format/entries.ts"
import { type Dice, manySeeds } from "../format/support.ts"

/** The points one by one, now and then only when bytes were fed. */
class Points implements VersionSource {
  readonly entry = makeEntryView()
  fed = 0
  private readonly points: ReadonlyArray<Plain>
  private readonly dice: Dice
  private at = -1
  private waits = false

  constructor(points: ReadonlyArray<Plain>, dice: Dice) {
    this.points = points
    this.dice = dice
  }

  advance(): Step {
    assert.isFalse(this.waits, "it was asked again before it got its bytes")
    if (this.dice.chance(0.3)) {
      this.waits = true
      return Step.bytes
    }
    this.at += 1
    const point = this.points[this.at]
    if (point === undefined) return Step.end
    Object.assign(this.entry, toView(point))
    return Step.version
  }

  request(): { readonly _tag: "Pause" } {
    return { _tag: "Pause" }
  }

  feed(): void {
    this.waits = false
    this.fed += 1
  }
}

describe("the merge of versions", () => {
  it("is in table order, and of the same version the one of the earlier source comes first", () => {
    let fed = 0
    manySeeds(500, (dice) => {
      const lists = Array.from({ length: dice.below(9) }, (_, source) =>
        Array.from({ length: dice.below(20) }, () =>
          plain(dice.pick(["", "a", "a\0", "ab", "b"]), { sequence: dice.below(20), value: `${source}` })
        )
          .sort(byKey)
          .filter((point, index, all) => index === 0 || byKey(all[index - 1]!, point) !== 0)
      )
      const sources = lists.map((points) => new Points(points, dice))
      const merge = new VersionMerge(sources)
      const found: Array<Plain> = []
      for (let step = merge.advance(); step !== Step.end; step = merge.advance()) {
        if (step === Step.bytes) merge.needy.feed(new Uint8Array(0))
        else found.push(fromView(merge.entry))
      }
      assert.strictEqual(merge.advance(), Step.end)
      const expected = lists.flat().sort((a, b) => byKey(a, b) || Number(a.value) - Number(b.value))
      assert.deepStrictEqual(found, expected)
      for (const source of sources) fed += source.fed
    })
    assert.isAbove(fed, 1000)
  })
})
