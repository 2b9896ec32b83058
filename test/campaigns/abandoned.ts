// Cursors, snapshots, transactions, streams and writes that somebody begins and lets go of (`support/abandoned.ts`), by
// the thousand in a process of its own. When its threads run is not the seed's alone.
import { abandonedProgram, abandonedRun } from "../support/abandonedRun.ts"
import type { Campaign } from "./campaign.ts"
import { programOnce } from "../support/bundledProgram.ts"

const perRound = 3000
/** Of so many the memory is judged too: in one round of four. */
const manyPerRound = 10_000

const ready = programOnce(abandonedProgram)

export const abandoned: Campaign = {
  name: "abandoned",
  about: "what somebody begins and lets go of: no descriptor, pin, timer or fiber is left",
  weight: 2,
  round: async (seed, tally) => {
    const count = seed % 4 === 0 ? manyPerRound : perRound
    await abandonedRun(await ready(), count, seed)
    tally.add("abandoned", count)
    if (count === manyPerRound) tally.reach("ten thousand abandoned, and nothing left behind")
  }
}
