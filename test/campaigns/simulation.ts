// Random plans against the model: some are judged at their power cuts too, which takes most of the time, the others go
// through their sessions alone. Each is run twice, and has the same trace.
import { generate } from "../simulation/generate.ts"
import { keepFailing, replay } from "../simulation/replay.ts"
import { runPlan } from "../simulation/run.ts"
import type { Campaign, Tally } from "./campaign.ts"

/** Of so many plans one is judged at its power cuts, which takes as long as all the others, each run twice. */
const plansOfRound = 30

const runTwice = (seed: number, tally: Tally, until: number): void => {
  const isCut = seed % plansOfRound === 0
  const plan = isCut ? generate(seed) : generate(seed, { share: 0, nestedEvery: 0 })
  try {
    const first = runPlan(plan, { tally, until })
    const second = runPlan(plan, { judges: false })
    if (first.traceHash !== second.traceHash) throw new Error("the second run differs")
  } catch (error) {
    throw new Error(`plan of seed ${seed}: ${String(error)}\n${keepFailing(plan)}`, { cause: error })
  }
  tally.add("plans")
}

export const simulation: Campaign = {
  name: "simulation",
  about: "random plans of sessions, actors, faults and power cuts on a simulated disk, against the model",
  weight: 12,
  round: async (seed, tally, until) => {
    for (let index = 0; index < plansOfRound; index++) runTwice(seed * plansOfRound + index, tally, until)
  },
  replay: async (file) => replay(file)
}
