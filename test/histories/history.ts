// What clients saw of a database: transactions of appends to lists, reads, ranges that were read, and removals.
//
// Every element is appended once in a whole history, so a list that was read names the transactions that made it, and
// their order. A key that is not there is the empty list; a removal makes every list of its span empty. What is read is
// never what was meant to be there, only what came back; times are places in the order of all events.

export type Key = string
export type List = ReadonlyArray<number>

/** From `from` to before `to`, by code units. */
export interface Span {
  readonly from: Key
  readonly to: Key
}

export type Operation =
  | { readonly type: "read"; readonly key: Key; readonly list: List }
  | { readonly type: "append"; readonly key: Key; readonly element: number }
  /** All that was in the span, and so also what was not. */
  | { readonly type: "scan"; readonly span: Span; readonly found: ReadonlyArray<readonly [key: Key, list: List]> }
  /** How many keys were in the span. Only histories that know moments and sequences can judge it. */
  | { readonly type: "count"; readonly span: Span; readonly count: number }
  | { readonly type: "remove"; readonly span: Span }

/** What was promised to a transaction. */
export type Level = "serializable" | "snapshot"

/** `unknown`: asked to commit and never told. It counts as committed if anybody saw what it wrote. */
export type Outcome = "committed" | "aborted" | "unknown"

export interface Transaction {
  readonly id: number
  /** Who ran it: one after the other. */
  readonly session: number
  readonly level: Level
  readonly outcome: Outcome
  readonly begin: number
  /** When it was known to have ended; `undefined` if it may still happen. */
  readonly end: number | undefined
  /** The commit up to which it says that it reads. */
  readonly snapshot?: number | undefined
  /** Where the database says it stands among the commits. */
  readonly sequence?: number | undefined
  readonly operations: ReadonlyArray<Operation>
}

export type History = ReadonlyArray<Transaction>

export const isIn = (span: Span, key: Key): boolean => span.from <= key && key < span.to

/** The span of one key. */
export const only = (key: Key): Span => ({ from: key, to: `${key}\0` })

/** The span of all keys that begin so; the prefix ends before the highest code unit of ASCII. */
export const prefixed = (prefix: string): Span => {
  const last = prefix.charCodeAt(prefix.length - 1)
  return { from: prefix, to: prefix.slice(0, -1) + String.fromCharCode(last + 1) }
}

export const isWriting = ({ operations }: Transaction): boolean =>
  operations.some(({ type }) => type === "append" || type === "remove")

/** What it read, as far as lists were told. */
export const listsOf = ({ operations }: Transaction): ReadonlyArray<List> =>
  operations.flatMap((operation) => {
    if (operation.type === "read") return [operation.list]
    return operation.type === "scan" ? operation.found.map(([, list]) => list) : []
  })
