// How long does the event loop wait during a fill? And what does a get cost in ten million keys? The latter, and a fill
// of as many, with `--large`.
import { monitorEventLoopDelay } from "node:perf_hooks"
import { ascending, makeKeys, sample, tallyOf } from "../data.ts"
import type { Session } from "../drivers/driver.ts"
import { measureGets } from "./hotReads.ts"
import { type Bench, type Group, makePairs, type Row, type Scale, settle, thousands, valueBytes } from "./workload.ts"

const batchOperations = 1000
const delayResolutionMillis = 1

interface Size {
  readonly suffix: string
  readonly keys: (scale: Scale) => number
}

const rowsOf = ({ keys, suffix }: Size) => {
  const fill: Row = {
    id: `fill${suffix}`,
    title: (scale) => `fill ${thousands(keys(scale))} ascending keys in batches of 1000, an operation`,
    unit: "µs",
    includes: "batches, what the engine flushes and merges meanwhile, and a turn of the loop after each",
    leavesOut: "making keys and values"
  }
  const tail: Row = {
    id: `loop-delay-p99${suffix}`,
    title: (scale) => `event-loop delay while ${thousands(keys(scale))} keys are filled, p99`,
    unit: "ms",
    includes: "making the next batch of keys and values (under 1 ms)",
    leavesOut: "threads of the engine"
  }
  const most: Row = {
    ...tail,
    id: `loop-delay-max${suffix}`,
    title: (scale) => `event-loop delay while ${thousands(keys(scale))} keys are filled, maximum`
  }
  return { fill, tail, most }
}

const get: Row = {
  id: "get-huge",
  title: ({ hugeKeys }) => `random get, ${thousands(hugeKeys)} keys`,
  unit: "µs",
  includes: "keys drawn at random, each once, after one pass over them",
  leavesOut: "a cold disk, while the machine has memory for all pages"
}

const some: Size = { suffix: "", keys: ({ fillKeys }) => fillKeys }
const huge: Size = { suffix: "-huge", keys: ({ hugeKeys }) => hugeKeys }

const turn = () => new Promise<void>((resolve) => void setImmediate(resolve))

const filling = async (bench: Bench, { keys, suffix }: Size): Promise<Session> => {
  const { directory, driver, record, scale } = bench
  const rows = rowsOf({ keys, suffix })
  const count = keys(scale)
  const session = await driver.open(directory, driver.fillMode)
  const delay = monitorEventLoopDelay({ resolution: delayResolutionMillis })
  delay.enable()
  let millis = 0
  for (let from = 0; from < count; from += batchOperations) {
    const pairs = makePairs(bench, { indexes: ascending(batchOperations, from), valueBytes })
    const start = performance.now()
    await session.write(pairs)
    millis += performance.now() - start
    await turn()
  }
  delay.disable()
  const measure = { mode: driver.fillMode, loop: "batch" }
  record({ ...measure, row: rows.fill.id, value: (millis * 1000) / count })
  record({ ...measure, row: rows.tail.id, value: delay.percentile(99) / 1e6 })
  record({ ...measure, row: rows.most.id, value: delay.max / 1e6 })
  return session
}

const fillPhase = async (bench: Bench): Promise<void> => {
  if (bench.driver.durable) await (await filling(bench, some)).close()
}

const hugePhase = async (bench: Bench): Promise<void> => {
  const { driver, scale, wants } = bench
  if (!driver.durable) return
  const session = await filling(bench, huge)
  await settle()
  if (wants(get.id)) {
    const indexes = sample(scale.gets, scale.hugeKeys, 2)
    const keys = makeKeys(indexes, driver.arrays)
    await measureGets(bench, session, { row: get.id, keys, expected: tallyOf({ indexes, valueBytes }), operations: 1 })
  }
  await session.close()
}

export const groups: ReadonlyArray<Group> = [
  { name: "fill", rows: Object.values(rowsOf(some)), phases: [fillPhase] },
  { name: "huge", rows: [...Object.values(rowsOf(huge)), get], phases: [hugePhase], large: true }
]
