// Worker threads killed at random moments while they flush, compact and collect value files: nothing is lost, nothing
// is stuck, and no file and no thread is left. `STRATA_KILLED_WORKERS=n` runs; 100 is the figure to reach, the default
// run has a share.
import { afterAll, assert, describe, it } from "@effect/vitest"
import { killedWorkersRun, newTally } from "./support/killedWorkersRun.ts"

const runs = Number(process.env.STRATA_KILLED_WORKERS ?? 4)
const firstSeed = Number(process.env.STRATA_SEED ?? Math.floor(Math.random() * 1e9))
/** A run takes a few seconds. One that waits for what never comes ends here. */
const runMillisMax = 60_000

describe("killed workers", () => {
  const tally = newTally()
  afterAll(() => console.log(`killed workers, from seed ${firstSeed}: ${JSON.stringify(tally)}`))

  for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
    it.live(`lose nothing and leave nothing, seed ${seed}`, () => killedWorkersRun(seed, tally), runMillisMax)
  }

  it("were many, and had much to do", () => {
    assert.strictEqual(tally.runs, runs)
    assert.isAtLeast(tally.kills, 3 * tally.runs)
    assert.isAtLeast(tally.flushes, 10 * tally.runs)
    assert.isAtLeast(tally.compactions, 2 * tally.runs)
    assert.isAtLeast(tally.collected, tally.runs)
  })
})
