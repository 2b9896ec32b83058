// Power loss around commits that bring along value files.
import { assert, describe, it } from "@effect/vitest"
import { type Campaign, directRun, judgeDirect } from "./support/directCrash.ts"

const imagesMin = Number(process.env.STRATA_DIRECT_IMAGES ?? 1500)
const firstSeed = Number(process.env.STRATA_SEED ?? 1)

describe("power loss around direct values", () => {
  it(`${imagesMin} images lose no acknowledged value, hold a prefix, and keep no orphan`, () => {
    const campaign: Campaign = { images: 0, seen: new Set(), steps: new Map() }
    for (let seed = firstSeed; campaign.images < imagesMin; seed++)
      judgeDirect(directRun(seed, campaign), campaign, seed)
    const steps = [...campaign.steps].map(([name, count]) => `${name} ${count}`).sort()
    console.log(`images: ${campaign.images}; cuts after: ${steps.join(", ")}`)
    for (const step of ["create value", "append value", "sync value", "syncDirectory db", "remove value"]) {
      assert.isAbove(campaign.steps.get(step) ?? 0, 0, step)
    }
  }, 600_000)
})
