// The load of `bench/values.ts` on Strata: every key once, in order; then keys drawn at random, again and again; then
// none. Between them it rests until nothing is left to do.
import { mkdirSync, readdirSync, statSync, writeSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { Effect, ManagedRuntime } from "effect"
import { random } from "../data.ts"
import { DatabaseTag, layer, MaintenanceTag } from "../sustained/built.ts"
import { bytesUnder, bytesWritten } from "../workloads/diskUse.ts"
import { untilRest } from "../workloads/rest.ts"
import type { Phase, Settings, ValuesResult, Written } from "./settings.ts"

const mebibyte = 1024 * 1024
const keyBytes = 16
/** Sets under way at once. */
const writers = 16
/** Longer than Strata waits before it tidies up an idle database. */
const untidyMillis = 12_000
const pollMillis = 250

const settings = JSON.parse(process.argv[2]!) as Settings
const progress = (text: string): void =>
  void process.stderr.write(`${(performance.now() / 1000).toFixed(0)} s ${text}\n`)

mkdirSync(settings.directory, { recursive: true })
const runtime = ManagedRuntime.make(layer({ directory: settings.directory, durability: "os" }))
const database = await runtime.runPromise(DatabaseTag)
const maintenance = await runtime.runPromise(MaintenanceTag)

const next = random(1)
const noise = Uint8Array.from({ length: mebibyte }, () => Math.floor(next() * 256))
const keyOf = (index: number): Uint8Array => new TextEncoder().encode(String(index).padStart(keyBytes, "0"))

/** Begins with the index and the round, and does not compress. */
const valueOf = (index: number, round: number): Uint8Array => {
  const from = Math.floor(next() * (noise.length - settings.valueBytes))
  const value = noise.slice(from, from + settings.valueBytes)
  const view = new DataView(value.buffer)
  view.setUint32(0, index)
  view.setUint32(4, round)
  return value
}

/** The round in which each key was set last. */
const rounds = new Uint32Array(settings.keys)

const setAll = (round: number, draw: (at: number) => number): Promise<void> => {
  let done = 0
  const writer = Effect.gen(function* () {
    while (done < settings.keys) {
      const index = draw(done++)
      rounds[index] = round
      yield* database.set(keyOf(index), valueOf(index, round))
      // A turn of the event loop, as between requests: what Strata does beside the sets is done then.
      if (done % writers === 0) yield* Effect.yieldNow
    }
  })
  const all = Effect.all(
    Array.from({ length: writers }, () => writer),
    { concurrency: "unbounded", discard: true }
  )
  return Effect.runPromise(all)
}

const valueFiles = () =>
  readdirSync(settings.directory)
    .filter((name) => name.startsWith("value-"))
    .map((name) => statSync(join(settings.directory, name), { throwIfNoEntry: false })?.size ?? 0)

const writtenNow = async (): Promise<Written> => {
  const { counters } = await Effect.runPromise(maintenance.stats)
  const appended = Object.entries(counters)
    .filter(([name]) => name.endsWith("BytesWritten"))
    .reduce((sum, [, bytes]) => sum + bytes, 0)
  return { user: counters.userBytes, appended, linux: bytesWritten() }
}

/** Until files and counters have stayed the same for a while. */
const rested = async (): Promise<void> => {
  const until = performance.now() + settings.patienceSeconds * 1000
  for (let before = ""; performance.now() < until;) {
    await untilRest()
    const { appended } = await writtenNow()
    const now = `${bytesUnder(settings.directory)} ${appended}`
    if (now === before) return
    before = now
    await sleep(untidyMillis)
  }
}

const phases: Array<Phase> = []
const phase = async (name: string, run: () => Promise<void>): Promise<void> => {
  const [start, before] = [performance.now(), await writtenNow()]
  await run()
  const after = await writtenNow()
  const sizes = valueFiles()
  const linux = before.linux === undefined || after.linux === undefined ? undefined : after.linux - before.linux
  phases.push({
    name,
    seconds: (performance.now() - start) / 1000,
    written: { user: after.user - before.user, appended: after.appended - before.appended, linux },
    diskBytes: bytesUnder(settings.directory),
    valueFileBytes: sizes.reduce((sum, bytes) => sum + bytes, 0),
    valueFiles: sizes.length
  })
  const { diskBytes, valueFiles: files } = phases.at(-1)!
  progress(`${name}: ${(diskBytes / mebibyte).toFixed(0)} MiB on disk, ${files} value files`)
}

await phase("fill", () => setAll(0, (at) => at))
await phase("rest", rested)
await phase("overwrite", async () => {
  for (let pass = 1; pass <= settings.passes; pass++) await setAll(pass, () => Math.floor(next() * settings.keys))
})
await phase("rest", rested)

for (let index = 0; index < settings.keys; index += Math.max(1, Math.floor(settings.keys / 1000))) {
  const value = await Effect.runPromise(database.get(keyOf(index)))
  const view = new DataView(value!.buffer, value!.byteOffset)
  if (view.getUint32(0) !== index || view.getUint32(4) !== rounds[index]) throw new Error(`key ${index} reads wrong`)
}

for (let from = 0; from < settings.keys; from += 1000) {
  const keys = Array.from({ length: Math.min(1000, settings.keys - from) }, (_, at) => keyOf(from + at))
  await Effect.runPromise(database.write(keys.map((key) => ({ type: "remove" as const, key }))))
}
const removed = performance.now()
progress("removed everything")
while (valueFiles().length > 0 && performance.now() - removed < settings.patienceSeconds * 1000) await sleep(pollMillis)
const emptySeconds = valueFiles().length > 0 ? undefined : (performance.now() - removed) / 1000
await untilRest()
const result: ValuesResult = {
  phases,
  liveBytes: settings.keys * (keyBytes + settings.valueBytes),
  emptySeconds,
  emptyBytes: bytesUnder(settings.directory),
  state: (await Effect.runPromise(maintenance.stats)).state,
  peakMiB: process.resourceUsage().maxRSS / 1024
}
await runtime.dispose()
writeSync(3, JSON.stringify(result))
