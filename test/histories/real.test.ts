// Histories of real processes that are killed in between keep what was promised. STRATA_REAL_HISTORIES says how many.
import { assert, describe, it } from "@effect/vitest"
import { Tally } from "../campaigns/campaign.ts"
import { historiesReal } from "../campaigns/histories.ts"
import { realHistory } from "./real.ts"

const histories = Number(process.env.STRATA_REAL_HISTORIES ?? 0)

describe("a history of killed processes", () => {
  it("has no anomaly, and no acknowledged commit is lost", async () => {
    const seed = Math.floor(Math.random() * 1e9)
    const { kills, timeline, violations } = await realHistory({ seed, committedEnough: 150, lives: 3 })
    assert.isEmpty(violations, `seed ${seed}`)
    assert.isAbove(timeline.happened.length, 150)
    assert.isAtMost(kills, 2)
    console.log(`seed ${seed}: ${timeline.happened.length} transactions, ${kills} kills`, timeline.counts)
  }, 120_000)

  it.runIf(histories > 0)(
    `${histories} times`,
    async () => {
      const tally = new Tally()
      const first = Math.floor(Math.random() * 1e9)
      for (let seed = first; seed < first + histories; seed++) await historiesReal.round(seed, tally, Infinity)
      console.log(`from seed ${first}:`, Object.fromEntries([...tally.counts, ...tally.reached]))
    },
    1_800_000
  )
})
