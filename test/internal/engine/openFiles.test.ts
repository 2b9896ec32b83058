import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber } from "effect"
import * as SimDisk from "../../../src/layers/SimDisk.ts"
import * as SimScheduler from "../../../src/layers/SimScheduler.ts"
import type { TableMeta } from "../../../src/services/Manifest.ts"
import type { OptionsInput } from "../../../src/services/Options.ts"
import type { Table } from "../../../src/services/SsTable.ts"
import { makeEntryView } from "../../../src/internal/format/blockEntry.ts"
import { fromView } from "../format/entries.ts"
import { Dice } from "../format/support.ts"
import * as memoryManifest from "../../support/memoryManifest.ts"
import { entriesOf, find, numbered, openTables, reasonOf, tablesOn, writeEntries } from "../../support/tables.ts"

/** So many tables of different lengths, and how many of their files are ever open at once. */
const many = Effect.fnUntraced(function* (
  count: number,
  setup: { readonly synchronousReads: boolean; readonly options: OptionsInput }
) {
  const { options, synchronousReads } = setup
  const open = { most: 0 }
  const sim: SimDisk.SimDisk = SimDisk.make({
    synchronousReads,
    onOperation: () => {
      open.most = Math.max(open.most, sim.openHandles().filter(({ kind }) => kind === "read").length)
    }
  })
  yield* sim.disk.makeDirectory("/db")
  const manifest = memoryManifest.make("/db")
  const metas: Array<TableMeta> = []
  yield* Effect.scoped(
    Effect.gen(function* () {
      const tables = yield* tablesOn(sim.disk, manifest, { blockBytes: 256, indexBytesMax: 64 })
      for (let index = 0; index < count; index++) metas.push(yield* writeEntries(tables, numbered(20 + index)))
    })
  )
  open.most = 0
  const { cache, tables } = yield* openTables({ disk: sim.disk, manifest, options })
  return { sim, open, cache, tables, metas, handles: yield* tables.attach(metas) }
})

const bothWays = [true, false]

describe("open files", () => {
  it.live("are never more than the limit, through thousands of reads of many fibers", () =>
    Effect.forEach(bothWays, (synchronousReads) =>
      Effect.gen(function* () {
        const options = { openFilesMax: 8, cacheBytes: 100_000 }
        const { cache, handles, open, sim } = yield* many(40, { synchronousReads, options })
        const read = (seed: number) =>
          Effect.gen(function* () {
            const dice = new Dice(seed)
            for (let count = 0; count < 150; count++) {
              const index = dice.below(handles.length)
              const at = dice.below(20 + index + 3)
              const key = `key-${String(at).padStart(8, "0")}`
              const found = dice.chance(0.2)
                ? findNow(handles[index]!, key)
                : yield* find(handles[index]!, key, 2 ** 40)
              if (found === notNow) continue
              assert.deepStrictEqual(found, numbered(20 + index)[at], `seed ${seed}: ${key} of table ${index}`)
            }
          })
        yield* Effect.forEach(
          Array.from({ length: 24 }, (_, index) => index),
          read,
          { concurrency: "unbounded", discard: true }
        )
        assert.strictEqual(open.most, 8)
        assert.isAbove(sim.log.filter(({ operation }) => operation === "open").length, 100)
        const { budget, bytes } = cache.stats()
        assert.isAtMost(bytes, budget)
      }).pipe(Effect.scoped)
    )
  )

  it.live("are used again as long as there is room, and those used last stay", () =>
    Effect.gen(function* () {
      const { handles, sim } = yield* many(20, { synchronousReads: false, options: { openFilesMax: 8 } })
      const opens = () => sim.log.filter(({ operation }) => operation === "open").length
      const before = opens()
      for (let round = 0; round < 5; round++) {
        for (const handle of handles.slice(0, 7)) {
          handle.partsUnsafe()
          yield* handle.load(0, false)
        }
        // A table that is read once takes the place of another that was.
        yield* entriesOf(handles[8 + round]!)
      }
      assert.strictEqual(opens() - before, 7 + 5)
    }).pipe(Effect.scoped)
  )

  it.live("give up parts over their share, and never those of the table that is read", () =>
    Effect.forEach(bothWays, (synchronousReads) =>
      Effect.gen(function* () {
        const options = { cacheBytes: 0, filterBitsPerKey: 0 }
        const { cache, handles } = yield* many(60, { synchronousReads, options })
        for (const [index, handle] of handles.entries()) {
          assert.deepStrictEqual(yield* entriesOf(handle), numbered(20 + index))
          assert.isDefined(handle.partsUnsafe())
          assert.isAtMost(cache.stats().bytes, 64 * 1024)
        }
        const kept = handles.filter((handle) => handle.partsUnsafe() !== undefined).length
        assert.isAbove(kept, 5)
        assert.isBelow(kept, 60)
      }).pipe(Effect.scoped)
    )
  )

  it("are opened once, by whoever comes first: on the calling stack, or when its turn comes", () => {
    for (let seed = 1; seed <= 100; seed++) {
      const both = Effect.gen(function* () {
        const { handles, sim } = yield* many(3, { synchronousReads: true, options: { openFilesMax: 8 } })
        const reads = handles.flatMap((handle) => [
          handle.load(0, false),
          Effect.sync(() => findNow(handle, "key-00000003"))
        ])
        yield* Effect.all(reads, { concurrency: "unbounded", discard: true })
        const open = sim.openHandles().map(({ path }) => path)
        assert.lengthOf(open, new Set(open).size, `seed ${seed}: a file is open twice`)
      })
      const exit = SimScheduler.run(Effect.scoped(both), { seed, yieldProbability: 0.3 })
      if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
    }
  })

  it.live("a table may be given up while a load of it is under way", () =>
    Effect.gen(function* () {
      const { handles, open } = yield* many(30, {
        synchronousReads: false,
        options: { openFilesMax: 8, cacheBytes: 0 }
      })
      const [one, ...others] = handles
      for (let turns = 0; turns < 40; turns++) {
        const loading = yield* Effect.forkChild(entriesOf(one!), { startImmediately: true })
        for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
        const reads = yield* Effect.forEach(others, (other) => Effect.forkChild(other.open, { startImmediately: true }))
        yield* Effect.forEach(reads, (fiber) => Fiber.join(fiber))
        assert.deepStrictEqual(yield* Fiber.join(loading), numbered(20), `after ${turns} turns`)
      }
      assert.strictEqual(open.most, 8)
    }).pipe(Effect.scoped)
  )

  it.live("an opening that fails leaves room for others, and is tried again", () =>
    Effect.forEach(bothWays, (synchronousReads) =>
      Effect.gen(function* () {
        const { handles, sim } = yield* many(20, { synchronousReads, options: { openFilesMax: 8 } })
        sim.addFault({ match: (operation) => operation === "open", code: "EMFILE", sticky: true })
        for (const handle of handles) {
          assert.deepInclude(yield* reasonOf(handle.open), { _tag: "Io", code: "EMFILE" })
          if (synchronousReads) assert.throws(() => handle.openUnsafe(), /EMFILE/)
        }
        sim.clearFaults()
        for (const [index, handle] of handles.entries()) {
          if (synchronousReads) assert.isDefined(handle.openUnsafe())
          assert.deepStrictEqual(yield* entriesOf(handle), numbered(20 + index))
        }
      }).pipe(Effect.scoped)
    )
  )

  it.live("a close that fails is as good as one that does not", () =>
    Effect.forEach(bothWays, (synchronousReads) =>
      Effect.gen(function* () {
        const { handles, open, sim } = yield* many(20, { synchronousReads, options: { openFilesMax: 8 } })
        sim.addFault({ match: (operation) => operation === "closeRead", code: "EIO", sticky: true })
        for (const [index, handle] of handles.entries()) {
          if (synchronousReads) handle.openUnsafe()
          assert.deepStrictEqual(yield* entriesOf(handle), numbered(20 + index))
        }
        assert.strictEqual(open.most, 8)
      }).pipe(Effect.scoped)
    )
  )
})

const notNow = Symbol("not now")

/** The first version of the key as a read on the calling stack finds it. */
const findNow = (table: Table, key: string) => {
  const target = Buffer.from(key, "latin1")
  const parts = table.openUnsafe()
  if (parts === undefined) return notNow
  const ordinal = table.placeUnsafe(target, 0, target.length)
  if (ordinal === parts.blockCount) return undefined
  const block = table.loadUnsafe(ordinal, true)
  if (block === undefined) return notNow
  const index = block.seek(target, 0, target.length)
  if (index === block.count) return undefined
  const view = makeEntryView()
  block.read(index, view)
  const found = fromView(view)
  return found.key === key ? found : undefined
}
