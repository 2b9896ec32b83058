// Power loss: every image that a cut after any device call of a random run can leave is opened and judged.
import { assert, describe, it } from "@effect/vitest"
import { crashRun, judgeAll, mixed, newCampaign, withValues } from "./support/crashRun.ts"

const imagesMin = Number(process.env.STRATA_IMAGES ?? 10_000)
/** Of runs with value files. */
const valueImagesMin = imagesMin / 2
const firstSeed = Number(process.env.STRATA_SEED ?? 1)

describe("power loss", () => {
  it(`${imagesMin} images lose no acknowledged commit and hold a prefix`, () => {
    const campaign = newCampaign()
    let valueImages = 0
    for (let seed = firstSeed; campaign.images < imagesMin || valueImages < valueImagesMin; seed++) {
      const kind = seed % 2 === 0 ? withValues(mixed) : mixed
      const before = campaign.images
      judgeAll(crashRun(seed, campaign, kind), campaign, { seed, nestedEvery: 50 })
      if (kind.values) valueImages += campaign.images - before
    }
    const steps = [...campaign.steps].map(([name, count]) => `${name} ${count}`).sort()
    console.log(`images: ${campaign.images}, with value files: ${valueImages}; cuts after: ${steps.join(", ")}`)
    assert.isAtLeast(campaign.images, imagesMin)
    if (imagesMin < 10_000) return
    for (const step of ["create", "append", "sync", "remove"]) {
      assert.isTrue(campaign.steps.has(`${step} value`), `no cut after ${step} of a value file`)
    }
  }, 1_800_000)
})
