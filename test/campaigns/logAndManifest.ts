// Power loss after every device call of runs of the log alone, and of the manifest alone; of the manifest also with a
// sync that fails. A round is the runs of some seeds, each of which has a few hundred images. They are counted apart:
// an image of two kinds of files is opened in a tenth of the time.
import * as Manifests from "../support/manifestCrash.ts"
import * as Logs from "../support/walCrash.ts"
import type { Campaign } from "./campaign.ts"

const runsPerRound = 5
const models = ["dropped", "reverted", "written"] as const

const seedsOf = (seed: number) => Array.from({ length: runsPerRound }, (_, index) => seed * runsPerRound + index)

export const log: Campaign = {
  name: "log",
  about: "power loss after every device call of the log alone",
  weight: 1,
  round: async (seed, tally) => {
    const campaign = Logs.newCampaign()
    for (const one of seedsOf(seed)) Logs.walRun(one, campaign)
    tally.add("images of the log alone", campaign.seen.size)
    tally.reach("a group given up on a full disk, before a power cut", campaign.refused)
    tally.reach("a crash while a log is recovered", campaign.nested)
  }
}

export const manifest: Campaign = {
  name: "manifest",
  about: "power loss after every device call of the manifest alone, and with syncs that fail",
  weight: 1,
  round: async (seed, tally) => {
    const campaign = Manifests.newCampaign()
    for (const one of seedsOf(seed)) {
      if (one % 5 > 0) Manifests.manifestRun(one, campaign)
      else {
        const fault = { sync: (one / 5) % 24, model: models[(one / 5) % models.length]! }
        Manifests.manifestRun(one, campaign, { fault })
        tally.add("faults of the manifest alone")
        tally.reach("a power cut after a failed sync of a manifest")
      }
    }
    tally.add("images of the manifest alone", campaign.seen.size)
    tally.reach("a crash while a manifest is recovered", campaign.nested)
  }
}
