// What readers saw of `disk` commits, and every power cut after it (`support/visibilityRun.ts`). A round is one run.
import { visibilityRun } from "../support/visibilityRun.ts"
import type { Campaign } from "./campaign.ts"

export const visibility: Campaign = {
  name: "visibility",
  about: "power loss after every reading of commits that others make at the moment",
  weight: 1,
  round: async (seed, tally) => {
    visibilityRun(seed, (hash) => tally.addImage(hash))
    tally.add("runs of readers beside writers")
  }
}
