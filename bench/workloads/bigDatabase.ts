// What does a million keys cost: to read, to overwrite at random, to read beside a writer, and to open again?
import { ascending, emptyTally, expectValues, makeKeys, makeMissingKeys, sample, tallyOf } from "../data.ts"
import type { Session } from "../drivers/driver.ts"
import { measureGets } from "./hotReads.ts"
import {
  type Bench,
  expectPairs,
  fill,
  filled,
  type Group,
  makePairs,
  type Row,
  thousands,
  timeWrites,
  valueBytes
} from "./workload.ts"

const mixedGeneration = 99

const get: Row = {
  id: "get-big",
  title: ({ bigKeys }) => `random get, ${thousands(bigKeys)} keys`,
  unit: "µs",
  includes: "keys drawn at random, each once, after one pass over them",
  leavesOut: "a cold disk: the operating system has all pages in memory"
}

const missing: Row = {
  id: "missing-big",
  title: ({ bigKeys }) => `get of missing keys, ${thousands(bigKeys)} keys`,
  unit: "µs",
  includes: "keys between those that exist",
  leavesOut: "a cold disk"
}

const set: Row = {
  id: "set-random-big",
  title: ({ bigKeys }) => `random set over ${thousands(bigKeys)} keys, no sync`,
  unit: "µs",
  includes: "overwriting keys drawn at random, one call each; what the engine cleans up meanwhile",
  leavesOut: "cleaning up after the last set"
}

const setBuffered: Row = {
  ...set,
  id: "set-random-buffered",
  title: ({ bigKeys }) => `random set over ${thousands(bigKeys)} keys, Strata buffered`
}

const mixedMedian: Row = {
  id: "mixed-median",
  title: ({ bigKeys }) => `a get and its set by turns, ${thousands(bigKeys)} keys: median of the gets`,
  unit: "µs",
  includes: "each get timed alone (about 0.1 µs for the two clock readings), the set after it untimed, no sync",
  leavesOut: "the sets"
}

const mixedTail: Row = {
  ...mixedMedian,
  id: "mixed-p99",
  title: ({ bigKeys }) => `a get and its set by turns, ${thousands(bigKeys)} keys: p99 of the gets`
}

const open: Row = {
  id: "open-clean",
  title: ({ bigKeys }) => `open ${thousands(bigKeys)} keys, closed before`,
  unit: "ms",
  includes: "opening and one get, in a process that has loaded the engine's code",
  leavesOut: "loading the code; a cold disk"
}

const openKilled: Row = {
  ...open,
  id: "open-killed",
  title: ({ bigKeys }) => `open ${thousands(bigKeys)} keys, just written by a process that was killed`,
  includes: "recovery and one get; then every acknowledged key must be there"
}

const measureSets = async (bench: Bench, session: Session, row: string): Promise<void> => {
  const { driver, record, scale } = bench
  const indexes = sample(scale.sets, scale.bigKeys, 3)
  let generation = 0
  for (const [loop, run] of Object.entries(session.set)) {
    generation++
    const pairs = makePairs(bench, { indexes, valueBytes, generation })
    const { done, micros } = await timeWrites(run, pairs, scale)
    record({ row, mode: driver.fillMode, loop, value: micros })
    await expectPairs(bench, session, { indexes: indexes.subarray(0, done), valueBytes, generation })
  }
}

const measureMixed = async (bench: Bench, session: Session): Promise<void> => {
  const { driver, record, scale } = bench
  const run = session.getAndSet
  if (run === undefined) return
  const indexes = sample(Math.floor(scale.sets / 4), scale.bigKeys, 4)
  const pairs = makePairs(bench, { indexes, valueBytes, generation: mixedGeneration })
  const millis = new Float64Array(indexes.length)
  let from = 0
  const start = performance.now()
  // In slices, so that an engine with slow sets stops at the cap.
  for (let to = 1000; to <= indexes.length && performance.now() - start < scale.capMillis; to += 1000) {
    const part = { keys: pairs.keys.slice(from, to), values: pairs.values.slice(from, to) }
    const tally = await run({ ...part, millis: millis.subarray(from, to) })
    expectValues("mixed", tally, tallyOf({ indexes: indexes.subarray(from, to), valueBytes }))
    from = to
  }
  const measured = millis.slice(Math.floor(from / 10), from).sort()
  const at = (part: number) => measured[Math.floor((measured.length - 1) * part)]! * 1000
  record({ row: mixedMedian.id, mode: driver.fillMode, loop: "one by one", value: at(0.5) })
  record({ row: mixedTail.id, mode: driver.fillMode, loop: "one by one", value: at(0.99) })
}

const usePhase = async (bench: Bench): Promise<void> => {
  const { driver, scale, wants } = bench
  const session = await filled(bench, ascending(scale.bigKeys))
  const indexes = sample(scale.gets, scale.bigKeys, 2)
  if (wants(get.id)) {
    const keys = makeKeys(indexes, driver.arrays)
    const expected = tallyOf({ indexes, valueBytes })
    await measureGets(bench, session, { row: get.id, keys, expected, operations: 1 })
  }
  if (wants(missing.id)) {
    const keys = makeMissingKeys(indexes, driver.arrays)
    await measureGets(bench, session, { row: missing.id, keys, expected: emptyTally(), operations: 1 })
  }
  if (wants(set.id)) await measureSets(bench, session, set.id)
  if (wants(mixedMedian.id) || wants(mixedTail.id)) await measureMixed(bench, session)
  await session.close()
}

const bufferedPhase = async (bench: Bench): Promise<void> => {
  const { driver, scale } = bench
  const fillMode = "buffered" in driver.unsynced ? "buffered" : driver.fillMode
  const own = { ...bench, driver: { ...driver, fillMode } }
  const session = await filled(own, ascending(scale.bigKeys))
  await measureSets(own, session, setBuffered.id)
  await session.close()
}

const openPhase =
  (row: string) =>
  async (bench: Bench): Promise<void> => {
    const { directory, driver, record, scale } = bench
    if (!driver.durable) return
    const middle = Uint32Array.of(scale.bigKeys >> 1)
    const first = makeKeys(middle, driver.arrays)
    const start = performance.now()
    const session = await driver.open(directory, driver.fillMode)
    const tally = await Object.values(session.get)[0]!(first)
    record({ row, mode: driver.fillMode, loop: "open", value: performance.now() - start })
    expectValues("first get", tally, tallyOf({ indexes: middle, valueBytes }))
    const all = ascending(scale.bigKeys)
    const found = await Object.values(session.get)[0]!(makeKeys(all, driver.arrays))
    expectValues("after opening", found, tallyOf({ indexes: all, valueBytes }))
    await session.close()
  }

/** The process is killed when this is done: nothing is closed. */
const writePhase = async (bench: Bench): Promise<void> => {
  const { directory, driver, scale } = bench
  if (!driver.durable) return
  await fill(bench, await driver.open(directory, driver.fillMode), { indexes: ascending(scale.bigKeys), valueBytes })
}

export const groups: ReadonlyArray<Group> = [
  {
    name: "big",
    rows: [get, missing, set, mixedMedian, mixedTail, open],
    phases: [usePhase, openPhase(open.id)],
    allocations: true
  },
  { name: "big-buffered", rows: [setBuffered], phases: [bufferedPhase], engines: ["strata", "lmdb"] },
  { name: "killed", rows: [openKilled], phases: [writePhase, openPhase(openKilled.id)], killed: true }
]
