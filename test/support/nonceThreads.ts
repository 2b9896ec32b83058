// Lives of databases whose jobs are sealed in worker threads: directories that are copied and go on, and threads that
// are killed. What the threads seal with is read from their reports (`countingWorker.ts`).
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { pathToFileURL } from "node:url"
import { assert } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import * as LsmDatabase from "../../src/layers/LsmDatabase.ts"
import { jobProgram } from "../../src/layers/NodeJobProgram.ts"
import { Database } from "../../src/services/Database.ts"
import { Maintenance } from "../../src/services/Maintenance.ts"
import { bundle } from "./bundle.ts"
import { killedWorkersRun, newTally } from "./killedWorkersRun.ts"
import { type NonceLedger, sealedBy } from "./nonceLedger.ts"
import { quiet } from "./opened.ts"

interface Place {
  readonly root: string
  readonly reports: string
}

/** The reporting worker as one file. */
const bundled = async (root: string): Promise<URL> => {
  const directory = path.join(root, "programs")
  await bundle(directory, [new URL("./countingWorker.ts", import.meta.url)])
  return pathToFileURL(path.join(directory, "countingWorker.js"))
}

/** While the effect that follows is under way, threads run the program that reports. */
const reporting = Effect.acquireRelease(
  Effect.promise(async () => {
    const root = fs.mkdtempSync(path.join(os.tmpdir(), "strata-nonces-"))
    const reports = path.join(root, "reports")
    fs.mkdirSync(reports)
    const program = await bundled(root)
    const { url } = jobProgram
    jobProgram.url = () => program
    return { root, reports, url }
  }),
  ({ root, url }) =>
    Effect.sync(() => {
      jobProgram.url = url
      fs.rmSync(root, { recursive: true, force: true })
    })
)

/** Notes what the threads have reported, each once. */
const collect = (ledger: NonceLedger, { reports }: Place): number => {
  const before = ledger.encryptions
  for (const name of fs.readdirSync(reports)) {
    const file = path.join(reports, name)
    ledger.noteReport(fs.readFileSync(file))
    fs.truncateSync(file)
  }
  return ledger.encryptions - before
}

/** Blocks so short that each entry is sealed alone. */
const options = {
  arenaBytes: 64 * 1024,
  blockBytes: 64,
  valueThreshold: 200,
  directValueBytesMin: 4096,
  valueFileBytesMax: 16 * 1024,
  valueBytesMax: 16 * 1024,
  level0TablesMin: 2,
  baseLevelBytes: 64 * 1024,
  tableBytesMax: 32 * 1024,
  workers: 2
}

/** Opens, sets the keys, has everything written again, and closes. */
const session = (directory: string, given: { readonly ledger: NonceLedger; readonly keys: number }) =>
  Effect.scoped(
    Effect.gen(function* () {
      const encryption = sealedBy({ cipher: given.ledger.cipher })
      const context = yield* Layer.build(
        Layer.fresh(LsmDatabase.layer({ ...options, directory, encryption, durability: "os" }))
      )
      const [database, maintenance] = [Context.get(context, Database), Context.get(context, Maintenance)]
      for (let index = 0; index < given.keys; index++) {
        const value = "v".repeat(index % 50 === 0 ? 5000 : index % 10 === 0 ? 300 : 60)
        yield* database.set(`key ${(index * 7919) % given.keys}`, value)
        if (index % 64 === 0) yield* Effect.yieldNow
      }
      yield* maintenance.flush
      yield* maintenance.rotateDataKey()
      yield* maintenance.compact()
      yield* maintenance.collectValues({ garbageRatioMin: 0.1 })
      assert.strictEqual((yield* maintenance.stats).counters.jobsFailed, 0)
    })
  ).pipe(quiet)

/** Until so many encryptions were made, here or in threads. */
export const threadLives = Effect.fnUntraced(function* (
  ledger: NonceLedger,
  { encryptions, seed }: { readonly encryptions: number; readonly seed: number }
) {
  const place = yield* reporting
  const enough = ledger.encryptions + encryptions
  let inThreads = 0
  const tally = newTally()
  const keys = Math.min(10_000, Math.max(500, Math.floor(encryptions / 20)))
  for (let life = 0; ledger.encryptions < enough; life++) {
    const [first, copy] = [path.join(place.root, `${life}`), path.join(place.root, `${life}-copy`)]
    yield* session(first, { ledger, keys })
    fs.cpSync(first, copy, { recursive: true, filter: (name) => !path.basename(name).startsWith("lock-") })
    for (const directory of [first, copy]) yield* session(directory, { ledger, keys: keys / 5 })
    yield* killedWorkersRun(seed + life, tally, sealedBy({ cipher: ledger.cipher }))
    inThreads += collect(ledger, place)
    for (const directory of [first, copy]) fs.rmSync(directory, { recursive: true })
  }
  assert.isAbove(tally.kills, 0)
  assert.isAbove(inThreads, encryptions / 4, "threads sealed")
  return { inThreads, kills: tally.kills }
}, Effect.scoped)
