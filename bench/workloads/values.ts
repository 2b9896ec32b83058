// What do values cost that are longer than a thousand bytes or so: to get one, to go over the keys, and to go over the
// keys with them? Sets of them are in `writes.ts`.
import { ascending, keyTallyOf, makeKeys, shuffled, tallyOf } from "../data.ts"
import { measureGets } from "./hotReads.ts"
import { type Bench, filled, type Group, type Row, type Scale, thousands, timeReads } from "./workload.ts"

/** One length of values; fewer of the longer ones, so that the operating system has all of them in memory. */
interface Length {
  readonly name: string
  readonly valueBytes: number
  readonly keys: (scale: Scale) => number
}

const lengths: ReadonlyArray<Length> = [
  { name: "1k", valueBytes: 1024, keys: ({ largeSets }) => largeSets },
  { name: "10k", valueBytes: 10_240, keys: ({ largeSets }) => largeSets / 4 }
]

const ofBytes = ({ keys, valueBytes }: Length, scale: Scale): string =>
  `${thousands(keys(scale))} of ${valueBytes.toLocaleString("en")} B`

const rowsOf = (length: Length) => {
  const get: Row = {
    id: `get-${length.name}`,
    title: (scale) => `random get, ${ofBytes(length, scale)}`,
    unit: "µs",
    includes: "the call, the lookup and the whole value, each key once, after one pass over them",
    leavesOut: "a cold disk: the operating system has all pages in memory"
  }
  const keys: Row = {
    id: `scan-keys-${length.name}`,
    title: (scale) => `scan of the keys alone, ${ofBytes(length, scale)}, an entry`,
    unit: "µs",
    includes: "every key in order, by the engine's fastest documented way, with values left where they are",
    leavesOut: "a cold disk"
  }
  const scan: Row = {
    ...keys,
    id: `scan-values-${length.name}`,
    title: (scale) => `scan with values, ${ofBytes(length, scale)}, an entry`,
    includes: "keys and values of every entry, in order, by the engine's fastest documented way"
  }
  return { get, keys, scan }
}

const passes = 3

const groupOf = (length: Length): Group => {
  const { get, keys, scan } = rowsOf(length)
  const phase = async (bench: Bench): Promise<void> => {
    const { driver, record, scale, wants } = bench
    const { valueBytes } = length
    const count = length.keys(scale)
    const session = await filled(bench, ascending(count), valueBytes)
    if (wants(get.id)) {
      const indexes = shuffled(count, 1)
      const drawn = makeKeys(indexes, driver.arrays)
      await measureGets(bench, session, {
        row: get.id,
        keys: drawn,
        expected: tallyOf({ indexes, valueBytes }),
        operations: count
      })
    }
    const indexes = ascending(count)
    const scans = [
      { row: keys, loops: session.keys, expected: keyTallyOf(indexes) },
      { row: scan, loops: session.scan, expected: tallyOf({ indexes, valueBytes }) }
    ]
    for (const { expected, loops, row } of scans) {
      if (!wants(row.id)) continue
      for (const [loop, run] of Object.entries(loops ?? {})) {
        const value = await timeReads(run, { expected, operations: count * passes, perPass: count })
        record({ row: row.id, mode: driver.fillMode, loop, value })
      }
    }
    await session.close()
  }
  return { name: `values-${length.name}`, rows: [get, keys, scan], phases: [phase], allocations: true }
}

export const groups: ReadonlyArray<Group> = lengths.map(groupOf)
