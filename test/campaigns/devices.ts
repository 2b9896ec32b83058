// Campaigns of devices that do not fail and are not what they should be: those that lie, slow ones, and clocks that
// jump.
import type { DeviceRule } from "../../src/layers/SimFaults.ts"
import { jumpingRun, slowRun } from "../support/slowRun.ts"
import { lieRun } from "../support/lies.ts"
import type { DeviceRun } from "../support/deviceRun.ts"
import type { Campaign, Tally } from "./campaign.ts"
import type { Situation } from "./situations.ts"

const runsPerRound = 20

/** Seeds of their own for every round. */
const seedsOf = (seed: number): ReadonlyArray<number> =>
  Array.from({ length: runsPerRound }, (_, index) => seed * runsPerRound + index)

const reachNotices = (run: DeviceRun, tally: Tally): void => {
  const texts = run.noticed.join("\n")
  const notices: ReadonlyArray<readonly [RegExp, Situation]> = [
    [/^open \d+: /m, "a lie that an opening finds"],
    [/^verify: /m, "a lie that verify finds"],
    [/^the end of /m, "a lie about the end of the log"],
    [/^(?:get|getStream|scan|cursor|read all)\b.*: /m, "a lie that a read finds"],
    [/^(?:compact|collect|flush): /m, "a lie that background work finds"]
  ]
  for (const [pattern, situation] of notices) if (pattern.test(texts)) tally.reach(situation)
}

export const lies: Campaign = {
  name: "lies",
  about: "writes that are lost, misdirected, copied or duplicated, and bits that flip: found, or harmless",
  weight: 3,
  round: async (seed, tally) => {
    for (const one of seedsOf(seed)) {
      const run = lieRun(one, 1 + (seed % 3))
      if (run.ending === "not told") continue
      tally.add("runs of odd devices")
      tally.add(`lies ${run.ending}`)
      for (const { rule } of run.strikes) tally.reach(situationOf(rule))
      reachNotices(run, tally)
    }
  }
}

const situationOf = (rule: DeviceRule): Situation =>
  "lie" in rule ? (`an append that is ${rule.lie}` as const) : "a bit that flips at rest"

export const latency: Campaign = {
  name: "latency",
  about: "calls of up to 30 virtual seconds, and writers that do not wait for them",
  weight: 2,
  round: async (seed, tally) => {
    for (const one of seedsOf(seed)) {
      const { log, strikes } = slowRun(one)
      tally.add("runs of odd devices")
      tally.add("slow calls", strikes.length)
      if (log.some(({ operation, path }) => operation === "sync" && path.includes("/log-"))) {
        tally.reach("a commit on a slow device")
      }
    }
  }
}

export const clock: Campaign = {
  name: "clock",
  about: "a wall clock that is set, by up to ten years either way",
  weight: 2,
  round: async (seed, tally) => {
    for (const one of seedsOf(seed)) {
      const { strikes } = jumpingRun(one)
      tally.add("runs of odd devices")
      tally.add("clock jumps", strikes.length)
      for (const { rule } of strikes) {
        if ("jumpMillis" in rule)
          tally.reach(rule.jumpMillis < 0 ? "a clock that is set back" : "a clock that is set ahead")
      }
    }
  }
}
