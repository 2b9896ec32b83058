// What separated values cost, by a simulation: the log once, the value file once, and what collections write.
import { assert, describe, it } from "@effect/vitest"
import { SeededRandom } from "../../../src/internal/structure/random.ts"
import { CollectionRun, type ValueCosts } from "../../support/collectionRun.ts"

/** A sixteenth of the real sizes, and values likewise. */
const small: Partial<ValueCosts> = { valueBytes: 10_240, memtableBytes: 2 ** 20, fileBytesMax: 4 * 2 ** 20 }

const filled = (keyCount: number, costs: Partial<ValueCosts>): CollectionRun => {
  const run = new CollectionRun({ ...small, ...costs })
  for (let key = 0; key < keyCount; key++) run.write(key)
  return run
}

describe("what is written for a byte of a large value", () => {
  it.each([
    { name: "when garbage is known at once", keys: 8000, costs: { level0: 1 } },
    { name: "when it is known after four memtables", keys: 8000, costs: {} },
    { name: "when it is known after twenty", keys: 8000, costs: { level0: 20 } },
    { name: "in a database of a few files", keys: 1000, costs: {} },
    { name: "in one of many", keys: 30_000, costs: {} },
    { name: "of values a little over the threshold", keys: 60_000, costs: { valueBytes: 1025 } }
  ])("is at most 3.5, $name, and at rest there is little garbage", ({ costs, keys }) => {
    const run = filled(keys, costs)
    run.overwrite(keys, 5 * keys, new SeededRandom(1))
    assert.isAtMost(run.writeAmplification, 3.5)
    run.rest()
    assert.isAtMost(run.writeAmplification, 3.5)
    assert.isAtMost(run.bytes, 1.25 * run.liveBytes)
    assert.isAtMost(run.written.collectedUnderLoad, run.written.flush)
  })

  it("is at most 2.1 when nothing is overwritten", () => {
    const run = filled(20_000, {})
    run.rest()
    assert.isAtMost(run.writeAmplification, 2.1)
    assert.isAtMost(run.bytes, 1.01 * run.liveBytes)
  })

  it("is little for small files that come one by one, and few of them are left", () => {
    const run = new CollectionRun(small)
    for (let key = 0; key < 3000; key++) {
      run.write(key)
      if (key % 3 === 0) run.rest()
    }
    run.rest()
    assert.isAtMost(run.writeAmplification, 6)
    assert.isAtMost(run.files.length, 70)
  })
})

describe("what is left", () => {
  it("is nothing when everything is removed", () => {
    const run = filled(5000, {})
    for (let key = 0; key < 5000; key++) run.write(key, true)
    run.rest()
    assert.deepStrictEqual(run.files, [])
  })

  it("is little after each of many bursts", () => {
    const run = filled(8000, {})
    const random = new SeededRandom(3)
    for (let burst = 0; burst < 20; burst++) {
      run.overwrite(8000, 2000, random)
      run.rest()
      assert.isAtMost(run.bytes, 1.25 * run.liveBytes)
    }
    assert.isAtMost(run.writeAmplification, 5)
  })

  it("is little of values of which a tenth is hot", () => {
    const run = filled(8000, {})
    const random = new SeededRandom(4)
    for (let index = 0; index < 40_000; index++) run.write(random.below(random.chance(0.9) ? 800 : 8000))
    run.rest()
    assert.isAtMost(run.writeAmplification, 3.5)
    assert.isAtMost(run.bytes, 1.25 * run.liveBytes)
  })
})
