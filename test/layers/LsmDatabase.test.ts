import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Worker } from "node:worker_threads"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Metric, Stream } from "effect"
import * as LsmDatabase from "../../src/layers/LsmDatabase.ts"
import * as ZstdCompression from "../../src/layers/ZstdCompression.ts"
import { Database, type DatabaseService } from "../../src/services/Database.ts"
import { Maintenance } from "../../src/services/Maintenance.ts"
import { databaseSuite } from "../suites/databaseSuite.ts"
import { sealedBy } from "../support/nonceLedger.ts"

const root = mkdtempSync(join(tmpdir(), "strata-lsm-"))
let count = 0
const newDirectory = (): string => join(root, String(count++))

afterAll(() => rmSync(root, { recursive: true, force: true }))

databaseSuite("LsmDatabase", () => LsmDatabase.layer({ directory: newDirectory() }))
databaseSuite("LsmDatabase with asynchronous reads and no cache", () =>
  LsmDatabase.layer({ directory: newDirectory(), synchronousReads: false, cacheBytes: 0 })
)

databaseSuite("LsmDatabase, encrypted and compressed", () =>
  LsmDatabase.layer({
    directory: newDirectory(),
    encryption: sealedBy(),
    compression: ZstdCompression.layerWith({ upper: "zstd", values: "zstd" })
  })
)

describe("LsmDatabase", () => {
  it.live("two databases in one process have keys of their own", () => {
    class Audit extends Context.Service<Audit, DatabaseService>()("test/Audit") {
      static readonly layer = Layer.effect(Audit, LsmDatabase.make({ directory: newDirectory() }))
    }
    return Effect.gen(function* () {
      const main = yield* Database
      const audit = yield* Audit
      yield* main.set("k", "main")
      assert.isUndefined(yield* audit.get("k"))
    }).pipe(Effect.provide([LsmDatabase.layer({ directory: newDirectory() }), Audit.layer]))
  })

  it.live("a read-only open sees what is there, takes no writes, and beside a writer fails Locked", () =>
    Effect.gen(function* () {
      const directory = newDirectory()
      yield* Effect.scoped(
        Effect.gen(function* () {
          const writer = yield* LsmDatabase.make({ directory })
          yield* writer.set("k", "v")
          const beside = yield* Effect.flip(LsmDatabase.make({ directory, readOnly: true }))
          assert.strictEqual(beside.reason._tag, "Locked")
        })
      )
      const reader = yield* LsmDatabase.make({ directory, readOnly: true })
      assert.isTrue(yield* reader.has("k"))
      const refused = [reader.set("a", "b"), reader.remove("k"), reader.write([{ type: "remove", key: "k" }])]
      for (const effect of refused) {
        assert.strictEqual((yield* Effect.flip(Effect.asVoid(effect))).reason._tag, "ReadOnly")
      }
      const transaction = yield* reader.begin()
      assert.strictEqual((yield* Effect.flip(transaction.set("a", "b"))).reason._tag, "ReadOnly")
    })
  )

  it.live("small values share memory that cannot be transferred away from others", () =>
    Effect.gen(function* () {
      const database = yield* LsmDatabase.make({ directory: newDirectory() })
      yield* database.write([
        { type: "set", key: "a", value: "first" },
        { type: "set", key: "b", value: "second" }
      ])
      const [a, b] = yield* database.getMany(["a", "b"])
      assert.throws(() => structuredClone(a, { transfer: [a!.buffer as ArrayBuffer] }))
      assert.strictEqual(new TextDecoder().decode(b), "second")
    })
  )

  it.live("its counters are metrics, as long as it is open", () =>
    Effect.gen(function* () {
      const directory = newDirectory()
      const commits = Effect.map(Metric.snapshot, (all) =>
        all.filter((one) => one.id === "strata_commits" && one.attributes?.["directory"] === directory)
      )
      yield* Effect.scoped(
        Effect.gen(function* () {
          const database = yield* LsmDatabase.make({ directory })
          yield* database.set("a", "1")
          const [metric] = yield* commits
          assert.deepStrictEqual(metric?.state, { count: 1, incremental: true })
        })
      )
      assert.deepStrictEqual(yield* commits, [])
    })
  )

  it.live("flushes go on and nothing is lost when their workers die", () =>
    Effect.gen(function* () {
      const directory = newDirectory()
      const small = { arenaBytes: 32 * 1024, valueBytesMax: 1024 }
      // Nothing is compacted, so that each flush is a table.
      const options = {
        ...small,
        directory,
        workers: 1,
        level0TablesMin: 64,
        level0TablesSlow: 99,
        level0TablesStop: 100
      }
      let deaths = 0
      const onWorker = (worker: Worker) => {
        // When it has come up, and then when it is at work: a job is on its way to it.
        const done = deaths % 2
        let heard = 0
        worker.on("message", () => {
          if (heard++ !== done || deaths >= 2) return
          deaths += 1
          void worker.terminate()
        })
      }
      process.on("worker", onWorker)
      const keys = Array.from({ length: 4000 }, (_, index) => `key-${index}`)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const database = yield* LsmDatabase.make(options)
          yield* Effect.forEach(keys, (key) => database.set(key, key.repeat(5), { durability: "os" }), {
            discard: true
          })
        })
      )
      process.off("worker", onWorker)
      assert.strictEqual(deaths, 2)
      const context = yield* Layer.build(LsmDatabase.layer(options))
      const database = Context.get(context, Database)
      assert.strictEqual(yield* database.count(), keys.length)
      const { tables } = yield* Context.get(context, Maintenance).stats
      assert.isAbove(tables, 3)
      assert.lengthOf(
        readdirSync(directory).filter((name) => name.endsWith(".sst")),
        tables
      )
    })
  )

  it.live("what a clean close leaves is opened without a recovery", () =>
    Effect.gen(function* () {
      const directory = newDirectory()
      const open = LsmDatabase.make({ directory })
      yield* Effect.scoped(
        Effect.flatMap(open, (database) => database.set("buffered", "v", { durability: "buffered" }))
      )
      const database = yield* open
      assert.isTrue(database.recovery.clean)
      assert.strictEqual(yield* Stream.runCount(database.scan()), 1)
    })
  )
})
