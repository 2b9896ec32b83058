import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { concatBytes } from "../../../src/internal/format/bytes.ts"
import { FileKind } from "../../../src/internal/format/fileHeader.ts"
import { checksumSealer } from "../../../src/internal/format/sealer.ts"
import { TableBuilder } from "../../../src/internal/format/tableBuilder.ts"
import * as MemoryDisk from "../../../src/layers/MemoryDisk.ts"
import type { DiskService } from "../../../src/services/Disk.ts"
import { toView } from "../format/entries.ts"
import * as memoryManifest from "../../support/memoryManifest.ts"
import { numbered, reasonOf, simulated, tablesOn, writeEntries } from "../../support/tables.ts"

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

  it.live("range removals, which no reader here would heed, are Unsupported", () =>
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
      const builder = new TableBuilder({ header: { ...header, ...file }, blockBytes: 64, filterBitsPerKey: 10, sealer })
      builder.add(toView(numbered(1)[0]!))
      builder.addRangeRemoval({ from: Uint8Array.of(1), to: Uint8Array.of(2), sequence: 5 })
      const { chunks, facts } = builder.finish()
      const { disk } = MemoryDisk.fromImage(new Map([["/db/table-0000000000000001.sst", concatBytes(chunks)]]))
      const tables = yield* tablesOn(disk, memoryManifest.make("/db"))
      const meta = { ...facts, level: 0 }
      assert.strictEqual((yield* reasonOf(tables.open(meta)))._tag, "Unsupported")
      assert.strictEqual((yield* reasonOf(tables.verify(meta)))._tag, "Unsupported")
    }).pipe(Effect.scoped)
  )
})
