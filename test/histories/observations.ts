// One transaction by itself: what it read of others, what it left behind, and whether it saw its own writes.
import { isIn, type Key, type List, type Operation, type Span, type Transaction } from "./history.ts"

/** A read of what others wrote. */
export interface ExternalRead {
  readonly key: Key
  readonly list: List
  /** The key was looked for by a range, and was not there. */
  readonly isPhantom: boolean
}

export interface ExternalCount {
  /** The keys of the span that the transaction had not touched before, and how many of those are said to be there. */
  readonly keys: ReadonlyArray<Key>
  readonly count: number
}

/** What a key is after the transaction: ends with this element, or is empty. */
export interface Final {
  readonly element: number | undefined
  /** It was empty in between, at least. */
  readonly isRemoved: boolean
}

export interface Observations {
  readonly reads: ReadonlyArray<ExternalRead>
  readonly counts: ReadonlyArray<ExternalCount>
  readonly finals: ReadonlyMap<Key, Final>
  /** The lists that it wrote, by their last elements, as far as it knew what was there before. */
  readonly wrote: ReadonlyMap<number, List>
  /** Where it contradicts itself: a read that is not its own write, or not what it read before. */
  readonly contradictions: ReadonlyArray<string>
}

/** What a transaction knows of a key: what was there, if it knows that, and what it appended since. */
interface Known {
  base: List | undefined
  readonly own: Array<number>
}

/** All keys of a history, sorted. */
export class Universe {
  readonly keys: ReadonlyArray<Key>

  constructor(history: Iterable<Transaction>) {
    const keys = new Set<Key>()
    for (const { operations } of history) {
      for (const operation of operations) {
        if ("key" in operation) keys.add(operation.key)
        else if (operation.type === "scan") for (const [key] of operation.found) keys.add(key)
      }
    }
    this.keys = [...keys].sort()
  }

  within(span: Span): ReadonlyArray<Key> {
    return this.keys.slice(this.atLeast(span.from), this.atLeast(span.to))
  }

  private atLeast(key: Key): number {
    let [low, high] = [0, this.keys.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.keys[middle]! < key) low = middle + 1
      else high = middle
    }
    return low
  }
}

export const shown = (list: List): string => `[${list.join(" ")}]`

export const observe = ({ operations }: Transaction, universe: Universe): Observations => {
  const observer = new Observer(universe)
  for (const operation of operations) observer.take(operation)
  return observer
}

class Observer implements Observations {
  readonly reads: Array<ExternalRead> = []
  readonly counts: Array<ExternalCount> = []
  readonly finals = new Map<Key, Final>()
  readonly wrote = new Map<number, List>()
  readonly contradictions: Array<string> = []
  private readonly universe: Universe
  private readonly known = new Map<Key, Known>()

  constructor(universe: Universe) {
    this.universe = universe
  }

  take(operation: Operation): void {
    switch (operation.type) {
      case "read":
        return this.read(operation.key, operation.list, false)
      case "append":
        return this.append(operation.key, operation.element)
      case "scan":
        return this.scan(operation.span, operation.found)
      case "count":
        return this.count(operation.span, operation.count)
      case "remove":
        return this.remove(operation.span)
    }
  }

  private read(key: Key, list: List, isRange: boolean): void {
    const known = this.known.get(key)
    const own = known?.own ?? []
    const base = list.slice(0, Math.max(0, list.length - own.length))
    const isOwn = own.every((element, index) => list[base.length + index] === element)
    if (!isOwn || (known?.base !== undefined && !equal(known.base, base))) {
      const expected = known!.base === undefined ? `… ${own.join(" ")}` : [...known!.base, ...own].join(" ")
      this.contradictions.push(`${key} must be [${expected}] by what it did before, and is ${shown(list)}`)
      return
    }
    if (known?.base !== undefined) return
    this.reads.push({ key, list: base, isPhantom: isRange && base.length === 0 })
    if (known === undefined) this.known.set(key, { base, own: [] })
    else known.base = base
  }

  private append(key: Key, element: number): void {
    const known = this.known.get(key) ?? { base: undefined, own: [] }
    this.known.set(key, known)
    known.own.push(element)
    if (known.base !== undefined) this.wrote.set(element, [...known.base, ...known.own])
    this.finals.set(key, { element, isRemoved: this.finals.get(key)?.isRemoved ?? false })
  }

  private scan(span: Span, found: ReadonlyArray<readonly [key: Key, list: List]>): void {
    const lists = new Map(found)
    for (const [index, [key]] of found.entries()) {
      if (!isIn(span, key)) this.contradictions.push(`${key} is not in the span ${JSON.stringify(span)}`)
      if (index > 0 && found[index - 1]![0] >= key) this.contradictions.push(`${key} is out of order in a scan`)
    }
    for (const key of this.universe.within(span)) this.read(key, lists.get(key) ?? [], true)
  }

  private count(span: Span, count: number): void {
    let own = 0
    const keys = this.universe.within(span).filter((key) => {
      const known = this.known.get(key)
      if (known === undefined) return true
      if (known.own.length > 0 || (known.base ?? []).length > 0) own += 1
      return false
    })
    this.counts.push({ keys, count: count - own })
  }

  private remove(span: Span): void {
    for (const key of this.universe.within(span)) {
      this.known.set(key, { base: [], own: [] })
      this.finals.set(key, { element: undefined, isRemoved: true })
    }
  }
}

const equal = (a: List, b: List): boolean => a.length === b.length && a.every((element, index) => element === b[index])
