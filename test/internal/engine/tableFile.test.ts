import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { FormatError } from "../../../src/internal/format/formatError.ts"
import { Layout } from "../../../src/internal/format/storedBlock.ts"
import * as MemoryDisk from "../../../src/layers/MemoryDisk.ts"
import type { TableMeta } from "../../../src/services/Manifest.ts"
import { Dice, invertingSealer } from "../format/support.ts"
import { invertingFiles } from "../../support/encryptions.ts"
import * as memoryManifest from "../../support/memoryManifest.ts"
import {
  checkAnswers,
  entriesOf,
  footerOf,
  inMemory,
  numbered,
  openTables,
  randomTable,
  reasonOf,
  reseal,
  simulated,
  tablesOn,
  writeEntries,
  openTable
} from "../../support/tables.ts"

/** A small table with some of everything: several blocks, versions, a filter. */
const sampleWith = Effect.fnUntraced(function* (indexBytesMax: number) {
  const { disk, image } = MemoryDisk.make()
  yield* disk.makeDirectory("/db")
  const manifest = memoryManifest.make("/db")
  const entries = randomTable(new Dice(5), { count: 12, large: false })
  const meta = yield* writeEntries(yield* tablesOn(disk, manifest, { blockBytes: 256, indexBytesMax }), entries)
  const [file, bytes] = [...image()][0]!
  return { manifest, entries, meta, file, bytes }
})

const sample = sampleWith(1024 * 1024)

describe("a table's file, damaged", () => {
  const indexes = { "in one piece": 1024 * 1024, "in partitions": 64 }
  it.live.each(Object.entries(indexes))("with any byte changed, an index %s, reads and verify notice it", ([, max]) =>
    Effect.gen(function* () {
      const { bytes, entries, file, manifest, meta } = yield* sampleWith(max)
      let refused = 0
      for (let place = 0; place < bytes.length; place++) {
        const damaged = bytes.slice()
        damaged[place]! ^= 1 << (place % 8)
        const { disk } = MemoryDisk.fromImage(new Map([[file, damaged]]))
        const tables = yield* tablesOn(disk, manifest)
        refused += yield* checkAnswers(tables, meta, { entries, file })
        const { damage } = yield* tables.verify(meta)
        assert.isAbove(damage.length, 0, `byte ${place}`)
        assert.strictEqual(damage[0]!.file, file)
      }
      assert.isAbove(refused, bytes.length)
    }).pipe(Effect.scoped)
  )

  it.live("cut off anywhere, the table is Corruption", () =>
    Effect.gen(function* () {
      const { bytes, file, manifest, meta } = yield* sample
      for (let length = 0; length < bytes.length; length++) {
        const { disk } = MemoryDisk.fromImage(new Map([[file, bytes.slice(0, length)]]))
        const reason = yield* reasonOf(openTable(yield* tablesOn(disk, manifest), meta))
        assert.deepInclude(reason, { _tag: "Corruption", file, offset: length })
      }
      const { disk } = MemoryDisk.fromImage(new Map([[file, Uint8Array.of(...bytes, 0)]]))
      assert.strictEqual((yield* reasonOf(openTable(yield* tablesOn(disk, manifest), meta)))._tag, "Corruption")
    }).pipe(Effect.scoped)
  )

  it.live("a sound table that is not the one the manifest pins is Corruption", () =>
    Effect.gen(function* () {
      const { bytes, file, manifest, meta } = yield* sample
      const { disk } = MemoryDisk.fromImage(new Map([[file, bytes]]))
      const other = new Uint8Array(32)
      const wrong: ReadonlyArray<readonly [Partial<TableMeta>, RegExp]> = [
        [{ fileId: other }, /another table/],
        [{ epoch: 9 }, /epoch/],
        [{ footerCrc: 1 }, /footer/],
        [{ entryCount: meta.entryCount + 1 }, /entries/],
        [{ removeCount: meta.removeCount + 1 }, /entries/],
        [{ bytes: meta.bytes - 1 }, /bytes/],
        [{ largest: Uint8Array.of(...meta.largest, 0) }, /largest/],
        [{ smallest: Uint8Array.of(255, 255, 255, 255) }, /smallest/]
      ]
      for (const [change, message] of wrong) {
        const reason = yield* reasonOf(openTable(yield* tablesOn(disk, manifest), { ...meta, ...change }))
        assert.deepInclude(reason, { _tag: "Corruption", file })
        assert.match(reason.message, message)
      }
      const renamed = MemoryDisk.fromImage(new Map([[file.replace("1.sst", "2.sst"), bytes]]))
      const second = openTable(yield* tablesOn(renamed.disk, manifest), { ...meta, number: 2 })
      assert.match((yield* reasonOf(second)).message, /this is table 1, not 2/)
      const { filter } = footerOf(bytes)
      const section = { meta, layout: Layout.filter, offset: filter.offset, length: filter.bytes }
      const badFilter = reseal(bytes, section, (plain) => plain.fill(0))
      const filtered = yield* tablesOn(MemoryDisk.fromImage(new Map([[file, badFilter]])).disk, manifest)
      assert.match((yield* reasonOf(openTable(filtered, meta))).message, /filter with 0 probes/)
      const stranger = memoryManifest.make("/db", { databaseId: new Uint8Array(16) })
      assert.match((yield* reasonOf(openTable(yield* tablesOn(disk, stranger), meta))).message, /another database/)
    }).pipe(Effect.scoped)
  )

  it.live("a block that the device cannot read is Io and not kept, and damage to verify", () =>
    Effect.gen(function* () {
      const sim = yield* simulated()
      const manifest = memoryManifest.make("/db")
      const tables = yield* tablesOn(sim.disk, manifest, { blockBytes: 256 })
      const meta = yield* writeEntries(tables, numbered(100))
      const table = yield* openTable(tables, meta)
      sim.addFault({ match: (operation) => operation === "read", code: "EIO" })
      assert.deepInclude(yield* reasonOf(table.load(1, true)), { _tag: "Io", code: "EIO" })
      assert.isUndefined(table.blockUnsafe(1))
      yield* table.load(1, true)
      // Of the verification: header, footer, index, filter, then block 0.
      sim.addFault({ at: sim.log.length + 5, code: "EIO" })
      const report = yield* tables.verify(meta)
      assert.lengthOf(report.damage, 1)
      assert.match(report.damage[0]!.message, /block 0: .*EIO/)
      sim.addFault({ match: (operation) => operation === "open", code: "EMFILE" })
      assert.deepInclude(yield* reasonOf(tables.verify(meta)), { _tag: "Io", code: "EMFILE" })
      assert.lengthOf(sim.openHandles(), 1)
    }).pipe(Effect.scoped)
  )
})

describe("a table's file, encrypted", () => {
  it.live("a sealed table reads back, shows nothing, and is refused without its key", () =>
    Effect.gen(function* () {
      const { disk, image } = MemoryDisk.make()
      yield* disk.makeDirectory("/db")
      const manifest = memoryManifest.make("/db")
      const { tables } = yield* openTables({ disk, manifest, encryption: invertingFiles })
      const entries = numbered(300)
      const meta = yield* writeEntries(tables, entries)
      assert.deepStrictEqual(yield* entriesOf(yield* openTable(tables, meta)), entries)
      assert.deepInclude(yield* tables.verify(meta), { entries: 300, damage: [] })
      assert.notInclude(Buffer.from([...image().values()][0]!).toString("latin1"), "key-0000")
      const keyless = yield* reasonOf(openTable(yield* tablesOn(disk, manifest), meta))
      assert.strictEqual(keyless._tag, "Corruption")
      assert.match(keyless.message, /sealed with 20-byte tags, key 5/)
      const plain = yield* writeEntries(yield* tablesOn(disk, manifest), entries)
      assert.strictEqual((yield* reasonOf(openTable(tables, plain)))._tag, "Tampered")
    }).pipe(Effect.scoped)
  )

  it.live("the failure of a sealer is Corruption, a bug in it a defect", () =>
    Effect.gen(function* () {
      const disk = yield* inMemory
      const manifest = memoryManifest.make("/db")
      const { tables } = yield* openTables({ disk, manifest, encryption: invertingFiles })
      const meta = yield* writeEntries(tables, numbered(300))
      const failing = (error: Error) => {
        let opened = 0
        const sealer = {
          ...invertingSealer,
          open: (...piece: Parameters<typeof invertingSealer.open>) => {
            // Footer, index and filter open; blocks do not.
            if (++opened > 3) throw error
            return invertingSealer.open(...piece)
          }
        }
        return openTables({ disk, manifest, encryption: { ...invertingFiles, sealer: () => Effect.succeed(sealer) } })
      }
      const refusing = yield* openTable((yield* failing(new FormatError("no", 0))).tables, meta)
      assert.strictEqual((yield* reasonOf(refusing.load(0, true)))._tag, "Corruption")
      const broken = yield* openTable((yield* failing(new TypeError("bug"))).tables, meta)
      assert.isTrue(Exit.hasDies(yield* Effect.exit(broken.load(0, true))))
    }).pipe(Effect.scoped)
  )
})

describe("a table's file, on a failing disk", () => {
  it.live("a fault at any call of open is a typed error, leaves no handle, and the next try succeeds", () =>
    Effect.gen(function* () {
      const entries = numbered(300)
      const sim = yield* simulated()
      const manifest = memoryManifest.make("/db")
      const meta = yield* writeEntries(yield* tablesOn(sim.disk, manifest), entries)
      let at = 0
      for (let struck = true; struck; at++) {
        const scope = yield* Scope.make()
        const tables = yield* Scope.provide(tablesOn(sim.disk, manifest), scope)
        const before = sim.log.length
        sim.addFault({ at: before + at, code: "EIO" })
        const exit = yield* Effect.exit(openTable(tables, meta))
        struck = Exit.isFailure(exit)
        if (struck) {
          assert.deepInclude(yield* reasonOf(exit), { _tag: "Io", code: "EIO" })
          assert.deepStrictEqual(sim.openHandles(), [], sim.log.at(-1)!.operation)
          assert.deepStrictEqual(yield* entriesOf(yield* openTable(tables, meta)), entries)
        }
        yield* Scope.close(scope, Exit.void)
      }
      assert.isAbove(at, 4)
    })
  )
})
