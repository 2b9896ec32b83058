// How fast is a log replayed, and how long does a database of ten thousand tables take to open? Of Strata alone; the
// peers' openings are in `bigDatabase.ts`.
import { ascending, expectValues, makeKeys, tallyOf } from "../data.ts"
import { type Bench, fill, type Group, type Row, thousands, valueBytes } from "./workload.ts"

const largeArenas = "os, large arenas"

const replay: Row = {
  id: "replay",
  title: ({ replayKeys }) => `replay of a log of ${thousands(replayKeys)} keys`,
  unit: "MB/s",
  includes: "reading, checking and applying what a killed process left in its log, as the recovery report counts it",
  leavesOut: "a cold disk; memtables of 128 MiB keep all of it in the log"
}

/** The process is killed when this is done: nothing is closed. */
const writePhase = async (bench: Bench): Promise<void> => {
  const { directory, driver, scale } = bench
  const session = await driver.open(directory, largeArenas)
  await fill(bench, session, { indexes: ascending(scale.replayKeys), valueBytes })
}

const replayPhase = async ({ directory, driver, record, scale }: Bench): Promise<void> => {
  const session = await driver.open(directory, largeArenas)
  const { bytes, millis } = session.recovered!
  const indexes = ascending(scale.replayKeys)
  const liveBytes = indexes.length * (valueBytes + 16)
  if (bytes < liveBytes) throw new Error(`only ${bytes} bytes of ${liveBytes} were in the log`)
  const found = await session.get["owned"]!(makeKeys(indexes, driver.arrays))
  expectValues("after replay", found, tallyOf({ indexes, valueBytes }))
  record({ row: replay.id, mode: largeArenas, loop: "open", value: bytes / 1e3 / millis })
  await session.close()
}

const smallTables = "os, small tables"
/** What makes a table of 2 KiB. */
const keysPerTable = 14

const tables: Row = {
  id: "open-tables",
  title: ({ openTables }) => `open ${thousands(openTables)} tables, closed before`,
  unit: "ms",
  includes: "opening and one get, in a process that has loaded the engine's code",
  leavesOut: "opening the tables, which is done when they are read; a cold disk"
}

const tablesPhase = async (bench: Bench): Promise<void> => {
  const { directory, driver, scale } = bench
  const session = await driver.open(directory, smallTables)
  await fill(bench, session, { indexes: ascending(scale.openTables * keysPerTable), valueBytes })
  const found = await session.compact!()
  if (found < scale.openTables) throw new Error(`${found} tables were made`)
  await session.close()
}

const openTablesPhase = async ({ directory, driver, record, scale }: Bench): Promise<void> => {
  const indexes = Uint32Array.of(scale.openTables)
  const key = makeKeys(indexes, driver.arrays)
  const start = performance.now()
  const session = await driver.open(directory, smallTables)
  const found = await session.get["owned"]!(key)
  record({ row: tables.id, mode: smallTables, loop: "open", value: performance.now() - start })
  expectValues("after opening", found, tallyOf({ indexes, valueBytes }))
  await session.close()
}

export const groups: ReadonlyArray<Group> = [
  { name: "open-tables", rows: [tables], phases: [tablesPhase, openTablesPhase], roundsMax: 1, engines: ["strata"] },
  { name: "replay", rows: [replay], phases: [writePhase, replayPhase], killed: true, engines: ["strata"] }
]
