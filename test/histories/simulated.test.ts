// Simulated histories keep what was promised, those of broken databases are found out, and the same seed is the same
// history. STRATA_HISTORIES=300 is the figure of the torture run.
import { assert, describe, it } from "@effect/vitest"
import { histories as campaign } from "../campaigns/histories.ts"
import { Tally } from "../campaigns/campaign.ts"
import { broken } from "./broken.ts"
import { simulate } from "./simulated.ts"

const histories = Number(process.env.STRATA_HISTORIES ?? 4)
const firstSeed = Number(process.env.STRATA_SEED ?? 1)

describe("simulated histories", () => {
  it(`${histories} of them have no anomaly that their level excludes`, async () => {
    const tally = new Tally()
    for (let seed = firstSeed; seed < firstSeed + histories; seed++) await campaign.round(seed, tally, Infinity)
    assert.isAtLeast(tally.counts.get("transactions")!, histories * 500)
    console.log(`histories from seed ${firstSeed}:`, Object.fromEntries([...tally.counts, ...tally.reached]))
  }, 1_800_000)

  it("are the same for the same seed", () => {
    const run = () => simulate({ seed: 2, committedEnough: 200 }).trace
    assert.strictEqual(run(), run())
  })

  it("of snapshot isolation have write skew", () => {
    const kinds = [13, 17].flatMap((seed) => simulate({ seed, isolation: "snapshot" }).allowed.map(({ kind }) => kind))
    assert.isNotEmpty(kinds)
    assert.isTrue(kinds.every((kind) => kind.startsWith("G2")))
  })
})

/** How many seeds it takes at most. */
const seedsMax = 8

describe("a history of a database in which", () => {
  it.each(Object.keys(broken))("%s is found out", (name) => {
    const found: Array<string> = []
    for (let seed = 1; found.length === 0 && seed <= seedsMax; seed++) {
      const { violations } = simulate({ seed, isolation: "serializable", committedEnough: 200, open: broken[name] })
      // By its dependencies, and not only by what it says of itself.
      found.push(...violations.map(({ kind }) => kind).filter((kind) => kind.startsWith("G")))
    }
    assert.isNotEmpty(found)
  })
})
