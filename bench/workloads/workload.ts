// What every workload is made of. A group is what one process does with one engine: rows that share a filled database.
// A row is one question.
import { mkdir, rm } from "node:fs/promises"
import { meter } from "../allocation.ts"
import { expectTally, makeKeys, makeValues, type Tally, tallyOf, type ValueShape } from "../data.ts"
import type { Awaitable, Driver, Loops, Session, WriteRun } from "../drivers/driver.ts"

/** How much of everything. */
export interface Scale {
  readonly smallKeys: number
  readonly mediumKeys: number
  readonly bigKeys: number
  readonly hugeKeys: number
  /** Of 1,024 B each: a gigabyte. */
  readonly gigabyteKeys: number
  /** While the delay of the event loop is watched. */
  readonly fillKeys: number
  /** In the log of a process that is killed. */
  readonly replayKeys: number
  readonly openTables: number
  readonly sustainedKeys: number
  /** How often each of those keys is set. Even. */
  readonly sustainedPasses: number
  readonly gets: number
  readonly sets: number
  readonly largeSets: number
  readonly batches: number
  readonly transactions: number
  readonly durableSets: number
  /** A loop of writes stops after this long, and is divided by what it did. */
  readonly capMillis: number
}

export interface Row {
  readonly id: string
  readonly title: (scale: Scale) => string
  /** More of `MB/s` is better, less of everything else. */
  readonly unit: "ms" | "µs" | "×" | "MB/s"
  readonly includes: string
  readonly leavesOut: string
}

export interface Measure {
  readonly row: string
  readonly mode: string
  readonly loop: string
  readonly value: number
  /** The most memory that was resident since the measure before, that of filling included. */
  readonly peakBytes?: number
  /** Allocated on the main thread for each operation, in a process whose times do not count. */
  readonly bytesEach?: number
}

export interface Bench {
  readonly driver: Driver
  readonly directory: string
  readonly scale: Scale
  readonly wants: (row: string) => boolean
  readonly record: (measure: Measure) => void
}

/** The phases run one after another in processes of their own, on the same directory. */
export interface Group {
  readonly name: string
  readonly rows: ReadonlyArray<Row>
  readonly phases: ReadonlyArray<(bench: Bench) => Promise<void>>
  /** Whether the first phase ends by SIGKILL, with the database open. */
  readonly killed?: boolean
  /** Left out unless `--large`. */
  readonly large?: boolean
  /** Of these engines alone; without it, of all but those that name their groups. */
  readonly engines?: ReadonlyArray<string>
  /** At most so many, of what takes long. */
  readonly roundsMax?: number
  /** Whether it measures the built package. */
  readonly built?: boolean
  /** Whether Strata's bytes for each operation are counted, in a process of its own. */
  readonly allocations?: boolean
}

export const valueBytes = 128
const fillBatch = 5000
const sliceOperations = 2000
const settleMillis = 500
const sampleSize = 1000
const windows = 5

export const thousands = (count: number): string => {
  if (count >= 1_000_000) return `${count / 1_000_000} M`
  return count >= 1000 ? `${count / 1000} k` : `${count}`
}

export const micros = async (operations: number, run: () => Awaitable<unknown>): Promise<number> => {
  const start = performance.now()
  await meter.around(operations, run)
  return ((performance.now() - start) * 1000) / operations
}

export const settle = (): Promise<void> => new Promise((resolve) => void setTimeout(resolve, settleMillis))

export const makePairs = ({ driver }: Bench, shape: ValueShape): WriteRun => ({
  keys: makeKeys(shape.indexes, driver.arrays),
  values: makeValues(shape, driver.arrays)
})

export const fill = async (
  bench: Bench,
  session: Session,
  { indexes, valueBytes: bytes }: ValueShape
): Promise<void> => {
  const batch = Math.ceil((fillBatch * valueBytes) / bytes)
  for (let from = 0; from < indexes.length; from += batch) {
    await session.write(makePairs(bench, { indexes: indexes.subarray(from, from + batch), valueBytes: bytes }))
  }
}

export const filled = async (bench: Bench, indexes: Uint32Array, bytes = valueBytes): Promise<Session> => {
  const session = await bench.driver.open(bench.directory, bench.driver.fillMode)
  await fill(bench, session, { indexes, valueBytes: bytes })
  await settle()
  return session
}

const firstLoop = <F>(loops: Loops<F>): F => Object.values(loops)[0]!

/** Fails unless a sample of the pairs, and the last of them, can be read. */
export const expectPairs = async (bench: Bench, session: Session, pairs: ValueShape): Promise<void> => {
  const { indexes } = pairs
  const step = Math.max(1, Math.floor(indexes.length / sampleSize))
  const some = indexes.filter((_, position) => position % step === 0 || position === indexes.length - 1)
  const found = await firstLoop(session.get)(makeKeys(some, bench.driver.arrays))
  expectTally("reading back", found, tallyOf({ ...pairs, indexes: some }))
}

/** Times a loop of reads, after one untimed pass, until it made `operations`. Every pass must find what is expected. */
export const timeReads = async (
  loop: () => Awaitable<Tally>,
  { expected, operations, perPass }: { expected: Tally; operations: number; perPass: number }
): Promise<number> => {
  expectTally("first pass", await loop(), expected)
  // A window is one pass: of several, some have no collection in them.
  for (let window = 0; meter.isOn && window < windows; window++) await micros(perPass, loop)
  const passes = meter.isOn ? 1 : Math.max(1, Math.ceil(operations / perPass))
  const tallies: Array<Tally> = []
  const value = await micros(passes * perPass, async () => {
    for (let pass = 0; pass < passes; pass++) tallies.push(await loop())
  })
  for (const tally of tallies) expectTally("pass", tally, expected)
  return value
}

export interface Timed {
  readonly micros: number
  /** Operations done before the cap, warm-up included. */
  readonly done: number
}

/** Times a loop of writes slice by slice, the first tenth untimed, until all is done or the cap is reached. */
export const timeWrites = async (
  loop: (run: WriteRun) => Awaitable<unknown>,
  { keys, values }: WriteRun,
  { capMillis, perOperation = 1 }: { capMillis: number; perOperation?: number }
): Promise<Timed> => {
  const operations = keys.length / perOperation
  const slice = Math.min(sliceOperations, Math.max(1, Math.floor(operations / 10))) * perOperation
  const warm = Math.ceil(keys.length / 10 / slice) * slice
  const run = (from: number, to: number) => loop({ keys: keys.slice(from, to), values: values.slice(from, to) })
  await run(0, warm)
  let millis = 0
  let done = warm
  while (done < keys.length && (millis < capMillis || done === warm)) {
    const to = Math.min(keys.length, done + slice)
    const part = { keys: keys.slice(done, to), values: values.slice(done, to) }
    const start = performance.now()
    await meter.around(part.keys.length / perOperation, () => loop(part))
    millis += performance.now() - start
    done = to
  }
  return { micros: (millis * 1000 * perOperation) / (done - warm), done }
}

/** An open fresh database for each mode and loop; closed, opened again and checked afterwards. */
export const eachFresh = async <F>(
  bench: Bench,
  { modes, row, select }: { modes: Loops<unknown>; row: string; select: (session: Session) => Loops<F> | undefined },
  measure: (loop: F, session: Session) => Promise<{ readonly micros: number; readonly written: ValueShape }>
): Promise<void> => {
  const { driver } = bench
  for (const mode of Object.keys(modes)) {
    const names = await withSession(bench, { directory: bench.directory, mode }, (session) =>
      Promise.resolve(Object.keys(select(session) ?? {}))
    )
    for (const loop of names) {
      const directory = `${bench.directory}/${row} ${mode} ${loop}`.replaceAll(/[^\w/.-]/g, "-")
      await mkdir(directory)
      const { micros, written } = await withSession(bench, { directory, mode }, async (session) => {
        const result = await measure(select(session)![loop]!, session)
        if (!driver.durable) await expectPairs(bench, session, result.written)
        return result
      })
      bench.record({ row, mode, loop, value: micros })
      if (driver.durable) {
        await withSession(bench, { directory, mode }, (session) => expectPairs(bench, session, written))
      }
      await rm(directory, { recursive: true })
    }
  }
}

const withSession = async <A>(
  { driver }: Bench,
  { directory, mode }: { directory: string; mode: string },
  use: (session: Session) => Promise<A>
): Promise<A> => {
  const session = await driver.open(directory, mode)
  try {
    return await use(session)
  } finally {
    await session.close()
  }
}
