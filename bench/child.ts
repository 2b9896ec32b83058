// One process: one phase of one group with one engine. Called by run.ts with a JSON `Task`; writes a JSON array of
// measures to file descriptor 3.
import { writeFileSync, writeSync } from "node:fs"
import { Session } from "node:inspector/promises"
import type { Driver } from "./drivers/driver.ts"
import { groups, scales } from "./workloads/index.ts"
import type { Measure } from "./workloads/workload.ts"

export interface Task {
  readonly engine: string
  readonly group: string
  readonly phase: number
  readonly directory: string
  readonly rows: ReadonlyArray<string>
  readonly quick: boolean
  /** A file for the CPU profile of the phase, without the loading of code. */
  readonly profile: string | undefined
}

const task = JSON.parse(process.argv[2]!) as Task
const group = groups.find(({ name }) => name === task.group)!
const { driver } = (await import(`./drivers/${task.engine}.ts`)) as { driver: Driver }
const measures: Array<Measure> = []

const profiler = new Session()
if (task.profile !== undefined) {
  profiler.connect()
  await profiler.post("Profiler.enable")
  await profiler.post("Profiler.start")
}
await group.phases[task.phase]!({
  driver,
  directory: task.directory,
  scale: task.quick ? scales.quick : scales.full,
  wants: (row) => task.rows.includes(row),
  record: (measure) => {
    measures.push(measure)
  }
})
if (task.profile !== undefined) {
  const { profile } = await profiler.post("Profiler.stop")
  writeFileSync(task.profile, JSON.stringify(profile))
}
writeSync(3, JSON.stringify(measures))
if (group.killed === true && task.phase === 0) process.kill(process.pid, "SIGKILL")
