// The control: the driver beside spinning threads, and no database.
import { writeSync } from "node:fs"
import { join } from "node:path"
import { Worker } from "node:worker_threads"
import { Driver, valueBytes, withDelay } from "./driver.ts"
import type { ControlResult, Settings } from "./settings.ts"

const settings = JSON.parse(process.argv[2]!) as Settings
const workers = Array.from({ length: settings.workers }, () => new Worker(join(import.meta.dirname, "spinner.ts")))
const driver = new Driver(settings.keys, 1)
const answer = new Uint8Array(valueBytes)
const operations = {
  set: () => undefined,
  get: (key: Uint8Array) => {
    const index = Number(Buffer.from(key).toString("latin1"))
    new DataView(answer.buffer).setUint32(0, index)
    return driver.present[index] === 1 ? answer : undefined
  }
}
const until = performance.now() + settings.controlSeconds * 1000
const delay = await withDelay(async () => {
  while (performance.now() < until) await driver.load(operations, 10_000)
})
await Promise.all(workers.map((worker) => worker.terminate()))
writeSync(3, JSON.stringify({ delay } satisfies ControlResult))
