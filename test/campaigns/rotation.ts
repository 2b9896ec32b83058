// Power loss while master keys and data keys are rotated (`support/rotationRun.ts`). A round is one run.
import { judgeRotations, newRotations, rotationRun } from "../support/rotationRun.ts"
import type { Campaign } from "./campaign.ts"
import { sample } from "./sample.ts"

const imagesPerRun = 60

export const rotation: Campaign = {
  name: "rotation",
  about: "power loss while keys are rotated beside writers, flushes and compactions",
  weight: 4,
  round: async (seed, tally) => {
    const campaign = newRotations()
    const run = rotationRun(seed, campaign)
    const cuts = sample(run.cuts, imagesPerRun, seed)
    judgeRotations({ ...run, cuts }, campaign, { seed, nestedEvery: 40, imagesMax: 3 * imagesPerRun })
    for (const { key, masters, where } of cuts) {
      tally.addImage(key)
      if (where.includes("keyring")) tally.reach("a crash while a keyring takes another's place")
      if (masters.length > 1) tally.reach("a crash while it is open which master key holds")
    }
    tally.add("rotations", campaign.rotations.data + campaign.rotations.master)
  }
}
