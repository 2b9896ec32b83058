// One process: loads the sources into a database, or reads one that was loaded. Called by `bench/compression.ts` with
// a JSON `Task`; writes its answer as JSON to file descriptor 3. Everything that is read is compared with the sources.
import { writeSync } from "node:fs"
import { Effect, Layer, ManagedRuntime, Stream } from "effect"
import type * as Lz4Compression from "../../src/layers/Lz4Compression.ts"
import type { CompressionLevels } from "../../src/services/Compression.ts"
import { random } from "../data.ts"
import { DatabaseTag, layer, MaintenanceTag } from "../sustained/built.ts"
import { bytesUnder } from "../workloads/diskUse.ts"
import { type Entry, entriesOf } from "./data.ts"
import type { CodecName, Loaded, Read, Task } from "./settings.ts"

/** Of one commit, as the demo's. */
const batchOperationsMax = 1000
const batchBytesMax = 4 * 1024 * 1024
/** A get of a longer one would be a bench of memory. */
const getBytesMax = 256 * 1024
/** Indexes and filters stay in it, and few blocks are found again. */
const coldCacheBytes = 8 * 1024 * 1024

const modules: Readonly<Record<CodecName, string>> = {
  none: "NoCompression",
  zstd: "ZstdCompression",
  lz4: "Lz4Compression",
  snappy: "SnappyCompression"
}

const task = JSON.parse(process.argv[2]!) as Task
const { layerWith } = (await import(`../../dist/layers/${modules[task.codec]}.js`)) as typeof Lz4Compression
const levels: Partial<CompressionLevels> = task.values ? { values: task.codec } : {}
const cache = task.phase === "read" ? { cacheBytes: coldCacheBytes } : {}
const compression = layerWith(levels)
const runtime = ManagedRuntime.make(
  layer({ directory: task.directory, durability: "os", compression, ...cache }).pipe(Layer.orDie)
)
const database = await runtime.runPromise(DatabaseTag)
const maintenance = await runtime.runPromise(MaintenanceTag)
const entries = entriesOf(task.root, task.shape)

const microsSince = (before: NodeJS.CpuUsage): number => {
  const { system, user } = process.cpuUsage(before)
  return system + user
}

const batches = function* (): Generator<ReadonlyArray<Entry>> {
  let batch: Array<Entry> = []
  let bytes = 0
  for (const entry of entries) {
    if (batch.length === batchOperationsMax || bytes + entry.value.length > batchBytesMax) {
      yield batch
      batch = []
      bytes = 0
    }
    batch.push(entry)
    bytes += entry.value.length
  }
  yield batch
}

const load = async (): Promise<Loaded> => {
  const [start, cpu] = [performance.now(), process.cpuUsage()]
  const write = Effect.forEach(
    batches(),
    (batch) => database.write(batch.map(({ key, value }) => ({ type: "set" as const, key, value }))),
    { discard: true }
  )
  await Effect.runPromise(Effect.andThen(write, maintenance.compact()))
  const seconds = (performance.now() - start) / 1000
  return {
    plainBytes: entries.reduce((sum, { key, value }) => sum + key.length + value.length, 0),
    diskBytes: bytesUnder(task.directory),
    seconds,
    cpuSeconds: microsSince(cpu) / 1e6
  }
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

const read = async (): Promise<Read> => {
  const next = random(1)
  const short = entries.filter(({ value }) => value.length <= getBytesMax)
  const asked = Array.from({ length: task.gets }, () => short[Math.floor(next() * short.length)]!)
  const gets = Effect.forEach(asked, ({ key }) => database.get(key))
  const beforeGets = process.cpuUsage()
  const found = await Effect.runPromise(gets)
  const getMicros = microsSince(beforeGets) / task.gets
  for (const [index, { key, value }] of asked.entries()) {
    if (!same(found[index]!, value)) throw new Error(`${key} reads wrong`)
  }
  let at = 0
  const beforeScan = process.cpuUsage()
  await Effect.runPromise(
    Stream.runForEachArray(database.scan(), (chunk) =>
      Effect.sync(() => {
        for (const { value } of chunk) if (!same(value, entries[at++]!.value)) throw new Error(`entry ${at} is wrong`)
      })
    )
  )
  if (at !== entries.length) throw new Error(`${at} of ${entries.length} entries`)
  return { scanSeconds: microsSince(beforeScan) / 1e6, getMicros }
}

const answer = task.phase === "load" ? await load() : await read()
await runtime.dispose()
writeSync(3, JSON.stringify(answer))
