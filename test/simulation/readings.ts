// What each question must have been answered, by the timeline of all commits.
//
// Questions are asked while others commit, and are judged when every commit's sequence is known:
//
//   of the database     the answer is that of one moment between the question and the answer
//   of a snapshot       that of its sequence, at one time for all that it was asked
//   of a transaction    that of its sequence and of one time, with its own writes over it; and, if it is serializable
//                       and committed, the same at the moment of its commit, as if it had run there alone
//   written in one of   nobody else touched it between the transaction's moment and its commit; a serializable one may
//   isolation snapshot  write blindly over what others wrote
import { assert } from "@effect/vitest"
import { inRange, type ModelEntry, type ModelWrite, unexpired } from "../support/model.ts"
import { type Read, toRange } from "./plan.ts"
import { after, type State, type Timeline } from "./timeline.ts"
import { type Span, timesIn } from "./times.ts"

/** A question that was answered. */
export interface Asked {
  readonly ask: Read
  readonly answer: string
  /** Commits with higher ids were submitted after the answer. */
  readonly submitted: number
  /** What the transaction had written before. */
  readonly own?: ReadonlyArray<ModelWrite> | undefined
}

/** One of the database itself. */
export interface AskedLive extends Asked {
  /** The highest sequence acknowledged when it was asked. */
  readonly at: number
  readonly time: Span
}

/** What a snapshot or a transaction was asked. */
export interface Reading {
  readonly at: number
  readonly time: Span
  readonly asked: Array<Asked>
}

/** A transaction that committed. */
export interface Committed {
  readonly reading: Reading
  readonly sequence: number
  readonly isolation: "serializable" | "snapshot"
  readonly writes: ReadonlyArray<ModelWrite>
}

/** A transaction that was told of a conflict. */
export interface Conflicted extends Omit<Committed, "sequence"> {
  /** Commits with higher ids were submitted afterwards. */
  readonly submitted: number
}

/** The entry, as readers and the model both show it. */
export const shown = ({ expiresAt, key, sequence, value }: Omit<ModelEntry, "userMeta">): string =>
  `${key}=${value}@${sequence}${expiresAt === undefined ? "" : ` until ${expiresAt}`}`

/** The highest sequence that is shown in the answer; 0 if none is. */
export const highestIn = (answer: string): number =>
  [...answer.matchAll(/@(\d+)/g)].reduce((highest, [, sequence]) => Math.max(highest, Number(sequence)), 0)

/** The answer as text, made of what a reader gave or of what the state says. */
export const answerOf = (ask: Read, state: State): string => {
  if ("key" in ask) {
    const entry = state.find(({ key }) => key === ask.key)
    if (ask.read === "has") return String(entry !== undefined)
    if (entry === undefined) return "nothing"
    return ask.read === "entry" ? shown(entry) : entry.value
  }
  if (ask.read === "many") {
    return ask.keys.map((wanted) => state.find(({ key }) => key === wanted)?.value ?? "nothing").join(" ")
  }
  const inside = inRange(state, toRange(ask.range))
  if (ask.read === "count") return String(inside.length)
  return inside.map(ask.read === "keys" ? ({ key }) => key : shown).join(" ")
}

const withOwn = (state: State, own: ReadonlyArray<ModelWrite> | undefined): State =>
  own === undefined ? state : after(state, { sequence: 0, writes: own })

/** What it should have been. */
export const rightAnswer = ({ ask, own }: Asked, state: State, now: number): string =>
  answerOf(ask, unexpired(withOwn(state, own), now))

const isRight = (asked: Asked, state: State, now: number): boolean => rightAnswer(asked, state, now) === asked.answer

const wrong = (asked: Asked, state: State, [now, why]: readonly [now: number, why: string]): void =>
  assert.strictEqual(asked.answer, rightAnswer(asked, state, now), `${JSON.stringify(asked.ask)} ${why}`)

/** Of the database itself. */
export const judgeLive = (timeline: Timeline, asked: AskedLive): void => {
  const { at, submitted, time } = asked
  for (const sequence of timeline.from(at, submitted)) {
    const state = timeline.at(sequence)
    if (timesIn(time, state).some((now) => isRight(asked, state, now))) return
  }
  wrong(asked, timeline.at(at), [time.from, `is of no moment since ${at}`])
}

/** Of who only reads: nothing changes but the time. */
export const judgeUnchanging = (state: State, asked: AskedLive): void => {
  if (timesIn(asked.time, state).some((now) => isRight(asked, state, now))) return
  wrong(asked, state, [asked.time.from, "of a reader"])
}

/** Of a snapshot or a transaction: the times at which all of its answers are right. */
export const judgeReading = (
  timeline: Timeline,
  { asked, at, time }: Omit<Reading, "asked"> & { readonly asked: ReadonlyArray<Asked> }
): ReadonlyArray<number> => {
  const state = timeline.at(at)
  const times = timesIn(time, [...state, ...asked.flatMap(({ own = [] }) => own)])
  const right = times.filter((now) => asked.every((one) => isRight(one, state, now)))
  if (right.length > 0) return right
  for (const one of asked)
    if (!times.some((now) => isRight(one, state, now))) wrong(one, state, [time.from, `at ${at}`])
  return assert.fail(`no one time at which all that was read at ${at} is right`)
}

/** Whether it read what others wrote in between, which only `snapshot` allows. `times`: at which it may have been. */
export const judgeCommitted = (
  timeline: Timeline,
  transaction: Committed,
  times: ReadonlyArray<number>
): { readonly isSkewed: boolean } => {
  const { isolation, reading, sequence, writes } = transaction
  const [then, now] = [timeline.at(reading.at), timeline.at(sequence - 1)]
  for (const write of isolation === "snapshot" ? writes : []) {
    const of = (state: State) =>
      "removed" in write ? inRange(state, write.removed) : state.filter(({ key }) => key === write.key)
    assert.deepStrictEqual(of(now), of(then), "a write over what another transaction wrote since its moment")
  }
  if (times.some((time) => reading.asked.every((one) => isRight(one, now, time)))) return { isSkewed: false }
  if (isolation === "serializable") {
    for (const one of reading.asked) wrong(one, now, [times[0]!, "was not so when its transaction committed"])
  }
  return { isSkewed: true }
}

/** What was found must be this, at one time of the span. */
export const judgeState = (found: State, expected: State, [time, what]: readonly [time: Span, what: string]): void => {
  const isFound = (now: number): boolean => {
    const there = unexpired(expected, now)
    return there.length === found.length && there.every((entry, index) => shown(entry) === shown(found[index]!))
  }
  if (timesIn(time, expected).some(isFound)) return
  assert.deepStrictEqual(found, unexpired(expected, time.from), what)
}
