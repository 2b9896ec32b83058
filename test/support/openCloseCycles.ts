// Opens and closes a database again and again, and prints what a cycle leaves behind:
// `node <flags> openCloseCycles.ts <cycles>`. In a process of its own, for other tests have handles too.
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Context, Effect, Layer, Logger } from "effect"
import * as LsmDatabase from "../../src/layers/LsmDatabase.ts"
import * as NodeDisk from "../../src/layers/NodeDisk.ts"
import * as NoEncryption from "../../src/layers/NoEncryption.ts"
import { Database } from "../../src/services/Database.ts"
import { Maintenance } from "../../src/services/Maintenance.ts"
import { memoryBytes, resources } from "./processUse.ts"

const cycles = Number(process.argv[2])
/** Until each function has run, on a thread and inline: after 20 cycles hardly anything new is compiled. */
const warmUp = 40

const directory = mkdtempSync(join(tmpdir(), "strata-cycles-"))
const location = { directory, arenaBytes: 64 * 1024, valueBytesMax: 1024, flushOnCloseBytesMin: 1024 * 1024 }
const onThreads = LsmDatabase.layer(location)
const inline = LsmDatabase.layerWith(location).pipe(
  Layer.provide([NodeDisk.layerWith({ synchronousReads: true }), NoEncryption.layer])
)

/** With a commit, a read and, every tenth time, a flush and a compaction: in a worker and inline by turns. */
const cycle = (index: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const context = yield* Layer.build(Layer.fresh(index % 20 < 10 ? onThreads : inline))
      const database = Context.get(context, Database)
      const isTenth = index % 10 === 0
      for (let key = 0; key < (isTenth ? 400 : 1); key++) {
        yield* database.set(`key ${key}`, new Uint8Array(200), { durability: "buffered" })
      }
      if (isTenth) yield* Context.get(context, Maintenance).compact()
      yield* database.get("key 0")
      yield* database.cursor()
      yield* database.snapshot
    })
  )

const measured = Effect.promise(async () => {
  const bytes = await memoryBytes()
  return { resources: resources(), bytes }
})

const program = Effect.gen(function* () {
  for (let index = 0; index < warmUp; index++) yield* cycle(index)
  // Twice: what measures is code as well, and new the first time.
  yield* measured
  const before = yield* measured
  for (let index = 0; index < cycles; index++) yield* cycle(warmUp + index)
  const after = yield* measured
  return {
    before: before.resources,
    after: after.resources,
    bytesPerCycle: (after.bytes - before.bytes) / cycles
  }
}).pipe(Effect.provide(Logger.layer([])))

const result = await Effect.runPromise(program)
rmSync(directory, { recursive: true, force: true })
console.log(JSON.stringify(result))
