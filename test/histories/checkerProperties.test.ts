// What must be true of the checker for every history, tried with seeded ones.
import { assert, describe, it } from "@effect/vitest"
import { Dice } from "../support/randomPlan.ts"
import { isExplained } from "./bruteForce.ts"
import { check } from "./checker.ts"
import type { Level } from "./history.ts"
import { carelessHistory, serialHistory, withOtherRead } from "./randomHistory.ts"

const seedsOf = (count: number) => Array.from({ length: count }, (_, index) => index + 1)

/** Each of one kind of transactions. */
const checks = Number(process.env.STRATA_CHECKS ?? 500)

const explained = (history: Parameters<typeof check>[0], seed: number) =>
  [`seed ${seed}`, ...check(history).map(({ explanation }) => explanation)].join("\n")

describe("a serial history", () => {
  it("has no anomaly", () => {
    for (const seed of seedsOf(500)) {
      const dice = new Dice(seed)
      const history = serialHistory(dice, 2 + dice.below(12))
      assert.isEmpty(check(history), explained(history, seed))
      assert.isEmpty(check(history, "serializable"))
    }
  })

  it("has one as soon as one thing was read otherwise", () => {
    let changed = 0
    for (const seed of seedsOf(3000)) {
      const dice = new Dice(seed)
      const history = serialHistory(dice, 2 + dice.below(8))
      const other = withOtherRead(history, dice)
      if (other === undefined || JSON.stringify(other) === JSON.stringify(history)) continue
      changed += 1
      assert.isNotEmpty(check(other), `seed ${seed}: ${JSON.stringify(other)}`)
    }
    assert.isAbove(changed, 1000)
  })
})

const levelsOf: Readonly<Record<string, (dice: Dice) => Level>> = {
  "serializable transactions": () => "serializable",
  "snapshot transactions": () => "snapshot",
  "transactions of both levels": (dice) => dice.pick(["serializable", "snapshot"])
}

describe("a history of", () => {
  it.each(Object.keys(levelsOf))("%s has an anomaly exactly if no order explains it", (name) => {
    const counts = { explained: 0, found: 0 }
    for (const seed of seedsOf(checks)) {
      const dice = new Dice(seed)
      const levels = Array.from({ length: 2 + dice.below(4) }, () => levelsOf[name]!(dice))
      const careless = carelessHistory(dice, levels)
      // What all is at the end stays as it is, so that the order of all appends is known.
      const [others, look] = [careless.slice(0, -1), careless.slice(-1)]
      const history = dice.chance(20) ? [...(withOtherRead(others, dice) ?? others), ...look] : careless
      const isWrong = check(history).length > 0
      assert.strictEqual(!isWrong, isExplained(history), `${explained(history, seed)}\n${JSON.stringify(history)}`)
      counts[isWrong ? "found" : "explained"] += 1
    }
    assert.isAbove(counts.explained, checks / 8)
    assert.isAbove(counts.found, checks / 8)
  })
})
