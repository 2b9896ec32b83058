import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { concatBytes, readU32 } from "../../../src/internal/format/bytes.ts"
import { FileKind } from "../../../src/internal/format/fileHeader.ts"
import { checksumSealer } from "../../../src/internal/format/sealer.ts"
import { Layout } from "../../../src/internal/format/storedBlock.ts"
import { TableBuilder } from "../../../src/internal/format/tableBuilder.ts"
import * as MemoryDisk from "../../../src/layers/MemoryDisk.ts"
import type { DiskService } from "../../../src/services/Disk.ts"
import type { TableMeta } from "../../../src/services/Manifest.ts"
import { toView } from "../format/entries.ts"
import * as memoryManifest from "../../support/memoryManifest.ts"
import { footerOf, numbered, reseal, simulated, tablesOn, writeEntries } from "../../support/tables.ts"

describe("tableVerifier", () => {
  it.live("yields between slices, and closes its file when it is interrupted", () =>
    Effect.gen(function* () {
      const sim = yield* simulated()
      const onMemory = MemoryDisk.make()
      yield* onMemory.disk.makeDirectory("/db")
      const count = Effect.fnUntraced(function* (disk: DiskService, turnsMax: number) {
        const tables = yield* tablesOn(disk, memoryManifest.make("/db"))
        const meta = yield* writeEntries(tables, numbered(10_000, 100))
        const verifying = yield* Effect.forkChild(tables.verify(meta))
        let turns = 0
        for (; turns < turnsMax && verifying.pollUnsafe() === undefined; turns++) yield* Effect.yieldNow
        yield* Fiber.interrupt(verifying)
        return turns
      })
      assert.isAbove(yield* count(onMemory.disk, 1000), 7)
      yield* count(sim.disk, 50)
      assert.deepStrictEqual(sim.openHandles(), [])
    }).pipe(Effect.scoped)
  )

  it.live("a block that is sound and not the one that was written is damage", () =>
    Effect.gen(function* () {
      const { disk, image } = MemoryDisk.make()
      yield* disk.makeDirectory("/db")
      const manifest = memoryManifest.make("/db")
      const meta = yield* writeEntries(yield* tablesOn(disk, manifest), numbered(300))
      const [file, bytes] = [...image()][0]!
      const { blockCount, index } = footerOf(bytes)
      assert.isAbove(blockCount, 1)
      const first = Buffer.from(bytes).indexOf("key-00000000")
      const length = readU32(bytes, index.offset + 4)
      const other = reseal(bytes, { meta, layout: Layout.entries, offset: 96, length }, (plain) => {
        // A byte of the first value.
        plain[first - 96 + 20]! ^= 1
      })
      const tables = yield* tablesOn(MemoryDisk.fromImage(new Map([[file, other]])).disk, manifest)
      const { damage } = yield* tables.verify(meta)
      assert.lengthOf(damage, 1)
      assert.match(damage[0]!.message, /tags/)
    }).pipe(Effect.scoped)
  )

  it.live("properties that are sound and not the table's are damage", () =>
    Effect.gen(function* () {
      const { disk, image } = MemoryDisk.make()
      yield* disk.makeDirectory("/db")
      const manifest = memoryManifest.make("/db")
      const meta = yield* writeEntries(yield* tablesOn(disk, manifest), numbered(300))
      const [file, bytes] = [...image()][0]!
      const { offset, bytes: length } = footerOf(bytes).properties
      const other = reseal(bytes, { meta, layout: Layout.properties, offset, length }, (plain) => {
        // property := tag length value; the first one is the count of entries.
        plain[2]! ^= 1
      })
      const tables = yield* tablesOn(MemoryDisk.fromImage(new Map([[file, other]])).disk, manifest)
      const { damage } = yield* tables.verify(meta)
      assert.lengthOf(damage, 1)
      assert.match(damage[0]!.message, /properties/)
    }).pipe(Effect.scoped)
  )

  it.live("range removals that are not those of the manifest are damage", () =>
    Effect.gen(function* () {
      const { databaseId, incarnation } = memoryManifest.make("/db").state()
      const header = {
        format: 0,
        kind: FileKind.table,
        tagBytes: 4,
        keyGeneration: 0,
        databaseId,
        incarnation
      } as const
      const file = { epoch: 1, fileNumber: 1, fileId: new Uint8Array(32) }
      const sealer = checksumSealer
      const builder = new TableBuilder({
        header: { ...header, ...file },
        blockBytes: 64,
        filterBitsPerKey: 10,
        indexBytesMax: 1024,
        sealer
      })
      builder.add(toView(numbered(1)[0]!))
      builder.addRangeRemoval({ from: Uint8Array.of(1), to: Uint8Array.of(2), sequence: 5 })
      const { chunks, facts } = builder.finish()
      const { disk } = MemoryDisk.fromImage(new Map([["/db/table-0000000000000001.sst", concatBytes(chunks)]]))
      const tables = yield* tablesOn(disk, memoryManifest.make("/db"))
      const meta = { ...facts, level: 0 }
      assert.deepInclude(yield* tables.verify(meta), { entries: 2, damage: [] })
      const wrong: ReadonlyArray<readonly [Partial<TableMeta>, RegExp]> = [
        [{ rangeRemovalCount: 0 }, /0 range removals/],
        [{ rangeRemovalCount: 2, removeCount: 2 }, /entries/],
        [{ smallest: Uint8Array.of(1, 0) }, /beyond the keys/],
        [{ sequenceMax: 4 }, /beyond those/]
      ]
      for (const [change, message] of wrong) {
        const { damage } = yield* tables.verify({ ...meta, ...change })
        assert.lengthOf(damage, 1)
        assert.match(damage[0]!.message, message)
      }
    }).pipe(Effect.scoped)
  )
})
