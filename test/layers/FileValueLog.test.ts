import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as NodeDisk from "../../src/layers/NodeDisk.ts"
import type { DiskService } from "../../src/services/Disk.ts"
import { invertingSealer } from "../internal/format/support.ts"
import { filesWith } from "../support/encryptions.ts"
import * as memoryManifest from "../support/memoryManifest.ts"
import { inMemory, simulated } from "../support/tables.ts"
import { openValueLogs, storedOf, valuesOf, writeValues } from "../support/valueLogs.ts"
import type { ValueLogUnderTest } from "../support/valueLogUnderTest.ts"
import { valueLogSuite } from "../suites/valueLogSuite.ts"

const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "strata-value-"))),
  (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true, force: true }))
)

const under = (disk: DiskService, directory: string): ValueLogUnderTest => {
  const manifest = memoryManifest.make(directory)
  return {
    disk,
    directory,
    values: (options) => Effect.map(openValueLogs({ disk, manifest, options }), ({ values }) => values)
  }
}

valueLogSuite(
  "FileValueLog on MemoryDisk",
  Effect.map(inMemory, (disk) => under(disk, "/db"))
)
for (const synchronousReads of [true, false]) {
  const reads = synchronousReads ? "" : ", asynchronous reads"
  valueLogSuite(
    `FileValueLog on NodeDisk${reads}`,
    Effect.map(temporaryDirectory, (directory) => under(NodeDisk.make({ synchronousReads }), directory))
  )
  valueLogSuite(
    `FileValueLog on SimDisk${reads}`,
    Effect.map(simulated({ synchronousReads }), ({ disk }) => under(disk, "/db"))
  )
}

describe("FileValueLog", () => {
  it.live("reads neighbours together, and others alone", () =>
    Effect.gen(function* () {
      const { disk, log } = yield* simulated({ synchronousReads: true })
      const plain = valuesOf(7, 200, 1000)
      const meta = yield* writeValues(disk, "/db", { number: 7, values: plain })
      const { values } = yield* openValueLogs({ disk, manifest: memoryManifest.make("/db") })
      const file = values.handle(meta)
      yield* file.readMany(plain.map(storedOf))
      const reads = () => log.filter(({ operation }) => operation === "read").length
      const before = reads()
      yield* file.readMany([...plain].reverse().map(storedOf))
      assert.strictEqual(reads() - before, 1)
      // A hundred values lie between them.
      yield* file.readMany([plain[150]!, plain[10]!, plain[151]!].map(storedOf))
      assert.strictEqual(reads() - before, 3)
    }).pipe(Effect.scoped)
  )

  it.live("shares its bound of open files with tables", () =>
    Effect.gen(function* () {
      const disk = yield* inMemory
      const plain = valuesOf(7, 2, 1000)
      const meta = yield* writeValues(disk, "/db", { number: 7, values: plain })
      const { tables, values } = yield* openValueLogs({ disk, manifest: memoryManifest.make("/db") })
      const { handle, owner } = storedOf(plain[0]!)
      yield* values.handle(meta).read(handle, owner)
      assert.strictEqual(tables.openFiles(), 1)
      assert.strictEqual(values.openFiles(), 1)
    }).pipe(Effect.scoped)
  )

  it.live("gives back what it charged to the cache", () =>
    Effect.gen(function* () {
      const disk = yield* inMemory
      const plain = valuesOf(7, 2000, 10)
      const meta = yield* writeValues(disk, "/db", { number: 7, values: plain })
      const { cache, values } = yield* openValueLogs({ disk, manifest: memoryManifest.make("/db") })
      yield* values.handle(meta).readMany(plain.map(storedOf))
      assert.isAbove(cache.stats().bytes, 2000 * 14)
      yield* values.remove(meta)
      assert.strictEqual(cache.stats().bytes, 0)
    }).pipe(Effect.scoped)
  )

  it.live("reads what is sealed, when the keys have been waited for", () =>
    Effect.gen(function* () {
      const disk = yield* inMemory
      const plain = [...valuesOf(7, 40, 1000), { ...valuesOf(7, 1, 600_000)[0]!, index: 40 }]
      const meta = yield* writeValues(disk, "/db", { number: 7, values: plain, sealer: invertingSealer })
      for (const delay of [Effect.void, Effect.yieldNow]) {
        const encryption = filesWith(invertingSealer, { sealer: () => Effect.as(delay, invertingSealer) })
        const { values } = yield* openValueLogs({ disk, manifest: memoryManifest.make("/db"), encryption })
        const file = values.handle(meta)
        const { handle, owner } = storedOf(plain[3]!)
        assert.deepStrictEqual(yield* file.read(handle, owner), plain[3]!.value)
        assert.deepStrictEqual(file.readUnsafe(handle, owner), plain[3]!.value)
        const read = yield* file.readMany(plain.map(storedOf))
        for (const [at, value] of read.entries()) assert.isTrue(Buffer.from(value).equals(plain[at]!.value))
        assert.deepStrictEqual(yield* values.verify(meta), { values: 41, damage: [] })
      }
    }).pipe(Effect.scoped)
  )
})
