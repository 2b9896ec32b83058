// How much do the picker and its limits write, and how much space do they take? `npm run amplification`.
//
//   --keys <n>       how many keys there are (default 2,000,000)
//   --writes <n>     sets in all (default 5 for each key)
//   --workload <name> random (default), hot, ascending, queue
//   --memtable <n>   entries of a memtable
//   --bursts <n>     so many times, with rest between (default 1)
//   --remove         removes all keys at the end
//   --speed <MB/s>   of one worker; without it every merge is done at once, which costs the most
//   --workers <n>    default 1
//   --limits <json>  other limits than the defaults
//   --levels         also says what was merged and moved, by reason
//
// A simulation (test/support/amplification.ts): no disk, the same numbers every time.
import { parseArgs } from "node:util"
import type { CompactionLimits } from "../src/internal/structure/compactionLimits.ts"
import { SeededRandom } from "../src/internal/structure/random.ts"
import { AmplificationRun, costs, type Workload } from "../test/support/amplification.ts"

const { values } = parseArgs({
  options: {
    keys: { type: "string", default: "2000000" },
    writes: { type: "string" },
    workload: { type: "string", default: "random" },
    memtable: { type: "string", default: String(costs.memtableEntries) },
    bursts: { type: "string", default: "1" },
    remove: { type: "boolean", default: false },
    speed: { type: "string" },
    workers: { type: "string", default: "1" },
    limits: { type: "string", default: "{}" },
    levels: { type: "boolean", default: false }
  }
})

const megabyte = 1e6
const keyCount = Number(values.keys)
const writeCount = values.writes === undefined ? 5 * keyCount : Number(values.writes)
const workerBytesPerSecond = values.speed === undefined ? Infinity : Number(values.speed) * megabyte
const limits = JSON.parse(values.limits) as Partial<CompactionLimits>

const run = new AmplificationRun(keyCount, {
  limits,
  costs: { workers: Number(values.workers), workerBytesPerSecond, memtableEntries: Number(values.memtable) }
})
const random = new SeededRandom(1)
const bursts = Number(values.bursts)
for (let burst = 1; burst < bursts; burst++) {
  run.play(values.workload as Workload, writeCount / bursts, random)
  run.rest()
}
run.play(values.workload as Workload, writeCount / bursts, random)
if (values.remove) run.play("remove", keyCount, random)
const busy = { bytes: run.bytes, levels: run.levelBytes, amplification: run.writeAmplification, seconds: run.seconds }
run.rest()

const { liveBytes, written } = run
const shown = (bytes: number): string => `${Math.round(bytes / megabyte)} MB`
const levels = (bytes: ReadonlyArray<number>): string => bytes.map((size) => Math.round(size / megabyte)).join(" ")
const share = (bytes: number): string => (bytes / written.user).toFixed(2)

console.log(`${writeCount} sets over ${keyCount} keys: ${shown(written.user)} of the user, live ${shown(liveBytes)}`)
console.log(`write amplification ${run.writeAmplification.toFixed(2)} at rest, ${busy.amplification.toFixed(2)} before`)
console.log(`  log ${share(written.log)}, flush ${share(written.flush)}, merges ${share(written.merge)}`)
console.log(
  `space ${(run.bytes / liveBytes).toFixed(3)} × live at rest, at most ${(run.spaceMax / liveBytes).toFixed(2)}`
)
console.log(`levels ${levels(busy.levels)} MB while writing, ${levels(run.levelBytes)} MB at rest`)
console.log(`tables ${run.tables.length}, level 0 at most ${run.level0Max}, largest slice ${shown(run.sliceBytesMax)}`)
console.log(`writing took ${busy.seconds.toFixed(0)} s, ${run.waitedSeconds.toFixed(0)} s of it waiting`)
if (values.levels) {
  for (const [name, { bytes, count }] of [...run.taken].sort()) console.log(`  ${name}: ${count}, ${shown(bytes)}`)
}
