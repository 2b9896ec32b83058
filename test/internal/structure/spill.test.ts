import { assert, describe, it } from "@effect/vitest"
import { chooseSpilled } from "../../../src/internal/structure/spill.ts"

const records = (...inline: ReadonlyArray<number>) =>
  inline.map((inlineBytes) => ({ inlineBytes, handleBytes: Math.min(inlineBytes, 20) }))

describe("spill", () => {
  it("moves nothing out of a commit that fits", () => {
    assert.deepStrictEqual(chooseSpilled(records(50, 30, 20), 100), [])
    assert.deepStrictEqual(chooseSpilled([], 0), [])
  })

  it("moves out the largest, and no more than it takes", () => {
    assert.deepStrictEqual(chooseSpilled(records(50, 90, 40, 80), 200), [1])
    assert.deepStrictEqual(chooseSpilled(records(50, 90, 40, 80), 189), [1, 3])
    assert.deepStrictEqual(chooseSpilled(records(50, 90, 40, 80), 100), [0, 1, 3])
  })

  it("takes the earlier of two that save the same", () => {
    assert.deepStrictEqual(chooseSpilled(records(60, 60, 60), 150), [0])
  })

  it("says when all of them together are not enough", () => {
    assert.isUndefined(chooseSpilled(records(50, 90), 39))
    assert.deepStrictEqual(chooseSpilled(records(50, 90), 40), [0, 1])
    assert.isUndefined(chooseSpilled(records(10, 10), 19))
  })
})
