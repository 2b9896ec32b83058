import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { footerBytes } from "../../../src/internal/format/table.ts"
import { SeededRandom } from "../../../src/internal/structure/random.ts"
import { outcomes } from "../../../src/internal/structure/simulatedFiles.ts"
import * as MemoryDisk from "../../../src/layers/MemoryDisk.ts"
import type * as SimDisk from "../../../src/layers/SimDisk.ts"
import type { DiskService } from "../../../src/services/Disk.ts"
import * as memoryManifest from "../../support/memoryManifest.ts"
import {
  checkAnswers,
  entriesOf,
  inMemory,
  numbered,
  reasonOf,
  simulated,
  tableNames,
  tablesOn,
  writeEntries,
  openTable
} from "../../support/tables.ts"

describe("a job that writes a table", () => {
  const codes = ["EIO", "ENOSPC"] as const
  it.live(
    "a fault at any call of the disk is a typed error, leaves no file and no handle, and the next try succeeds",
    () =>
      Effect.gen(function* () {
        const entries = numbered(3000)
        let struck = true
        for (let at = 0; struck; at++) {
          struck = false
          for (const code of codes) {
            const sim = yield* simulated()
            const tables = yield* tablesOn(sim.disk, memoryManifest.make("/db"))
            const before = sim.log.length
            sim.addFault({ at: before + at, code })
            const exit = yield* Effect.exit(tables.write(entries, 0))
            if (sim.log.every((call) => call.code === undefined)) break
            struck = true
            const { operation } = sim.log[before + at]!
            const call = `${operation} (${at})`
            // It was read back whole by then: a handle that does not close in order says nothing.
            if (Exit.isSuccess(exit) && operation === "closeRead") {
              assert.lengthOf(yield* tableNames(sim.disk, "/db"), 1, call)
              assert.deepStrictEqual(sim.openHandles(), [], call)
              continue
            }
            const reason = yield* reasonOf(exit)
            assert.strictEqual(reason._tag, code === "EIO" ? "Io" : "DiskFull", call)
            assert.deepStrictEqual(yield* tableNames(sim.disk, "/db"), [], call)
            assert.deepStrictEqual(sim.openHandles(), [], call)
            const meta = yield* writeEntries(tables, entries)
            assert.strictEqual(meta.number, 2)
          }
          if (!struck) assert.isAbove(at, 8)
        }
      }).pipe(Effect.scoped)
  )

  it.live("a file that does not hold what was written to it is found before anything refers to it", () =>
    Effect.gen(function* () {
      const disk = yield* inMemory
      const losing = (change: (bytes: Uint8Array) => Uint8Array): DiskService => ({
        ...disk,
        create: (file) =>
          Effect.map(disk.create(file), (created) => ({
            path: file,
            size: () => created.size(),
            append: (chunks) =>
              created.append(chunks.map((chunk) => (chunk.length === footerBytes(4) - 4 ? change(chunk) : chunk))),
            sync: created.sync,
            close: created.close
          }))
      })
      // The footer's body.
      for (const change of [() => new Uint8Array(0), (bytes: Uint8Array) => bytes.map((byte) => byte ^ 1)]) {
        const tables = yield* tablesOn(losing(change), memoryManifest.make("/db"))
        assert.strictEqual((yield* reasonOf(tables.write(numbered(10), 0)))._tag, "Corruption")
        assert.deepStrictEqual(yield* tableNames(disk, "/db"), [])
      }
    }).pipe(Effect.scoped)
  )

  it.live("a name that is taken is left alone", () =>
    Effect.gen(function* () {
      const disk = yield* inMemory
      const name = "table-0000000000000001.sst"
      yield* Effect.flatMap(disk.create(`/db/${name}`), (file) => file.close)
      const tables = yield* tablesOn(disk, memoryManifest.make("/db"))
      assert.deepInclude(yield* reasonOf(tables.write(numbered(1), 0)), { _tag: "Io", code: "EEXIST" })
      assert.deepStrictEqual(yield* tableNames(disk, "/db"), [name])
      yield* writeEntries(tables, numbered(1))
    }).pipe(Effect.scoped)
  )

  it.live("after a power cut at any call of the disk, the table is whole or nothing refers to it", () =>
    Effect.gen(function* () {
      const entries = numbered(300)
      const images: Array<Map<string, Uint8Array>> = []
      let sim: SimDisk.SimDisk | undefined = undefined
      sim = yield* simulated({
        onOperation: () => {
          for (const outcome of outcomes)
            if (sim) images.push(sim.files.crash(outcome, new SeededRandom(images.length)))
        }
      })
      const manifest = memoryManifest.make("/db")
      const meta = yield* writeEntries(yield* tablesOn(sim.disk, manifest, { blockBytes: 256 }), entries)
      const afterwards = outcomes.map((outcome) => sim.files.crash(outcome, new SeededRandom(1)))
      for (const image of afterwards) {
        const tables = yield* tablesOn(MemoryDisk.fromImage(image).disk, manifest)
        assert.deepStrictEqual(yield* entriesOf(yield* openTable(tables, meta)), entries)
      }
      let whole = 0
      for (const image of images) {
        const file = "/db/table-0000000000000001.sst"
        const tables = yield* tablesOn(MemoryDisk.fromImage(image).disk, manifest)
        const refused = yield* checkAnswers(tables, meta, { entries, file })
        if (refused === 0) whole += 1
      }
      assert.isAbove(whole, 0)
      assert.isBelow(whole, images.length)
    }).pipe(Effect.scoped)
  )
})
