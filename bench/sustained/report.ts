// The report of `bench/sustained.ts`: each figure beside what is wanted of it, and what it is made of.
import { cpus, totalmem } from "node:os"
import type { ControlResult, LoadResult, Settings, Spread } from "./settings.ts"

const mebibyte = 1024 * 1024

const ms = (millis: number): string => {
  const digits = millis >= 10 || millis === 0 ? 0 : millis >= 0.1 ? 2 : 4
  return `${millis.toFixed(digits)} ms`
}
const mib = (bytes: number): string => `${(bytes / mebibyte).toFixed(1)} MiB`
const spread = ({ max, p50, p99, p999 }: Spread): string =>
  `p50 ${ms(p50)}, p99 ${ms(p99)}, p99.9 ${ms(p999)}, longest ${ms(max)}`

const writtenText = ({ userBytes, writtenBytes }: LoadResult): string =>
  writtenBytes === undefined ? "" : ` (as Linux counts: ${(writtenBytes / userBytes).toFixed(1)})`

export interface Wanted {
  readonly what: string
  readonly wanted: string
  readonly found: string
  readonly reached: boolean
}

export const wantedOf = (control: ControlResult, load: LoadResult): ReadonlyArray<Wanted> => {
  const space = load.diskBytes / load.liveBytes
  const written = load.appendedBytes / load.userBytes
  const over = load.levels.filter(({ bytes, targetBytes }) => targetBytes !== undefined && bytes > targetBytes * 1.1)
  const delayMax = control.delay.p999 + 5
  const rss = Math.max(...load.rssMiB)
  const rssMax = load.budgetMiB + 160
  return [
    { what: "space at rest", wanted: "≤ 1.2 × live", found: `${space.toFixed(2)} ×`, reached: space <= 1.2 },
    {
      what: "bytes appended for each of the user's",
      wanted: "≤ 10",
      found: `${written.toFixed(1)}${writtenText(load)}`,
      reached: written <= 10
    },
    { what: "levels over their targets by a tenth", wanted: "0", found: `${over.length}`, reached: over.length === 0 },
    {
      what: "everything removed, then idle",
      wanted: "< 1 MiB",
      found: mib(load.emptyBytes),
      reached: load.emptyBytes < mebibyte
    },
    {
      what: "longest task on the main thread, p99.9",
      wanted: "≤ 5 ms",
      found: `${ms(load.tasks.p999)} (longest of all ${ms(load.tasks.max)})`,
      reached: load.tasks.p999 <= 5
    },
    {
      what: "event-loop delay, p99.9",
      wanted: `≤ ${ms(delayMax)} (control + 5 ms)`,
      found: ms(load.delay.p999),
      reached: load.delay.p999 <= delayMax
    },
    {
      what: "get, p99",
      wanted: `≤ ${ms(3 * load.getsIdle.p99)} (3 × idle)`,
      found: ms(load.getsLoaded.p99),
      reached: load.getsLoaded.p99 <= 3 * load.getsIdle.p99
    },
    {
      what: "RSS",
      wanted: `≤ ${rssMax.toFixed(0)} MiB`,
      found: `${rss.toFixed(0)} MiB, ${load.youngMiB.toFixed(0)} of it V8's young generation`,
      reached: rss <= rssMax
    }
  ]
}

const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n")

const levelsOf = ({ levels }: LoadResult): string =>
  table(
    ["level", "tables", "bytes", "target"],
    levels.map(({ bytes, level, tables, targetBytes }) => [
      String(level),
      String(tables),
      mib(bytes),
      targetBytes === undefined ? "" : mib(targetBytes)
    ])
  )

const details = ({ sets }: Settings, control: ControlResult, load: LoadResult): ReadonlyArray<string> => {
  const { slowed, slowedMillis, ...stopped } = load.stalls
  const microsEach = ((load.loadSeconds * 1e6) / sets).toFixed(1)
  return [
    `live ${mib(load.liveBytes)}, on disk ${mib(load.diskBytes)}, state ${load.state}`,
    `load ${load.loadSeconds.toFixed(0)} s (${microsEach} µs a set), at rest after ${load.restSeconds.toFixed(0)} s`,
    `writers stopped ${stopped.count} times, ${ms(stopped.millis)}; slowed ${slowed} times, ${ms(slowedMillis)}`,
    `event-loop delay: ${spread(load.delay)}; control: ${spread(control.delay)}`,
    `tasks of Strata on the main thread, ${load.tasks.count}: ${spread(load.tasks)}`,
    `the longest of each tenth of a second: ${spread(load.windows)}`,
    `the longest of all: ${load.longest.map(({ kind, millis }) => `${kind} ${ms(millis)}`).join(", ")}`,
    `sets: ${spread(load.sets)}`,
    `gets during the load: ${spread(load.getsLoaded)}`,
    `gets at rest: ${spread(load.getsIdle)}`,
    `RSS in MiB over time: ${load.rssMiB.join(" ")}`
  ]
}

export const report = (settings: Settings, control: ControlResult, load: LoadResult): string => {
  const { keys, sets } = settings
  const processor = `${cpus().length} × ${cpus()[0]!.model}`
  const machine = `${processor}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`
  const figures = wantedOf(control, load).map(({ found, reached, wanted, what }) => [
    what,
    wanted,
    found,
    reached ? "" : "not reached"
  ])
  return [
    `# ${sets.toLocaleString("en")} random sets over ${keys.toLocaleString("en")} keys`,
    `${machine}. 16-byte keys, 128-byte values, durability "os", default options; one writer, two readers.`,
    table(["figure", "wanted", "found", ""], figures),
    levelsOf(load),
    details(settings, control, load)
      .map((line) => `- ${line}`)
      .join("\n"),
    ""
  ].join("\n\n")
}
