// Small histories from a seed, for tests of the checker: serial ones, which have no anomaly, and ones of transactions
// that nobody keeps apart, which often do.
import type { Dice } from "../support/randomPlan.ts"
import { type History, isIn, type Key, type Level, type List, type Operation, type Transaction } from "./history.ts"

type State = Map<Key, List>

const keys: ReadonlyArray<Key> = ["a", "b", "c"]

const spans = [
  { from: "a", to: "z" },
  { from: "a", to: "c" },
  { from: "b", to: "d" }
]

const append = (state: State, key: Key, element: number): void => {
  state.set(key, [...(state.get(key) ?? []), element])
}

const read = (dice: Dice, state: State): Operation => {
  if (dice.chance(60)) {
    const key = dice.pick(keys)
    return { type: "read", key, list: state.get(key) ?? [] }
  }
  const span = dice.pick(spans)
  return { type: "scan", span, found: [...state].filter(([key]) => isIn(span, key)).sort() }
}

/** Everything, read after all others. */
const lookOf = (id: number, state: State, at: number): Transaction => {
  const found = [...state].sort()
  const operations: ReadonlyArray<Operation> = [{ type: "scan", span: spans[0]!, found }]
  return { id, session: id, level: "serializable", outcome: "committed", begin: at, end: at + 1, operations }
}

/** One after the other, of all operations, with what a database claims of them. */
export const serialHistory = (dice: Dice, count: number): History => {
  const state: State = new Map()
  let element = 0
  let sequence = 0
  return Array.from({ length: count }, (_, index) => {
    const operations: Array<Operation> = []
    const snapshot = sequence
    for (let left = 1 + dice.below(4); left > 0; left--) {
      const what = dice.below(10)
      if (what < 4) {
        const key = dice.pick(keys)
        element += 1
        append(state, key, element)
        operations.push({ type: "append", key, element })
      } else if (what < 5) {
        const span = dice.pick(spans)
        for (const key of keys) if (isIn(span, key)) state.delete(key)
        operations.push({ type: "remove", span })
      } else if (what < 6) {
        const span = dice.pick(spans)
        operations.push({ type: "count", span, count: [...state].filter(([key]) => isIn(span, key)).length })
      } else operations.push(read(dice, state))
    }
    if (operations.some(({ type }) => type === "append" || type === "remove")) sequence += 1
    const isWriting = sequence > snapshot
    return {
      id: index + 1,
      session: dice.below(3),
      level: dice.pick(["serializable", "snapshot"] as const),
      outcome: "committed",
      begin: index * 2,
      end: index * 2 + 1,
      snapshot,
      sequence: isWriting ? sequence : undefined,
      operations
    }
  })
}

/** What was read, but for one thing. `undefined` if nothing was read. */
export const withOtherRead = (history: History, dice: Dice): History | undefined => {
  const places = history.flatMap(({ operations }, at) =>
    operations.flatMap((operation, index) =>
      operation.type === "read" || operation.type === "scan" || operation.type === "count" ? [{ at, index }] : []
    )
  )
  if (places.length === 0) return undefined
  const place = dice.pick(places)
  const lists = history.flatMap(({ operations }) =>
    operations.flatMap((operation) => (operation.type === "read" ? [[operation.key, operation.list] as const] : []))
  )
  const change = (operation: Operation): Operation => {
    if (operation.type === "read") return { ...operation, list: otherList(operation.list, operation.key, lists, dice) }
    if (operation.type === "count") return { ...operation, count: operation.count + dice.pick([-1, 1]) }
    if (operation.type !== "scan") return operation
    if (operation.found.length === 0 || dice.chance(40)) {
      const found = new Map(operation.found)
      const key = dice.pick(keys.filter((one) => isIn(operation.span, one)))
      const list = otherList(found.get(key) ?? [], key, lists, dice)
      if (list.length === 0) found.delete(key)
      else found.set(key, list)
      return { ...operation, found: [...found].sort() }
    }
    const without = dice.below(operation.found.length)
    return { ...operation, found: operation.found.filter((_, index) => index !== without) }
  }
  return history.map((transaction, at) =>
    at === place.at
      ? {
          ...transaction,
          operations: transaction.operations.map((operation, index) =>
            index === place.index ? change(operation) : operation
          )
        }
      : transaction
  )
}

/** Shorter, or one that was read of the key at another time. */
const otherList = (list: List, key: Key, all: ReadonlyArray<readonly [Key, List]>, dice: Dice): List => {
  const others = all.filter(([of]) => of === key).map(([, other]) => other)
  if (others.length === 0 || dice.chance(50)) return list.slice(0, -1)
  return dice.pick(others)
}

/** Where a transaction is between its begin and its end. */
interface Running {
  readonly id: number
  readonly level: Level
  readonly begin: number
  readonly isReadingLate: boolean
  readonly snapshot: State
  readonly operations: Array<Operation>
  left: number
}

/**
 * Transactions that read what is committed, when they begin or each time anew, and append when they end, whatever the
 * others did. After them one that reads everything.
 */
export const carelessHistory = (dice: Dice, levels: ReadonlyArray<Level>): History => {
  const state: State = new Map()
  const done: Array<Transaction> = []
  const running: Array<Running> = []
  let [waiting, element, now] = [levels.length, 0, 0]
  while (waiting > 0 || running.length > 0) {
    now += 1
    if (waiting > 0 && (running.length === 0 || dice.chance(30))) {
      const id = levels.length - waiting + 1
      const snapshot = new Map(state)
      const level = levels[id - 1]!
      const left = 1 + dice.below(3)
      running.push({ id, level, begin: now, isReadingLate: dice.chance(30), snapshot, operations: [], left })
      waiting -= 1
      continue
    }
    const one = dice.pick(running)
    if (one.left > 0) {
      one.left -= 1
      const own = new Map(one.isReadingLate ? state : one.snapshot)
      for (const operation of one.operations)
        if (operation.type === "append") append(own, operation.key, operation.element)
      if (dice.chance(40)) {
        element += 1
        one.operations.push({ type: "append", key: dice.pick(keys.slice(0, 2)), element })
      } else one.operations.push(read(dice, own))
      continue
    }
    running.splice(running.indexOf(one), 1)
    for (const operation of one.operations)
      if (operation.type === "append") append(state, operation.key, operation.element)
    const { begin, id, level, operations } = one
    done.push({ id, session: id, level, outcome: "committed", begin, end: now, operations })
  }
  return [...done, lookOf(levels.length + 1, state, now + 1)]
}
