// An hour of mixed load on one database, and whether anything grows: `npm run soak -- --minutes 60`.
//
//   --minutes <n>     how long (60)
//   --seed <n>        of the load; printed, and random if it is not given
//   --directory <d>   where; default: a temporary one, which is removed
//
// Every tenth of the time, at most every ten minutes, the database is closed, opened, verified and checked against what
// was written. Memory, descriptors, threads and the disk are measured between. At the end a table has, for each, its
// mean and its growth, and the verdict: it exits with 1 if something grows more than it may, takes more space than
// twice what is live, or was not as written. In less than ten minutes code that is compiled late and caches are most of
// what grows: then growth is told, and not judged.
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setImmediate } from "node:timers/promises"
import { pathToFileURL } from "node:url"
import { parseArgs } from "node:util"
import { Effect } from "effect"
import { jobProgram } from "../src/layers/NodeJobProgram.ts"
import * as LsmDatabase from "../src/layers/LsmDatabase.ts"
import * as NodeDisk from "../src/layers/NodeDisk.ts"
import { built, type Opened, quiet } from "../test/support/opened.ts"
import { assertNoOrphans } from "../test/support/orphans.ts"
import { bundleWorker } from "./bundleWorker.ts"
import { Load } from "./soak/load.ts"
import { afterWarmUp, growthOf, type Limit } from "./soak/slopes.ts"

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "60" },
    seed: { type: "string" },
    directory: { type: "string" }
  }
})

const seconds = Number(values.minutes) * 60
const seed = Number(values.seed ?? 1 + (Date.now() % 997))
const secondsPerSession = Math.min(600, seconds / 10)
const samplesPerSession = 6
const judgedSecondsMin = 600

interface Sample {
  readonly seconds: number
  readonly rss: number
  readonly heap: number
  readonly external: number
  readonly descriptors: number
  readonly threads: number
  readonly disk: number
  readonly amplification: number
}

const megabyte = 1024 * 1024
const limits: Readonly<Record<Exclude<keyof Sample, "seconds" | "amplification">, Limit>> = {
  rss: { growthPerHourMax: 0.01, growthMin: 32 * megabyte },
  heap: { growthPerHourMax: 0.01, growthMin: 4 * megabyte },
  external: { growthPerHourMax: 0.01, growthMin: 16 * megabyte },
  descriptors: { growthPerHourMax: 0, growthMin: 4 },
  threads: { growthPerHourMax: 0, growthMin: 2 },
  disk: { growthPerHourMax: 0.05, growthMin: 24 * megabyte }
}
const amplificationMax = 2

const bytesIn = (directory: string): number =>
  readdirSync(directory).reduce((sum, name) => {
    try {
      return sum + statSync(join(directory, name)).size
    } catch {
      // It has gone meanwhile.
      return sum
    }
  }, 0)

const startedAt = performance.now()
const elapsed = (): number => (performance.now() - startedAt) / 1000

const measure = async (opened: Opened, directory: string): Promise<Sample> => {
  for (let round = 0; round < 3; round++) {
    globalThis.gc?.()
    await setImmediate()
  }
  const { amplification, openFiles } = await Effect.runPromise(opened.maintenance.stats)
  const { external, heapUsed, rss } = process.memoryUsage()
  return {
    seconds: elapsed(),
    rss,
    heap: heapUsed,
    external,
    // Those of tables are as many as there are tables, up to a limit.
    descriptors: readdirSync("/proc/self/fd").length - openFiles,
    threads: readdirSync("/proc/self/task").length,
    disk: bytesIn(directory),
    amplification: amplification.space
  }
}

const shown = (name: string, value: number): string =>
  name === "descriptors" || name === "threads" ? value.toFixed(1) : `${(value / megabyte).toFixed(1)} MiB`

const layerIn = (directory: string) =>
  LsmDatabase.layer({
    directory,
    memoryBudget: 32 * megabyte,
    baseLevelBytes: 8 * megabyte,
    tableBytesMax: 2 * megabyte,
    valueFileBytesMax: 4 * megabyte,
    ballastLiveBytesMin: megabyte
  })

/** Opened, worked with, checked, closed. */
const session = (load: Load, directory: string, samples: Array<Sample>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const opened = yield* built(layerIn(directory))
      if (samples.length === 0) yield* load.fill(opened)
      for (let part = 0; part < samplesPerSession; part++) {
        yield* load.run(opened, Math.max(0.2, secondsPerSession / samplesPerSession))
        const sample = yield* Effect.promise(() => measure(opened, directory))
        samples.push(sample)
        const { amplification, disk, rss } = sample
        console.log(
          `${sample.seconds.toFixed(0).padStart(5)} s  ${load.commits} commits, ${load.reads} reads, ` +
            `rss ${shown("rss", rss)}, disk ${shown("disk", disk)}, space x ${amplification.toFixed(2)}`
        )
      }
      yield* load.check(opened)
      const { damage } = yield* opened.maintenance.verify
      if (damage.length > 0) throw new Error(`damage: ${JSON.stringify(damage)}`)
      yield* opened.maintenance.flush
    })
  )

const soak = (directory: string) =>
  Effect.gen(function* () {
    const load = new Load(seed)
    const samples: Array<Sample> = []
    while (elapsed() < seconds) {
      yield* session(load, directory, samples)
      yield* assertNoOrphans({ disk: NodeDisk.make(), directory, logSegments: undefined })
    }
    return samples
  }).pipe(quiet)

const verdictOf = (all: ReadonlyArray<Sample>): boolean => {
  const samples = afterWarmUp(all, (sample) => sample.seconds)
  const isJudged = seconds >= judgedSecondsMin
  let isPassed = true
  for (const [name, limit] of Object.entries(limits)) {
    const points = samples.map((sample) => [sample.seconds, sample[name as keyof Sample]] as const)
    const { growth, isOver, mean, perHour } = growthOf(points, limit)
    if (isOver && isJudged) isPassed = false
    const told = `grew by ${shown(name, growth)}, ${shown(name, perHour)} in an hour`
    const verdict = !isOver ? "" : isJudged ? "  GROWS" : "  (not judged)"
    console.log(`  ${name.padEnd(12)} mean ${shown(name, mean).padStart(10)}  ${told}${verdict}`)
  }
  const amplification = samples.reduce((sum, one) => sum + one.amplification, 0) / samples.length
  const isLarge = amplification > amplificationMax
  console.log(`  space        x ${amplification.toFixed(2)} of what is live${isLarge ? "  TOO MUCH" : ""}`)
  return isPassed && !isLarge
}

const place = mkdtempSync(join(tmpdir(), "strata-soak-"))
const directory = values.directory ?? join(place, "db")
process.on("exit", () => rmSync(place, { recursive: true, force: true }))
await bundleWorker(place)
jobProgram.url = () => pathToFileURL(join(place, "programs/jobWorker.js"))

console.log(`soak, seed ${seed}, ${values.minutes} minutes`)
const isPassed = verdictOf(await Effect.runPromise(soak(directory)))
console.log(isPassed ? "passed" : "FAILED")
process.exitCode = isPassed ? 0 : 1
