// Measures Strata and its peers: `node bench/run.ts [--only regex] [--engines a,b] [--rounds n] [--quick] [--large]
// [--directory path] [--profile path] [--heap-profile path]`. Every figure comes from a fresh process in a fresh
// directory; engines alternate, so that a noisy minute hits all of them.
import { mkdirSync, statfsSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import type { Driver } from "./drivers/driver.ts"
import { cellsOf, type Engine, type Failure, type Figure, type Results, subject } from "./report/cells.ts"
import { growthOf } from "./report/growth.ts"
import { json, markdown, type Report } from "./report/markdown.ts"
import { judged } from "./report/targets.ts"
import { build, companions, inDirectory } from "./run/companions.ts"
import { machine } from "./run/machine.ts"
import { cleanOnInterrupt, cleanups, runGroup } from "./run/tasks.ts"
import { points } from "./workloads/curve.ts"
import { groups, scales } from "./workloads/index.ts"
import type { Group } from "./workloads/workload.ts"

const engineNames = ["strata", "lmdb", "classicLevel", "rocksdb", "betterSqlite3", "nodeSqlite", "map", "file"]
const tmpfs = 0x01021994

const { values: flags } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    engines: { type: "string", default: engineNames.join(",") },
    rounds: { type: "string", default: "3" },
    quick: { type: "boolean", default: false },
    large: { type: "boolean", default: false },
    directory: { type: "string", default: tmpdir() },
    profile: { type: "string" },
    "heap-profile": { type: "string" }
  }
})

const only = new RegExp(flags.only)
const rounds = Number.parseInt(flags.rounds, 10)
const isWhole = flags.only === "" && flags.engines === engineNames.join(",") && !flags.quick && rounds >= 3
const progress = (text: string): void => void process.stderr.write(`${text}\n`)

const wanted = groups
  .map((group) => ({ ...group, rows: group.rows.filter(({ id }) => only.test(id)) }))
  .filter(({ large, rows }) => rows.length > 0 && (large !== true || flags.large))

const failures: Array<Failure> = []
const figures: Array<Figure> = []
const allocations: Array<Figure> = []
const groupSeconds: Record<string, number> = {}
const companionVerdicts: Array<Report["companions"][number]> = []

const messageOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split("\n", 1)[0]!

const loadEngine = async (name: string): Promise<ReadonlyArray<Engine>> => {
  try {
    const { driver } = (await import(`./drivers/${name}.ts`)) as { driver: Driver }
    return [{ name, driver }]
  } catch (error) {
    failures.push({ engine: name, group: "all", message: messageOf(error) })
    return []
  }
}

const profiledFolders = [flags.profile, flags["heap-profile"]].filter((path) => path !== undefined)
for (const path of profiledFolders) mkdirSync(path, { recursive: true })
let profiles = 0
const profilesOf = (engine: string, group: string) => () => {
  profiles += 1
  const file = (folder: string | undefined, extension: string) =>
    folder === undefined ? undefined : join(folder, `${engine}-${group}-${profiles}.${extension}`)
  return {
    cpuProfile: file(flags.profile, "cpuprofile"),
    heapProfile: file(flags["heap-profile"], "heapprofile")
  }
}

/** Nothing where the packages of `bench/` are not installed. */
const chart = await import("./report/chart.ts").catch(() => undefined)
const engines = (await Promise.all(flags.engines.split(",").map(loadEngine))).flat()
const start = performance.now()
const seconds = (): number => (performance.now() - start) / 1000
const disk = statfsSync(flags.directory).type === tmpfs ? "in memory (tmpfs): durable rows mean nothing" : "on a disk"
const scale = flags.quick ? scales.quick : scales.full
const folder = join(import.meta.dirname, "results")
mkdirSync(folder, { recursive: true })

/** Everything measured so far, also written to files, so that an interrupted run leaves what it found. */
const reported = (isDone: boolean): Report => {
  // What is only a part must not take the place of the whole.
  const name = isWhole ? "latest" : "partial"
  const rows = wanted.flatMap((group) => group.rows)
  const results: Results = { engines, rows, scale, figures, allocations, failures }
  const cells = cellsOf(results)
  const durable = engines.filter(({ driver }) => driver.durable).map(({ name }) => name)
  const fillMode = engines.find(({ name }) => name === subject)?.driver.fillMode ?? ""
  const isRate = (id: string) => rows.some((row) => row.id === id && row.unit === "MB/s")
  const verdicts = judged({ cells, durable, fillMode, isRate }).filter(({ row }) => isWhole || only.test(row))
  const shown = points.filter(({ large }) => large !== true || flags.large)
  const report: Report = {
    results,
    cells,
    machine: machine(disk),
    verdicts,
    companions: companionVerdicts,
    growth: growthOf(cells, { points: shown, scale }),
    points: shown,
    rounds,
    seconds: seconds(),
    groupSeconds,
    charts: isDone && chart !== undefined ? name : undefined
  }
  writeFileSync(join(folder, `${name}.md`), markdown(report))
  writeFileSync(join(folder, `${name}.json`), json(report))
  if (isDone && chart !== undefined) {
    writeFileSync(join(folder, `${name}-targets.svg`), chart.targetsChart(verdicts))
    writeFileSync(join(folder, `${name}-curve.svg`), chart.curveChart(cells, { points: shown, scale }))
  }
  return report
}

const takesPart = ({ driver: { groups: own }, name }: Engine, { engines: of, name: group }: Group): boolean =>
  own === undefined ? of === undefined || of.includes(name) : own.includes(group)

const measure = async (group: Group, engine: string, round: number | "allocations"): Promise<void> => {
  const turn = round === "allocations" ? round : `round ${round}`
  const told = `${seconds().toFixed(0)} s, ${group.name}, ${turn}, ${engine}`
  try {
    const measures = await runGroup({
      group,
      engine,
      parent: flags.directory,
      quick: flags.quick,
      allocations: round === "allocations",
      profiles: profilesOf(engine, group.name)
    })
    for (const found of measures) (round === "allocations" ? allocations : figures).push({ ...found, engine })
    const shown = measures.map(({ bytesEach, loop, mode, row, value }) => {
      const what = round === "allocations" ? `${bytesEach?.toFixed(0) ?? "?"} B` : value.toFixed(2)
      return `${row} ${mode} ${loop} ${what}`
    })
    progress(`${told}: ${shown.join("; ")}`)
  } catch (error) {
    failures.push({ engine, group: `${group.name}, ${round}`, message: messageOf(error) })
    progress(`${told}: FAILED ${messageOf(error)}`)
  }
}

cleanOnInterrupt()
const chosen = engines.some(({ name }) => name === subject) ? companions.filter(({ id }) => only.test(id)) : []
if (chosen.length > 0 || wanted.some(({ built }) => built === true)) build()
for (const group of wanted) {
  const before = seconds()
  const taking = engines.filter((engine) => takesPart(engine, group))
  for (let round = 1; round <= Math.min(rounds, group.roundsMax ?? rounds); round++) {
    for (const { name } of taking) await measure(group, name, round)
  }
  // Not beside a profile, which would be of something else.
  if (profiledFolders.length === 0 && group.allocations === true && taking.some(({ name }) => name === subject)) {
    await measure(group, subject, "allocations")
  }
  groupSeconds[group.name] = Math.round(seconds() - before)
  reported(false)
}
for (const { id, run, title } of chosen) {
  progress(`${seconds().toFixed(0)} s, ${id}`)
  const before = seconds()
  try {
    const verdicts = await inDirectory(flags.directory, cleanups, (directory) => run(directory, flags.quick))
    companionVerdicts.push({ title, verdicts })
    groupSeconds[id] = Math.round(seconds() - before)
  } catch (error) {
    failures.push({ engine: subject, group: id, message: messageOf(error) })
  }
}

process.stdout.write(markdown(reported(true)))
progress(`${seconds().toFixed(0)} s in all: ${JSON.stringify(groupSeconds)}`)
if (failures.length > 0) process.exitCode = 1
