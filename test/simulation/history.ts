// What was asked of the database and what it answered, over all sessions, and whether a state that is found agrees.
//
// Every commit writes a key of its own, its mark, that nothing removes: so a state tells which commits are in it.
//
//   acknowledged   in every state found later, unless a crash may have taken it; with the sequence it was told
//   failed         in no state
//   unknown        in or out, wholly (also: interrupted, or under way when the power failed)
//
// A state that is found when a session opens settles what was in doubt: what is not there must never come back.
import { assert } from "@effect/vitest"
import type { Durability } from "../../src/services/Options.ts"
import { markOf } from "../support/faultLedger.ts"
import { bytes, hex, inRange, type ModelRemoval, type ModelWrite } from "../support/model.ts"
import { judgeState } from "./readings.ts"
import { type State, type TimedCommit, Timeline } from "./timeline.ts"
import type { Span } from "./times.ts"

export interface Submitted {
  readonly id: number
  readonly session: number
  readonly writes: ReadonlyArray<ModelWrite>
  readonly durability: Durability
  state: "pending" | "acknowledged" | "failed" | "unknown"
  /** 0 until it is known. */
  sequence: number
  /** When it was, by the database; 0 if nobody was told. */
  millis: number
}

/** What is due of a state that is found: sequences up to which nothing may be missing. */
export interface Promised {
  readonly session: number
  readonly durable: number
  /** The highest sequence that anybody was told of. */
  readonly told: number
  /** The highest sequence of a snapshot or a transaction: what is durable up to it was durable before it was seen. */
  readonly seen: number
  /** Commits of higher ids were not submitted yet. */
  readonly submitted: number
  /** What an opening has found: then there is nothing else for ever. */
  readonly found?: ReadonlyMap<number, number>
}

/** What a commit was answered with. */
interface Acknowledged {
  readonly sequence: number
  readonly commitMillis?: number | undefined
}

/** What is known of the session before when the next one has opened. */
export interface Settled {
  /** Of all that was committed until then, whether it is lost or not. */
  readonly timeline: Timeline
  /** The highest sequence that is left. What was taken was above it. */
  readonly last: number
  /** Commits of ids from there on may have been seen before they were taken, at sequences that nobody knows. */
  readonly takenFrom: number
}

const markPrefix = hex(new TextEncoder().encode("!"))
const idOf = (mark: string): number => Number(new TextDecoder().decode(bytes(mark)).slice(1))

/** The removal, but for marks: they are below all else that bounds over them cover. */
const besideMarks = ({ removed }: ModelRemoval): ModelRemoval =>
  inRange([{ key: markOf(1) }], removed).length === 0
    ? { removed }
    : { removed: { ...removed, from: bytes("22"), fromExclusive: false } }

/** Of what was acknowledged: all, what was given to the system, what is durable. */
export type Survived = "all" | "given" | "durable"

const survivals: ReadonlyArray<Survived> = ["all", "given", "durable"]

export class History {
  readonly commits: Array<Submitted> = []
  session = 0
  /** Nothing that comes after the power was cut counts. */
  isFrozen = false
  /** The highest sequence that anybody was told of, though a crash may have taken it since. */
  told = 0
  /** The highest time of a commit that is visible and was told. */
  millis = 0
  /** Called when more is due of whatever is found than before. */
  onPromise: () => void = () => {}
  private seen = 0
  /** The highest sequence of what is acknowledged: of any durability, of `os` and `disk`, of `disk` (or synced). */
  private visible = 0
  private given = 0
  durable = 0

  /** What the way in which the session before ended may have taken, while nothing is settled since. */
  private survived: Survived = "all"

  begin(session: number): void {
    this.session = session
    this.isFrozen = false
  }

  /** The session ended so. */
  ended(survived: Survived): void {
    if (survivals.indexOf(survived) > survivals.indexOf(this.survived)) this.survived = survived
  }

  submit(writes: ReadonlyArray<ModelWrite>, durability: Durability, markValue = ""): Submitted {
    const id = this.commits.length + 1
    const spared = writes.map((write) => ("removed" in write ? besideMarks(write) : write))
    const commit: Submitted = {
      id,
      session: this.session,
      writes: [...spared, { key: markOf(id), value: markValue }],
      durability,
      state: "pending",
      sequence: 0,
      millis: 0
    }
    if (!this.isFrozen) this.commits.push(commit)
    return commit
  }

  acknowledge(commit: Submitted, { commitMillis = 0, sequence }: Acknowledged): void {
    if (this.isFrozen) return
    commit.state = "acknowledged"
    commit.sequence = sequence
    commit.millis = commitMillis
    this.millis = Math.max(this.millis, commitMillis)
    this.told = Math.max(this.told, sequence)
    this.visible = Math.max(this.visible, sequence)
    if (commit.durability !== "buffered") this.given = Math.max(this.given, sequence)
    if (commit.durability === "disk") this.durable = Math.max(this.durable, sequence)
    this.onPromise()
  }

  /** Somebody reads at this sequence. */
  saw(sequence: number): void {
    if (!this.isFrozen) this.seen = Math.max(this.seen, sequence)
  }

  gaveUp(commit: Submitted, state: "failed" | "unknown"): void {
    if (!this.isFrozen) commit.state = state
  }

  /** Every commit that was acknowledged up to the sequence is durable. The sequence may be one that no commit has. */
  synced(sequence: number): void {
    if (this.isFrozen) return
    for (const commit of this.commits) {
      if (commit.state !== "acknowledged" || commit.sequence > sequence) continue
      this.durable = Math.max(this.durable, commit.sequence)
      this.given = Math.max(this.given, commit.sequence)
    }
    this.onPromise()
  }

  promised(): Promised {
    const { durable, seen, session, told } = this
    return { session, durable, told, seen, submitted: this.commits.length }
  }

  /** What is due when a session opens. */
  promisedAtOpening(): Promised {
    const { durable, given, visible } = this
    return { ...this.promised(), durable: { all: visible, given, durable }[this.survived] }
  }

  timeline(): Timeline {
    return new Timeline(this.acknowledged)
  }

  private get acknowledged(): ReadonlyArray<Submitted> {
    return this.commits.filter(({ state }) => state === "acknowledged")
  }

  /** The highest time of a commit that is in the state. */
  private millisIn(marks: ReadonlyMap<number, number>): number {
    return this.commits.reduce((highest, { id, millis }) => (marks.has(id) ? Math.max(highest, millis) : highest), 0)
  }

  /** What time it may be for who finds this, when the wall clock shows these at the least and at the most. */
  timeOf(found: State, clock: Span): Span {
    const from = Math.max(clock.from, this.millisIn(this.marksIn(found)))
    return { from, to: Math.max(from, clock.to) }
  }

  /** The sequence of each commit whose mark is in the state. */
  marksIn(found: State): ReadonlyMap<number, number> {
    return new Map(found.flatMap(({ key, sequence }) => (key.startsWith(markPrefix) ? [[idOf(key), sequence]] : [])))
  }

  /**
   * Fails unless the whole content of a database is what the promise allows. `clock`: what the wall clock showed when
   * it was read, and the most that it ever did.
   */
  judge(
    found: State,
    {
      clock,
      promised,
      timeline = this.timeline()
    }: {
      readonly promised: Promised
      readonly clock: Span
      readonly timeline?: Timeline
    }
  ): void {
    const marks = this.marksIn(found)
    const last = Math.max(0, ...marks.values())
    assert.isAtLeast(last, promised.durable, "an acknowledged commit is lost")
    assert.isAtLeast(last, this.durableBelow(promised.seen), "a commit that was seen is lost")
    const inside: Array<TimedCommit> = []
    let isKnown = true
    for (const [id, sequence] of marks) {
      const commit = this.commits[id - 1]
      assert.isTrue(commit !== undefined && id <= promised.submitted, `commit ${id} is there before it was submitted`)
      assert.notStrictEqual(commit!.state, "failed", `commit ${id}, which failed or was lost before, is there`)
      const { found: before = marks } = promised
      assert.isTrue(before.has(id), `commit ${id}, which was not there after a recovery, has come back`)
      if (commit!.state === "acknowledged") assert.strictEqual(sequence, commit!.sequence, `sequence of commit ${id}`)
      else isKnown = false
      inside.push({ id, sequence, writes: commit!.writes })
    }
    for (const { id, sequence, state } of this.commits) {
      if (state !== "acknowledged" || sequence > last || marks.has(id)) continue
      assert.fail(`commit ${id} (${sequence}) is missing, and a later one (${last}) is there: a hole`)
    }
    const expected = (isKnown ? timeline : new Timeline(inside)).at(last)
    judgeState(found, expected, [this.timeOf(found, clock), `not the state after commit ${last}`])
  }

  /** The highest sequence of a commit up to there that had to be durable before anybody saw it. */
  private durableBelow(seen: number): number {
    return this.acknowledged.reduce(
      (highest, { durability, sequence }) =>
        durability === "disk" && sequence <= seen ? Math.max(highest, sequence) : highest,
      0
    )
  }

  /** What was found when the session was over, but for its close, is there. */
  settleLast(found: State): void {
    this.settleFound(this.marksIn(found))
  }

  /** What an opening has found is durable, and nothing else will ever be there. */
  settle(found: State): Settled {
    const marks = this.marksIn(found)
    const before = new Set(this.acknowledged)
    const doubtful = this.commits.filter(({ state }) => state === "pending" || state === "unknown")
    this.settleFound(marks)
    for (const commit of this.commits) if (!marks.has(commit.id)) this.gaveUp(commit, "failed")
    // Of what the crash took, commits that were visible before they were durable may have been seen.
    const takenFrom =
      this.survived === "all"
        ? Number.POSITIVE_INFINITY
        : doubtful
            .filter(({ durability, state }) => state === "failed" && durability !== "disk")
            .reduce((least, { id }) => Math.min(least, id), Number.POSITIVE_INFINITY)
    this.survived = "all"
    this.visible = Math.max(0, ...marks.values())
    this.given = this.visible
    this.durable = this.visible
    this.seen = Math.min(this.seen, this.visible)
    this.millis = this.millisIn(marks)
    const timeline = new Timeline(this.commits.filter((commit) => before.has(commit) || marks.has(commit.id)))
    return { timeline, last: this.visible, takenFrom }
  }

  private settleFound(marks: ReadonlyMap<number, number>): void {
    for (const commit of this.commits) {
      const sequence = marks.get(commit.id)
      if (sequence === undefined) continue
      if (commit.state !== "acknowledged") {
        commit.state = "acknowledged"
        commit.sequence = sequence
      }
      this.told = Math.max(this.told, sequence)
      this.visible = Math.max(this.visible, sequence)
    }
  }
}
