// One process: one phase of one group with one engine. Called by run.ts with a JSON `Task`; writes a JSON array of
// measures to file descriptor 3.
import { writeFileSync, writeSync } from "node:fs"
import { Session } from "node:inspector/promises"
import { meter } from "./allocation.ts"
import type { Driver } from "./drivers/driver.ts"
import { takePeakBytes } from "./peak.ts"
import { groups, scales } from "./workloads/index.ts"
import type { Measure } from "./workloads/workload.ts"

export interface Task {
  readonly engine: string
  readonly group: string
  readonly phase: number
  readonly directory: string
  readonly rows: ReadonlyArray<string>
  readonly quick: boolean
  /** Whether bytes are counted, and times are not. */
  readonly allocations: boolean
  /** Files for profiles of the phase, without the loading of code: of the processor, and of what is allocated. */
  readonly cpuProfile: string | undefined
  readonly heapProfile: string | undefined
}

const heapSampleBytes = 4096

const task = JSON.parse(process.argv[2]!) as Task
const group = groups.find(({ name }) => name === task.group)!
const { driver } = (await import(`./drivers/${task.engine}.ts`)) as { driver: Driver }
const measures: Array<Measure> = []
meter.isOn = task.allocations

const profiler = new Session()
if (task.cpuProfile !== undefined || task.heapProfile !== undefined) profiler.connect()
if (task.cpuProfile !== undefined) {
  await profiler.post("Profiler.enable")
  await profiler.post("Profiler.start")
}
if (task.heapProfile !== undefined) {
  // Also what was collected: who allocates is asked, not who holds.
  await profiler.post("HeapProfiler.startSampling", {
    samplingInterval: heapSampleBytes,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true
  })
}
await group.phases[task.phase]!({
  driver,
  directory: task.directory,
  scale: task.quick ? scales.quick : scales.full,
  wants: (row) => task.rows.includes(row),
  record: (measure) => {
    const bytesEach = meter.take()
    measures.push({ ...measure, peakBytes: takePeakBytes(), ...(bytesEach === undefined ? {} : { bytesEach }) })
  }
})
if (task.cpuProfile !== undefined) {
  const { profile } = await profiler.post("Profiler.stop")
  writeFileSync(task.cpuProfile, JSON.stringify(profile))
}
if (task.heapProfile !== undefined) {
  const { profile } = await profiler.post("HeapProfiler.stopSampling")
  writeFileSync(task.heapProfile, JSON.stringify(profile))
}
writeSync(3, JSON.stringify(measures))
if (group.killed === true && task.phase === 0) process.kill(process.pid, "SIGKILL")
