// What does a set cost when the load goes on, with all that the engine rewrites because of it? For engines that put
// such work off: the clock stops when they are at rest.
import { makeKeys, makeValues, shuffled } from "../data.ts"
import type { Session, WriteRun } from "../drivers/driver.ts"
import { bytesUnder, bytesWritten } from "./diskUse.ts"
import { untilRest } from "./rest.ts"
import { type Bench, expectPairs, type Group, type Row, thousands, valueBytes } from "./workload.ts"

const batchOperations = 1000
const keyBytes = 16

const batch: Row = {
  id: "sustained-batch",
  title: ({ sustainedKeys: keys, sustainedPasses: passes }) =>
    `sustained: ${thousands(keys * passes)} sets over ${thousands(keys)} keys in batches of 1000, a set`,
  unit: "µs",
  includes:
    "every key set again and again, in another random order each time; then what is left to do until the process rests",
  leavesOut: "making the keys and values; work that begins after a quiet second"
}

const one: Row = {
  ...batch,
  id: "sustained-one",
  title: ({ sustainedKeys: keys, sustainedPasses: passes }) =>
    `sustained: ${thousands((keys * passes) / 2)} sets over ${thousands(keys)} keys one at a time, a set`
}

const space: Row = {
  id: "sustained-space",
  title: () => "bytes on disk at rest after the batches, for each byte that is live",
  unit: "×",
  includes: "every file in the directory, after five more seconds of rest; 144 live bytes a key",
  leavesOut: "holes"
}

const written: Row = {
  id: "sustained-written",
  title: () => "bytes written during the batches and until rest, for each byte of keys and values",
  unit: "×",
  includes: "what all threads of the process gave to `write`, as Linux counts it",
  leavesOut: "what is written by other ways, as mapped files"
}

/** Sets every key once, in the order of the seed. */
interface Pass {
  readonly seed: number
  readonly generation: number
}

class Load {
  private readonly keys: WriteRun["keys"]
  private readonly values: WriteRun["values"]
  private readonly count: number

  constructor({ driver }: Bench, count: number) {
    const indexes = Uint32Array.from({ length: count }, (_, index) => index)
    this.count = count
    this.keys = makeKeys(indexes, driver.arrays)
    this.values = makeValues({ indexes, valueBytes }, driver.arrays)
  }

  /** Milliseconds that the sets took. What is made for them is not counted. */
  async run(write: (run: WriteRun) => unknown, { generation, seed }: Pass): Promise<number> {
    for (const value of this.values) value[3] = generation
    const order = shuffled(this.count, seed)
    let millis = 0
    for (let from = 0; from < order.length; from += batchOperations) {
      const part = Array.from(order.subarray(from, from + batchOperations))
      const run = { keys: part.map((index) => this.keys[index]!), values: part.map((index) => this.values[index]!) }
      const start = performance.now()
      await write(run)
      millis += performance.now() - start
    }
    return millis
  }
}

const settledMillis = 5000

const measure = async (
  bench: Bench,
  { passes, row, write }: { readonly passes: number; readonly row: Row; readonly write: (session: Session) => Write }
): Promise<void> => {
  const { directory, driver, record, scale, wants } = bench
  if (driver.logStructured !== true) return
  const count = scale.sustainedKeys
  const session = await driver.open(directory, driver.fillMode)
  const load = new Load(bench, count)
  await untilRest()
  const before = bytesWritten()
  let millis = 0
  for (let pass = 1; pass <= passes; pass++) millis += await load.run(write(session), { seed: pass, generation: pass })
  const loaded = performance.now()
  millis += Math.max(0, (await untilRest()) - loaded)
  const after = bytesWritten()
  const told = { mode: driver.fillMode, loop: row === batch ? "batch" : "one by one" }
  record({ ...told, row: row.id, value: (millis * 1000) / (count * passes) })
  const pairBytes = keyBytes + valueBytes
  if (row === batch && before !== undefined && after !== undefined) {
    record({ ...told, row: written.id, value: (after - before) / (count * passes * pairBytes) })
  }
  await expectPairs(bench, session, { indexes: shuffled(count, 1), valueBytes, generation: passes })
  if (row === batch && wants(space.id)) {
    // Some wait for a while before they clean up.
    await new Promise((resolve) => void setTimeout(resolve, settledMillis))
    await untilRest()
    record({ ...told, row: space.id, value: bytesUnder(directory) / (count * pairBytes) })
  }
  await session.close()
}

type Write = (run: WriteRun) => unknown

const batchPhase = (bench: Bench): Promise<void> =>
  measure(bench, {
    passes: bench.scale.sustainedPasses,
    row: batch,
    write: (session) => (run) => session.write(run)
  })

const onePhase = (bench: Bench): Promise<void> =>
  measure(bench, {
    passes: bench.scale.sustainedPasses / 2,
    row: one,
    write: (session) => session.set["one by one"]!
  })

export const groups: ReadonlyArray<Group> = [
  { name: "sustained-batches", rows: [batch, written, space], phases: [batchPhase] },
  { name: "sustained-sets", rows: [one], phases: [onePhase] }
]
