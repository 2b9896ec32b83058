// The history of a database over several openings: what was said while it was open, held against what was found when it
// was opened again.
//
// Every transaction that writes sets a marker of its own in the same commit. Markers that are found later say which
// commits are there, of those that nobody was told of too, and where each stands. The others are gone, which is right
// for those that nobody was told of, and for those that were promised less than what happened; and what is gone must
// have come after everything that is there. What saw the lost commits is lost with them: a branch of the history that
// ends there. It must have kept the promises too, as long as it lasted. But nobody sees a commit before it is as
// lasting as it will be told to be: one that was seen must not be lost by what it would have outlasted, acknowledged or
// not.
import type { Durability } from "../../src/services/Options.ts"
import type { Event } from "./events.ts"
import { type History, isWriting, listsOf, type Operation, type Transaction } from "./history.ts"

/** What happened to the database at the end of an opening. */
export interface Ending {
  /** By the transactions' numbers, the sequences of their markers. */
  readonly found: ReadonlyMap<number, number>
  /** Whether acknowledged commits of the durability must be there. */
  readonly survives: (durability: Durability) => boolean
}

/** A broken promise of durability, or of order. */
export class LostCommit extends Error {
  override readonly name = "LostCommit"
}

interface Open {
  transaction: Transaction
  durability: Durability | undefined
}

export class Timeline {
  /** What is there. */
  readonly happened: Array<Transaction> = []
  /** Histories that ended with commits that are lost: each with all that was there before. */
  readonly branches: Array<History> = []
  readonly counts = { lost: 0, unknownFound: 0, unknownGone: 0 }
  private now = 0
  private highest = 0

  /** Closes an opening. */
  end(events: ReadonlyArray<Event>, ending: Ending): void {
    const { byId, synced } = this.assemble(events)
    const end = this.tick()
    const kept: Array<Transaction> = []
    const lost: Array<Transaction> = []
    const last = Math.max(this.highest, ...[...byId.values()].map((open) => this.sequenceOf(open, ending)))
    for (const open of byId.values()) {
      const { transaction } = open
      if (open.durability === undefined) continue
      if (transaction.outcome === "aborted") {
        if (ending.found.has(transaction.id)) throw new LostCommit(`T${transaction.id} failed, and is there`)
        kept.push(transaction)
      } else if (!isWriting(transaction)) {
        if ((transaction.snapshot ?? 0) <= last) kept.push(transaction)
        else lost.push(transaction)
      } else {
        const sequence = ending.found.get(transaction.id)
        if (sequence === undefined) {
          this.judgeLost(open, { ending, last, synced })
          lost.push(transaction)
        } else kept.push(this.judgeFound(open, sequence, end))
      }
    }
    this.judgeSeen([...kept, ...lost], { byId, ending })
    if (lost.some(({ outcome }) => outcome === "committed")) this.branches.push([...this.happened, ...kept, ...lost])
    this.happened.push(...kept)
    this.highest = last
    const before = this.happened.find((transaction) => isMissing(transaction, ending))
    if (before !== undefined) throw new LostCommit(`T${before.id} was there when the database was opened, and is gone`)
  }

  /** Something was seen after all: `read` is of no session. */
  seen(id: number, operations: ReadonlyArray<Operation>): void {
    const [begin, end] = [this.tick(), this.tick()]
    const outcome = "committed"
    this.happened.push({ id, session: -1, level: "serializable", outcome, begin, end, operations })
  }

  private judgeFound(open: Open, sequence: number, end: number): Transaction {
    const { transaction } = open
    if (transaction.sequence !== undefined && transaction.sequence !== sequence) {
      throw new LostCommit(`T${transaction.id} was told ${transaction.sequence} and is commit ${sequence}`)
    }
    if (transaction.outcome === "committed") return { ...transaction, sequence }
    this.counts.unknownFound += 1
    return { ...transaction, sequence, outcome: "committed", end }
  }

  private judgeLost(
    { durability, transaction }: Open,
    { ending, last, synced }: { readonly ending: Ending; readonly last: number; readonly synced: number }
  ): void {
    const { id, outcome, sequence } = transaction
    if (outcome === "unknown") {
      this.counts.unknownGone += 1
      return
    }
    this.counts.lost += 1
    const what = `T${id}, commit ${sequence}, ${durability}`
    if (ending.survives(durability!)) throw new LostCommit(`${what}: it was acknowledged, and is gone`)
    if (sequence === undefined) return
    if (sequence <= synced) throw new LostCommit(`${what}: it was synced up to ${synced}, and is gone`)
    if (sequence < last) throw new LostCommit(`${what}: it is gone, and ${last} is there`)
  }

  /** Of the opening's transactions, those that read what is gone. */
  private judgeSeen(
    readers: ReadonlyArray<Transaction>,
    { byId, ending }: { readonly byId: ReadonlyMap<number, Open>; readonly ending: Ending }
  ): void {
    const gone = new Map<number, Open>()
    for (const open of byId.values()) {
      const { durability, transaction } = open
      if (durability === undefined || transaction.outcome === "aborted" || ending.found.has(transaction.id)) continue
      if (!ending.survives(durability)) continue
      for (const operation of transaction.operations) if (operation.type === "append") gone.set(operation.element, open)
    }
    if (gone.size === 0) return
    for (const reader of readers) {
      for (const list of listsOf(reader)) {
        const seen = list.map((element) => gone.get(element)).find((open) => open && open.transaction.id !== reader.id)
        if (seen === undefined) continue
        const what = `T${seen.transaction.id}, ${seen.durability}`
        throw new LostCommit(`${what}: T${reader.id} saw it, and it is gone`)
      }
    }
  }

  private sequenceOf({ transaction }: Open, { found }: Ending): number {
    return found.get(transaction.id) ?? 0
  }

  private assemble(events: ReadonlyArray<Event>) {
    const byId = new Map<number, Open>()
    let synced = 0
    for (const event of events) {
      const at = this.tick()
      if (event.type === "synced") {
        synced = Math.max(synced, event.sequence)
        continue
      }
      if (event.type === "begin") {
        const { id, level, session } = event
        const transaction = { id, session, level, outcome: "unknown", begin: at, end: undefined } as const
        byId.set(id, { transaction: { ...transaction, operations: [] }, durability: undefined })
        continue
      }
      const open = byId.get(event.id)!
      if (event.type === "submit") {
        const { operations, snapshot } = event
        open.transaction = { ...open.transaction, operations, snapshot }
        open.durability = event.durability
      } else {
        const { outcome, sequence } = event
        open.transaction = { ...open.transaction, outcome, end: at, sequence }
      }
    }
    return { byId, synced }
  }

  private tick(): number {
    this.now += 1
    return this.now
  }
}

const isMissing = (transaction: Transaction, { found }: Ending): boolean =>
  transaction.outcome === "committed" &&
  transaction.sequence !== undefined &&
  isWriting(transaction) &&
  !found.has(transaction.id)
