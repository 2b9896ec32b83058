// The versions of each key in their order, and which of them a read saw.
//
// The order is that of the sequences, where all who wrote the key have one. Otherwise it is read off the lists, as long
// as nobody removed the key: each must begin the longest one. Where neither is possible the order stays unknown, and
// only who read from whom is used. A removal of what is not there makes no version.
//
// An empty list says not by whom it is empty: if that is more than one, it is the one of the reader's moment.
import type { Key, List, Transaction } from "./history.ts"
import { type Final, type Observations, shown } from "./observations.ts"
import type { Writers } from "./writers.ts"

export interface Version {
  /** `undefined`: as it was before the history. */
  readonly writer: Transaction | undefined
  /** The last of the list; `undefined` if it is empty. */
  readonly element: number | undefined
}

export interface Chain {
  /** The first is the empty list before the history. */
  readonly versions: ReadonlyArray<Version>
  /** What comes after the last, in an order that nobody saw. */
  readonly unread: ReadonlyArray<Version>
  readonly isBySequence: boolean
  /** Why the lists have no order. */
  readonly disorder: string | undefined
}

interface Written extends Final {
  readonly transaction: Transaction
}

const initial: Version = { writer: undefined, element: undefined }

/** What each transaction left behind, by key. */
export const writtenBy = (
  observed: ReadonlyMap<Transaction, Observations>
): ReadonlyMap<Key, ReadonlyArray<Written>> => {
  const all = new Map<Key, Array<Written>>()
  for (const [transaction, { finals }] of observed) {
    for (const [key, final] of finals) {
      const written = all.get(key) ?? []
      all.set(key, written)
      written.push({ ...final, transaction })
    }
  }
  return all
}

const bySequence = (written: ReadonlyArray<Written>): Chain => {
  const versions: Array<Version> = [initial]
  const inOrder = written.toSorted((a, b) => a.transaction.sequence! - b.transaction.sequence!)
  for (const { element, transaction } of inOrder) {
    if (element === undefined && versions.at(-1)!.element === undefined) continue
    versions.push({ writer: transaction, element })
  }
  return { versions, unread: [], isBySequence: true, disorder: undefined }
}

const byLists = (written: ReadonlyArray<Written>, lists: ReadonlyArray<List>, writers: Writers): Chain => {
  const longest = lists.reduce((a, b) => (b.length > a.length ? b : a), [])
  const other = lists.find((list) => list.some((element, index) => element !== longest[index]))
  const disorder = other && `${shown(other)} does not begin ${shown(longest)}`
  const versions: Array<Version> = [initial]
  for (const element of longest) {
    const writer = writers.of(element)
    // What a transaction appended before is a version that nobody else must see.
    const isVersion = writer?.isFinal === true && writer.transaction.outcome !== "aborted"
    if (isVersion) versions.push({ writer: writer.transaction, element })
  }
  // What nobody read is not in the longest list, and so comes after it.
  const unread = written
    .filter(({ element }) => element !== undefined && !longest.includes(element))
    .map(({ element, transaction }) => ({ writer: transaction, element }))
  return { versions, unread, isBySequence: false, disorder }
}

/** `lists`: all that was ever read of the key, or known to be written. */
export const chainOf = (
  written: ReadonlyArray<Written>,
  lists: ReadonlyArray<List>,
  writers: Writers
): Chain | undefined => {
  if (written.every(({ transaction }) => transaction.sequence !== undefined)) return bySequence(written)
  if (written.some(({ isRemoved }) => isRemoved)) return undefined
  return byLists(written, lists, writers)
}

/** The place of the version that was there after the commit of the sequence. */
export const placeAt = ({ versions }: Chain, sequence: number): number =>
  versions.findLastIndex(({ writer }) => writer === undefined || writer.sequence! <= sequence)

/** The place of what was read, if the chain has it and it can be told from others. */
export const placeOf = (
  chain: Chain,
  list: List,
  { reader, writers }: { readonly reader: Transaction; readonly writers: Writers }
): number | undefined => {
  const { isBySequence, versions } = chain
  const last = list.at(-1)
  if (last !== undefined) {
    const by = writers.of(last)?.transaction
    const place = versions.findIndex(({ element, writer }) => element === last || (by !== undefined && writer === by))
    return place < 0 ? undefined : place
  }
  const empty = versions.flatMap(({ element }, place) => (element === undefined ? [place] : []))
  if (empty.length === 1) return empty[0]
  const { snapshot } = reader
  if (!isBySequence || snapshot === undefined) return undefined
  return empty.findLast((place) => place === 0 || versions[place]!.writer!.sequence! <= snapshot)
}
