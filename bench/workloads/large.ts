// What only shows with more data than fits: how long the event loop waits during a fill, and what a get costs in ten
// million keys. `--large`.
import { monitorEventLoopDelay } from "node:perf_hooks"
import { ascending, makeKeys, sample, tallyOf } from "../data.ts"
import { measureGets } from "./hotReads.ts"
import { type Bench, type Group, makePairs, type Row, settle, thousands, valueBytes } from "./workload.ts"

const batchOperations = 1000
const delayResolutionMillis = 1

const fillRow: Row = {
  id: "fill-huge",
  title: ({ hugeKeys }) => `fill ${thousands(hugeKeys)} ascending keys in batches of 1000, an operation`,
  unit: "µs",
  includes: "batches, what the engine flushes and merges meanwhile, and a turn of the loop after each",
  leavesOut: "making keys and values"
}

const delayTail: Row = {
  id: "loop-delay-p99",
  title: () => "event-loop delay during that fill, p99",
  unit: "ms",
  includes: "making the next batch of keys and values (under 1 ms)",
  leavesOut: "threads of the engine"
}

const delayMax: Row = { ...delayTail, id: "loop-delay-max", title: () => "event-loop delay during that fill, maximum" }

const get: Row = {
  id: "get-huge",
  title: ({ hugeKeys }) => `random get, ${thousands(hugeKeys)} keys`,
  unit: "µs",
  includes: "keys drawn at random, each once, after one pass over them",
  leavesOut: "a cold disk, while the machine has memory for all pages"
}

const turn = () => new Promise<void>((resolve) => void setImmediate(resolve))

const phase = async (bench: Bench): Promise<void> => {
  const { directory, driver, record, scale, wants } = bench
  if (!driver.durable) return
  const session = await driver.open(directory, driver.fillMode)
  const delay = monitorEventLoopDelay({ resolution: delayResolutionMillis })
  delay.enable()
  let millis = 0
  for (let from = 0; from < scale.hugeKeys; from += batchOperations) {
    const pairs = makePairs(bench, { indexes: ascending(batchOperations, from), valueBytes })
    const start = performance.now()
    await session.write(pairs)
    millis += performance.now() - start
    await turn()
  }
  delay.disable()
  const measure = { mode: driver.fillMode, loop: "batch" }
  record({ ...measure, row: fillRow.id, value: (millis * 1000) / scale.hugeKeys })
  record({ ...measure, row: delayTail.id, value: delay.percentile(99) / 1e6 })
  record({ ...measure, row: delayMax.id, value: delay.max / 1e6 })
  await settle()
  if (wants(get.id)) {
    const indexes = sample(scale.gets, scale.hugeKeys, 2)
    const keys = makeKeys(indexes, driver.arrays)
    await measureGets(bench, session, { row: get.id, keys, expected: tallyOf({ indexes, valueBytes }), operations: 1 })
  }
  await session.close()
}

export const groups: ReadonlyArray<Group> = [
  { name: "huge", rows: [fillRow, delayTail, delayMax, get], phases: [phase], large: true }
]
