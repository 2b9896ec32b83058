// Power loss while flushes and compactions run: after every call by which they make a table, install it, or remove
// what is no longer needed. The images are judged as in `crash.test.ts`.
import { assert, describe, it } from "@effect/vitest"
import { crashRun, jobsMostly, judgeAll, newCampaign } from "./support/crashRun.ts"

const imagesMin = Number(process.env.STRATA_IMAGES ?? 8_000)
const firstSeed = Number(process.env.STRATA_SEED ?? 1)

/** The steps of flushes, compactions, installs and removals, in their order. */
const stepsOfJobs = [
  "create table",
  "append table",
  "sync table",
  "closeAppend table",
  "open table",
  "closeRead table",
  "append manifest",
  "sync manifest",
  "create manifest",
  "closeAppend manifest",
  "syncDirectory db",
  "create current",
  "append current",
  "sync current",
  "closeAppend current",
  "remove current",
  "remove manifest",
  "remove log",
  "remove table",
  // The ballast asks before it is made.
  "freeBytes db"
]

describe("power loss", () => {
  it(`${imagesMin} images of flushes and compactions lose nothing and leave no file behind`, () => {
    const campaign = newCampaign()
    for (let seed = firstSeed; campaign.images < imagesMin; seed++) {
      judgeAll(crashRun(seed, campaign, jobsMostly), campaign, { seed, nestedEvery: Number.POSITIVE_INFINITY })
    }
    const images = [...campaign.imagesAfter].map(([name, count]) => `${name} ${count}`).sort()
    console.log(`images: ${campaign.images}; after: ${images.join(", ")}`)
    console.log(`jobs: ${JSON.stringify(campaign.jobs)}`)
    assert.isAtLeast(campaign.images, imagesMin)
    assert.sameMembers([...campaign.imagesAfter.keys()], stepsOfJobs)
  }, 1_800_000)
})
