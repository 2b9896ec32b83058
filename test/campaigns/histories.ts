// Histories of simulated databases, checked for anomalies of isolation. A round is one, of 540 committed transactions
// or more, by 8 to 32 clients, over one to four openings and power cuts; the same seed is the same round.
import { inspect } from "node:util"
import { simulate, type Simulated } from "../histories/simulated.ts"
import type { Campaign, Tally } from "./campaign.ts"

/** Counts a history, and throws if it breaks a promise. */
export const judge = (result: Simulated, tally: Tally, seed: number): void => {
  const { aborted, allowed, committed, counters, cuts, isolation, timeline, violations } = result
  if (violations.length > 0) {
    const explanations = violations.slice(0, 3).map(({ explanation }) => explanation)
    const how = isolation ?? "mixed"
    throw new Error(`history of seed ${seed} (${how}): ${violations.length} anomalies\n${explanations.join("\n")}`)
  }
  tally.add("histories")
  tally.add("transactions", timeline.happened.length)
  tally.add("conflicts", aborted)
  tally.add("committed", committed)
  tally.add("powerCuts", cuts)
  const { lost, unknownFound, unknownGone } = timeline.counts
  if (counters.flushes > 0) tally.reach("a flush inside a history")
  if (counters.compactions > 0) tally.reach("a compaction inside a history")
  if (counters.collections > 0) tally.reach("a collection inside a history")
  if (counters.stalls > 0) tally.reach("a writer that waits inside a history")
  if (allowed.length > 0) tally.reach("a write skew that snapshot isolation allows", allowed.length)
  if (allowed.some(({ kind }) => kind.startsWith("G2-item"))) tally.reach("a write skew of single keys")
  if (allowed.some(({ kind }) => kind.startsWith("G2") && !kind.startsWith("G2-item"))) {
    tally.reach("a phantom that snapshot isolation allows")
  }
  if (isolation === undefined) tally.reach("both isolation levels in one history")
  if (lost > 0) tally.reach("a history over a power cut that took commits", lost)
  if (timeline.branches.length > 0) tally.reach("a history that ended with lost commits")
  if (unknownFound > 0) tally.reach("a commit that nobody was told of and that is there", unknownFound)
  if (unknownGone > 0) tally.reach("a commit that nobody was told of and that is gone", unknownGone)
}

/** Runs the seed, and says how to do it again if it fails. */
export const runSeed = (seed: number, tally: Tally): void => {
  try {
    judge(simulate({ seed }), tally, seed)
  } catch (error) {
    const again = `again: npm run torture -- --only histories --seed ${seed}`
    throw new Error(`${inspect(error, { depth: 6 })}\n${again}`, { cause: error })
  }
}

export const histories: Campaign = {
  name: "histories",
  about: "transactions of simulated clients, checked for isolation anomalies by their dependencies",
  weight: 3,
  round: async (seed, tally) => runSeed(seed, tally)
}
