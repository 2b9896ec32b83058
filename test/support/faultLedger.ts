// What was asked of a database and what it answered, commit by commit, and whether a state that is found agrees with
// it.
//
// Each commit writes a key of its own, its mark, so a state tells which commits are in it and with which sequences:
//
//   acknowledged       visible at once; in any state found later unless a later state may have lost it (see `Survival`)
//   definitely failed  never in any state
//   unknown            in or out, wholly, and from the first state that tells for ever the same
//
// Whatever is found after an opening is settled: what was in it must stay, what was not must never come back.
//
// What has expired is gone, and what is below it with it; when that is, depends on the reader's `now`. All that one
// reader finds must fit to one `now`, which is no earlier than the commits that are there.
import { assert } from "@effect/vitest"
import type { Durability } from "../../src/services/Options.ts"
import {
  assertExpired,
  bytes,
  hex,
  lastOf,
  Model,
  type ModelEntry,
  type ModelPoint,
  type ModelWrite,
  type Now
} from "./model.ts"

/** What happened to the disk between the last acknowledgement and the state that is found. */
export type Survival = "live" | "closed" | "processCrash" | "powerCut" | "lostTail"

export interface Submitted {
  readonly id: number
  /** In which session it was asked for. */
  readonly session: number
  readonly writes: ReadonlyArray<ModelWrite>
  durability: Durability
  state: "pending" | "acknowledged" | "failed" | "unknown"
  sequence: number
  /** When, if somebody was told. */
  commitMillis: number
}

const markPrefix = hex(new TextEncoder().encode("!"))
export const markOf = (id: number): string => hex(new TextEncoder().encode(`!${String(id).padStart(6, "0")}`))
const idOf = (mark: string): number => Number(new TextDecoder().decode(bytes(mark)).slice(1))

const anyTime: Now = { leastMillis: 0, mostMillis: Infinity }

const levels: Readonly<Record<Survival, ReadonlyArray<Durability>>> = {
  live: ["disk", "os", "buffered"],
  closed: ["disk", "os", "buffered"],
  processCrash: ["disk", "os"],
  powerCut: ["disk"],
  // The device had lost the end of the log, and the opening said that it is missing.
  lostTail: []
}

export class Ledger {
  private readonly commits: Array<Submitted> = []
  /** The highest sequence that anybody was told of or saw. */
  told = 0
  private session = 0
  /** What the commits of earlier sessions went through since their outcome was last seen. */
  private inherited: Survival = "closed"
  private isSettled = true

  /** A copy that can be settled in another way. */
  copy(): Ledger {
    const copy = new Ledger()
    copy.commits.push(...this.commits.map((commit) => ({ ...commit })))
    copy.told = this.told
    copy.session = this.session
    copy.inherited = this.inherited
    copy.isSettled = this.isSettled
    return copy
  }

  /** The database was closed, in this way, and is opened again. */
  reopened(survival: Survival): void {
    this.session += 1
    if (this.isSettled || levels[survival].length < levels[this.inherited].length) this.inherited = survival
    this.isSettled = false
  }

  /** The mark comes first; without other writes the commit is one of a single operation, which may have a value. */
  submit(writes: ReadonlyArray<ModelWrite>, durability: Durability, markValue = ""): Submitted {
    const id = this.commits.length + 1
    const commit: Submitted = {
      id,
      session: this.session,
      writes: [{ key: markOf(id), value: markValue }, ...writes],
      durability,
      state: "pending",
      sequence: 0,
      commitMillis: 0
    }
    this.commits.push(commit)
    return commit
  }

  acknowledge(commit: Submitted, sequence: number, commitMillis = commit.commitMillis): void {
    commit.state = "acknowledged"
    commit.commitMillis = commitMillis
    commit.sequence = sequence
    this.told = Math.max(this.told, sequence)
  }

  /** Everything acknowledged up to the sequence is durable; of earlier sessions, what was there when this one began. */
  synced(sequence: number): void {
    for (const commit of this.commits) {
      if (commit.session < this.session && !this.isSettled) continue
      if (commit.state === "acknowledged" && commit.sequence <= sequence) commit.durability = "disk"
    }
  }

  get lastSequence(): number {
    return this.commits.reduce(
      (last, { sequence, state }) => (state === "acknowledged" ? Math.max(last, sequence) : last),
      0
    )
  }

  /** The values that a key may have now: with and without each commit of unknown outcome. `undefined`: any. */
  valuesOf(key: string): ReadonlyArray<string | undefined> | undefined {
    if (!this.isSettled) return undefined
    const last = this.stateOf(this.commits.filter(({ state }) => state === "acknowledged"))
    const values: Array<string | undefined> = []
    const add = (write: Pick<ModelPoint, "value" | "expiresAt"> | undefined) => {
      values.push(write?.value)
      if (write?.expiresAt !== undefined) values.push(undefined)
    }
    add(last.find((entry) => entry.key === key))
    for (const { state, writes } of this.commits) {
      const write = lastOf(writes, key)
      if (write !== undefined && (state === "unknown" || state === "pending")) add(write)
    }
    return values
  }

  /** Equal for ledgers that allow the same states. */
  get key(): string {
    return JSON.stringify([this.commits, this.told, this.session, this.inherited, this.isSettled])
  }

  /**
   * Fails unless the whole content of a database is one that the answers allow; then, if a writer found it, it is
   * settled.
   */
  judge(
    found: ReadonlyArray<ModelEntry>,
    survival: Survival,
    { isWriter = true, now = anyTime }: { readonly isWriter?: boolean; readonly now?: Now | undefined } = {}
  ): void {
    const sequences = new Map<number, number>()
    for (const { key, sequence } of found) if (key.startsWith(markPrefix)) sequences.set(idOf(key), sequence)
    // The last of each session that is there. A hole is one within a session: what a crash took does not come back.
    const lasts = new Map<number, number>()
    for (const { id, session } of this.commits) {
      lasts.set(session, Math.max(lasts.get(session) ?? 0, sequences.get(id) ?? 0))
    }
    for (const commit of this.commits) {
      const last = lasts.get(commit.session)!
      this.judgeCommit(commit, { survival, last, sequence: sequences.get(commit.id) })
    }
    const inside = this.commits
      .filter(({ id }) => sequences.has(id))
      .map((commit) => ({ ...commit, sequence: sequences.get(commit.id)! }))
    assert.strictEqual(inside.length, sequences.size, "a commit that nobody submitted is there")
    const { leastMillis, mostMillis } = now
    const least = inside.reduce((most, { commitMillis }) => Math.max(most, commitMillis), leastMillis)
    const told = "not the state after the commits that are in it"
    assertExpired(found, this.stateOf(inside), { now: { leastMillis: least, mostMillis }, told })
    if (isWriter) this.settle(sequences, survival)
  }

  private judgeCommit(
    commit: Submitted,
    state: { readonly survival: Survival; readonly last: number; readonly sequence: number | undefined }
  ): void {
    const { durability, id } = commit
    const { last, sequence } = state
    if (commit.state === "failed") {
      assert.isUndefined(sequence, `commit ${id}, which definitely failed or was lost before, is there`)
    }
    if (commit.state !== "acknowledged") return
    if (sequence !== undefined) {
      assert.strictEqual(sequence, commit.sequence, `the sequence of commit ${id}`)
      return
    }
    const survival = this.survivalOf(commit, state.survival)
    assert.notInclude(
      levels[survival],
      durability,
      `commit ${id}, acknowledged as ${durability}, is lost (${survival})`
    )
    assert.isAbove(commit.sequence, last, `commit ${id} is missing, and a later one is there: a hole`)
  }

  private survivalOf({ session }: Submitted, survival: Survival): Survival {
    const isOlder = session < this.session && !this.isSettled
    return isOlder && levels[this.inherited].length < levels[survival].length ? this.inherited : survival
  }

  /** From now on what was found is what the database holds, for ever. In a session, only what was there before it. */
  private settle(sequences: ReadonlyMap<number, number>, survival: Survival): void {
    if (survival === "live" && this.isSettled) return
    for (const commit of this.commits) {
      if (survival === "live" && commit.session === this.session) continue
      const sequence = sequences.get(commit.id)
      if (sequence === undefined) commit.state = "failed"
      else {
        commit.durability = "disk"
        this.acknowledge(commit, sequence)
      }
    }
    this.isSettled = true
  }

  private stateOf(commits: ReadonlyArray<Submitted>): ReadonlyArray<ModelEntry> {
    const model = new Model()
    for (const { sequence, writes } of commits) model.commit(sequence, writes)
    return model.at(Number.MAX_SAFE_INTEGER, 0)
  }
}
