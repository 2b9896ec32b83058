import { assert, describe, it } from "@effect/vitest"
import { compactionLimits } from "../../../src/internal/structure/compactionLimits.ts"
import { levelTargets, tableBytesMaxOf } from "../../../src/internal/structure/levelTargets.ts"
import { mebibyte } from "../../support/levelPicture.ts"

const targetsOf = (mebibytes: ReadonlyArray<number>) => {
  const { base, bottom, bytes } = levelTargets(
    mebibytes.map((size) => size * mebibyte),
    compactionLimits
  )
  return { base, bottom, mebibytes: bytes.map((size) => Math.round(size / mebibyte)) }
}

const ofBottom = (size: number) => targetsOf([0, 0, 0, 0, 0, 0, size])

describe("level targets", () => {
  it.each([0, 1, 64, 320])("use the bottom alone for %i MiB", (size) => {
    assert.deepStrictEqual(ofBottom(size), { base: 6, bottom: 6, mebibytes: [0, 0, 0, 0, 0, 0, Infinity] })
  })

  it.each([
    { size: 321, base: 5, mebibytes: [0, 0, 0, 0, 0, 101, Infinity] },
    { size: 3200, base: 5, mebibytes: [0, 0, 0, 0, 0, 320, Infinity] },
    { size: 3210, base: 4, mebibytes: [0, 0, 0, 0, 149, 691, Infinity] },
    { size: 1_000_000, base: 2, mebibytes: [0, 0, 254, 2010, 15_924, 126_191, Infinity] }
  ])("use as many levels for $size MiB as keep the step within its limit", ({ base, mebibytes, size }) => {
    const targets = ofBottom(size)
    assert.deepStrictEqual(targets, { base, bottom: 6, mebibytes })
    for (let level = base; level < 5; level++) {
      assert.isAtMost(mebibytes[level + 1]! / mebibytes[level]!, compactionLimits.levelRatio)
    }
  })

  it("use no more levels than there are", () => {
    assert.strictEqual(ofBottom(1e12).base, 1)
  })

  it("keep a level in use until the bottom is half as large as where it came into use", () => {
    assert.strictEqual(targetsOf([0, 0, 0, 0, 0, 50, 200]).base, 5)
    assert.strictEqual(targetsOf([0, 0, 0, 0, 0, 0, 200]).base, 6)
    assert.strictEqual(targetsOf([0, 0, 0, 0, 0, 50, 150]).base, 6)
  })

  it("follow the largest level, also where it is not the bottom", () => {
    assert.strictEqual(targetsOf([0, 0, 0, 0, 0, 400, 0]).base, 5)
  })

  it("reach down to tables deeper than there are levels", () => {
    assert.strictEqual(targetsOf([0, 0, 0, 0, 0, 0, 0, 0, 1]).bottom, 8)
  })
})

describe("the size of a table", () => {
  it("doubles with each level, up to its maximum", () => {
    const targets = levelTargets([0, 0, 0, 0, 0, 0, 1e6 * mebibyte], compactionLimits)
    const sizes = targets.bytes.map((_, level) => tableBytesMaxOf(level, targets, compactionLimits) / mebibyte)
    assert.deepStrictEqual(sizes, [8, 8, 8, 16, 32, 64, 64])
    const small = levelTargets([], compactionLimits)
    assert.strictEqual(tableBytesMaxOf(6, small, compactionLimits), 8 * mebibyte)
  })
})
