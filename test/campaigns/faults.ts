// An error of the disk at every call of two workloads, with every code, once and from then on, and for appends and
// syncs with each of what may have become of the bytes (`support/faultRun.ts`).
//
// The seed of a round says which workload, and which share of its faults: a sweep of some rounds strikes all of them
// once, with a seed of the workload that is the next in the next sweep.
import { casesOf, strike } from "../support/faultCases.ts"
import { type FaultRun, faultRun } from "../support/faultRun.ts"
import { canonical, type Workload } from "../support/faultSession.ts"
import { valueWorkload } from "../support/faultValues.ts"
import type { Campaign } from "./campaign.ts"

/** Of two sweeps, one for each workload. */
const roundsPerSweep = 400

/** Of the sweep that is under way. */
const cleanRuns = new Map<string, FaultRun>()

const cleanRun = (seed: number, workload: Workload): FaultRun => {
  const key = `${seed} ${workload === canonical}`
  const known = cleanRuns.get(key)
  if (known !== undefined) return known
  const clean = faultRun(seed, undefined, workload)
  if (clean.failures.length > 0) throw new Error(`seed ${seed}, no fault: ${clean.failures.join()}`)
  cleanRuns.clear()
  cleanRuns.set(key, clean)
  return clean
}

export const faults: Campaign = {
  name: "faults",
  about: "an error of the disk at every call of two workloads: every code, once and sticky",
  weight: 7,
  round: async (round, tally) => {
    const share = round % roundsPerSweep
    const half = roundsPerSweep / 2
    const workload = share < half ? canonical : valueWorkload
    const seed = 1 + Math.floor(round / roundsPerSweep)
    const clean = cleanRun(seed, workload)
    const cases = clean.log.flatMap((call) => casesOf(call, true)).filter((_, index) => index % half === share % half)
    for (const rule of cases) {
      const run = strike(workload, rule, { seed, clean })
      tally.add("faultRuns")
      tally.add(rule.sticky === true ? "faults: sticky" : "faults: once")
      const { operation } = clean.log[rule.at]!
      if (run.failures.some((failure) => failure.startsWith("open "))) tally.reach("an open that the disk refuses")
      if (operation === "sync" && run.failures.length > 0) tally.reach("a failed sync that somebody waited for")
      if (operation === "append" && rule.bytesAccepted === 20) tally.reach("an append that was cut short")
      if (rule.code === "ENOSPC" && rule.sticky === true && operation === "append") {
        tally.reach("a disk that is full from some call on")
      }
    }
  }
}
