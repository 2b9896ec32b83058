// One process of `bench/encryption.ts`: all rows, over one database that the first of them fills.
import { writeSync } from "node:fs"
import { Effect, ManagedRuntime, Redacted } from "effect"
import * as AeadEncryption from "../../src/layers/AeadEncryption.ts"
import * as LsmDatabase from "../../src/layers/LsmDatabase.ts"
import * as NoCompression from "../../src/layers/NoCompression.ts"
import { Database, type DatabaseService } from "../../src/services/Database.ts"
import { Maintenance } from "../../src/services/Maintenance.ts"
import { makeKeys, makeValues, shuffled } from "../data.ts"
import type { Figures, Settings } from "./settings.ts"

const settings = JSON.parse(process.argv[2]!) as Settings
const batchEntries = 1000
const batches = settings.quick ? 60 : 200
const warmBatches = 40
const hotKeys = 100_000
const hotGets = settings.quick ? 500_000 : 2_000_000
const coldGets = settings.quick ? 5000 : 20_000
const hotMicros = 2
const coldMicros = 10
const valueBytes = 100
const opens = 7
/** Short enough that most of them end before another process has its turn. */
const sliceMicros = 2000

const wants = (row: string): boolean => settings.rows.includes(row)
const figures: Figures = {}
const key = Redacted.make(new Uint8Array(32).fill(7))
const encryption = settings.sealed ? AeadEncryption.layer({ key }) : undefined

/** The lower quartile: what other processes of the machine take is in the slower ones. */
const quick = (values: Array<number>): number => values.sort((a, b) => a - b)[values.length >> 2]!

/** Of this thread, in microseconds. */
const threadMicros = (): number => {
  const { system, user } = process.threadCpuUsage()
  return system + user
}

const openAt = async (name: string, options: Partial<LsmDatabase.Location> = {}) => {
  const directory = `${settings.directory}/${name}`
  const runtime = ManagedRuntime.make(
    LsmDatabase.layer({ directory, durability: "os", encryption, compression: NoCompression.layer, ...options })
  )
  const database = await runtime.runPromise(Database)
  const maintenance = await runtime.runPromise(Maintenance)
  return { runtime, database, maintenance }
}

/** Microseconds for each: until it was there, and of this thread. */
interface Taken {
  readonly elapsed: number
  readonly thread: number
}

const write = (database: DatabaseService, indexes: Uint32Array): Promise<Taken> => {
  const keys = makeKeys(indexes, "uint8array")
  const values = makeValues({ indexes, valueBytes }, "uint8array")
  const groups = Array.from({ length: indexes.length / batchEntries }, (_, group) =>
    Array.from({ length: batchEntries }, (_, at) => {
      const index = group * batchEntries + at
      return { type: "set" as const, key: keys[index]!, value: values[index]! }
    })
  )
  return Effect.runPromise(
    Effect.gen(function* () {
      const micros: Array<number> = []
      const before = threadMicros()
      for (const group of groups) {
        const start = performance.now()
        yield* database.write(group)
        micros.push(1000 * (performance.now() - start))
      }
      return { elapsed: quick(micros), thread: (threadMicros() - before) / groups.length }
    })
  )
}

/** `about`: microseconds that one is thought to take. */
const gets = (database: DatabaseService, indexes: Uint32Array, [count, about]: [number, number]): Promise<Taken> => {
  const keys = makeKeys(indexes, "uint8array")
  const slice = sliceMicros / about
  return Effect.runPromise(
    Effect.gen(function* () {
      let found = 0
      const micros: Array<number> = []
      const before = threadMicros()
      for (let index = 0; index < count;) {
        const start = performance.now()
        for (const end = index + slice; index < end; index++) {
          const value = yield* database.get(keys[index % keys.length]!)
          if (value !== undefined) found += value.length
        }
        micros.push((1000 * (performance.now() - start)) / slice)
      }
      if (found !== count * valueBytes) throw new Error("a key was not found")
      return { elapsed: quick(micros), thread: (threadMicros() - before) / count }
    })
  )
}

const taken = (row: string, { elapsed, thread }: Taken): void => {
  figures[row] = elapsed
  figures[`${row}, thread`] = thread
}

const cpuMillis = (): number => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1000
}

const filling = async (): Promise<void> => {
  const { database, maintenance, runtime } = await openAt("db")
  const warm = warmBatches * batchEntries
  const indexes = shuffled(warm + batches * batchEntries, 1)
  await write(database, indexes.subarray(0, warm))
  taken("batches", await write(database, indexes.subarray(warm)))
  const before = cpuMillis()
  await runtime.runPromise(Effect.andThen(maintenance.flush, maintenance.compact()))
  figures["jobs"] = (1000 * (cpuMillis() - before)) / indexes.length
  await runtime.dispose()
}

const opening = async (): Promise<void> => {
  const millis: Array<number> = []
  for (let turn = 0; turn < opens; turn++) {
    const start = performance.now()
    const { database, runtime } = await openAt("db")
    await Effect.runPromise(database.get("item"))
    millis.push(performance.now() - start)
    await runtime.dispose()
  }
  figures["open"] = quick(millis)
}

const cold = async (): Promise<void> => {
  const { database, runtime } = await openAt("db", { cacheBytes: 0 })
  const indexes = shuffled((warmBatches + batches) * batchEntries, 2)
  await gets(database, indexes, [coldGets / 5, coldMicros])
  taken("cold", await gets(database, indexes, [coldGets, coldMicros]))
  await runtime.dispose()
}

const hot = async (): Promise<void> => {
  const { database, maintenance, runtime } = await openAt("hot")
  const indexes = shuffled(hotKeys, 3)
  await write(database, indexes)
  await runtime.runPromise(Effect.andThen(maintenance.flush, maintenance.compact()))
  await gets(database, indexes, [2 * hotKeys, hotMicros])
  taken("hot", await gets(database, indexes, [hotGets, hotMicros]))
  await runtime.dispose()
}

if (["batches", "jobs", "open", "cold"].some(wants)) await filling()
if (wants("open")) await opening()
if (wants("cold")) await cold()
if (wants("hot")) await hot()
writeSync(3, JSON.stringify(figures))
