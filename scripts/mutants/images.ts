// Power-loss images until one is wrong, or until there are enough: `node scripts/mutants/images.ts <count>`.
//
// A seed gives some of its images only, spread over the run, so that a few thousand come from many runs.
import { Cause } from "effect"
import { type Campaign, crashRun, judgeAll, newCampaign } from "../../test/support/crashRun.ts"

const imagesMax = Number(process.argv[2] ?? 2000)
const imagesPerSeed = 150
const firstSeed = Number(process.env.STRATA_SEED ?? 1)

class Enough extends Error {}

/** Stops the judging, nested as it may be, when there are enough. */
const bounded = (): Campaign => {
  const campaign = newCampaign()
  let images = 0
  return {
    ...campaign,
    get images() {
      return images
    },
    set images(count) {
      if (count > imagesMax) throw new Enough()
      images = count
    }
  }
}

const campaign = bounded()

const messages = (error: unknown): string => {
  const lines: Array<string> = []
  let at = error
  while (at instanceof Error) {
    lines.push(at.message.split("\n")[0]!)
    at = Cause.isCause(at.cause) ? Cause.squash(at.cause) : at.cause
  }
  return lines.join(": ")
}

try {
  for (let seed = firstSeed; ; seed++) {
    const run = crashRun(seed, campaign)
    const stride = Math.max(1, Math.floor(run.cuts.length / imagesPerSeed))
    const cuts = run.cuts.filter((_, index) => index % stride === 0)
    judgeAll({ ...run, cuts }, campaign, { seed, nestedEvery: Math.ceil(cuts.length / 2), level: 2 })
  }
} catch (error) {
  if (!(error instanceof Enough)) {
    console.log(`after ${campaign.images} images: ${messages(error)}`)
    process.exitCode = 1
  } else console.log(`${campaign.images} images, nothing wrong`)
}
