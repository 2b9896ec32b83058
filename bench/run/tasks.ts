// Runs phases of groups in processes of their own, and takes their directories and themselves away on an interrupt.
import { spawn } from "node:child_process"
import { join } from "node:path"
import { allocationFlags } from "../allocation.ts"
import type { Task } from "../child.ts"
import type { Group, Measure } from "../workloads/workload.ts"
import { inDirectory } from "./companions.ts"

const taskMillisMax = 300_000
const interruptedCode = 130
const script = join(import.meta.dirname, "../child.ts")

export const cleanups = new Set<() => void>()

export const cleanOnInterrupt = (): void => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      for (const clean of cleanups) clean()
      process.exit(interruptedCode)
    })
  }
}

const lastLines = (text: string): string => {
  const error = /^\w*Error\b.*$/m.exec(text)
  return (error === null ? text.trim().slice(-300) : error[0]).slice(0, 300)
}

/** Runs one phase in a process of its own and returns what it measured. */
const runTask = (task: Task, killed: boolean): Promise<ReadonlyArray<Measure>> =>
  new Promise((resolve, reject) => {
    const flags = task.allocations ? allocationFlags : []
    const child = spawn(process.execPath, [...flags, script, JSON.stringify(task)], {
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

export interface GroupRun {
  readonly group: Group
  readonly engine: string
  readonly parent: string
  readonly quick: boolean
  readonly allocations: boolean
  /** The file of the next profile of each kind, if there shall be one. */
  readonly profiles: () => Pick<Task, "cpuProfile" | "heapProfile">
}

/** All phases on one fresh directory. */
export const runGroup = ({ allocations, engine, group, parent, profiles, quick }: GroupRun) =>
  inDirectory(parent, cleanups, async (directory) => {
    const rows = group.rows.map(({ id }) => id)
    const measures: Array<Measure> = []
    for (let phase = 0; phase < group.phases.length; phase++) {
      const task = { engine, group: group.name, phase, directory, rows, quick, allocations, ...profiles() }
      measures.push(...(await runTask(task, group.killed === true && phase === 0)))
    }
    return measures.filter(({ row }) => rows.includes(row))
  })
