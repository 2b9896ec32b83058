// What a torture says: a line while it runs, and the table at its end.
import { wholes } from "../../test/campaigns/campaign.ts"
import { situations } from "../../test/campaigns/situations.ts"
import type { Failure, State } from "./state.ts"
import type { Torture } from "./torture.ts"

/** What half an hour on two cores has to come to, by the counts that the campaigns have. */
const goals: Readonly<Record<string, number>> = {
  images: 60_000,
  faultRuns: 6000,
  kills: 300,
  histories: 300,
  transactions: 150_000,
  plans: 1000
}
const goalMillis = 30 * 60_000

const shownNames: Readonly<Record<string, string>> = {
  faultRuns: "fault runs",
  plans: "plans, each run twice"
}

const clock = (millis: number): string => {
  const seconds = Math.round(millis / 1000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`
}

const number = (count: number): string => Math.round(count).toLocaleString("en-US")

const reachedCount = ({ saved }: State): number => situations.filter((one) => (saved.reached[one] ?? 0) > 0).length

/** Where it stands, in a line. */
export const statusOf = (torture: Torture, state: State, millis: number): string => {
  const { campaigns, counts, failures } = state.saved
  const rounds = Object.values(campaigns).reduce((sum, one) => sum + one.rounds, 0)
  const names = Object.keys(goals).filter((name) => (counts[name] ?? 0) > 0)
  return [
    `${clock(torture.millisUsed())} of ${clock(millis)}`,
    `rounds ${number(rounds)}`,
    ...names.map((name) => `${shownNames[name] ?? name} ${number(counts[name]!)}`),
    `reached ${reachedCount(state)}/${situations.length}`,
    `failures ${failures.length}`,
    [...torture.turns.values()].join(" ")
  ].join(" · ")
}

/** How to do the failing round again. */
export const commandOf = (seed: number, { campaign, round }: Pick<Failure, "campaign" | "round">): string =>
  `npm run torture -- --only ${campaign} --seed ${seed} --round ${round}`

export const failureText = (seed: number, failure: Failure): string =>
  [`\nFAILED ${failure.campaign}, again with`, `  ${commandOf(seed, failure)}`, failure.message, ""].join("\n")

export interface Verdict {
  readonly lines: ReadonlyArray<string>
  readonly isPassed: boolean
}

/** The table. `isWhole`: of all campaigns, so that what they did not reach is wrong if there was time for it. */
export const verdictOf = (state: State, isWhole: boolean): Verdict => {
  const { campaigns, counts, covered, failures, millis, reached, seed } = state.saved
  const isLong = isWhole && millis >= goalMillis * 0.99
  const short = Object.entries(goals).filter(([name, goal]) => (counts[name] ?? 0) < goal)
  const done = wholes.map((whole) => ({ whole, count: covered[whole]?.items.length ?? 0, of: covered[whole]?.of }))
  const partial = done.filter(({ count, of }) => count !== of)
  const never = situations.filter((one) => (reached[one] ?? 0) === 0)
  const lines = [
    `torture, seed ${seed}, ${clock(millis)}`,
    "",
    ...Object.entries(campaigns).map(
      ([name, one]) => `  ${name.padEnd(20)} ${number(one.rounds).padStart(8)} rounds ${clock(one.millis).padStart(7)}`
    ),
    "",
    ...[...new Set([...Object.keys(goals), ...Object.keys(counts).sort()])].map((name) => {
      const goal = goals[name] === undefined ? "" : `  of ${number(goals[name])} in half an hour`
      return `  ${(shownNames[name] ?? name).padEnd(28)} ${number(counts[name] ?? 0).padStart(12)}${goal}`
    }),
    ...done
      .filter(({ count }) => isWhole || count > 0)
      .map(
        ({ count, of, whole }) => `  ${whole.padEnd(40)} ${number(count)} of ${of === undefined ? "?" : number(of)}`
      ),
    "",
    `  reached: ${situations.length - never.length} of ${situations.length}`,
    ...situations
      .filter((one) => isWhole || (reached[one] ?? 0) > 0)
      .map((one) => `  ${(reached[one] === undefined ? "NEVER" : number(reached[one])).padStart(12)}  ${one}`),
    "",
    ...(isLong ? short.map(([name, goal]) => `short: ${counts[name] ?? 0} ${name}, of ${goal}`) : []),
    ...(isLong
      ? partial.map(({ count, of, whole }) => `left out: ${of === undefined ? "all" : of - count} ${whole}`)
      : []),
    ...(isLong ? never.map((one) => `never reached: ${one}`) : []),
    ...failures.map((failure) => `failed: ${commandOf(seed, failure)}`),
    `failures: ${failures.length}`
  ]
  return { lines, isPassed: failures.length === 0 && !(isLong && short.length + partial.length + never.length > 0) }
}
