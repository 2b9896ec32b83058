// What does a write cost when it is not synced: one at a time, in batches, and in a transaction?
import { mkdir } from "node:fs/promises"
import { ascending, expectTally, sample, shuffled, tallyOf } from "../data.ts"
import type { Session, WriteRun } from "../drivers/driver.ts"
import {
  type Bench,
  eachFresh,
  filled,
  type Group,
  makePairs,
  type Row,
  thousands,
  timeWrites,
  valueBytes
} from "./workload.ts"

const batchOperations = 1000
const largeValueBytes = 1024

const set: Row = {
  id: "set",
  title: () => "sequential set, one at a time, no sync",
  unit: "µs",
  includes: "ascending keys into an empty database; what the engine flushes meanwhile; read back after reopening",
  leavesOut: "flushing and closing after the last set; what survives is in the table below"
}

const setLarge: Row = { ...set, id: "set-1k", title: () => "sequential set of 1,024 B, no sync" }

const batchSequential: Row = {
  id: "batch-sequential",
  title: () => "1000-operation batches, sequential, no sync, an operation",
  unit: "µs",
  includes: "ascending keys into an empty database, making the batch from keys and values; read back after reopening",
  leavesOut: "flushing and closing after the last batch"
}

const batchRandom: Row = {
  ...batchSequential,
  id: "batch-random",
  title: () => "1000-operation batches, random, no sync, an operation",
  includes: "keys in random order into an empty database, making the batch; read back after reopening"
}

const batchLarge: Row = { ...batchSequential, id: "batch-1k", title: () => "1000-operation batches of 1,024 B" }

const transact: Row = {
  id: "transaction",
  title: ({ mediumKeys }) => `transaction: 2 reads, 2 writes, ${thousands(mediumKeys)} keys, no sync`,
  unit: "µs",
  includes: "two gets and two sets of keys drawn at random, committed together, with the engine's conflict checks",
  leavesOut: "conflicts: there is one writer. classic-level has no transactions: it reads, and writes a batch"
}

const setsPhase =
  (row: Row, large: boolean) =>
  async (bench: Bench): Promise<void> => {
    const { capMillis, largeSets, sets } = bench.scale
    const pairs = { indexes: ascending(large ? largeSets : sets), valueBytes: large ? largeValueBytes : valueBytes }
    const run = makePairs(bench, pairs)
    const select = { modes: bench.driver.unsynced, row: row.id, select: ({ set }: Session) => set }
    await eachFresh(bench, select, async (loop) => {
      const { done, micros } = await timeWrites(loop, run, { capMillis })
      return { micros, written: { ...pairs, indexes: pairs.indexes.subarray(0, done) } }
    })
  }

interface BatchShape {
  readonly row: Row
  readonly order: (count: number) => Uint32Array
  readonly large: boolean
}

const batchesPhase =
  ({ large, order, row }: BatchShape) =>
  async (bench: Bench): Promise<void> => {
    const { batches, capMillis } = bench.scale
    const count = (large ? Math.ceil(batches / 2) : batches) * batchOperations
    const pairs = { indexes: order(count), valueBytes: large ? largeValueBytes : valueBytes }
    const { keys, values } = makePairs(bench, pairs)
    const select = { modes: bench.driver.unsynced, row: row.id, select: ({ write }: Session) => ({ batch: write }) }
    await eachFresh(bench, select, async (write) => {
      const writeBatches = async (run: WriteRun): Promise<void> => {
        for (let from = 0; from < run.keys.length; from += batchOperations) {
          const to = from + batchOperations
          await write({ keys: run.keys.slice(from, to), values: run.values.slice(from, to) })
        }
      }
      const { done, micros } = await timeWrites(writeBatches, { keys, values }, { capMillis })
      return { micros, written: { ...pairs, indexes: pairs.indexes.subarray(0, done) } }
    })
  }

const transactPhase = async (bench: Bench): Promise<void> => {
  const { driver, record, scale } = bench
  const indexes = sample(scale.transactions * 4, scale.mediumKeys, 6)
  for (const mode of Object.keys(driver.unsynced)) {
    const directory = `${bench.directory}/${mode.replaceAll(/\W/g, "-")}`
    await mkdir(directory)
    const inMode = { ...bench, directory, driver: { ...driver, fillMode: mode } }
    const session = await filled(inMode, ascending(scale.mediumKeys))
    let generation = 0
    for (const [loop, run] of Object.entries(session.transact ?? {})) {
      let at = 0
      generation++
      const pairs = makePairs(bench, { indexes, valueBytes, generation })
      const checked = async (part: WriteRun): Promise<void> => {
        const tally = await run(part)
        const read = indexes.subarray(at, at + part.keys.length).filter((_, index) => index % 4 < 2)
        expectTally("transactions", tally, tallyOf({ indexes: read, valueBytes }))
        at += part.keys.length
      }
      const { micros } = await timeWrites(checked, pairs, { capMillis: scale.capMillis, perOperation: 4 })
      record({ row: transact.id, mode, loop, value: micros })
    }
    await session.close()
  }
}

const random = (count: number) => shuffled(count, 7)

export const groups: ReadonlyArray<Group> = [
  { name: "sets", rows: [set], phases: [setsPhase(set, false)] },
  { name: "sets-1k", rows: [setLarge], phases: [setsPhase(setLarge, true)] },
  {
    name: "batches",
    rows: [batchSequential],
    phases: [batchesPhase({ row: batchSequential, order: ascending, large: false })]
  },
  {
    name: "batches-random",
    rows: [batchRandom],
    phases: [batchesPhase({ row: batchRandom, order: random, large: false })]
  },
  {
    name: "batches-1k",
    rows: [batchLarge],
    phases: [batchesPhase({ row: batchLarge, order: ascending, large: true })]
  },
  { name: "transactions", rows: [transact], phases: [transactPhase] }
]
