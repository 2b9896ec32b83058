// How fast is a read when everything is in memory?
import {
  ascending,
  emptyTally,
  expectTally,
  makeKeys,
  makeMissingKeys,
  makePrefix,
  prefixEntries,
  sample,
  shuffled,
  type Tally,
  tallyOf
} from "../data.ts"
import type { Session } from "../drivers/driver.ts"
import { type Bench, filled, type Group, micros, type Row, thousands, timeReads, valueBytes } from "./workload.ts"

const rangeEntries = 100
const rangeStarts = 500

const includes = "the call, the lookup and the value; through Effect for Strata's `owned`"
const leavesOut = "making the keys; the disk: all is in memory after a first pass"

const getSmall: Row = {
  id: "get-small",
  title: ({ smallKeys }) => `random get, ${thousands(smallKeys)} keys, hot`,
  unit: "µs",
  includes,
  leavesOut
}

const getMedium: Row = {
  ...getSmall,
  id: "get-medium",
  title: ({ mediumKeys }) => `random get, ${thousands(mediumKeys)} keys, hot`
}

const missing: Row = {
  id: "missing-medium",
  title: ({ mediumKeys }) => `get of missing keys, ${thousands(mediumKeys)} keys`,
  unit: "µs",
  includes,
  leavesOut: "keys outside the range of those that exist"
}

const scan: Row = {
  id: "scan",
  title: ({ mediumKeys }) => `full scan, ${thousands(mediumKeys)} entries, an entry`,
  unit: "µs",
  includes: "keys and values of every entry, in order, by the engine's fastest documented way",
  leavesOut: "the disk"
}

const ranges: Row = {
  id: "ranges",
  title: () => `${rangeEntries}-entry ranges at random, an entry`,
  unit: "µs",
  includes: "finding the start of each range, and its keys and values",
  leavesOut: "the disk"
}

const count: Row = {
  id: "count",
  title: () => `count of a prefix, ${thousands(prefixEntries)} entries, an entry`,
  unit: "µs",
  includes: "finding the first and counting to the last",
  leavesOut: "values"
}

/** Each loop of gets over the keys, which are read in their order. */
export const measureGets = async (
  { driver, record }: Bench,
  session: Session,
  { expected, keys, operations, row }: GetRow
): Promise<void> => {
  for (const [loop, get] of Object.entries(session.get)) {
    const value = await timeReads(() => get(keys), { expected, operations, perPass: keys.length })
    record({ row, mode: driver.fillMode, loop, value })
  }
}

interface GetRow {
  readonly row: string
  readonly keys: ReturnType<typeof makeKeys>
  readonly expected: Tally
  readonly operations: number
}

const measureRanges = async ({ driver, record, scale }: Bench, session: Session): Promise<void> => {
  const starts = sample(rangeStarts, scale.mediumKeys - rangeEntries, 5)
  const expected = emptyTally()
  for (const start of starts) {
    const tally = tallyOf({ indexes: ascending(rangeEntries, start), valueBytes })
    expected.count += tally.count
    expected.bytes += tally.bytes
    expected.sum += tally.sum
  }
  const run = { starts: makeKeys(starts, driver.arrays), limit: rangeEntries }
  const operations = scale.gets
  for (const [loop, range] of Object.entries(session.ranges ?? {})) {
    const value = await timeReads(() => range(run), { expected, operations, perPass: expected.count })
    record({ row: ranges.id, mode: driver.fillMode, loop, value })
  }
}

const measureCount = async ({ driver, record, scale }: Bench, session: Session): Promise<void> => {
  const counting = session.count
  if (counting === undefined) return
  const prefixes = Array.from({ length: scale.mediumKeys / prefixEntries }, (_, index) =>
    makePrefix(index * prefixEntries)
  )
  let found = 0
  const pass = async () => {
    for (const prefix of prefixes) found += await counting(prefix)
  }
  await pass()
  const passes = Math.ceil((scale.gets * 2) / scale.mediumKeys)
  const value = await micros(passes * scale.mediumKeys, async () => {
    for (let done = 0; done < passes; done++) await pass()
  })
  expectTally("count", { ...emptyTally(), count: found }, { ...emptyTally(), count: (passes + 1) * scale.mediumKeys })
  record({ row: count.id, mode: driver.fillMode, loop: "count", value })
}

const smallPhase = async (bench: Bench): Promise<void> => {
  const { driver, scale } = bench
  const indexes = shuffled(scale.smallKeys, 1)
  const session = await filled(bench, ascending(scale.smallKeys))
  const keys = makeKeys(indexes, driver.arrays)
  const expected = tallyOf({ indexes, valueBytes })
  await measureGets(bench, session, { row: getSmall.id, keys, expected, operations: scale.gets * 2 })
  await session.close()
}

const mediumPhase = async (bench: Bench): Promise<void> => {
  const { driver, record, scale, wants } = bench
  const indexes = shuffled(scale.mediumKeys, 1)
  const session = await filled(bench, ascending(scale.mediumKeys))
  const all = tallyOf({ indexes, valueBytes })
  if (wants(getMedium.id)) {
    const keys = makeKeys(indexes, driver.arrays)
    await measureGets(bench, session, { row: getMedium.id, keys, expected: all, operations: scale.gets * 2 })
  }
  if (wants(missing.id)) {
    const keys = makeMissingKeys(indexes, driver.arrays)
    await measureGets(bench, session, { row: missing.id, keys, expected: emptyTally(), operations: scale.gets })
  }
  if (wants(scan.id)) {
    for (const [loop, run] of Object.entries(session.scan ?? {})) {
      const value = await timeReads(run, { expected: all, operations: scale.gets * 2, perPass: all.count })
      record({ row: scan.id, mode: driver.fillMode, loop, value })
    }
  }
  if (wants(ranges.id)) await measureRanges(bench, session)
  if (wants(count.id)) await measureCount(bench, session)
  await session.close()
}

export const groups: ReadonlyArray<Group> = [
  { name: "hot-small", rows: [getSmall], phases: [smallPhase], allocations: true },
  { name: "hot-medium", rows: [getMedium, missing, scan, ranges, count], phases: [mediumPhase], allocations: true }
]
