// Worker threads that are killed while they flush, compact and collect (`support/killedWorkersRun.ts`), every other
// time in an encrypted database. A round is one run. It is on real threads: what happens when is not the seed's alone.
import { Effect } from "effect"
import { killedWorkersRun, newTally } from "../support/killedWorkersRun.ts"
import { sealedBy } from "../support/nonceLedger.ts"
import type { Campaign } from "./campaign.ts"

export const killedWorkers: Campaign = {
  name: "killed-workers",
  about: "worker threads killed in their jobs, on the real disk",
  weight: 3,
  round: async (seed, tally) => {
    const counts = newTally()
    await Effect.runPromise(
      killedWorkersRun(seed, counts, ...(seed % 2 === 0 ? [sealedBy()] : [])).pipe(Effect.timeout("2 minutes"))
    )
    tally.add("threads killed", counts.kills)
    tally.reach("a worker thread killed in its job", counts.kills)
    tally.reach("a call that was told of a dead worker", counts.refused)
  }
}
