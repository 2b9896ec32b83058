// Who appended what, and which transactions of a history happened.
//
// One that was never told how its commit ended has happened if it has a sequence (somebody found it afterwards), or if
// one that happened saw what it wrote.
import { type History, type Key, listsOf, type Transaction } from "./history.ts"

export interface Writer {
  readonly transaction: Transaction
  readonly key: Key
  /** Whether the transaction appended no more to the key, nor removed it. */
  readonly isFinal: boolean
}

export class Writers {
  /** Those that happened. */
  readonly happened: ReadonlyArray<Transaction>
  private readonly byElement = new Map<number, Writer>()

  constructor(history: History) {
    for (const transaction of history) this.learn(transaction)
    this.happened = this.chooseHappened(history)
  }

  of(element: number): Writer | undefined {
    return this.byElement.get(element)
  }

  private learn(transaction: Transaction): void {
    const later = new Set<Key>()
    const { operations } = transaction
    const removed: Array<(key: Key) => boolean> = []
    for (const operation of operations.toReversed()) {
      if (operation.type === "remove") {
        const { from, to } = operation.span
        removed.push((key) => from <= key && key < to)
      } else if (operation.type === "append") {
        const { element, key } = operation
        if (this.byElement.has(element)) throw new Error(`${element} is appended twice`)
        const isFinal = !later.has(key) && !removed.some((covers) => covers(key))
        this.byElement.set(element, { transaction, key, isFinal })
        later.add(key)
      }
    }
  }

  private chooseHappened(history: History): ReadonlyArray<Transaction> {
    const isSure = ({ outcome, sequence }: Transaction) =>
      outcome === "committed" || (outcome === "unknown" && sequence !== undefined)
    const happened = new Set(history.filter(isSure))
    const toLook = [...happened]
    for (let next = toLook.pop(); next !== undefined; next = toLook.pop()) {
      for (const list of listsOf(next)) {
        for (const element of list) {
          const seen = this.byElement.get(element)?.transaction
          if (seen === undefined || seen.outcome !== "unknown" || happened.has(seen)) continue
          happened.add(seen)
          toLook.push(seen)
        }
      }
    }
    return history.filter((transaction) => happened.has(transaction))
  }
}
