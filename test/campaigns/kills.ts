// Writers that kill themselves before or after a device call or after a promise, or are killed at some moment, on the
// real disk (`support/killedLife.ts`). A round is the life of one store, of some writers. When threads and timers run
// is not the seed's alone.
import { type Killed, killedLife, killedPrograms, type Programs } from "../support/killedLife.ts"
import type { Campaign, Tally } from "./campaign.ts"
import type { Situation } from "./situations.ts"

const cycles = 8

let programs: Promise<Programs> | undefined

/** Made once. */
const ready = (): Promise<Programs> => {
  programs ??= killedPrograms().then((made) => {
    process.once("exit", made.remove)
    return made
  })
  return programs
}

const ofSteps: Readonly<Record<string, Situation>> = {
  checkpoint: "a process killed in a checkpoint",
  rotate: "a process killed in a rotation of keys",
  flush: "a process killed in a flush",
  compact: "a process killed in a compaction",
  collect: "a process killed while it collects values",
  close: "a process killed while it closes"
}

const ofCalls: ReadonlyArray<readonly [RegExp, Situation]> = [
  [/^before sync log$/, "a process killed before the sync of a log"],
  [/^after sync log$/, "a process killed between a sync and its acknowledgement"],
  [/^(?:before|after) (?:append|sync) manifest$/, "a process killed while it publishes"],
  [/^(?:before|after) remove /, "a process killed while it removes files"],
  [/^(?:before|after) \w+ current$/, "a process killed while a manifest takes another's place"],
  [/^(?:before|after) sync table$/, "a process killed at the sync of a table"]
]

export const countKill = ({ call, isFirst, isKilled, step }: Killed, tally: Tally): void => {
  tally.add(isKilled ? "kills" : "writers that ended before")
  if (!isKilled) return
  const isPromise = call !== undefined && /^after \w+$/.test(call)
  tally.add(
    call === undefined ? "kills at some moment" : isPromise ? "kills after a promise" : "kills at a device call"
  )
  if (step === "open")
    tally.reach(isFirst ? "a process killed while it makes a database" : "a process killed while it recovers")
  const situation = ofSteps[step]
  if (situation !== undefined) tally.reach(situation)
  for (const [pattern, situation] of ofCalls) if (call !== undefined && pattern.test(call)) tally.reach(situation)
}

export const kills: Campaign = {
  name: "kills",
  about: "processes killed before and after device calls, and at random, on the real disk",
  weight: 9,
  round: async (seed, tally, until) => {
    const isOver = () => performance.now() > until
    await killedLife(seed, await ready(), { cycles, isOver, onKilled: (killed) => countKill(killed, tally) })
  }
}
