// What do encryption and compression cost Strata? The same loops, plain, encrypted and compressed at all levels, each
// in a process of its own; values of which half is the other half again. Gets are of tables that are in the cache.
import { ascending, makeKeys, shuffled, tallyOf } from "../data.ts"
import { measureGets } from "./hotReads.ts"
import { type Bench, expectPairs, fill, type Group, makePairs, type Row, thousands, timeWrites } from "./workload.ts"

const valueBytes = 128
const batchOperations = 1000

const get: Row = {
  id: "sealed-get",
  title: ({ mediumKeys }) => `random get, ${thousands(mediumKeys)} keys, hot: plain, encrypted, compressed`,
  unit: "µs",
  includes: "the call, the lookup in blocks that are in the cache, the value",
  leavesOut: "opening what was sealed: the cache has blocks as they are when they are open"
}

const batch: Row = {
  id: "sealed-batch",
  title: () => "1000-operation batches, random: plain, encrypted, compressed, an operation",
  unit: "µs",
  includes: "keys in random order into an empty database; flushes and compactions meanwhile; read back after reopening",
  leavesOut: "flushing and closing after the last batch"
}

const inMode = (bench: Bench, mode: string): Bench => ({
  ...bench,
  directory: `${bench.directory}/${mode.replaceAll(/\W+/g, "-")}`,
  driver: { ...bench.driver, fillMode: mode }
})

const modes = ["os", "os, encrypted", "os, zstd"]

const getPhase =
  (mode: string) =>
  async (bench: Bench): Promise<void> => {
    const { mediumKeys, gets } = bench.scale
    const indexes = shuffled(mediumKeys, 1)
    const keys = makeKeys(indexes, bench.driver.arrays)
    const expected = tallyOf({ indexes, valueBytes })
    const own = inMode(bench, mode)
    const filling = await own.driver.open(own.directory, mode)
    await fill(own, filling, { indexes: ascending(mediumKeys), valueBytes, compressible: true })
    // Into a table.
    await filling.close()
    const session = await own.driver.open(own.directory, mode)
    await measureGets(own, session, { row: get.id, keys, expected, operations: gets * 2 })
    await session.close()
  }

const batchPhase =
  (mode: string) =>
  async (bench: Bench): Promise<void> => {
    const { batches, capMillis } = bench.scale
    const pairs = { indexes: shuffled(batches * batchOperations, 7), valueBytes, compressible: true }
    const run = makePairs(bench, pairs)
    const own = inMode(bench, mode)
    const session = await own.driver.open(own.directory, mode)
    const write = async ({ keys, values }: typeof run): Promise<void> => {
      for (let from = 0; from < keys.length; from += batchOperations) {
        const to = from + batchOperations
        await session.write({ keys: keys.slice(from, to), values: values.slice(from, to) })
      }
    }
    const { done, micros } = await timeWrites(write, run, { capMillis })
    own.record({ row: batch.id, mode, loop: "batch", value: micros })
    await session.close()
    const again = await own.driver.open(own.directory, mode)
    await expectPairs(own, again, { ...pairs, indexes: pairs.indexes.subarray(0, done) })
    await again.close()
  }

export const groups: ReadonlyArray<Group> = [
  { name: "sealed-gets", rows: [get], phases: modes.map(getPhase), engines: ["strata"] },
  { name: "sealed-batches", rows: [batch], phases: modes.map(batchPhase), engines: ["strata"] }
]
