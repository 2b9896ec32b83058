// Whole runs out of a seed: concurrent actors, faults and power cuts on a simulated disk, against the reference model.
// The default run has a few plans; `STRATA_PLANS` and `STRATA_SEED` ask for more and for others.
import { assert, describe, it } from "@effect/vitest"
import { Tally } from "./campaigns/campaign.ts"
import { generate } from "./simulation/generate.ts"
import { fixtures, replayFixture } from "./simulation/replay.ts"
import { runPlan } from "./simulation/run.ts"
import { type Shrunk, shrink } from "./simulation/shrink.ts"

const planCount = Number(process.env.STRATA_PLANS ?? 12)
const firstSeed = Number(process.env.STRATA_SEED ?? 1)
const seeds = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, index) => firstSeed + index)

describe("a simulated run", () => {
  it(`keeps every promise in ${planCount} random plans`, () => {
    const tally = new Tally()
    for (const seed of seeds(planCount)) {
      try {
        runPlan(generate(seed), { tally })
      } catch (error) {
        const again = `STRATA_SEED=${seed} STRATA_PLANS=1 npx vitest run test/simulation.test.ts`
        throw new Error(`plan of seed ${seed}; again: ${again}`, { cause: error })
      }
    }
    const counts = [...tally.counts].map(([name, count]) => `${name} ${count}`).join(", ")
    console.log(`plans ${planCount}, ${counts}, situations ${tally.reached.size}`)
    assert.isAbove(tally.reached.size, 60)
    const count = (name: string) => tally.counts.get(name) ?? 0
    assert.isAtMost(count("answers of plans, not judged"), 20 + 0.03 * count("answers of plans"))
  }, 1_800_000)

  it("is the same whenever it is run with the same seed", () => {
    for (const seed of seeds(planCount)) {
      const [first, second] = [1, 2].map(() => runPlan(generate(seed), { judges: false }).traceHash)
      assert.strictEqual(first, second, `seed ${seed}`)
    }
  }, 600_000)

  it.each(fixtures())("that failed once passes: %s", (name) => replayFixture(name), 120_000)
})

describe("shrinking", () => {
  it.each(["sync", "syncDirectory"] as const)(
    "leaves of a plan on a disk that lies about %s next to nothing",
    (lie) => {
      let shrunk: Shrunk | undefined
      for (let seed = 1; shrunk === undefined; seed++) {
        const plan = generate(seed)
        const lying = { ...plan, options: { ...plan.options, ignoresSync: lie } }
        shrunk = shrink(lying, { until: performance.now() + 120_000 })
      }
      assert.isDefined(shrunk.failure.place, "a power cut shows it")
      assert.lengthOf(shrunk.plan.crash.only!, 1)
      assert.isAtMost(shrunk.plan.sessions.flatMap(({ actors }) => actors.flat()).length, 3)
      assert.isAtMost(Object.keys(shrunk.plan.options.database).length, 3)
    },
    120_000
  )
})
