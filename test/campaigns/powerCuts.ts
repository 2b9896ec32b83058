// Power loss after every device call of random runs, in each of the kinds of `support/crashRun.ts`, and around commits
// that bring along value files (`support/directCrash.ts`). A round is one run; a long one has a share of its images
// judged, spread over all of it, so that a few thousand come from many runs.
import { crashRun, judgeAll, jobsMostly, mixed, newCampaign, withValues } from "../support/crashRun.ts"
import { directRun, judgeDirect } from "../support/directCrash.ts"
import type { Campaign, Tally } from "./campaign.ts"
import { reachedByCut } from "./cutSituations.ts"
import { sample } from "./sample.ts"

const kinds = [mixed, withValues(mixed), jobsMostly, withValues(jobsMostly)]
const imagesPerRun = 150

const randomRun = (seed: number, tally: Tally): void => {
  const kind = kinds[seed % kinds.length]!
  const campaign = { ...newCampaign(), judged: (key: string) => void tally.addImage(key) }
  const run = crashRun(seed, campaign, kind)
  const cuts = sample(run.cuts, imagesPerRun, seed)
  for (const { where } of cuts) reachedByCut(where, tally)
  judgeAll({ ...run, cuts }, campaign, { seed, nestedEvery: 100 })
  for (const [name, count] of campaign.steps) {
    if (name.startsWith("recovery recovery ")) tally.reach("a crash inside the recovery of a recovery", count)
    else if (name.startsWith("recovery ")) tally.reach("a crash inside recovery", count)
  }
}

const runOfDirectValues = (seed: number, tally: Tally): void => {
  const campaign = { images: 0, seen: new Set<string>(), steps: new Map<string, number>() }
  const run = directRun(seed, campaign)
  const cuts = sample(run.cuts, imagesPerRun, seed)
  judgeDirect({ ...run, cuts }, campaign, seed)
  for (const { key, where } of cuts) {
    tally.addImage(key)
    reachedByCut(where, tally)
  }
}

export const powerCuts: Campaign = {
  name: "power-cuts",
  about: "power loss after every device call of random runs, also inside recoveries",
  weight: 27,
  round: async (seed, tally) => {
    if (seed % 5 === 4) runOfDirectValues(seed, tally)
    else randomRun(seed, tally)
    tally.add("runs cut")
  }
}
