// The databases that somebody tampers with: small, with every kind of file and of section, and the same in every run.
//
//   earlier   closed after its first life
//   closed    the same directory, closed after its second
//   crashed   the same, in its third life, cut from power with segments of the log that no table has yet
//   chained   a database of its own, cut from power with a group of several frames (FIRST MIDDLE LAST) in its log
//
// `closed` has a table of compressed blocks, one with an index in partitions, with range removals and value references,
// value files as written, direct and collected (of several sections), a log that ends with SEALED and a manifest of
// several edits. Another salt gives the same keys, lengths and places, with other values.
import { Effect } from "effect"
import { fileHeaderBytes } from "../../src/internal/format/fileHeader.ts"
import * as SimDisk from "../../src/layers/SimDisk.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import { directory, type Opened, type OpenOptions, smallOptions, visibleImage } from "./opened.ts"
import { allKept, crashOf, type Image, numbered, simulate, stateOf, using } from "./scenario.ts"
import { range } from "./regressionKit.ts"
import { longValue, piecesOf } from "./valueKit.ts"

export type Contents = Readonly<Record<string, string>>

export interface Target {
  readonly name: string
  readonly image: Image
  readonly contents: Contents
  /** What was there before each commit of the last segment, in which nothing else is, and after it. */
  readonly states: ReadonlyArray<Contents>
}

export interface Targets {
  readonly earlier: Target
  readonly closed: Target
  readonly crashed: Target
}

export interface Making {
  readonly options: OpenOptions
  /** In every value. One character. */
  readonly salt: string
  readonly seed: number
  /** A copy goes on with it, instead of a first life. */
  readonly from?: Target
}

export const targetOptions: OpenOptions = {
  ...smallOptions,
  arenaBytes: 1024,
  arenaCount: 4,
  blockBytes: 64,
  indexBytesMax: 64,
  cacheBytes: 1024 * 1024,
  valueBytesMax: 4096,
  valueThreshold: 24,
  directValueBytesMin: 200,
  valueFileBytesMax: 1024,
  manifestBytesMax: 16 * 1024,
  flushOnCloseBytesMin: 1024 * 1024
}

/** The keys of which the values are long, by their numbers. */
const isLong = (number: number): boolean => number >= 12 && number < 20

const setAll = ({ database }: Opened, salt: string, numbers: ReadonlyArray<number>) =>
  Effect.forEach(
    numbers,
    (number) => {
      const [key] = numbered(1, number)
      return database.set(key!, isLong(number) ? longValue(`${salt}-${key}`, 30 + number) : `${salt} of ${key}`)
    },
    { discard: true }
  )

const streamedValue = (salt: string): Uint8Array => new TextEncoder().encode(longValue(`${salt}-streamed`, 260))

/** Tables and value files that were compacted and collected. */
const firstLife = (opened: Opened, salt: string) =>
  Effect.gen(function* () {
    const { database, maintenance } = opened
    yield* setAll(opened, `${salt}0`, range(0, 16))
    yield* maintenance.flush
    yield* setAll(opened, `${salt}1`, [3, 13, 15, ...range(17, 19)])
    yield* database.set("direct", longValue(`${salt}-direct`, 220))
    yield* database.setStream("streamed", piecesOf(streamedValue(salt), [50, 90]))
    yield* maintenance.flush
    yield* setAll(opened, `${salt}2`, [12, 17])
    yield* database.removeRange({ from: "key000", to: "key002" })
    yield* maintenance.compact()
    yield* maintenance.collectValues({ garbageRatioMin: 0.01 })
    yield* setAll(opened, `${salt}3`, [20, 21])
    return yield* stateOf(database)
  })

/** A table above it with removals, and commits that only the log has. */
const secondLife = (opened: Opened, salt: string) =>
  Effect.gen(function* () {
    const { database, maintenance } = opened
    yield* setAll(opened, `${salt}4`, [4, 12, 22, 23, ...range(26, 29), ...range(36, 39)])
    yield* database.removeRange({ from: "key006", to: "key009" })
    yield* database.remove("key010")
    yield* maintenance.flush
    yield* setAll(opened, `${salt}5`, [5, 18, 24])
    yield* database.set("direct2", longValue(`${salt}-direct2`, 210))
    yield* database.write([
      { type: "set", key: "key025", value: `${salt} in a batch` },
      { type: "remove", key: "key020" }
    ])
    return yield* stateOf(database)
  })

/** Those that are begun. */
const segmentsOf = (device: SimDisk.SimDisk): number =>
  device.files.list(directory).filter(({ bytes, name }) => name.startsWith("log-") && bytes > fileHeaderBytes).length

/** More than a memtable holds, while no table can be written. */
const thirdLife = (opened: Opened, salt: string, device: SimDisk.SimDisk) =>
  Effect.gen(function* () {
    const { database } = opened
    const states: Array<Contents> = []
    device.addFault({
      code: "ENOSPC",
      sticky: true,
      match: (operation, path) => operation === "create" && path.includes("table-")
    })
    let segments = segmentsOf(device)
    for (const number of range(26, 35)) {
      const before = yield* stateOf(database)
      yield* database.set(numbered(1, number)[0]!, `${salt} ${number}`.padEnd(130, "."))
      if (segmentsOf(device) > segments) states.splice(0)
      segments = segmentsOf(device)
      states.push(before)
    }
    states.push(yield* stateOf(database))
    const image = crashOf(device, allKept)
    device.clearFaults()
    return { image, states }
  })

const lived =
  ({ options, seed }: Making) =>
  <A>(device: SimDisk.SimDisk, body: (opened: Opened) => Effect.Effect<A, DatabaseError>): A =>
    // Always in the same order, whatever the seed: files get the same numbers.
    simulate(using(device, body, { ...targetOptions, ...options }), { seed, choices: [], yieldProbability: 0 })

export const makeTargets = (making: Making): Targets => {
  const { from, salt } = making
  const life = lived(making)
  const device = SimDisk.make({ image: from?.image })
  const first = from?.contents ?? life(device, (opened) => firstLife(opened, salt))
  const earlier = { name: "earlier", image: visibleImage(device), contents: first, states: [first] }
  const second = life(device, (opened) => secondLife(opened, salt))
  const closed = { name: "closed", image: visibleImage(device), contents: second, states: [second] }
  const { image, states } = life(device, (opened) => thirdLife(opened, salt, device))
  return { earlier, closed, crashed: { name: "crashed", image, contents: states.at(-1)!, states } }
}

/** Longer than two frames, and far from incompressible. */
const chainedBytes = 2.2 * 2 ** 20

export const makeChained = (making: Making): Target => {
  const device = SimDisk.make()
  const options = { ...making.options, arenaBytes: 2 ** 22, valueBytesMax: 2 ** 22, directValueBytesMin: 2 ** 22 }
  const body = ({ database }: Opened) =>
    Effect.gen(function* () {
      const states: Array<Contents> = []
      for (const [key, bytes] of Object.entries({ before: 20, chained: chainedBytes, last: 20 })) {
        states.push(yield* stateOf(database))
        yield* database.set(key, longValue(`${making.salt} ${key}`, bytes))
      }
      states.push(yield* stateOf(database))
      return { image: crashOf(device, allKept), states }
    })
  const { image, states } = lived({ ...making, options })(device, body)
  return { name: "chained", image, contents: states.at(-1)!, states }
}
