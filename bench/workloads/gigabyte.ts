// What does a get cost in a database that is much larger than the engine's cache of 64 MiB? The operating system has
// all of it in memory: this is the cost of the engine's own misses.
import { ascending, makeKeys, sample, tallyOf } from "../data.ts"
import { measureGets } from "./hotReads.ts"
import { type Bench, filled, type Group, type Row, thousands } from "./workload.ts"

const valueBytes = 1024

const get: Row = {
  id: "get-gigabyte",
  title: ({ gigabyteKeys }) => `random get, ${thousands(gigabyteKeys)} keys of 1,024 B, 64 MiB of cache`,
  unit: "µs",
  includes: "keys drawn at random, each once, after one pass over them",
  leavesOut: "a cold disk, while the machine has memory for all pages"
}

const phase = async (bench: Bench): Promise<void> => {
  const { driver, scale } = bench
  const session = await filled(bench, ascending(scale.gigabyteKeys), valueBytes)
  const indexes = sample(scale.gets / 2, scale.gigabyteKeys, 2)
  const keys = makeKeys(indexes, driver.arrays)
  await measureGets(bench, session, { row: get.id, keys, expected: tallyOf({ indexes, valueBytes }), operations: 1 })
  await session.close()
}

export const groups: ReadonlyArray<Group> = [
  { name: "gigabyte", rows: [get], phases: [phase], engines: ["strata", "lmdb", "classicLevel"] }
]
