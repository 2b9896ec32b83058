// What does encryption cost? `node bench/encryption.ts [--pairs n] [--quick] [--only regex] [--directory path]
// [--profile path]`. Every figure is of two fresh processes, one with and one without, in turns, and the ratio is of
// what both have measured in the same pair: median, least and most. Nothing is compressed in either, so that this is
// the cost of sealing alone. Prints each ratio beside what is wanted of it; one that is not reached makes the exit code
// 1.
//
//   batches   writes of 1,000 entries of 100 bytes, durability "os": until they are acknowledged
//   jobs      processor time of a flush and a full compaction, all threads, for each entry written
//   open      of a database at rest, until it answers
//   cold      gets at random with no cache: each reads, opens and searches a block that the system has in memory
//   hot       gets at random of 100,000 keys that are in the cache
//
// What is looped has two figures: the time until it is done, of which the lower quartile counts, for other processes of
// the machine are in the rest; and the processor time of the thread, for each, with its share of the garbage
// collection.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { cpus, tmpdir, totalmem } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { answerOf } from "./answer.ts"
import type { Figures, Settings } from "./encryption/settings.ts"

const { values: flags } = parseArgs({
  options: {
    pairs: { type: "string", default: "5" },
    quick: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    directory: { type: "string", default: tmpdir() },
    profile: { type: "string" }
  }
})

/** A ratio is plain / sealed: 1 if sealing costs nothing, 0.5 if it takes twice as long. */
const wanted: Readonly<Record<string, { readonly title: string; readonly unit: string; readonly ratioMin?: number }>> =
  {
    batches: { title: "batches of 1,000 × 100 B, os", unit: "µs", ratioMin: 0.6 },
    "batches, thread": { title: "– its thread", unit: "µs", ratioMin: 0.6 },
    jobs: { title: "flush and compaction, CPU an entry", unit: "µs" },
    open: { title: "open", unit: "ms" },
    cold: { title: "get, nothing cached", unit: "µs" },
    "cold, thread": { title: "– its thread", unit: "µs" },
    hot: { title: "get, 100,000 keys, hot", unit: "µs", ratioMin: 0.9 },
    "hot, thread": { title: "– its thread", unit: "µs", ratioMin: 0.9 }
  }

const only = new RegExp(flags.only)
const rows = Object.keys(wanted).filter((row) => only.test(row))
if (flags.profile !== undefined) mkdirSync(flags.profile, { recursive: true })

const measure = (sealed: boolean, pair: number): Promise<Figures> => {
  const directory = mkdtempSync(join(flags.directory, "strata-sealed-"))
  const settings: Settings = { directory, sealed, quick: flags.quick, rows }
  const name = `${sealed ? "sealed" : "plain"}-${pair}.cpuprofile`
  const profiling = flags.profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${flags.profile}`]
  const named = flags.profile === undefined ? [] : [`--cpu-prof-name=${name}`]
  const script = join(import.meta.dirname, "encryption", "child.ts")
  return answerOf<Figures>(script, settings, [...profiling, ...named]).finally(() =>
    rmSync(directory, { recursive: true, force: true })
  )
}

const pairs: Array<{ readonly plain: Figures; readonly sealed: Figures }> = []
for (let pair = 1; pair <= Number(flags.pairs); pair++) {
  // Who is first alternates, too.
  const first = await measure(pair % 2 === 0, pair)
  const second = await measure(pair % 2 === 1, pair)
  pairs.push(pair % 2 === 0 ? { sealed: first, plain: second } : { plain: first, sealed: second })
  const { plain, sealed } = pairs.at(-1)!
  const shown = rows.map((row) => `${row}: ${plain[row]!.toFixed(2)} / ${sealed[row]!.toFixed(2)}`)
  process.stderr.write(`pair ${pair}: ${shown.join(", ")}\n`)
}

const sorted = (values: ReadonlyArray<number>) => [...values].sort((a, b) => a - b)
const median = (values: ReadonlyArray<number>): number => {
  const [all, half] = [sorted(values), Math.floor(values.length / 2)]
  return values.length % 2 === 1 ? all[half]! : (all[half - 1]! + all[half]!) / 2
}

let reached = true
const lines = rows.map((row) => {
  const { ratioMin, title, unit } = wanted[row]!
  const ratios = sorted(pairs.map(({ plain, sealed }) => plain[row]! / sealed[row]!))
  const ratio = median(ratios)
  if (ratioMin !== undefined && ratio < ratioMin) reached = false
  return [
    title,
    `${median(pairs.map(({ plain }) => plain[row]!)).toFixed(2)} ${unit}`,
    `${median(pairs.map(({ sealed }) => sealed[row]!)).toFixed(2)} ${unit}`,
    `**${ratio.toFixed(2)}** (${ratios[0]!.toFixed(2)}–${ratios.at(-1)!.toFixed(2)})`,
    ratioMin === undefined ? "" : `≥ ${ratioMin}${ratio < ratioMin ? ", not reached" : ""}`
  ]
})
const table = [
  ["", "plain", "encrypted", "plain / encrypted", "wanted"],
  ["---", "---:", "---:", "---:", "---"],
  ...lines
]
process.stdout.write(
  [
    `# What encryption costs`,
    `${cpus().length} × ${cpus()[0]!.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}; ` +
      `medians of ${flags.pairs} pairs of processes.`,
    table.map((cells) => `| ${cells.join(" | ")} |`).join("\n"),
    ""
  ].join("\n\n")
)
if (!reached) process.exitCode = 1
