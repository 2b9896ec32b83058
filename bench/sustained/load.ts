// The load on Strata, then its rest, then nothing: what issue 3 of the project asks of compaction, measured through
// what users call.
import { ownInterval, timed, watch } from "./entryPoints.ts"
import { mkdirSync, writeSync } from "node:fs"
import { getHeapSpaceStatistics } from "node:v8"
import { Effect, type Exit, type Fiber, ManagedRuntime } from "effect"
import type { DatabaseService } from "../../src/services/Database.ts"
import type { MaintenanceService, Stats } from "../../src/services/Maintenance.ts"
import { bytesUnder, bytesWritten } from "../workloads/diskUse.ts"
import { untilRest } from "../workloads/rest.ts"
import { DatabaseTag, layer, MaintenanceTag } from "./built.ts"
import { Driver, keyBytes, type Operations, valueBytes, withDelay } from "./driver.ts"
import { Histogram } from "./histogram.ts"
import type { LoadResult, Settings } from "./settings.ts"

const mebibyte = 1024 * 1024
const rssMillis = 500
const rssPoints = 40
/** Strata tidies up when nothing was written for five seconds, as it finds out after ten at most: longer than that. */
const untidyMillis = 12_000
const restMillisMax = 900_000
const idleGets = 200_000

const settings = JSON.parse(process.argv[2]!) as Settings
const progress = (text: string): void =>
  void process.stderr.write(`${(performance.now() / 1000).toFixed(0)} s ${text}\n`)

const valueOf = <A>(exit: Exit.Exit<A, unknown>): A => {
  if (exit._tag === "Success") return exit.value
  throw new Error(String(exit.cause))
}

const ended = <A>(fiber: Fiber.Fiber<A, unknown>): Promise<A> =>
  new Promise((resolve, reject) => {
    fiber.addObserver((exit) => (exit._tag === "Success" ? resolve(exit.value) : reject(new Error(String(exit.cause)))))
  })

/** Runs on this stack as far as it goes. */
const call = <A>(kind: string, effect: Effect.Effect<A, unknown>): A | Promise<A> => {
  const fiber = timed(kind, () => Effect.runFork(effect))
  const exit = fiber.pollUnsafe()
  return exit === undefined ? ended(fiber) : valueOf(exit)
}

const operationsOn = (database: DatabaseService) => {
  const sets = new Histogram()
  let gets = new Histogram()
  const operations: Operations = {
    set: async (key, value) => {
      const start = performance.now()
      await call("set", database.set(key, value))
      sets.record(performance.now() - start)
    },
    get: async (key) => {
      const start = performance.now()
      const value = await call("get", database.get(key))
      gets.record(performance.now() - start)
      return value
    }
  }
  const takeGets = () => {
    const taken = gets.spread()
    gets = new Histogram()
    return taken
  }
  return { operations, sets, takeGets }
}

/** Until it has been left alone for long enough that nothing changes any more. */
const rested = async (maintenance: MaintenanceService): Promise<Stats> => {
  const until = performance.now() + restMillisMax
  for (let before = -1; performance.now() < until;) {
    await untilRest()
    const stats = await Effect.runPromise(maintenance.stats)
    if (stats.tableBytes === before && stats.jobs.running === 0) return stats
    before = stats.tableBytes
    await new Promise((resolve) => void setTimeout(resolve, untidyMillis))
  }
  return Effect.runPromise(maintenance.stats)
}

/** What V8 keeps for objects that were just made: up to 128 MiB, by how much the process allocates, whoever does it. */
const youngBytes = (): number =>
  getHeapSpaceStatistics()
    .filter(({ space_name }) => space_name === "new_space")
    .reduce((sum, space) => sum + space.physical_space_size, 0)

/** So many of the samples, evenly spread, each the highest of its part. */
const curveOf = (samples: ReadonlyArray<number>): ReadonlyArray<number> => {
  const part = Math.max(1, Math.ceil(samples.length / rssPoints))
  return Array.from({ length: Math.ceil(samples.length / part) }, (_, at) =>
    Math.round(Math.max(...samples.slice(at * part, (at + 1) * part)))
  )
}

mkdirSync(settings.directory, { recursive: true })
const runtime = ManagedRuntime.make(layer({ directory: settings.directory, durability: "os" }))
const database = await runtime.runPromise(DatabaseTag)
const maintenance = await runtime.runPromise(MaintenanceTag)
const driver = new Driver(settings.keys, 1)
const { operations, sets, takeGets } = operationsOn(database)
const rss: Array<number> = []
let young = 0
const sampler = ownInterval(() => {
  rss.push(process.memoryUsage.rss() / mebibyte)
  young = Math.max(young, youngBytes())
}, rssMillis)

const tasks = watch()
const writtenBefore = bytesWritten()
const loadStart = performance.now()
const delay = await withDelay(async () => {
  for (let tenth = 1; tenth <= 10; tenth++) {
    await driver.load(operations, Math.round(settings.sets / 10))
    progress(`${driver.sets} sets, ${driver.gets} gets, ${Math.round(rss.at(-1) ?? 0)} MiB`)
  }
})
const loadEnd = performance.now()
const getsLoaded = takeGets()
const stats = await rested(maintenance)
const restSeconds = (performance.now() - loadEnd) / 1000
const writtenAfter = bytesWritten()
const diskBytes = bytesUnder(settings.directory)
progress(`at rest: ${(diskBytes / mebibyte).toFixed(0)} MiB on disk, ${stats.state}`)
const from = driver.gets
await driver.read(operations, () => driver.gets - from < idleGets)
const getsIdle = takeGets()
const present = driver.presentCount
const count = await Effect.runPromise(database.count())
if (count !== present) throw new Error(`${count} keys are there of ${present}`)
await Effect.runPromise(database.removeRange({}))
progress(`removed everything; idle for ${settings.idleSeconds} s`)
await new Promise((resolve) => void setTimeout(resolve, settings.idleSeconds * 1000))
const emptyBytes = bytesUnder(settings.directory)
clearInterval(sampler)
const { arenaBytes, arenaCount, cacheBytes } = database.options
const { counters } = stats
const result: LoadResult = {
  loadSeconds: (loadEnd - loadStart) / 1000,
  restSeconds,
  delay,
  tasks: tasks.histogram.spread(),
  windows: tasks.windows.spread(),
  longest: tasks.longest,
  getsLoaded,
  getsIdle,
  sets: sets.spread(),
  rssMiB: curveOf(rss),
  youngMiB: young / mebibyte,
  budgetMiB: (arenaBytes * arenaCount + cacheBytes) / mebibyte,
  levels: stats.levels,
  liveBytes: present * (keyBytes + valueBytes),
  diskBytes,
  userBytes: driver.sets * (keyBytes + valueBytes),
  appendedBytes:
    counters.logBytesWritten + counters.manifestBytesWritten + counters.tableBytesWritten + counters.valueBytesWritten,
  writtenBytes: writtenBefore === undefined || writtenAfter === undefined ? undefined : writtenAfter - writtenBefore,
  stalls: stats.stalls,
  state: stats.state,
  emptyBytes
}
await runtime.dispose()
writeSync(3, JSON.stringify(result))
process.exit(0)
