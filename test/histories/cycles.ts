// Cycles that no order of commits explains.
//
// A transaction has two points: where it reads and where it commits, the first before the second. One of level
// "serializable" has both at once. What the levels promise is an order of these points:
//
//   ww, wr, session, time   the one's commit comes before the other's reads
//   rw                      the one's reads come before the other's commit
//
// So a cycle of points is a broken promise, and every broken promise of these is a cycle. Of snapshot isolation, what
// is left is exactly two rw one after the other, through a transaction that read before and committed after: write
// skew. (ww between concurrent transactions of which the later is "serializable", or a plain write, is allowed: they
// check what they read.)
import type { Level, Transaction } from "./history.ts"
import type { Edge, Graph } from "./graph.ts"

interface Arc {
  readonly to: number
  /** `undefined` between the two points of a transaction. */
  readonly edge: Edge | undefined
}

type Arcs = ReadonlyArray<ReadonlyArray<Arc>>

export type Cycle = ReadonlyArray<Edge>

const pointsOf = (graph: Graph, levelOf: (transaction: Transaction) => Level): Arcs => {
  const places = new Map(graph.transactions.map((transaction, index) => [transaction, index * 2]))
  const arcs: Array<Array<Arc>> = Array.from({ length: places.size * 2 }, () => [])
  for (const [transaction, reads] of places) {
    const commits = reads + 1
    arcs[reads]!.push({ to: commits, edge: undefined })
    if (levelOf(transaction) === "serializable") arcs[commits]!.push({ to: reads, edge: undefined })
  }
  for (const edge of graph.edges) {
    const [from, to] = [places.get(edge.from)!, places.get(edge.to)!]
    if (edge.kind === "rw") arcs[from]!.push({ to: to + 1, edge })
    else arcs[from + 1]!.push({ to, edge })
  }
  return arcs
}

/** The strongly connected components with more than one transaction (Tarjan 1972, without recursion). */
const components = (arcs: Arcs): ReadonlyArray<ReadonlySet<number>> => {
  const index = new Int32Array(arcs.length).fill(-1)
  const low = new Int32Array(arcs.length)
  const onStack = new Uint8Array(arcs.length)
  const stack: Array<number> = []
  const found: Array<ReadonlySet<number>> = []
  let count = 0
  const enter = (point: number) => {
    index[point] = count
    low[point] = count
    count += 1
    stack.push(point)
    onStack[point] = 1
    return { point, next: 0 }
  }
  const leave = (point: number): void => {
    if (low[point] !== index[point]) return
    const members = new Set<number>()
    for (let member = -1; member !== point;) {
      member = stack.pop()!
      onStack[member] = 0
      members.add(member)
    }
    if (new Set([...members].map((member) => member >> 1)).size > 1) found.push(members)
  }
  for (let root = 0; root < arcs.length; root++) {
    if (index[root]! >= 0) continue
    const path = [enter(root)]
    while (path.length > 0) {
      const frame = path.at(-1)!
      const { point } = frame
      const arc = arcs[point]![frame.next++]
      if (arc === undefined) {
        leave(point)
        path.pop()
        const parent = path.at(-1)
        if (parent !== undefined) low[parent.point] = Math.min(low[parent.point]!, low[point]!)
      } else if (index[arc.to]! < 0) path.push(enter(arc.to))
      else if (onStack[arc.to] === 1) low[point] = Math.min(low[point]!, index[arc.to]!)
    }
  }
  return found
}

/** What a cycle may be made of. The kinds of edges, and how many rw: none, exactly one, no two in a row, or any. */
interface Pattern {
  readonly kinds: ReadonlySet<string>
  readonly rw: "none" | "one" | "apart" | "any"
}

const data = ["ww", "wr", "rw"]
const order = ["session", "time"]

/** What is looked for first says most: what the dependencies show without anybody's clock, and the fewest rw. */
const patterns: ReadonlyArray<Pattern> = (
  [
    [["ww"], "none"],
    [["ww", "wr"], "none"],
    [data, "one"],
    [data, "apart"],
    [["ww", ...order], "none"],
    [["ww", "wr", ...order], "none"],
    [[...data, ...order], "one"],
    [[...data, ...order], "apart"],
    [data, "any"],
    [[...data, ...order], "any"]
  ] as const
).map(([kinds, rw]) => ({ kinds: new Set<string>(kinds), rw }))

interface Step {
  readonly point: number
  /** Whether there was an rw (`one`), or the last edge is one (`apart`). */
  readonly rw: 0 | 1
  readonly before: Step | undefined
  readonly edge: Edge | undefined
}

/** What is remembered of the rw so far when this edge is taken; `undefined` if it must not be. */
const after = (pattern: Pattern, rw: 0 | 1, edge: Edge | undefined): 0 | 1 | undefined => {
  if (edge === undefined) return rw
  if (!pattern.kinds.has(edge.kind)) return undefined
  if (edge.kind === "rw") {
    if (pattern.rw === "none") return undefined
    if (pattern.rw === "any") return 0
    return rw === 1 ? undefined : 1
  }
  return pattern.rw === "one" ? rw : 0
}

/** The shortest cycle of the pattern through the point, within the component. */
const cycleThrough = (
  arcs: Arcs,
  start: number,
  { members, pattern }: { readonly members: ReadonlySet<number>; readonly pattern: Pattern }
): Cycle | undefined => {
  // No two in a row, round the end too: such a cycle can be begun so that its first edge is not rw.
  const first = pattern.rw === "apart" ? 1 : 0
  const steps: Array<Step> = [{ point: start, rw: first, before: undefined, edge: undefined }]
  const seen = new Set([start * 2 + first])
  for (const step of steps) {
    for (const { edge, to } of arcs[step.point]!) {
      const rw = members.has(to) ? after(pattern, step.rw, edge) : undefined
      if (rw === undefined) continue
      const next: Step = { point: to, rw, before: step, edge }
      if (to === start && (pattern.rw !== "one" || rw === 1)) {
        const cycle = edgesTo(next)
        if (cycle.length > 1) return cycle
      }
      const state = to * 2 + rw
      if (seen.has(state)) continue
      seen.add(state)
      steps.push(next)
    }
  }
  return undefined
}

const edgesTo = (last: Step): Cycle => {
  const edges: Array<Edge> = []
  for (let step: Step | undefined = last; step !== undefined; step = step.before) {
    if (step.edge !== undefined) edges.unshift(step.edge)
  }
  return edges
}

/** So many points of a component are tried: what is wrong with more than these is wrong with one of them. */
const startsMax = 400

const worstOf = (arcs: Arcs, members: ReadonlySet<number>): Cycle => {
  const starts = [...members].sort((a, b) => a - b).slice(0, startsMax)
  for (const pattern of patterns) {
    let best: Cycle | undefined = undefined
    for (const start of starts) {
      const cycle = cycleThrough(arcs, start, { members, pattern })
      if (cycle !== undefined && (best === undefined || cycle.length < best.length)) best = cycle
      if (best?.length === 2) break
    }
    if (best !== undefined) return best
  }
  throw new Error("a component without a cycle")
}

/** A cycle of each component, the one that says most. */
export const cyclesOf = (graph: Graph, levelOf: (transaction: Transaction) => Level): ReadonlyArray<Cycle> => {
  const arcs = pointsOf(graph, levelOf)
  return components(arcs).map((members) => worstOf(arcs, members))
}
