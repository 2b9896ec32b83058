import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Committer } from "../../../src/internal/engine/committer.ts"
import { ObsoleteTables } from "../../../src/internal/engine/obsoleteTables.ts"
import * as MemoryDisk from "../../../src/layers/MemoryDisk.ts"
import { faultyDisk } from "../../support/faultyDisk.ts"
import * as memoryManifest from "../../support/memoryManifest.ts"
import { entriesOf, numbered, openTable, tableNames, tablesOn, writeEntries } from "../../support/tables.ts"

const setup = Effect.gen(function* () {
  const memory = MemoryDisk.make()
  yield* memory.disk.makeDirectory("/db")
  const { disk, failNext } = faultyDisk(memory.disk)
  const tables = yield* tablesOn(disk, memoryManifest.make("/db"))
  const committer: { refusal: { readonly reason: { readonly _tag: string } } | undefined } = { refusal: undefined }
  const obsolete = new ObsoleteTables({ tables, committer: committer as unknown as Committer })
  yield* Effect.forkScoped(obsolete.loop, { startImmediately: true })
  const handle = Effect.suspend(() =>
    Effect.flatMap(writeEntries(tables, numbered(100)), (meta) => openTable(tables, meta))
  )
  return { names: tableNames(disk, "/db"), failNext, committer, obsolete, handle }
})

const settle = Effect.gen(function* () {
  for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow
})

describe("obsolete tables", () => {
  it.live("are closed, and their files removed, in the background", () =>
    Effect.gen(function* () {
      const { handle, names, obsolete } = yield* setup
      const [first, second, kept] = [yield* handle, yield* handle, yield* handle]
      obsolete.add(first)
      obsolete.add(second)
      assert.lengthOf(yield* names, 3)
      yield* settle
      assert.lengthOf(yield* names, 1)
      assert.isUndefined(first.partsUnsafe())
      assert.deepStrictEqual(yield* entriesOf(kept), numbered(100))
      obsolete.add(kept)
      yield* settle
      assert.lengthOf(yield* names, 0)
    }).pipe(Effect.scoped)
  )

  it.live("stay while somebody holds them, and go when the last has released them", () =>
    Effect.gen(function* () {
      const { handle, names, obsolete } = yield* setup
      const [first, second] = [yield* handle, yield* handle]
      const holds = [obsolete.hold(), obsolete.hold()]
      obsolete.add(first)
      yield* settle
      holds[0]!()
      holds[0]!()
      obsolete.add(second)
      yield* settle
      yield* obsolete.removeAll
      assert.lengthOf(yield* names, 2)
      holds[1]!()
      yield* settle
      assert.lengthOf(yield* names, 0)
    }).pipe(Effect.scoped)
  )

  it.live("stay when the database is poisoned, and when they cannot be removed", () =>
    Effect.gen(function* () {
      const { committer, failNext, handle, names, obsolete } = yield* setup
      failNext({ operation: "remove", path: /sst$/, code: "EIO" })
      const [first, second, third] = [yield* handle, yield* handle, yield* handle]
      obsolete.add(first)
      obsolete.add(second)
      yield* settle
      assert.lengthOf(yield* names, 2)
      committer.refusal = { reason: { _tag: "Poisoned" } }
      obsolete.add(third)
      yield* obsolete.removeAll
      assert.lengthOf(yield* names, 2)
      committer.refusal = { reason: { _tag: "DiskFull" } }
      yield* obsolete.removeAll
      assert.lengthOf(yield* names, 1)
    }).pipe(Effect.scoped)
  )
})
