// The report as Markdown: every target with what was reached, how costs grow, what is allocated, and then every figure
// with what it survives.
import type { Loops } from "../drivers/driver.ts"
import type { CompanionVerdict } from "../run/companions.ts"
import type { Machine } from "../run/machine.ts"
import { type Row, thousands } from "../workloads/workload.ts"
import { type Cell, fastest, ratioOf, type Results, subject } from "./cells.ts"
import type { Growth, Point } from "./growth.ts"
import type { Verdict } from "./targets.ts"

export interface Report {
  readonly results: Results
  readonly cells: ReadonlyArray<Cell>
  readonly machine: Machine
  readonly verdicts: ReadonlyArray<Verdict>
  readonly companions: ReadonlyArray<{ readonly title: string; readonly verdicts: ReadonlyArray<CompanionVerdict> }>
  readonly growth: ReadonlyArray<Growth>
  readonly points: ReadonlyArray<Point>
  readonly rounds: number
  readonly seconds: number
  readonly groupSeconds: Readonly<Record<string, number>>
  /** What the files of its charts begin with; nothing before they are drawn. */
  readonly charts: string | undefined
}

const mebibyte = 1024 * 1024

const number = (value: number): string => {
  if (value >= 100) return value.toFixed(0)
  return value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

const spread = ({ least, median, most }: Cell): string => `${number(median)} (${number(least)}–${number(most)})`

const table = (head: ReadonlyArray<string>, lines: ReadonlyArray<ReadonlyArray<string>>): string =>
  [head, head.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n")

const mib = (bytes: number | undefined): string => (bytes === undefined ? "" : (bytes / mebibyte).toFixed(0))

const metText = (met: boolean | undefined): string => (met === undefined ? "not measured" : met ? "yes" : "**no**")

const unitOf = ({ results }: Report, id: string): Row["unit"] => results.rows.find((row) => row.id === id)?.unit ?? "µs"

const targetTable = (report: Report): string => {
  const lines = report.verdicts.map(({ met, other, ratio, row, strata, wanted, what }) => {
    const unit = unitOf(report, row)
    const otherText = other === undefined ? "" : `${other.engine} (${other.loop}, ${other.mode}) ${spread(other)}`
    return [
      `${what} (\`${row}\`)`,
      strata === undefined ? "" : `${spread(strata)} ${unit}`,
      otherText,
      ratio === undefined ? "" : `${number(ratio)} ×`,
      wanted,
      metText(met)
    ]
  })
  const more = report.companions.flatMap(({ title, verdicts }) =>
    verdicts.map(({ found, reached, wanted, what }) => [`${title}: ${what}`, found, "", "", wanted, metText(reached)])
  )
  return table(["what", "Strata", "measured against", "ratio", "target", "met"], [...lines, ...more])
}

const growthTable = ({ growth, points, results }: Report): string => {
  const lines = growth.map(({ factor, logFactor, loop, mapFactor, medians, met, question }) => [
    `${question}, ${loop}`,
    ...medians.map((value) => (value === undefined ? "" : `${number(value)} µs`)),
    `${number(factor)} ×`,
    `${number(logFactor)} ×`,
    `${number(mapFactor)} ×`,
    metText(met)
  ])
  const counts = points.map(({ keys }) => `${thousands(keys(results.scale))} keys`)
  return table(["Strata", ...counts, "grows", "log n grows", "a `Map` grows", "no faster than both"], lines)
}

const summary = ({ cells, results }: Report): string => {
  const lines = results.rows.flatMap((row) => {
    const ofRow = cells.filter((cell) => cell.row === row.id)
    const isDurable = (name: string) => results.engines.some((one) => one.name === name && one.driver.durable)
    const peers = ofRow.filter(({ engine }) => isDurable(engine) && engine !== subject)
    return ofRow
      .filter(({ engine }) => engine === subject)
      .map((cell) => {
        const name = (peer: Cell | undefined) =>
          peer === undefined
            ? ["", ""]
            : [`${peer.engine} (${peer.loop}) ${spread(peer)}`, `${number(ratioOf(cell, peer, row.unit))} ×`]
        const sameWay = fastest(peers.filter(({ loop }) => loop === cell.loop))
        const bytes = cell.bytesEach === undefined ? "" : number(Math.max(0, cell.bytesEach))
        const strata = [`${cell.loop}, ${cell.mode}`, spread(cell), bytes, mib(cell.peakBytes)]
        return [row.title(results.scale), row.unit, ...strata, ...name(sameWay), ...name(fastest(peers))]
      })
  })
  const peers = ["fastest peer, same way", "ratio", "fastest peer, any way", "ratio"]
  return table(["workload", "unit", "Strata's way", "Strata", "allocates, B", "peak RSS, MiB", ...peers], lines)
}

const details = ({ cells, results }: Report, row: Row): string => {
  const ofRow = cells.filter((cell) => cell.row === row.id).toSorted((a, b) => a.median - b.median)
  if (ofRow.length === 0) return ""
  const lines = ofRow.map((cell) => {
    const { driver } = results.engines.find(({ name }) => name === cell.engine)!
    const all: Loops<{ kill: string; power: string }> = { ...driver.unsynced, ...driver.synced, ...driver.variants }
    const { kill, power } = all[cell.mode] ?? { kill: "", power: "" }
    const rounds = `${cell.values.length}`
    return [cell.engine, cell.loop, cell.mode, spread(cell), rounds, mib(cell.peakBytes), kill, power]
  })
  const head = ["engine", "way", "mode", row.unit, "times", "peak RSS, MiB", "after a kill", "after a power cut"]
  return [
    `### ${row.title(results.scale)} (\`${row.id}\`)`,
    `Includes ${row.includes}. Leaves out ${row.leavesOut}.`,
    table(head, lines)
  ].join("\n\n")
}

const machineText = ({ cores, disk, memoryGiB, processor, system, versions }: Machine): string =>
  [
    `${cores} × ${processor}, ${memoryGiB} GiB, ${system}, ${disk}.`,
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", ")
  ].join(" ")

const reachedText = ({ companions, verdicts }: Report): string => {
  const all = [...verdicts.map(({ met }) => met), ...companions.flatMap((of) => of.verdicts.map((one) => one.reached))]
  const [met, missed] = [all.filter((is) => is === true).length, all.filter((is) => is === false).length]
  return `${met} of ${met + missed} targets are met; ${all.length - met - missed} were not measured.`
}

const intro = (rounds: number): string =>
  `Medians of ${rounds} alternating rounds (least–most) where a row says nothing else, each in a fresh process. ` +
  "16-byte keys and 128-byte values unless said. Less is better, but for MB/s; a ratio above 1 says that Strata is " +
  "faster. Bytes that an operation allocates are those of the main thread, V8's heap and array buffers. Peak RSS " +
  "has the harness's own keys and values in it, those of filling too."

export const markdown = (report: Report): string => {
  const { charts, growth, machine, results, rounds, seconds } = report
  const failures = results.failures.map(({ engine, group, message }) => `- ${engine}, ${group}: ${message}`)
  return [
    "# Strata and its peers",
    `${machineText(machine)}\n\n${intro(rounds)} The run took ${(seconds / 60).toFixed(1)} minutes.`,
    ...(failures.length === 0 ? [] : [`## Failed\n\n${failures.join("\n")}`]),
    `## Targets\n\n${reachedText(report)}`,
    ...(charts === undefined ? [] : [`![how much of each target is reached](${charts}-targets.svg)`]),
    targetTable(report),
    ...(growth.length === 0 ? [] : ["## Growth", growthTable(report)]),
    ...(charts === undefined || growth.length === 0 ? [] : [`![random gets by number of keys](${charts}-curve.svg)`]),
    "## Strata's rows",
    summary(report),
    "## Every figure",
    ...results.rows.map((row) => details(report, row)).filter((text) => text !== ""),
    ""
  ].join("\n\n")
}

/** The same for programs, with the figure of every round. */
export const json = (report: Report): string => {
  const { cells, companions, groupSeconds, growth, machine, results, rounds, seconds, verdicts } = report
  const rows = results.rows.map((row) => ({
    id: row.id,
    title: row.title(results.scale),
    unit: row.unit,
    cells: cells.filter((cell) => cell.row === row.id).map(({ row: _, ...cell }) => cell)
  }))
  const targets = verdicts.map(({ met, other, ratio, row, strata, wanted, what }) => ({
    what,
    row,
    wanted,
    strata: strata?.median,
    other: other === undefined ? undefined : { engine: other.engine, loop: other.loop, median: other.median },
    ratio,
    met
  }))
  const { failures, scale } = results
  const all = { machine, rounds, seconds, groupSeconds, scale, targets, companions, growth, rows, failures }
  return `${JSON.stringify(all, undefined, 2)}\n`
}
