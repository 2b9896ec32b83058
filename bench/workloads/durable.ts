// What does a set cost that must survive a power cut: alone, and with many writers at once?
import { ascending } from "../data.ts"
import type { Session, WriteRun } from "../drivers/driver.ts"
import { type Bench, eachFresh, type Group, makePairs, type Row, timeWrites, valueBytes } from "./workload.ts"

const writers = 64

const one: Row = {
  id: "durable-1",
  title: () => "durable set, one writer",
  unit: "µs",
  includes: "one sync of the disk for each set, each waited for; read back after reopening",
  leavesOut: "disks that lie about syncing: this is the one under the temporary directory"
}

const many: Row = {
  id: "durable-64",
  title: () => `durable sets, ${writers} concurrent writers, a set`,
  unit: "µs",
  includes: "writers that each wait for their own set; the engine's grouping, or grouping by the turn of the loop",
  leavesOut: "writers in other processes"
}

const onePhase = async (bench: Bench): Promise<void> => {
  const { capMillis, durableSets } = bench.scale
  const pairs = { indexes: ascending(durableSets), valueBytes }
  const run = makePairs(bench, pairs)
  const oneByOne = ({ set }: Session) => ({ "one by one": set["one by one"]! })
  await eachFresh(bench, { modes: bench.driver.synced, row: one.id, select: oneByOne }, async (loop) => {
    const { done, micros } = await timeWrites(loop, run, { capMillis })
    return { micros, written: { ...pairs, indexes: pairs.indexes.subarray(0, done) } }
  })
}

const manyPhase = async (bench: Bench): Promise<void> => {
  const { capMillis, durableSets } = bench.scale
  const pairs = { indexes: ascending(durableSets * 6), valueBytes }
  const run = makePairs(bench, pairs)
  const select = { modes: bench.driver.synced, row: many.id, select: (session: Session) => session.writers }
  await eachFresh(bench, select, async (loop) => {
    const concurrently = (part: WriteRun) => loop({ ...part, writers })
    const { done, micros } = await timeWrites(concurrently, run, { capMillis })
    return { micros, written: { ...pairs, indexes: pairs.indexes.subarray(0, done) } }
  })
}

export const groups: ReadonlyArray<Group> = [
  { name: "durable-one", rows: [one], phases: [onePhase], allocations: true },
  { name: "durable-many", rows: [many], phases: [manyPhase], allocations: true }
]
