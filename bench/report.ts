// Turns measures into the Markdown tables: a summary with the ratio of Strata to its peers, and every figure with what
// it survives.
import { cpus, totalmem } from "node:os"
import type { Driver, Loops } from "./drivers/driver.ts"
import type { Measure, Row, Scale } from "./workloads/workload.ts"

export interface Engine {
  readonly name: string
  readonly driver: Driver
}

export interface Figure extends Measure {
  readonly engine: string
}

export interface Failure {
  readonly engine: string
  readonly group: string
  readonly message: string
}

export interface Results {
  readonly engines: ReadonlyArray<Engine>
  readonly rows: ReadonlyArray<Row>
  readonly scale: Scale
  readonly rounds: number
  readonly figures: ReadonlyArray<Figure>
  readonly failures: ReadonlyArray<Failure>
}

interface Cell {
  readonly engine: Engine
  readonly row: string
  readonly mode: string
  readonly loop: string
  readonly median: number
  readonly least: number
  readonly most: number
}

export const subject = "strata"

const median = (sorted: ReadonlyArray<number>): number => {
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

const number = (value: number): string => {
  if (value >= 100) return value.toFixed(0)
  return value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

const spread = ({ least, median, most }: Cell): string => `${number(median)} (${number(least)}–${number(most)})`

const table = (head: ReadonlyArray<string>, lines: ReadonlyArray<ReadonlyArray<string>>): string =>
  [head, head.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n")

const cellsOf = ({ engines, figures }: Results): ReadonlyArray<Cell> => {
  const grouped = Map.groupBy(figures, ({ engine, loop, mode, row }) => [engine, row, mode, loop].join("\0"))
  return Array.from(grouped.values(), (same) => {
    const { engine, loop, mode, row } = same[0]!
    const sorted = same.map(({ value }) => value).sort((a, b) => a - b)
    const cell = { row, mode, loop, median: median(sorted), least: sorted[0]!, most: sorted.at(-1)! }
    return { ...cell, engine: engines.find(({ name }) => name === engine)! }
  })
}

const fastest = (cells: ReadonlyArray<Cell>): Cell | undefined =>
  cells.reduce<Cell | undefined>(
    (best, cell) => (best === undefined || cell.median < best.median ? cell : best),
    undefined
  )

const survivalOf = ({ engine: { driver }, mode }: Cell) => {
  const all: Loops<{ kill: string; power: string }> = { ...driver.unsynced, ...driver.synced }
  return all[mode]!
}

const ratio = (cell: Cell, peer: Cell | undefined): string =>
  peer === undefined ? "" : `${number(peer.median / cell.median)} ×`

const peerName = (peer: Cell | undefined): string =>
  peer === undefined ? "" : `${peer.engine.name} (${peer.loop}) ${spread(peer)}`

const summary = (results: Results, cells: ReadonlyArray<Cell>): string => {
  const lines = results.rows.flatMap((row) => {
    const ofRow = cells.filter((cell) => cell.row === row.id)
    const peers = ofRow.filter(({ engine }) => engine.driver.durable && engine.name !== subject)
    return ofRow
      .filter(({ engine }) => engine.name === subject)
      .map((cell) => {
        const sameWay = fastest(peers.filter(({ loop }) => loop === cell.loop))
        const anyWay = fastest(peers)
        const way = `${cell.loop}${cell.mode === cell.engine.driver.fillMode ? "" : `, ${cell.mode}`}`
        const figures = [spread(cell), peerName(sameWay), ratio(cell, sameWay), peerName(anyWay), ratio(cell, anyWay)]
        return [row.title(results.scale), row.unit, way, ...figures]
      })
  })
  const peers = ["fastest peer, same way", "ratio", "fastest peer, any way", "ratio"]
  return table(["workload", "unit", "Strata's way", "Strata", ...peers], lines)
}

const details = (results: Results, row: Row, cells: ReadonlyArray<Cell>): string => {
  const ofRow = cells.filter((cell) => cell.row === row.id).sort((a, b) => a.median - b.median)
  if (ofRow.length === 0) return ""
  const lines = ofRow.map((cell) => {
    const { kill, power } = survivalOf(cell)
    return [cell.engine.name, cell.loop, cell.mode, spread(cell), kill, power]
  })
  return [
    `### ${row.title(results.scale)} (\`${row.id}\`)`,
    `Includes ${row.includes}. Leaves out ${row.leavesOut}.`,
    table(["engine", "way", "mode", row.unit, "after a kill", "after a power cut"], lines)
  ].join("\n\n")
}

/** The whole report. `where` names the disk. */
export const report = (results: Results, where: string): string => {
  const cells = cellsOf(results)
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`
  const machine = `${cpus().length} × ${cpus()[0]!.model}, ${memory}, Node ${process.version}`
  const failures = results.failures.map(({ engine, group, message }) => `- ${engine}, ${group}: ${message}`)
  return [
    "# Strata and its peers",
    `${machine}, ${where}. Medians of ${results.rounds} alternating rounds (least–most), each in a fresh process. ` +
      "16-byte keys and 128-byte values unless said. Lower is better; a ratio above 1 says that Strata is faster.",
    summary(results, cells),
    ...(failures.length === 0 ? [] : [`## Failed\n\n${failures.join("\n")}`]),
    "## Every figure",
    ...results.rows.map((row) => details(results, row, cells)).filter((text) => text !== ""),
    ""
  ].join("\n\n")
}
