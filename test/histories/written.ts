// Histories as a few words a line, for tests of the checker.
//
//   r x 1 2      read x, which was [1 2]            a x 3     append 3 to x
//   s a z x:1,2  read from a to before z: only x    d a z     remove from a to before z
//   n a z 1      count from a to before z: one key
//
// Operations are divided by semicolons. Without more, all transactions are concurrent and each its own session.
import type { History, Key, List, Operation, Transaction } from "./history.ts"

const listOf = (text: string): List => (text === "" ? [] : text.split(",").map(Number))

const foundOf = (text: string): readonly [Key, List] => {
  const [key = "", list = ""] = text.split(":")
  return [key, listOf(list)]
}

const operationOf = (text: string): Operation => {
  const [word, key = "", to = "", ...rest] = text.trim().split(" ")
  const span = { from: key, to }
  switch (word) {
    case "r":
      return { type: "read", key, list: [to, ...rest].filter((element) => element !== "").map(Number) }
    case "a":
      return { type: "append", key, element: Number(to) }
    case "s":
      return { type: "scan", span, found: rest.map(foundOf) }
    case "n":
      return { type: "count", span, count: Number(rest[0]) }
    case "d":
      return { type: "remove", span }
    default:
      throw new Error(`"${text}" is no operation`)
  }
}

export type Line = string | ({ readonly does: string } & Partial<Omit<Transaction, "id" | "operations">>)

/** Transactions are numbered from 1. */
export const history = (lines: ReadonlyArray<Line>, all: Partial<Transaction> = {}): History =>
  lines.map((line, index) => {
    const { does, ...given } = typeof line === "string" ? { does: line } : line
    const operations = does.split(";").map(operationOf)
    const apart = { session: index + 1, begin: 0, end: 1000, level: "serializable", outcome: "committed" } as const
    return { id: index + 1, ...apart, ...all, ...given, operations }
  })
