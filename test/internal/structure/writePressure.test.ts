import { assert, describe, it } from "@effect/vitest"
import { compactionLimits } from "../../../src/internal/structure/compactionLimits.ts"
import { pressure } from "../../../src/internal/structure/writePressure.ts"
import { mebibyte, picture } from "../../support/levelPicture.ts"

const withTables = (count: number) => pressure(picture(`0 ${"a..z:1 ".repeat(count)}`))
const debtOf = (levels: string) => Math.round(pressure(picture(levels)).debtBytes / mebibyte)

describe("write pressure", () => {
  it.each([
    { count: 0, state: "none", severity: 0, reason: "none" },
    { count: 11, state: "none", severity: 0, reason: "none" },
    { count: 12, state: "slow", severity: 0, reason: "level0Tables" },
    { count: 16, state: "slow", severity: 0.5, reason: "level0Tables" },
    { count: 20, state: "stop", severity: 1, reason: "level0Tables" },
    { count: 30, state: "stop", severity: 1, reason: "level0Tables" }
  ] as const)("of $count tables in level 0: $state", ({ count, reason, severity, state }) => {
    const { level0Tables, ...found } = pressure(picture(`0 ${"a..z:1 ".repeat(count)}`))
    assert.strictEqual(level0Tables, count)
    assert.deepStrictEqual({ ...found, debtBytes: 0 }, { reason, severity, state, debtBytes: 0 })
  })

  it("counts tables that a merge is reading", () => {
    assert.strictEqual(pressure(picture(`0 ${"a..z:1* ".repeat(12)}`)).state, "slow")
  })

  it.each([
    { name: "is none within the targets", levels: "0 a..z:16 \n 6 a..z:300", debt: 0 },
    { name: "is level 0 with the bottom", levels: `0 ${"a..z:16 ".repeat(4)} \n 6 a..z:300`, debt: 364 },
    { name: "is what a level has too much, with its share below", levels: "5 a..z:238.56 \n 6 a..z:600", debt: 352 },
    {
      name: "goes on from level to level",
      levels: `0 ${"a..z:16 ".repeat(4)} \n 5 a..z:138.56 \n 6 a..z:600`,
      debt: 203 + 64 + 190
    }
  ])("debt $name", ({ debt, levels }) => assert.approximately(debtOf(levels), debt, 2))

  it("comes from debt too", () => {
    const limits = { ...compactionLimits, debtBytesSlow: 300 * mebibyte, debtBytesStop: 428 * mebibyte }
    const { reason, severity, state } = pressure(picture(`0 ${"a..z:16 ".repeat(4)} \n 6 a..z:300`), limits)
    assert.deepStrictEqual({ reason, severity, state }, { reason: "debtBytes", severity: 0.5, state: "slow" })
  })

  it("is the worse of both", () => {
    assert.strictEqual(withTables(20).state, "stop")
    const limits = { ...compactionLimits, debtBytesSlow: 1, debtBytesStop: 2 }
    assert.strictEqual(pressure(picture(`0 ${"a..z:16 ".repeat(13)} \n 6 a..z:300`), limits).reason, "debtBytes")
  })
})
