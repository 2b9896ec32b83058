// The same as `npm run amplification`, a tenth of its size: memtables, levels and tables are a tenth as large too.
import { assert, describe, it } from "@effect/vitest"
import { type CompactionLimits, compactionLimits } from "../../../src/internal/structure/compactionLimits.ts"
import { SeededRandom } from "../../../src/internal/structure/random.ts"
import { AmplificationRun, type Costs, costs, type Workload } from "../../support/amplification.ts"

const scale = 10
const { baseBytes, jobBytesMax, tableBytes, tableBytesMax } = compactionLimits
const limits: Partial<CompactionLimits> = {
  baseBytes: baseBytes / scale,
  jobBytesMax: jobBytesMax / scale,
  tableBytes: tableBytes / scale,
  tableBytesMax: tableBytesMax / scale
}

const played = (keyCount: number, options: { readonly workload?: Workload; readonly costs?: Partial<Costs> }) => {
  const run = new AmplificationRun(keyCount, {
    limits,
    costs: { memtableEntries: costs.memtableEntries / scale, ...options.costs }
  })
  run.play(options.workload ?? "random", 5 * keyCount, new SeededRandom(1))
  run.rest()
  return run
}

const keyCount = 2_000_000 / scale

describe("what is written for a byte of the user", () => {
  it.each([
    { name: "when every merge is done at once", keys: keyCount, max: 7.5 },
    { name: "in a database with a level between", keys: 2 * keyCount, max: 8.5 },
    { name: "in a database five times as large", keys: 5 * keyCount, max: 11.5 },
    { name: "by one worker that is behind", keys: keyCount, max: 5, costs: { workerBytesPerSecond: 50e6 } },
    { name: "by two", keys: keyCount, max: 6, costs: { workerBytesPerSecond: 50e6, workers: 2 } },
    { name: "of ascending keys", keys: keyCount, max: 5, workload: "ascending" as const },
    { name: "of keys of which a tenth is hot", keys: keyCount, max: 5, workload: "hot" as const }
  ])("is at most $max, $name, and at rest there is little garbage", ({ keys, max, ...options }) => {
    const run = played(keys, options)
    assert.isAtMost(run.writeAmplification, max)
    assert.isAtMost(run.bytes, 1.2 * run.liveBytes)
    // The last table of a slice may be a little over its size.
    assert.isAtMost(run.sliceBytesMax, (1.4 * jobBytesMax) / scale)
    assert.isAtMost(run.level0Max, compactionLimits.level0Stop + 1)
  })
})

describe("what is left", () => {
  it("is nothing of a queue but what is in it", () => {
    const run = played(keyCount, { workload: "queue" })
    assert.isAtMost(run.writeAmplification, 3)
    assert.isAtMost(run.bytes, 1.2 * run.liveBytes)
  })

  it("is nothing when everything is removed", () => {
    const run = played(keyCount, {})
    run.play("remove", keyCount, new SeededRandom(2))
    run.rest()
    assert.deepStrictEqual(run.tables, [])
  })

  it("is little after each of many bursts", () => {
    const run = new AmplificationRun(keyCount, { limits, costs: { memtableEntries: costs.memtableEntries / scale } })
    const random = new SeededRandom(3)
    for (let burst = 0; burst < 20; burst++) {
      run.play("random", keyCount / 4, random)
      run.rest()
      assert.isAtMost(run.bytes, 1.2 * run.liveBytes)
    }
    assert.isAtMost(run.writeAmplification, 9)
  })
})
