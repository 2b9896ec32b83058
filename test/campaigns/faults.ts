// An error of the disk at every call of two workloads, once and from then on, and for appends and syncs with each of
// what may have become of the bytes (`support/faultRun.ts`).
//
// The number of a round says which workload, by turns, and which share of its faults: a sweep of some rounds strikes
// every call in each of these kinds, with the codes by turns. What the first sweep of a torture has struck is noted, so
// that the table can say what it left out. Each sweep has another seed of the workloads, and every other one all codes.
import { casesOf, strike } from "../support/faultCases.ts"
import { type FaultRun, faultRun } from "../support/faultRun.ts"
import { canonical, type Workload } from "../support/faultSession.ts"
import { valueWorkload } from "../support/faultValues.ts"
import type { Campaign, Whole } from "./campaign.ts"

interface Struck {
  readonly workload: Workload
  readonly whole: Whole
}

const workloads: ReadonlyArray<Struck> = [
  { workload: canonical, whole: "faults of the canonical workload" },
  { workload: valueWorkload, whole: "faults of the workload of values" }
]

/** Of both workloads. It divides the million by which the seeds of tortures differ. */
const roundsPerSweep = 200
const sharesPerSweep = roundsPerSweep / workloads.length
const roundsPerSeed = 1_000_000

/** Of the sweep that is under way. */
const cleanRuns = new Map<Workload, { readonly seed: number; readonly run: FaultRun }>()

const cleanRun = (seed: number, workload: Workload): FaultRun => {
  const known = cleanRuns.get(workload)
  if (known?.seed === seed) return known.run
  const run = faultRun(seed, undefined, workload)
  if (run.failures.length > 0) throw new Error(`seed ${seed}, no fault: ${run.failures.join()}`)
  cleanRuns.set(workload, { seed, run })
  return run
}

export const faults: Campaign = {
  name: "faults",
  about: "an error of the disk at every call of two workloads: every kind, once and sticky",
  weight: 18,
  round: async (round, tally) => {
    const { whole, workload } = workloads[round % workloads.length]!
    const share = Math.floor((round % roundsPerSweep) / workloads.length)
    const seed = 1 + Math.floor(round / roundsPerSweep)
    const clean = cleanRun(seed, workload)
    const isFirst = round % roundsPerSeed < roundsPerSweep
    const all = casesOf(clean.log, isFirst || seed % 2 === 1 ? "kinds" : "all")
    for (const [index, one] of all.entries()) {
      if (index % sharesPerSweep !== share) continue
      const { at, kind, rule } = one
      const run = strike(workload, one, { seed, clean })
      tally.add("faultRuns")
      tally.add(rule.sticky === true ? "faults: sticky" : "faults: once")
      if (isFirst) tally.cover(whole, `call ${at} ${kind}`, all.length)
      const { operation } = clean.log[at]!
      if (run.failures.some((failure) => failure.startsWith("open "))) tally.reach("an opening that the disk fails")
      if (operation === "sync" && run.failures.length > 0) tally.reach("a failed sync that somebody waited for")
      if (operation === "append" && rule.bytesAccepted === 20) tally.reach("an append that was cut short")
      if (rule.code === "ENOSPC" && rule.sticky === true && operation === "append") {
        tally.reach("a disk that is full from some call on")
      }
    }
  }
}
