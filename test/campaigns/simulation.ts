// Random plans, each run twice: judged as it goes along and at every power cut, and once more for its trace alone,
// which must be the same.
import { generate } from "../simulation/generate.ts"
import { keepFailing, replay } from "../simulation/replay.ts"
import { runPlan } from "../simulation/run.ts"
import type { Campaign } from "./campaign.ts"

export const simulation: Campaign = {
  name: "simulation",
  about: "random plans of sessions, actors, faults and power cuts on a simulated disk, against the model",
  weight: 4,
  round: async (seed, tally, until) => {
    const plan = generate(seed)
    try {
      const run = runPlan(plan, { tally, until })
      if (runPlan(plan, { judges: false }).traceHash !== run.traceHash) throw new Error("the second run differs")
    } catch (error) {
      throw new Error(`plan of seed ${seed}: ${String(error)}\n${keepFailing(plan)}`, { cause: error })
    }
    tally.add("plans")
  },
  replay: async (file) => replay(file)
}
