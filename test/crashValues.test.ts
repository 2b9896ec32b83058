// Power loss while values are separated, collected, installed and removed: after every call by which a value file is
// made, a state that names it is published, or one that is not needed goes. The images are judged as in
// `crash.test.ts`, and for their value files: no loss, no file that nobody names, and exact counts of garbage.
import { assert, describe, it } from "@effect/vitest"
import { crashRun, jobsMostly, judgeAll, newCampaign, withValues } from "./support/crashRun.ts"

const imagesMin = Number(process.env.STRATA_IMAGES ?? 5_000)
const firstSeed = Number(process.env.STRATA_SEED ?? 1)

/** Of value files, in their order: made by a flush, a commit or a collection, read by collections, removed. */
const stepsOfValues = [
  "create value",
  "append value",
  "sync value",
  "closeAppend value",
  "open value",
  "closeRead value",
  "remove value"
]
/** By which they are installed. */
const stepsOfInstalls = ["append manifest", "sync manifest", "syncDirectory db", "create current", "sync current"]

describe("power loss", () => {
  it(`${imagesMin} images of separation and collection lose nothing and leave no file behind`, () => {
    const campaign = newCampaign()
    const kind = withValues(jobsMostly)
    for (let seed = firstSeed; campaign.images < imagesMin; seed++) {
      judgeAll(crashRun(seed, campaign, kind), campaign, { seed, nestedEvery: Number.POSITIVE_INFINITY })
    }
    const images = [...campaign.imagesAfter].map(([name, count]) => `${name} ${count}`).sort()
    console.log(`images: ${campaign.images}; after: ${images.join(", ")}`)
    console.log(`jobs: ${JSON.stringify(campaign.jobs)}`)
    assert.isAtLeast(campaign.images, imagesMin)
    assert.isAbove(campaign.jobs.collections, imagesMin / 200)
    assert.includeMembers([...campaign.imagesAfter.keys()], [...stepsOfValues, ...stepsOfInstalls])
  }, 1_800_000)
})
