// Histories of many clients, checked for anomalies of isolation. A round is one of 540 committed transactions or more,
// by 8 to 32 clients, over several openings.
//
//   histories       on the simulated disk, over power cuts: the same seed is the same round
//   histories-real  in processes on the real disk with worker threads, of which most are killed: the seed says what is
//                   tried, and not what happens when
import type { Anomaly } from "../histories/checker.ts"
import { type Real, realHistory } from "../histories/real.ts"
import { simulate, type Simulated } from "../histories/simulated.ts"
import type { Timeline } from "../histories/timeline.ts"
import type { Campaign, Tally } from "./campaign.ts"

interface Judged {
  readonly timeline: Timeline
  readonly violations: ReadonlyArray<Anomaly>
  readonly allowed: ReadonlyArray<Anomaly>
}

/** Counts a history, and throws if it breaks a promise. */
const judge = ({ allowed, timeline, violations }: Judged, tally: Tally): void => {
  if (violations.length > 0) {
    const explanations = violations.slice(0, 3).map(({ explanation }) => explanation)
    throw new Error(`${violations.length} anomalies\n${explanations.join("\n")}`)
  }
  const committed = timeline.happened.filter(({ outcome }) => outcome === "committed").length
  tally.add("histories")
  tally.add("transactions", committed)
  tally.add("aborted transactions", timeline.happened.length - committed)
  const { unknownFound, unknownGone } = timeline.counts
  const phantoms = allowed.filter(({ kind }) => !kind.startsWith("G2-item")).length
  if (phantoms > 0) tally.reach("a phantom that snapshot isolation allows", phantoms)
  if (allowed.length > phantoms) tally.reach("a write skew under snapshot isolation", allowed.length - phantoms)
  if (timeline.branches.length > 0) tally.reach("a history that ended with lost commits")
  if (unknownFound > 0) tally.reach("a commit that nobody was told of and that is there", unknownFound)
  if (unknownGone > 0) tally.reach("a commit that nobody was told of and that is gone", unknownGone)
}

const countSimulated = (result: Simulated, tally: Tally): void => {
  const { counters, cuts, encrypted, failedSyncs, refused, timeline } = result
  tally.add("power cuts in histories", cuts)
  if (counters.collections > 0) tally.reach("a collection inside a history")
  if (counters.stalls > 0) tally.reach("a writer that waits inside a history")
  if (encrypted) tally.add("encrypted histories")
  if (failedSyncs > 0) tally.reach("a failed sync inside a history", failedSyncs)
  if (refused.full > 0) tally.reach("a full disk inside a history")
  if (refused.appends > 0) tally.reach("a refused append inside a history")
  if (timeline.counts.lost > 0) tally.reach("a power cut inside a history that took commits")
}

const countReal = ({ encrypted, kills, timeline }: Real, tally: Tally): void => {
  if (encrypted) tally.add("encrypted histories")
  tally.add("kills", kills)
  if (kills > 0) tally.reach("a process killed inside a history", kills)
  if (timeline.counts.lost > 0) tally.reach("a kill inside a history that took buffered commits")
}

export const histories: Campaign = {
  name: "histories",
  about: "simulated clients, power cuts between; what they saw is checked for isolation anomalies",
  weight: 13,
  round: async (seed, tally) => {
    const result = simulate({ seed })
    judge(result, tally)
    countSimulated(result, tally)
  }
}

export const historiesReal: Campaign = {
  name: "histories-real",
  about: "the same in processes on the real disk, killed in between",
  weight: 3,
  round: async (seed, tally) => {
    const result = await realHistory({ seed })
    judge(result, tally)
    countReal(result, tally)
  }
}
