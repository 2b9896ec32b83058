// Whether any order explains a history, found by trying them all: what the checker must agree with. For histories of a
// few transactions that only append, scan and read, of which the order is not known.
//
// A transaction of level "serializable" is one point, of level "snapshot" two: it reads at the first and commits at the
// second, and nobody else's commit in between may have appended to what it appends to.
import { type History, isIn, type Key, type List, type Transaction } from "./history.ts"

interface Placed {
  readonly transaction: Transaction
  /** What was there when it read. */
  readonly state: ReadonlyMap<Key, List>
}

/** The state after the transaction's operations on the state that it reads, or `undefined` if it saw another. */
const replay = ({ operations }: Transaction, before: ReadonlyMap<Key, List>): ReadonlyMap<Key, List> | undefined => {
  const state = new Map(before)
  for (const operation of operations) {
    if (operation.type === "append") {
      state.set(operation.key, [...(state.get(operation.key) ?? []), operation.element])
    } else if (operation.type === "read") {
      if (!same(operation.list, state.get(operation.key) ?? [])) return undefined
    } else if (operation.type === "scan") {
      const found = new Map(operation.found)
      const there = [...state].filter(([key]) => isIn(operation.span, key))
      if (there.length !== found.size) return undefined
      if (there.some(([key, list]) => !same(found.get(key) ?? [], list))) return undefined
    } else throw new Error(`${operation.type} is not tried`)
  }
  return state
}

const same = (a: List, b: List): boolean => a.length === b.length && a.every((element, index) => element === b[index])

const appendsOf = ({ operations }: Transaction) =>
  operations.flatMap((operation) => (operation.type === "append" ? [operation] : []))

const withAppends = (state: ReadonlyMap<Key, List>, transaction: Transaction): ReadonlyMap<Key, List> => {
  const next = new Map(state)
  for (const { element, key } of appendsOf(transaction)) next.set(key, [...(next.get(key) ?? []), element])
  return next
}

class Search {
  private readonly waiting: Set<Transaction>
  private readonly reading = new Map<Transaction, Placed>()

  constructor(history: History) {
    this.waiting = new Set(history)
  }

  from(state: ReadonlyMap<Key, List>): boolean {
    if (this.waiting.size === 0 && this.reading.size === 0) return true
    // Copies: both change meanwhile.
    const [waiting, reading] = [[...this.waiting], [...this.reading.values()]]
    for (const transaction of waiting) if (this.begins(transaction, state)) return true
    for (const placed of reading) if (this.commits(placed, state)) return true
    return false
  }

  /** Whoever ended before another begins must be through. */
  private mayBegin({ begin }: Transaction): boolean {
    const isBefore = (other: Transaction) => other.end !== undefined && other.end < begin
    return ![...this.waiting, ...this.reading.keys()].some(isBefore)
  }

  private begins(transaction: Transaction, state: ReadonlyMap<Key, List>): boolean {
    if (!this.mayBegin(transaction)) return false
    const after = replay(transaction, state)
    if (after === undefined) return false
    this.waiting.delete(transaction)
    const isPoint = transaction.level === "serializable"
    if (!isPoint) this.reading.set(transaction, { transaction, state })
    const found = isPoint ? this.from(after) : this.from(state)
    this.reading.delete(transaction)
    this.waiting.add(transaction)
    return found
  }

  private commits(placed: Placed, state: ReadonlyMap<Key, List>): boolean {
    const { transaction } = placed
    const isLost = appendsOf(transaction).some(({ key }) => !same(placed.state.get(key) ?? [], state.get(key) ?? []))
    if (isLost) return false
    this.reading.delete(transaction)
    const found = this.from(withAppends(state, transaction))
    this.reading.set(transaction, placed)
    return found
  }
}

export const isExplained = (history: History): boolean => new Search(history).from(new Map())
