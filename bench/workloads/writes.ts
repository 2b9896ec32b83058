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
  type Scale,
  thousands,
  timeWrites,
  valueBytes
} from "./workload.ts"

const batchOperations = 1000

/** How long the values of a row are, and which part of the scale's sets it makes. */
interface ValueSize {
  readonly valueBytes: number
  readonly sets: (scale: Scale) => number
  readonly batchesShare: number
}

const small: ValueSize = { valueBytes, sets: ({ sets }) => sets, batchesShare: 1 }
const large: ValueSize = { valueBytes: 1024, sets: ({ largeSets }) => largeSets, batchesShare: 1 / 2 }
/** A hundred megabytes of them at full scale. */
const long: ValueSize = { valueBytes: 10_240, sets: ({ largeSets }) => largeSets / 4, batchesShare: 1 / 20 }

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

const setLong: Row = { ...set, id: "set-10k", title: () => "sequential set of 10,240 B, no sync" }

const batchLong: Row = { ...batchSequential, id: "batch-10k", title: () => "1000-operation batches of 10,240 B" }

const transact: Row = {
  id: "transaction",
  title: ({ mediumKeys }) => `transaction: 2 reads, 2 writes, ${thousands(mediumKeys)} keys, no sync`,
  unit: "µs",
  includes: "two gets and two sets of keys drawn at random, committed together, with the engine's conflict checks",
  leavesOut: "conflicts: there is one writer. classic-level has no transactions: it reads, and writes a batch"
}

const setsPhase =
  (row: Row, { sets, valueBytes }: ValueSize) =>
  async (bench: Bench): Promise<void> => {
    const { capMillis } = bench.scale
    const pairs = { indexes: ascending(sets(bench.scale)), valueBytes }
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
  readonly size: ValueSize
}

const batchesPhase =
  ({ order, row, size }: BatchShape) =>
  async (bench: Bench): Promise<void> => {
    const { batches, capMillis } = bench.scale
    const count = Math.ceil(batches * size.batchesShare) * batchOperations
    const pairs = { indexes: order(count), valueBytes: size.valueBytes }
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
  { name: "sets", rows: [set], phases: [setsPhase(set, small)], allocations: true },
  { name: "sets-1k", rows: [setLarge], phases: [setsPhase(setLarge, large)], allocations: true },
  {
    name: "batches",
    rows: [batchSequential],
    phases: [batchesPhase({ row: batchSequential, order: ascending, size: small })],
    allocations: true
  },
  {
    name: "batches-random",
    rows: [batchRandom],
    phases: [batchesPhase({ row: batchRandom, order: random, size: small })],
    allocations: true
  },
  {
    name: "batches-1k",
    rows: [batchLarge],
    phases: [batchesPhase({ row: batchLarge, order: ascending, size: large })],
    allocations: true
  },
  { name: "sets-10k", rows: [setLong], phases: [setsPhase(setLong, long)], allocations: true },
  {
    name: "batches-10k",
    rows: [batchLong],
    phases: [batchesPhase({ row: batchLong, order: ascending, size: long })],
    allocations: true
  },
  { name: "transactions", rows: [transact], phases: [transactPhase], allocations: true }
]
