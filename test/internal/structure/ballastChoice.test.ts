// Sizes and room of the ballast, as DESIGN §8 has them, and that it is not made and removed by turns.
import { assert, describe, it } from "@effect/vitest"
import { type BallastState, chooseBallast, recoveryBytes } from "../../../src/internal/structure/ballastChoice.ts"
import { defaults } from "../../../src/services/Options.ts"

const MiB = 1024 * 1024
/** Of memtables that no share is smaller than. */
const shares = { ...defaults, arenaBytes: MiB }
const choose = (state: Partial<BallastState>, limits = shares) =>
  chooseBallast({ liveBytes: 0, freeBytes: 2 ** 40, heldBytes: 0, inUse: false, ...state }, limits)

describe("the choice of the ballast", () => {
  it.each([
    { tableMiB: 63.9, bytes: 0 },
    { tableMiB: 64, bytes: 4 },
    { tableMiB: 160, bytes: 10 },
    { tableMiB: 512, bytes: 32 },
    { tableMiB: 100_000, bytes: 32 }
  ])("of $tableMiB MiB of tables is $bytes MiB", ({ bytes, tableMiB }) => {
    const choice = choose({ liveBytes: tableMiB * MiB })
    assert.deepStrictEqual(choice, bytes === 0 ? { _tag: "Keep" } : { _tag: "Make", bytes: bytes * MiB })
  })

  it.each([
    { arenaMiB: 16, limitMiB: 32, bytes: 20 },
    { arenaMiB: 8, limitMiB: 32, bytes: 10 },
    { arenaMiB: 64, limitMiB: 32, bytes: 80 },
    { arenaMiB: 16, limitMiB: 1, bytes: 20 }
  ])(
    "is a memtable of $arenaMiB MiB and a quarter at least, whatever the limit is",
    ({ arenaMiB, bytes, limitMiB }) => {
      const limits = { ...defaults, arenaBytes: arenaMiB * MiB, ballastBytesMax: limitMiB * MiB }
      assert.deepStrictEqual(choose({ liveBytes: 64 * MiB }, limits), { _tag: "Make", bytes: bytes * MiB })
      assert.strictEqual(choose({ liveBytes: 64 * MiB, heldBytes: bytes * MiB }, limits)._tag, "Keep")
      assert.strictEqual(choose({ liveBytes: 63 * MiB }, limits)._tag, "Keep")
    }
  )

  it("leaves an open room for every memtable, before it takes the ballast over", () => {
    assert.strictEqual(recoveryBytes(defaults), 60 * MiB)
  })

  it("is none where the limit is 0", () => {
    const limits = { ...shares, ballastBytesMax: 0 }
    assert.strictEqual(choose({ liveBytes: 2 ** 40 }, limits)._tag, "Keep")
    assert.strictEqual(choose({ liveBytes: 2 ** 40, heldBytes: MiB }, limits)._tag, "Remove")
  })

  it.each([
    { tableMiB: 31, heldMiB: 4, tag: "Remove" },
    { tableMiB: 33, heldMiB: 4, tag: "Keep" },
    { tableMiB: 127, heldMiB: 4, tag: "Keep" },
    { tableMiB: 128, heldMiB: 4, tag: "Make" },
    { tableMiB: 511, heldMiB: 30, tag: "Keep" },
    { tableMiB: 512, heldMiB: 30, tag: "Make" },
    { tableMiB: 129, heldMiB: 16, tag: "Keep" },
    { tableMiB: 128, heldMiB: 16, tag: "Make" }
  ])("with $heldMiB MiB for $tableMiB MiB of tables is $tag", ({ heldMiB, tableMiB, tag }) => {
    assert.strictEqual(choose({ liveBytes: tableMiB * MiB, heldBytes: heldMiB * MiB })._tag, tag)
  })

  it.each([
    { freeMiB: 5, heldMiB: 0, inUse: false, tag: "Make" },
    { freeMiB: 4.9, heldMiB: 0, inUse: false, tag: "Reserve" },
    { freeMiB: 7.9, heldMiB: 0, inUse: true, tag: "Reserve" },
    { freeMiB: 8, heldMiB: 0, inUse: true, tag: "Make" },
    { freeMiB: 3.9, heldMiB: 1, inUse: false, tag: "Keep" },
    { freeMiB: 4, heldMiB: 1, inUse: false, tag: "Make" }
  ])("with $freeMiB MiB free, $heldMiB held, in use $inUse, is $tag", ({ freeMiB, heldMiB, inUse, tag }) => {
    const state = { liveBytes: 64 * MiB, freeBytes: freeMiB * MiB, heldBytes: heldMiB * MiB, inUse }
    assert.strictEqual(choose(state)._tag, tag)
  })

  it.each([
    { freeMiB: 2, isTight: false },
    { freeMiB: 1.9, isTight: true }
  ])("with $freeMiB MiB left of a reserve of 4, tight is $isTight", ({ freeMiB, isTight }) => {
    const choice = choose({ liveBytes: 64 * MiB, freeBytes: freeMiB * MiB, inUse: true })
    assert.deepStrictEqual(choice, { _tag: "Reserve", isTight })
  })

  it("holds nobody back when the tables got small", () => {
    assert.strictEqual(choose({ liveBytes: 33 * MiB, freeBytes: MiB, inUse: true })._tag, "Reserve")
    assert.strictEqual(choose({ liveBytes: 31 * MiB, freeBytes: 0, inUse: true })._tag, "Remove")
  })
})
