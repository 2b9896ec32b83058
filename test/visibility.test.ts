// Promise 3: nobody reads of a `disk` commit what a power cut can take back (`support/visibilityRun.ts`). The default
// run has a share; `npm run torture -- --only visibility` goes on.
import { assert, describe, it } from "@effect/vitest"
import { visibilityRun } from "./support/visibilityRun.ts"

const runs = Number(process.env.STRATA_RUNS ?? 2)
const firstSeed = Number(process.env.STRATA_SEED ?? Math.floor(Math.random() * 1e9))

describe("what was read of disk commits", () => {
  for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
    it(`survives every power cut after it, seed ${seed}`, () => {
      let images = 0
      visibilityRun(seed, () => (images += 1))
      assert.isAbove(images, 100)
    })
  }
})
