// Measures Strata and its peers: `node bench/run.ts [--only regex] [--engines a,b] [--rounds n] [--quick] [--large]
// [--directory path] [--profile path]`. Every figure comes from a fresh process in a fresh directory; engines
// alternate, so that a noisy minute hits all of them.
import { spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import type { Task } from "./child.ts"
import type { Driver } from "./drivers/driver.ts"
import { type Engine, type Failure, type Figure, report } from "./report.ts"
import { groups, scales } from "./workloads/index.ts"
import type { Group, Measure } from "./workloads/workload.ts"

const engineNames = ["strata", "lmdb", "classicLevel", "rocksdb", "betterSqlite3", "nodeSqlite", "map"]
const roundsDefault = "3"
const taskMillisMax = 300_000
const interruptedCode = 130
const tmpfs = 0x01021994

const { values: flags } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    engines: { type: "string", default: engineNames.join(",") },
    rounds: { type: "string", default: roundsDefault },
    quick: { type: "boolean", default: false },
    large: { type: "boolean", default: false },
    directory: { type: "string", default: tmpdir() },
    profile: { type: "string" }
  }
})

const only = new RegExp(flags.only)
const rounds = Number.parseInt(flags.rounds, 10)
const progress = (text: string): void => void process.stderr.write(`${text}\n`)

const wanted = groups
  .map((group) => ({ ...group, rows: group.rows.filter(({ id }) => only.test(id)) }))
  .filter(({ large, rows }) => rows.length > 0 && (large !== true || flags.large))

const failures: Array<Failure> = []
const figures: Array<Figure> = []

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

const lastLines = (text: string): string => {
  const error = /^\w*Error\b.*$/m.exec(text)
  return (error === null ? text.trim().slice(-300) : error[0]).slice(0, 300)
}

if (flags.profile !== undefined) mkdirSync(flags.profile, { recursive: true })
let profiles = 0
const nextProfile = (engine: string, group: string): string | undefined =>
  flags.profile === undefined ? undefined : join(flags.profile, `${engine}-${group}-${++profiles}.cpuprofile`)

/** Runs one phase in a process of its own and returns what it measured. */
const runTask = (task: Task, killed: boolean): Promise<ReadonlyArray<Measure>> =>
  new Promise((resolve, reject) => {
    const script = join(import.meta.dirname, "child.ts")
    const child = spawn(process.execPath, [script, JSON.stringify(task)], {
      // Measures come on the fourth: an engine may log to the others.
      stdio: ["ignore", "ignore", "pipe", "pipe"],
      timeout: taskMillisMax,
      killSignal: "SIGTERM"
    })
    const kill = (): void => void child.kill("SIGKILL")
    cleanups.add(kill)
    let out = ""
    let errors = ""
    const [, , standardError, measures] = child.stdio
    measures!.on("data", (chunk) => (out += chunk))
    standardError!.on("data", (chunk) => (errors += chunk))
    child.on("error", reject)
    child.on("close", (code, signal) => {
      cleanups.delete(kill)
      const done = code === 0 || (killed && signal === "SIGKILL")
      if (done && out !== "") resolve(JSON.parse(out) as ReadonlyArray<Measure>)
      else reject(new Error(signal === null ? lastLines(errors) : `ended by ${signal}: ${lastLines(errors)}`))
    })
  })

const cleanups = new Set<() => void>()
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    for (const clean of cleanups) clean()
    process.exit(interruptedCode)
  })
}

const runGroup = async (group: Group, engine: string): Promise<ReadonlyArray<Measure>> => {
  const directory = mkdtempSync(join(flags.directory, "strata-bench-"))
  const remove = (): void => rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
  cleanups.add(remove)
  try {
    const measures: Array<Measure> = []
    for (let phase = 0; phase < group.phases.length; phase++) {
      const rows = group.rows.map(({ id }) => id)
      const profile = nextProfile(engine, group.name)
      const task = { engine, group: group.name, phase, directory, rows, quick: flags.quick, profile }
      measures.push(...(await runTask(task, group.killed === true && phase === 0)))
    }
    return measures.filter(({ row }) => group.rows.some(({ id }) => id === row))
  } finally {
    cleanups.delete(remove)
    remove()
  }
}

const engines = (await Promise.all(flags.engines.split(",").map(loadEngine))).flat()
const start = performance.now()
const where = statfsSync(flags.directory).type === tmpfs ? "in memory (tmpfs): durable rows mean nothing" : "on a disk"
const scale = flags.quick ? scales.quick : scales.full
const rows = wanted.flatMap((group) => group.rows)
const folder = join(import.meta.dirname, "results")
mkdirSync(folder, { recursive: true })

/** Everything measured so far, also written to the file, so that an interrupted run leaves what it found. */
const reported = (): string => {
  const text = report({ engines, rows, scale, rounds, figures, failures }, where)
  writeFileSync(join(folder, "latest.md"), text)
  return text
}

for (const group of wanted) {
  for (let round = 1; round <= rounds; round++) {
    for (const { name } of engines) {
      const seconds = ((performance.now() - start) / 1000).toFixed(0)
      try {
        const measures = await runGroup(group, name)
        for (const measure of measures) figures.push({ ...measure, engine: name })
        const shown = measures.map(({ loop, mode, row, value }) => `${row} ${mode} ${loop} ${value.toFixed(2)}`)
        progress(`${seconds} s, ${group.name}, round ${round} of ${rounds}, ${name}: ${shown.join("; ")}`)
      } catch (error) {
        failures.push({ engine: name, group: `${group.name}, round ${round}`, message: messageOf(error) })
        progress(`${seconds} s, ${group.name}, round ${round} of ${rounds}, ${name}: FAILED ${messageOf(error)}`)
      }
    }
  }
  reported()
}

const text = reported()
process.stdout.write(text)
progress(`${((performance.now() - start) / 1000).toFixed(0)} s in all`)
if (failures.length > 0) process.exitCode = 1
