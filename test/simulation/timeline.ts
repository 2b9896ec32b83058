// The reference: what the database held after each of its commits, with all that has expired since.
import { inRange, Model, type ModelEntry, type ModelWrite } from "../support/model.ts"

export type State = ReadonlyArray<ModelEntry>

export interface TimedCommit {
  readonly id: number
  readonly sequence: number
  readonly writes: ReadonlyArray<ModelWrite>
}

/** The state after each commit, in their order. */
export class Timeline {
  private readonly sequences: Array<number> = [0]
  private readonly states: Array<State> = [[]]
  private readonly commits: ReadonlyArray<TimedCommit>

  constructor(commits: ReadonlyArray<TimedCommit>) {
    this.commits = commits.toSorted((a, b) => a.sequence - b.sequence)
    for (const commit of this.commits) {
      this.states.push(after(this.states.at(-1)!, commit))
      this.sequences.push(commit.sequence)
    }
  }

  /** After the last commit up to this sequence. */
  at(sequence: number): State {
    return this.states[this.sequences.findLastIndex((other) => other <= sequence)]!
  }

  get last(): State {
    return this.states.at(-1)!
  }

  /** What was committed after the sequence, of all that was submitted by then. */
  since(sequence: number, submitted: number): ReadonlyArray<TimedCommit> {
    return this.commits.filter((commit) => commit.sequence > sequence && commit.id <= submitted)
  }

  /** The sequence itself, and those above it that somebody may have seen when no more was submitted. */
  from(sequence: number, submitted: number): ReadonlyArray<number> {
    const later = this.commits.filter((commit) => commit.sequence > sequence)
    const end = later.findIndex(({ id }) => id > submitted)
    return [sequence, ...later.slice(0, end === -1 ? later.length : end).map((commit) => commit.sequence)]
  }
}

/** What the commit makes of the state. */
export const after = (state: State, { sequence, writes }: Omit<TimedCommit, "id">): State => {
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
