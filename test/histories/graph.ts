// The dependencies between the transactions of a history, after Adya (1999), and what is wrong without any.
//
//   ww       the one's version of a key is followed by the other's
//   wr       the other read the one's version
//   rw       the one read a version that the other's follows; `isPredicate` if it looked for the key by a range and
//            found it absent
//   session  the other came after the one in the same session
//   time     the other began when the one had ended
//
// Of two that follow from the rest only the nearest ones are made.
import type { History, Key, List, Transaction } from "./history.ts"
import { type Observations, observe, shown, Universe } from "./observations.ts"
import { type Chain, chainOf, placeAt, placeOf, type Version, writtenBy } from "./versions.ts"
import { Writers } from "./writers.ts"

export type EdgeKind = "ww" | "wr" | "rw" | "session" | "time"

export interface Edge {
  readonly kind: EdgeKind
  readonly from: Transaction
  readonly to: Transaction
  readonly isPredicate: boolean
  readonly why: string
}

/**
 * What is wrong with what was read, whoever else did what:
 *
 *   G1a           of a transaction that did not commit
 *   G1b           of one that wrote the key again
 *   internal      other than what the transaction had read or written before
 *   foreign       a list, or a part of one, that nobody wrote
 *   disorder      lists of which neither begins the other
 *   moment        not what was there at the moment that the transaction says it reads
 *   overtaken     a serializable one that says when it committed, and what it read was written between
 */
export type DirectKind = "G1a" | "G1b" | "internal" | "foreign" | "disorder" | "moment" | "overtaken"

export interface Direct {
  readonly kind: DirectKind
  readonly transaction: Transaction | undefined
  readonly why: string
}

export interface Graph {
  readonly transactions: ReadonlyArray<Transaction>
  readonly edges: ReadonlyArray<Edge>
  readonly direct: ReadonlyArray<Direct>
}

export const graphOf = (history: History): Graph => {
  const builder = new Builder(history)
  builder.orderKeys()
  for (const transaction of builder.writers.happened) builder.read(transaction)
  builder.orderTimes()
  const { direct, edges, writers } = builder
  return { transactions: writers.happened, edges, direct }
}

const nameOf = (element: number | undefined): string => (element === undefined ? "its absence" : `${element}`)

/** The version after the one at the place, or all that are known to be later. */
const followers = ({ unread, versions }: Chain, place: number): ReadonlyArray<Version> => {
  const next = versions[place + 1]
  return next === undefined ? unread : [next]
}

/** Whether another's version stands between what it read and its own commit, by what all of them say. */
const isOvertaken = (reader: Transaction, { isBySequence, versions }: Chain, place: number): boolean => {
  const { level, sequence, snapshot } = reader
  const by = versions[place + 1]?.writer
  if (!isBySequence || level === "snapshot" || snapshot === undefined || sequence === undefined) return false
  return by !== undefined && by !== reader && by.sequence! < sequence
}

class Builder {
  readonly writers: Writers
  readonly edges: Array<Edge> = []
  readonly direct: Array<Direct> = []
  private readonly observed = new Map<Transaction, Observations>()
  private readonly chains = new Map<Key, Chain | undefined>()
  private readonly wrote = new Map<number, List>()
  private readonly universe: Universe

  constructor(history: History) {
    this.writers = new Writers(history)
    this.universe = new Universe(history)
    for (const transaction of history) {
      const observations = observe(transaction, this.universe)
      for (const [element, list] of observations.wrote) this.wrote.set(element, list)
      if (transaction.outcome === "aborted") continue
      this.observed.set(transaction, observations)
    }
    const happened = new Set(this.writers.happened)
    for (const transaction of this.observed.keys()) if (!happened.has(transaction)) this.observed.delete(transaction)
  }

  orderKeys(): void {
    const lists = new Map<Key, Array<List>>()
    const note = (key: Key, list: List) => {
      if (lists.has(key)) lists.get(key)!.push(list)
      else lists.set(key, [list])
    }
    for (const { reads, wrote } of this.observed.values()) {
      for (const { key, list } of reads) note(key, list)
      for (const [element, list] of wrote) note(this.writers.of(element)!.key, list)
    }
    for (const [key, written] of writtenBy(this.observed)) {
      const chain = chainOf(written, lists.get(key) ?? [], this.writers)
      this.chains.set(key, chain)
      if (chain === undefined) continue
      if (chain.disorder !== undefined) this.wrong("disorder", undefined, `${key}: ${chain.disorder}`)
      for (let place = 1; place < chain.versions.length; place++) this.orderWrites(key, chain, place)
    }
  }

  read(reader: Transaction): void {
    const { contradictions, counts, reads } = this.observed.get(reader)!
    for (const why of contradictions) this.wrong("internal", reader, why)
    for (const { isPhantom, key, list } of reads) {
      if (!this.isWhole(reader, key, list)) continue
      const chain = this.chains.get(key)
      const place = chain && placeOf(chain, list, { reader, writers: this.writers })
      if (chain === undefined || place === undefined) this.readUnordered(reader, key, list)
      else this.readAt(reader, key, { chain, place, isPhantom })
      if (chain?.isBySequence !== true || reader.snapshot === undefined || place === undefined) continue
      const due = placeAt(chain, reader.snapshot)
      if (due === place) continue
      const expected = nameOf(chain.versions[due]!.element)
      this.wrong("moment", reader, `${key} was ${shown(list)}, and ${expected} at commit ${reader.snapshot}`)
    }
    for (const { count, keys } of counts) this.count(reader, keys, count)
  }

  private orderWrites(key: Key, chain: Chain, place: number): void {
    const before = chain.versions[place]!
    for (const after of followers(chain, place)) {
      const why = `${key}: ${nameOf(before.element)}, then ${nameOf(after.element)}`
      this.edge({ kind: "ww", from: before.writer, to: after.writer, isPredicate: false, why })
    }
  }

  /** The nearest of those that had ended when each began: the others ended before one of these began. */
  orderTimes(): void {
    const happened = this.writers.happened
    const moments = happened.flatMap((transaction) => [
      { at: transaction.begin, transaction, isEnd: false },
      ...(transaction.end === undefined ? [] : [{ at: transaction.end, transaction, isEnd: true }])
    ])
    const nearest = new Set<Transaction>()
    const passed = new Map<Transaction, ReadonlyArray<Transaction>>()
    for (const { isEnd, transaction } of moments.sort((a, b) => a.at - b.at)) {
      if (isEnd) {
        for (const before of passed.get(transaction)!) nearest.delete(before)
        nearest.add(transaction)
        continue
      }
      passed.set(transaction, [...nearest])
      for (const before of nearest) {
        const kind = before.session === transaction.session ? "session" : "time"
        this.edge({ kind, from: before, to: transaction, isPredicate: false, why: "" })
      }
    }
  }

  /** Whether what was read is something that was there. */
  private isWhole(reader: Transaction, key: Key, list: List): boolean {
    const what = `${key} was ${shown(list)}`
    let isWhole = true
    for (const [index, element] of list.entries()) {
      const writer = this.writers.of(element)
      if (writer === undefined || writer.key !== key || list.indexOf(element) !== index) {
        this.wrong("foreign", reader, `${what}: nobody wrote ${element} there`)
        isWhole = false
      } else if (writer.transaction.outcome === "aborted") {
        this.wrong("G1a", reader, `${what}: ${element} is of T${writer.transaction.id}, which did not commit`)
        isWhole = false
      }
    }
    const last = list.at(-1)
    if (!isWhole || last === undefined) return isWhole
    const writer = this.writers.of(last)!
    if (!writer.isFinal && writer.transaction !== reader) {
      this.wrong("G1b", reader, `${what}: after ${last} T${writer.transaction.id} wrote the key again`)
    }
    const wrote = this.wrote.get(last)
    if (wrote === undefined || shown(wrote) === shown(list)) return true
    this.wrong("foreign", reader, `${what}: T${writer.transaction.id} wrote ${shown(wrote)}`)
    return true
  }

  private readUnordered(reader: Transaction, key: Key, list: List): void {
    const last = list.at(-1)
    if (last === undefined) return
    const from = this.writers.of(last)!.transaction
    this.edge({ kind: "wr", from, to: reader, isPredicate: false, why: `${key}: ${last}` })
  }

  private readAt(
    reader: Transaction,
    key: Key,
    { chain, isPhantom, place }: { readonly chain: Chain; readonly place: number; readonly isPhantom: boolean }
  ): void {
    const seen = chain.versions[place]!
    const why = `${key}: ${nameOf(seen.element)}`
    this.edge({ kind: "wr", from: seen.writer, to: reader, isPredicate: isPhantom, why })
    if (isOvertaken(reader, chain, place))
      this.wrong("overtaken", reader, `${why}, and something else before it committed`)
    for (const next of followers(chain, place)) {
      const whyNot = `${why}, and not yet ${nameOf(next.element)}`
      this.edge({ kind: "rw", from: reader, to: next.writer, isPredicate: isPhantom, why: whyNot })
    }
  }

  private count(reader: Transaction, keys: ReadonlyArray<Key>, count: number): void {
    const { snapshot } = reader
    const chains = keys.map((key) => [key, this.chains.get(key)] as const)
    if (snapshot === undefined || chains.some(([key, chain]) => this.isUnordered(key, chain))) return
    let there = 0
    for (const [key, chain] of chains) {
      // Nobody who happened wrote it.
      if (chain === undefined) continue
      const place = placeAt(chain, snapshot)
      const isThere = chain.versions[place]!.element !== undefined
      if (isThere) there += 1
      this.readAt(reader, key, { chain, place, isPhantom: !isThere })
    }
    if (there === count) return
    this.wrong("moment", reader, `${count} keys were counted where ${there} were at commit ${snapshot}`)
  }

  private isUnordered(key: Key, chain: Chain | undefined): boolean {
    return chain === undefined ? this.chains.has(key) : !chain.isBySequence
  }

  private wrong(kind: DirectKind, transaction: Transaction | undefined, why: string): void {
    this.direct.push({ kind, transaction, why })
  }

  private edge(edge: Omit<Edge, "from" | "to"> & { from: Transaction | undefined; to: Transaction | undefined }): void {
    const { from, to } = edge
    if (from === undefined || to === undefined || from === to) return
    this.edges.push({ ...edge, from, to })
  }
}
