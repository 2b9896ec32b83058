// Opens and closes a database again and again, and prints what a cycle leaves behind:
// `node --expose-gc openCloseCycles.ts <cycles>`. In a process of its own, for other tests have handles too.
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Logger } from "effect"
import * as LsmDatabase from "../../src/layers/LsmDatabase.ts"

const cycles = Number(process.argv[2])
/** Until code is compiled and pools are filled. */
const warmUp = 100

const directory = mkdtempSync(join(tmpdir(), "strata-cycles-"))

/** With a commit, a read and, every tenth time, a memtable that is flushed in a worker and compacted. */
const cycle = (index: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const options = { directory, arenaBytes: 64 * 1024, valueBytesMax: 1024, flushOnCloseBytesMin: 1024 * 1024 }
      const database = yield* LsmDatabase.make(options)
      const many = index % 10 === 0 ? 400 : 1
      for (let key = 0; key < many; key++) {
        yield* database.set(`key ${key}`, new Uint8Array(200), { durability: "buffered" })
      }
      yield* database.get("key 0")
      yield* database.cursor()
      yield* database.snapshot
    })
  )

/** Timers and other handles by kind, without what the process itself has open for its output. */
const resources = () => {
  const kinds = process.getActiveResourcesInfo().filter((kind) => !/^(?:PipeWrap|TTYWrap|FSReqPromise)$/.test(kind))
  return {
    descriptors: readdirSync("/proc/self/fd").length,
    threads: readdirSync("/proc/self/task").length,
    handles: kinds.sort().join(" ")
  }
}

const heapBytes = (): number => {
  for (let round = 0; round < 3; round++) globalThis.gc!()
  return process.memoryUsage().heapUsed
}

const settled = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))

const program = Effect.gen(function* () {
  for (let index = 0; index < warmUp; index++) yield* cycle(index)
  yield* settled
  const [before, heapBefore] = [resources(), heapBytes()]
  for (let index = 0; index < cycles; index++) yield* cycle(index)
  yield* settled
  const [after, heapAfter] = [resources(), heapBytes()]
  return { before, after, heapPerCycle: (heapAfter - heapBefore) / cycles }
}).pipe(Effect.provide(Logger.layer([])))

const result = await Effect.runPromise(program)
rmSync(directory, { recursive: true, force: true })
console.log(JSON.stringify(result))
