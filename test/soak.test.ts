// What a soak takes for growth.
import { assert, describe, it } from "@effect/vitest"
import { afterWarmUp, growthOf, type Point } from "../scripts/soak/slopes.ts"
import { Dice } from "./support/randomPlan.ts"

const megabyte = 1024 * 1024
const limit = { growthPerHourMax: 0.01, growthMin: megabyte }

/** An hour, a value every half a minute: 300 MiB, with 3 MiB of noise. */
const measured = (growthPerHour: number): ReadonlyArray<Point> => {
  const dice = new Dice(7)
  return Array.from({ length: 120 }, (_, index) => {
    const seconds = index * 30
    return [seconds, 300 * megabyte + (growthPerHour * seconds) / 3600 + dice.below(3 * megabyte)]
  })
}

describe("growth", () => {
  it("is none where there is noise alone", () => assert.isFalse(growthOf(measured(0), limit).isOver))

  it("is found where it is five percent in an hour", () => {
    const { growth, isOver, perHour } = growthOf(measured(15 * megabyte), limit)
    assert.isTrue(isOver)
    assert.closeTo(growth / megabyte, 15, 1)
    assert.closeTo(perHour / megabyte, 15, 1)
  })

  it("is none where it shrinks", () => assert.isFalse(growthOf(measured(-50 * megabyte), limit).isOver))

  it("is not looked for in the time of warming up, at most ten minutes", () => {
    const secondsOf = ([seconds]: Point) => seconds
    assert.strictEqual(afterWarmUp(measured(0), secondsOf)[0]![0], 600)
    assert.strictEqual(afterWarmUp(measured(0).slice(0, 9), secondsOf)[0]![0], 60)
  })

  it("of one value, or of none, is nothing", () => {
    assert.isFalse(growthOf([], limit).isOver)
    assert.isFalse(growthOf([[1, 5]], limit).isOver)
  })
})
