// Does rounds of one campaign in a process of its own, as they are ordered: `node roundProgram.ts <campaign>`, with a
// channel to who started it. With `STRATA_PROGRAMS` worker threads run the program in that directory.
import { createHash } from "node:crypto"
import { pathToFileURL } from "node:url"
import { inspect } from "node:util"
import { Cause } from "effect"
import { jobProgram } from "../../src/layers/NodeJobProgram.ts"
import { campaigns } from "../../test/campaigns/all.ts"
import { Tally } from "../../test/campaigns/campaign.ts"
import type { RoundOrder, RoundReport } from "./messages.ts"

const name = process.argv[2]
const campaign = campaigns.find((one) => one.name === name)
if (campaign === undefined) throw new Error(`there is no campaign ${name}`)

const programs = process.env.STRATA_PROGRAMS
if (programs !== undefined) jobProgram.url = () => pathToFileURL(`${programs}/programs/jobWorker.js`)

/** 72 bits: of a million images two are taken for one with a chance of 1 to 10^9. */
const digestLength = 12
const known = new Set<string>()

/** Notes which images are new to this process: who started it knows those of others. */
class ReportedTally extends Tally {
  readonly fresh: Array<string> = []

  override addImage(hash: string): boolean {
    const digest = createHash("sha1").update(hash).digest("base64").slice(0, digestLength)
    if (known.has(digest)) return false
    known.add(digest)
    this.fresh.push(digest)
    return true
  }
}

const told = (error: unknown): string => {
  const lines: Array<string> = []
  let at = error
  while (at !== undefined) {
    if (Cause.isCause(at)) {
      lines.push(Cause.pretty(at))
      return lines.join("\ncaused by ")
    }
    if (!(at instanceof Error)) return [...lines, inspect(at)].join("\ncaused by ")
    lines.push(at.stack ?? at.message)
    at = at.cause
  }
  return lines.join("\ncaused by ")
}

const report = async ({ millis, round, seed }: RoundOrder): Promise<RoundReport> => {
  const tally = new ReportedTally()
  const startedAt = performance.now()
  let failure: string | undefined
  try {
    await campaign.round(seed, tally, startedAt + millis)
  } catch (error) {
    failure = told(error)
  }
  return {
    round,
    millis: performance.now() - startedAt,
    counts: [...tally.counts],
    reached: [...tally.reached],
    covered: [...tally.covered].map(([whole, { items, of }]) => [whole, [...items], of] as const),
    images: tally.fresh,
    failure
  }
}

process.on("message", (order: RoundOrder) => {
  void report(order).then((one) => process.send!(one))
})
process.on("disconnect", () => process.exit())
process.send!("ready")
