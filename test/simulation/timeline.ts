// The reference: what the database held after each of its commits, and what each question must have been answered.
//
// Questions are asked while others commit and are judged when the session is over and every commit's sequence is known:
//
//   of the database     the answer is that of one moment between the question and the answer
//   of a snapshot       that of its sequence
//   of a transaction    that of its sequence, with its own writes over it; and, if it is serializable and committed,
//                       the same at the moment of its commit, as if it had run there alone
//   written in one of   nobody else touched it between the transaction's moment and its commit; a serializable one may
//   isolation snapshot  write blindly over what others wrote
import { assert } from "@effect/vitest"
import { inRange, Model, type ModelEntry, type ModelWrite } from "../support/model.ts"
import { type Read, toRange } from "./plan.ts"

export type State = ReadonlyArray<ModelEntry>

interface TimedCommit {
  readonly sequence: number
  readonly writes: ReadonlyArray<ModelWrite>
}

/** The state after each commit, in their order. */
export class Timeline {
  private readonly sequences: Array<number> = [0]
  private readonly states: Array<State> = [[]]

  constructor(commits: ReadonlyArray<TimedCommit>) {
    for (const commit of commits.toSorted((a, b) => a.sequence - b.sequence)) {
      this.states.push(after(this.states.at(-1)!, commit))
      this.sequences.push(commit.sequence)
    }
  }

  /** After the last commit up to this sequence. */
  at(sequence: number): State {
    return this.states[this.sequences.findLastIndex((other) => other <= sequence)]!
  }

  /** The sequences above `from`, and that itself. */
  from(from: number): ReadonlyArray<number> {
    return [from, ...this.sequences.filter((sequence) => sequence > from)]
  }

  /** Whether the answer is another one by now. */
  isOverwritten({ answer, ask }: Asked): boolean {
    return answerOf(ask, this.states.at(-1)!) !== answer
  }

  get commits(): number {
    return this.sequences.length - 1
  }
}

/** What the commit makes of the state. */
export const after = (state: State, { sequence, writes }: TimedCommit): State => {
  const model = new Model()
  model.commit(sequence, writes)
  const touched = new Set<string>()
  for (const write of writes) {
    if ("removed" in write) for (const { key } of inRange(state, write.removed)) touched.add(key)
    else touched.add(write.key)
  }
  const written = model.at(sequence, 0)
  const kept = state.filter(({ key }) => !touched.has(key))
  return [...kept, ...written].sort((a, b) => (a.key < b.key ? -1 : 1))
}

const shown = ({ key, sequence, value }: ModelEntry): string => `${key}=${value}@${sequence}`

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

/** A question that was answered. */
export interface Asked {
  readonly ask: Read
  readonly answer: string
  /** The reader's sequence; for the database itself, the highest acknowledged when it was asked. */
  readonly at: number
  /** Commits with higher ids were submitted after the answer. */
  readonly submitted: number
  /** What the transaction had written before. */
  readonly own?: ReadonlyArray<ModelWrite> | undefined
}

const withOwn = (state: State, own: ReadonlyArray<ModelWrite> | undefined): State =>
  own === undefined ? state : after(state, { sequence: 0, writes: own })

const describe = (ask: Read): string => JSON.stringify(ask)

/** Of a snapshot or a transaction. */
export const judgeAt = (timeline: Timeline, asked: Asked, sequence: number, moment: string): void => {
  const { answer, ask, own } = asked
  assert.strictEqual(answer, answerOf(ask, withOwn(timeline.at(sequence), own)), `${describe(ask)} ${moment}`)
}

/** Of the database itself. */
export const judgeLive = (timeline: Timeline, asked: Asked): void => {
  const { answer, ask, at } = asked
  const moments = timeline.from(at)
  if (moments.some((sequence) => answerOf(ask, timeline.at(sequence)) === answer)) return
  assert.strictEqual(answer, answerOf(ask, timeline.at(at)), `${describe(ask)} is of no moment since ${at}`)
}

/** A transaction that committed. */
export interface Committed {
  readonly at: number
  readonly sequence: number
  readonly isolation: "serializable" | "snapshot"
  readonly asked: ReadonlyArray<Asked>
  readonly writes: ReadonlyArray<ModelWrite>
}

/** Whether it read what others wrote in between, which only `snapshot` allows. */
export const judgeCommitted = (timeline: Timeline, transaction: Committed): { readonly isSkewed: boolean } => {
  const { asked, at, isolation, sequence, writes } = transaction
  const [then, now] = [timeline.at(at), timeline.at(sequence - 1)]
  for (const write of isolation === "snapshot" ? writes : []) {
    const range = "removed" in write ? write.removed : { from: "", prefix: "" }
    const of = (state: State) =>
      "removed" in write ? inRange(state, range) : state.filter(({ key }) => key === write.key)
    assert.deepStrictEqual(of(now), of(then), "a write over what another transaction wrote since its moment")
  }
  let isSkewed = false
  for (const one of asked) {
    if (answerOf(one.ask, withOwn(now, one.own)) === one.answer) continue
    isSkewed = true
    if (isolation === "serializable") judgeAt(timeline, one, sequence - 1, "was not so when its transaction committed")
  }
  return { isSkewed }
}
