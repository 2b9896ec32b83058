// How does the cost of a read, and of a set, grow with the database? Keys were set in random order and the engine is at
// rest, so that nothing is where its key would put it by chance.
import { emptyTally, makeKeys, makeMissingKeys, sample, shuffled, tallyOf } from "../data.ts"
import type { Session } from "../drivers/driver.ts"
import { measureGets } from "./hotReads.ts"
import { untilRest } from "./rest.ts"
import {
  type Bench,
  expectPairs,
  fill,
  type Group,
  makePairs,
  type Row,
  type Scale,
  settle,
  thousands,
  timeReads,
  timeWrites,
  valueBytes
} from "./workload.ts"

const generation = 1

interface Point {
  readonly name: string
  readonly keys: (scale: Scale) => number
  readonly large?: boolean
}

/** What the axis of the curves has. */
export const points: ReadonlyArray<Point> = [
  { name: "small", keys: ({ smallKeys }) => smallKeys },
  { name: "medium", keys: ({ mediumKeys }) => mediumKeys },
  { name: "big", keys: ({ bigKeys }) => bigKeys },
  { name: "huge", keys: ({ hugeKeys }) => hugeKeys, large: true }
]

const rowsOf = ({ keys, name }: Point) => {
  const leavesOut = "a cold disk, while the machine has memory for all pages"
  const get: Row = {
    id: `curve-get-${name}`,
    title: (scale) => `curve: random get, ${thousands(keys(scale))} keys`,
    unit: "µs",
    includes: "keys drawn at random, each once, after one pass over them",
    leavesOut
  }
  const missing: Row = {
    ...get,
    id: `curve-missing-${name}`,
    title: (scale) => `curve: get of missing keys, ${thousands(keys(scale))} keys`,
    includes: "keys between those that exist, each once, after one pass over them"
  }
  const scan: Row = {
    ...get,
    id: `curve-scan-${name}`,
    title: (scale) => `curve: full scan, ${thousands(keys(scale))} entries, an entry`,
    includes: "keys and values of every entry, in order, after one pass over them"
  }
  const set: Row = {
    ...get,
    id: `curve-set-${name}`,
    title: (scale) => `curve: random set, one by one, no sync, ${thousands(keys(scale))} keys`,
    includes: "overwriting keys drawn at random; what the engine cleans up meanwhile",
    leavesOut: "cleaning up after the last set"
  }
  return { get, missing, scan, set }
}

type PointRows = ReturnType<typeof rowsOf>

const measureScans = async ({ driver, record }: Bench, session: Session, { row, count }: ScanRow): Promise<void> => {
  const indexes = shuffled(count, 1)
  const expected = tallyOf({ indexes, valueBytes })
  for (const [loop, run] of Object.entries(session.scan ?? {})) {
    const value = await timeReads(run, { expected, operations: 1, perPass: count })
    record({ row, mode: driver.fillMode, loop, value })
  }
}

const measureSets = async (bench: Bench, session: Session, { count, row }: ScanRow): Promise<void> => {
  const { driver, record, scale } = bench
  const indexes = sample(Math.ceil(scale.sets / 4), count, 3)
  const pairs = makePairs(bench, { indexes, valueBytes, generation })
  const { done, micros } = await timeWrites(session.set["one by one"]!, pairs, { capMillis: scale.capMillis / 2 })
  record({ row, mode: driver.fillMode, loop: "one by one", value: micros })
  await expectPairs(bench, session, { indexes: indexes.subarray(0, done), valueBytes, generation })
}

interface ScanRow {
  readonly row: string
  readonly count: number
}

const phaseOf =
  ({ keys }: Point, { get, missing, scan, set }: PointRows) =>
  async (bench: Bench): Promise<void> => {
    const { directory, driver, scale, wants } = bench
    const count = keys(scale)
    const session = await driver.open(directory, driver.fillMode)
    await fill(bench, session, { indexes: shuffled(count, 1), valueBytes })
    await (driver.logStructured === true ? untilRest() : settle())
    const indexes = sample(Math.min(scale.gets, count), count, 2)
    if (wants(get.id)) {
      const expected = tallyOf({ indexes, valueBytes })
      const found = { row: get.id, keys: makeKeys(indexes, driver.arrays), expected, operations: scale.gets }
      await measureGets(bench, session, found)
    }
    if (wants(missing.id)) {
      const keys = makeMissingKeys(indexes, driver.arrays)
      await measureGets(bench, session, { row: missing.id, keys, expected: emptyTally(), operations: scale.gets })
    }
    if (wants(scan.id)) await measureScans(bench, session, { row: scan.id, count })
    if (wants(set.id)) await measureSets(bench, session, { row: set.id, count })
    await session.close()
  }

export const groups: ReadonlyArray<Group> = points.map((point) => {
  const rows = rowsOf(point)
  return {
    name: `curve-${point.name}`,
    rows: [rows.get, rows.missing, rows.scan, rows.set],
    phases: [phaseOf(point, rows)],
    ...(point.large === true ? { large: true } : {})
  }
})
