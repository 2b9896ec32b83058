// Whether a history keeps what was promised to its transactions, and if not, why: the anomalies of Adya (1999) and
// Cerone and Gotsman (2018), with the cycle that shows each.
//
//   G0             a cycle of ww: writes of two are interleaved
//   G1a, G1b       read what did not commit, or was not final (see graph.ts, also for those without a name)
//   G1c            a cycle of ww and wr: information flows in a circle
//   G-single       a cycle with one rw: read skew, a lost update
//   G-nonadjacent  a cycle with several rw, none after another
//   G2-item        a cycle with two rw in a row, all of keys that were there or asked for by name: write skew
//   G2             the same with an rw of a range: a phantom
//
// A cycle that also needs who came after whom in a session, or in time, has that in its name.
import { type Cycle, cyclesOf } from "./cycles.ts"
import { type Direct, type DirectKind, type EdgeKind, graphOf } from "./graph.ts"
import type { History, Level, Operation, Transaction } from "./history.ts"
import { shown } from "./observations.ts"

type CycleKind = "G0" | "G1c" | "G-single" | "G-nonadjacent" | "G2-item" | "G2"

export type Kind = DirectKind | CycleKind | `${CycleKind}-session` | `${CycleKind}-time`

export interface Anomaly {
  readonly kind: Kind
  readonly cycle: Cycle
  /** To be read by people. */
  readonly explanation: string
}

const cycleKind = (cycle: Cycle): CycleKind => {
  const rw = cycle.filter(({ kind }) => kind === "rw")
  if (rw.length === 0) return cycle.some(({ kind }) => kind === "wr") ? "G1c" : "G0"
  if (rw.length === 1) return "G-single"
  const isAdjacent = cycle.some(({ kind }, index) => kind === "rw" && cycle[(index + 1) % cycle.length]!.kind === "rw")
  if (!isAdjacent) return "G-nonadjacent"
  return rw.some(({ isPredicate }) => isPredicate) ? "G2" : "G2-item"
}

export const kindOf = (cycle: Cycle): Kind => {
  const has = (kind: EdgeKind) => cycle.some((edge) => edge.kind === kind)
  const kind = cycleKind(cycle)
  return has("time") ? `${kind}-time` : has("session") ? `${kind}-session` : kind
}

const shownOperation = (operation: Operation): string => {
  switch (operation.type) {
    case "read":
      return `read ${operation.key} ${shown(operation.list)}`
    case "append":
      return `append ${operation.key} ${operation.element}`
    case "scan": {
      const found = operation.found.map(([key, list]) => `${key} ${shown(list)}`).join(", ")
      return `scan ${operation.span.from}…${operation.span.to} {${found}}`
    }
    case "count":
      return `count ${operation.span.from}…${operation.span.to} ${operation.count}`
    case "remove":
      return `remove ${JSON.stringify(operation.span.from)}…${JSON.stringify(operation.span.to)}`
  }
}

const shownTransaction = ({ id, level, operations, outcome, sequence, session, snapshot }: Transaction): string => {
  const place = `${snapshot === undefined ? "" : `, at ${snapshot}`}${sequence === undefined ? "" : `, as ${sequence}`}`
  return `  T${id} (session ${session}, ${level}, ${outcome}${place}): ${operations.map(shownOperation).join("; ")}`
}

const explainCycle = (cycle: Cycle): string => {
  const edges = cycle.map(({ from, isPredicate, kind, to, why }) => {
    const label = isPredicate ? `${kind} by a range` : kind
    return `  T${from.id} -${label}-> T${to.id}${why === "" ? "" : `  ${why}`}`
  })
  const transactions = cycle.map(({ from }) => shownTransaction(from))
  return [
    `${kindOf(cycle)}: no order of these ${cycle.length} transactions explains them`,
    ...transactions,
    ...edges
  ].join("\n")
}

const explainDirect = ({ kind, transaction, why }: Direct): string =>
  [`${kind}: ${why}`, ...(transaction === undefined ? [] : [shownTransaction(transaction)])].join("\n")

/**
 * What breaks the promises of the transactions' levels, the simplest first. With `as`, of that level for all of them:
 * what it finds beyond is what the weaker level allowed.
 */
export const check = (history: History, as?: Level): ReadonlyArray<Anomaly> => {
  const graph = graphOf(history)
  const direct = graph.direct.map((one) => ({ kind: one.kind, cycle: [], explanation: explainDirect(one) }))
  const cycles = cyclesOf(graph, ({ level }) => as ?? level).map((cycle) => ({
    kind: kindOf(cycle),
    cycle,
    explanation: explainCycle(cycle)
  }))
  return [...direct, ...cycles]
}
