// What is wanted of Strata, row by row, and whether it was reached. A ratio is to a peer of the same run: above 1,
// Strata is faster. A target that names no engine means the fastest durable peer, by any of its ways.
import { type Cell, fastest, ratioOf, subject } from "./cells.ts"

type Wanted =
  /** So many times as fast as that engine, by the same loop unless another is named. */
  | { readonly than: string; readonly loop?: string; readonly ratioMin: number }
  /** So many times as fast as Strata itself in another mode of the same row. */
  | { readonly thanMode: string; readonly ratioMin: number }
  | { readonly most: number }
  | { readonly least: number }

export interface Target {
  readonly what: string
  readonly row: string
  readonly loop: string
  /** Without it, the mode in which Strata is filled. */
  readonly mode?: string
  readonly wanted: ReadonlyArray<Wanted>
}

/** The fastest durable peer, by any of its ways. */
const best = "best peer"
/** An append and a sync without a database. */
const floor = "file"

const getBig: ReadonlyArray<Wanted> = [
  { than: "lmdb", ratioMin: 1 },
  { than: "classicLevel", ratioMin: 2 }
]

export const targets: ReadonlyArray<Target> = [
  { what: "get, 100 k hot keys", row: "get-medium", loop: "owned", wanted: [{ than: "lmdb", ratioMin: 2 }] },
  { what: "getUnsafe, 100 k hot keys", row: "get-medium", loop: "view", wanted: [{ than: "lmdb", ratioMin: 1.5 }] },
  {
    what: "get of missing keys, 1 M keys",
    row: "missing-big",
    loop: "owned",
    wanted: [{ than: "classicLevel", ratioMin: 2 }]
  },
  { what: "get, 1 M keys", row: "get-big", loop: "owned", wanted: getBig },
  { what: "get, 1 GB, 64 MiB of cache", row: "get-gigabyte", loop: "owned", wanted: getBig },
  { what: "scan, chunks of owned entries", row: "scan", loop: "owned", wanted: [{ than: "lmdb", ratioMin: 6 }] },
  { what: "scan, cursor", row: "scan", loop: "view", wanted: [{ than: "lmdb", loop: "owned", ratioMin: 10 }] },
  {
    what: "set one at a time, ascending, buffered",
    row: "set",
    loop: "one by one",
    mode: "buffered",
    wanted: [{ most: 2.2 }, { than: "betterSqlite3", ratioMin: 4 }]
  },
  {
    what: "set one at a time, ascending, os",
    row: "set",
    loop: "one by one",
    wanted: [{ most: 4 }, { than: "betterSqlite3", ratioMin: 2 }]
  },
  {
    what: "set one at a time, random, buffered",
    row: "set-random-buffered",
    loop: "one by one",
    mode: "buffered",
    wanted: [{ than: "lmdb", ratioMin: 3 }]
  },
  {
    what: "set one at a time, random, os",
    row: "set-random-big",
    loop: "one by one",
    wanted: [{ than: "lmdb", ratioMin: 2 }]
  },
  { what: "batches, sequential", row: "batch-sequential", loop: "batch", wanted: [{ than: "lmdb", ratioMin: 1.5 }] },
  { what: "batches, random", row: "batch-random", loop: "batch", wanted: [{ than: "rocksdb", ratioMin: 1.5 }] },
  { what: "batches of 1,024 B", row: "batch-1k", loop: "batch", wanted: [{ than: "lmdb", ratioMin: 1 }] },
  { what: "count of a prefix", row: "count", loop: "count", wanted: [{ than: "lmdb", ratioMin: 1 }] },
  { what: "100-entry ranges", row: "ranges", loop: "owned", wanted: [{ than: "lmdb", ratioMin: 3 }] },
  {
    what: "transaction, 2 + 2",
    row: "transaction",
    loop: "one by one",
    wanted: [{ most: 9 }, { than: "lmdb", loop: "in flight", ratioMin: 3 }]
  },
  {
    what: "transactions in flight, 2 + 2",
    row: "transaction",
    loop: "in flight",
    wanted: [{ than: "lmdb", ratioMin: 3 }]
  },
  {
    what: "durable set, one writer",
    row: "durable-1",
    loop: "one by one",
    mode: "disk",
    wanted: [{ than: floor, ratioMin: 1 / 1.5 }]
  },
  {
    what: "durable sets, 64 writers",
    row: "durable-64",
    loop: "in flight",
    mode: "disk",
    wanted: [{ most: 8 }, { than: best, ratioMin: 3 }]
  },
  {
    what: "sustained random load, batches",
    row: "sustained-batch",
    loop: "batch",
    wanted: [{ than: "classicLevel", ratioMin: 1 }]
  },
  {
    what: "sustained random load, one at a time",
    row: "sustained-one",
    loop: "one by one",
    wanted: [{ than: "classicLevel", ratioMin: 1 }]
  },
  { what: "bytes written for each of the user's", row: "sustained-written", loop: "batch", wanted: [{ most: 10 }] },
  { what: "bytes on disk at rest for each live", row: "sustained-space", loop: "batch", wanted: [{ most: 1.2 }] },
  { what: "open 1 M keys, closed before", row: "open-clean", loop: "open", wanted: [{ most: 30 }] },
  { what: "open 1 M keys after a kill", row: "open-killed", loop: "open", wanted: [{ most: 300 }] },
  {
    what: "open 10,000 tables",
    row: "open-tables",
    loop: "open",
    mode: "os, small tables",
    wanted: [{ most: 5000 }]
  },
  { what: "replay of a log", row: "replay", loop: "open", mode: "os, large arenas", wanted: [{ least: 150 }] },
  {
    what: "hot get, encrypted",
    row: "sealed-get",
    loop: "owned",
    mode: "os, encrypted",
    wanted: [{ thanMode: "os", ratioMin: 0.9 }]
  },
  {
    what: "hot get, compressed",
    row: "sealed-get",
    loop: "owned",
    mode: "os, zstd",
    wanted: [{ thanMode: "os", ratioMin: 0.9 }]
  },
  {
    what: "batches, encrypted",
    row: "sealed-batch",
    loop: "batch",
    mode: "os, encrypted",
    wanted: [{ thanMode: "os", ratioMin: 0.6 }]
  },
  {
    what: "batches, compressed",
    row: "sealed-batch",
    loop: "batch",
    mode: "os, zstd",
    wanted: [{ thanMode: "os", ratioMin: 0.6 }]
  },
  {
    what: "import of the package",
    row: "import",
    loop: "import",
    mode: "effect-strata",
    wanted: [{ thanMode: "its Effect modules", ratioMin: 1 / 1.3 }]
  }
]

export interface Verdict {
  readonly what: string
  readonly row: string
  readonly wanted: string
  /** Nothing where Strata or the other was not measured: then `met` is not told either. */
  readonly strata: Cell | undefined
  readonly other: Cell | undefined
  readonly ratio: number | undefined
  /** What the ratio is to be at least, where the target is one. */
  readonly ratioMin: number | undefined
  readonly met: boolean | undefined
}

interface Known {
  readonly cells: ReadonlyArray<Cell>
  /** The peers whose ratio counts: those that keep what they are given. */
  readonly durable: ReadonlyArray<string>
  readonly fillMode: string
  /** Whether more of the row's unit is better. */
  readonly isRate: (row: string) => boolean
}

const two = (value: number): string => String(Math.round(value * 100) / 100)

const textOf = (wanted: Wanted): string => {
  if ("most" in wanted) return `≤ ${two(wanted.most)}`
  if ("least" in wanted) return `≥ ${two(wanted.least)}`
  const than = "than" in wanted ? wanted.than : wanted.thanMode
  return wanted.ratioMin < 1 && than !== "os"
    ? `≤ ${two(1 / wanted.ratioMin)} × the time of ${than}`
    : `≥ ${two(wanted.ratioMin)} × ${"thanMode" in wanted ? "plain" : than}`
}

const otherOf = (target: Target, wanted: Wanted, { cells, durable }: Known): Cell | undefined => {
  const ofRow = cells.filter(({ row }) => row === target.row)
  if ("thanMode" in wanted) {
    return ofRow.find(
      ({ engine, loop, mode }) => engine === subject && loop === target.loop && mode === wanted.thanMode
    )
  }
  if (!("than" in wanted)) return undefined
  if (wanted.than === best) return fastest(ofRow.filter(({ engine }) => durable.includes(engine) && engine !== subject))
  const loop = wanted.loop ?? target.loop
  return fastest(ofRow.filter((cell) => cell.engine === wanted.than && cell.loop === loop))
}

const judgedOne = (target: Target, wanted: Wanted, known: Known): Verdict => {
  const mode = target.mode ?? known.fillMode
  const strata = known.cells.find(
    (cell) => cell.engine === subject && cell.row === target.row && cell.loop === target.loop && cell.mode === mode
  )
  const other = strata === undefined ? undefined : otherOf(target, wanted, known)
  const unit = known.isRate(target.row) ? "MB/s" : "µs"
  const ratio = strata === undefined || other === undefined ? undefined : ratioOf(strata, other, unit)
  const ratioMin = "ratioMin" in wanted ? wanted.ratioMin : undefined
  const told = { what: target.what, row: target.row, wanted: textOf(wanted), strata, other, ratio, ratioMin }
  if (strata === undefined) return { ...told, met: undefined }
  if ("most" in wanted) return { ...told, met: strata.median <= wanted.most }
  if ("least" in wanted) return { ...told, met: strata.median >= wanted.least }
  return { ...told, met: ratio === undefined ? undefined : ratio >= wanted.ratioMin }
}

export const judged = (known: Known, all: ReadonlyArray<Target> = targets): ReadonlyArray<Verdict> =>
  all.flatMap((target) => target.wanted.map((wanted) => judgedOne(target, wanted, known)))
