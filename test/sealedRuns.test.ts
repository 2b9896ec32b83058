// Encrypted and compressed databases under what plain ones withstand: power cuts, and errors of the disk at their
// calls. A share; `nonces.test.ts` runs more of the same for its count.
import { assert, describe, it } from "@effect/vitest"
import * as ZstdCompression from "../src/layers/ZstdCompression.ts"
import { crashRun, judgeAll, jobsMostly, mixed, newCampaign, withValues } from "./support/crashRun.ts"
import { strikeAll } from "./support/faultCases.ts"
import { canonical, sealedWorkload } from "./support/faultSession.ts"
import { valueWorkload } from "./support/faultValues.ts"
import { sealedBy } from "./support/nonceLedger.ts"

const imagesMin = Number(process.env.STRATA_SEALED_IMAGES ?? 150)
const seed = Number(process.env.STRATA_SEED ?? 1)
/** Of the faults that a plain database is struck by. */
const selection = Number(process.env.STRATA_SEALED_FAULTS ?? 80)
/** Of the images of a run. */
const one = 20
const timeout = 1_800_000

const compression = ZstdCompression.layerWith({ upper: "zstd", values: "zstd" })

describe("an encrypted and compressed database", () => {
  for (const [name, base] of [
    ["everything", withValues(mixed)],
    ["jobs", withValues(jobsMostly)]
  ] as const) {
    it(
      `loses nothing by power cuts (${name}), in ${imagesMin} images`,
      () => {
        const campaign = newCampaign()
        const kind = { ...base, encryption: sealedBy(), compression }
        for (let at = seed; campaign.images < imagesMin; at++) {
          const run = crashRun(at, campaign, kind)
          const cuts = run.cuts.filter((_, index) => index % one === at % one)
          judgeAll({ ...run, cuts }, campaign, { seed: at, nestedEvery: Number.POSITIVE_INFINITY })
        }
        assert.isAtLeast(campaign.images, imagesMin)
      },
      timeout
    )
  }

  it(
    "loses nothing by an error of the disk at any call",
    () => {
      for (const workload of [canonical, valueWorkload]) {
        strikeAll(sealedWorkload(workload, { encryption: sealedBy(), compression }), { seed, selection })
      }
    },
    timeout
  )
})
