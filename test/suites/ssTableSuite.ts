// The contract of `SsTable`, one test for each numbered invariant in the contract's words.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, type Scope } from "effect"
import { Kind } from "../../src/internal/format/record.ts"
import type { OptionsInput } from "../../src/services/Options.ts"
import type { DiskService } from "../../src/services/Disk.ts"
import type { TableMeta } from "../../src/services/Manifest.ts"
import type { SsTableService, Table } from "../../src/services/SsTable.ts"
import { latin1, type Plain, plain } from "../internal/format/entries.ts"
import { Dice } from "../internal/format/support.ts"
import {
  answersOf,
  entriesOf,
  find,
  mayHold,
  numbered,
  openTable,
  randomTable,
  reasonOf,
  rewrite,
  type WritableTables,
  writeEntries as written
} from "../support/tables.ts"

export interface SsTableUnderTest {
  readonly disk: DiskService
  /** Where the tables are. */
  readonly directory: string
  /** The layer on that directory; each call makes one that has opened nothing yet. */
  readonly tables: (options?: OptionsInput) => Effect.Effect<WritableTables, never, Scope.Scope>
  /** The same after a power cut, where the disk can tell: all that was not made durable is lost. */
  readonly afterPowerCut?: () => Effect.Effect<WritableTables, never, Scope.Scope>
}

type Use = (name: string, body: (under: SsTableUnderTest) => Effect.Effect<void, unknown, Scope.Scope>) => void

export const ssTableSuite = (layerName: string, make: Effect.Effect<SsTableUnderTest, unknown, Scope.Scope>): void => {
  const use: Use = (name, body) => it.live(name, () => Effect.flatMap(make, body))
  describe(`SsTable (${layerName})`, () => {
    writing(use)
    checking(use)
    opening(use)
    keeping(use)
    verifying(use)
  })
}

const names = (under: SsTableUnderTest) =>
  Effect.map(under.disk.list(under.directory), (entries) => entries.map(({ name }) => name))

const onlyTable = (under: SsTableUnderTest) =>
  Effect.map(names(under), (all) => {
    assert.lengthOf(all, 1)
    return under.disk.join(under.directory, all[0]!)
  })

const attached = (tables: SsTableService, meta: TableMeta) => Effect.map(tables.attach([meta]), ([table]) => table!)

const checkFinds = (table: Table, entries: ReadonlyArray<Plain>) => {
  const expected = answersOf(entries)
  return Effect.forEach(entries, ({ key, sequence }) =>
    Effect.map(find(table, key, sequence), (found) =>
      assert.deepStrictEqual(found, expected(key, sequence), `${key} at ${sequence}`)
    )
  )
}

const writing = (use: Use): void => {
  use("1. a table reads back entry for entry as it was written", (under) =>
    Effect.gen(function* () {
      const entries = randomTable(new Dice(1), { count: 300, large: false })
      const meta = yield* written(yield* under.tables({ blockBytes: 512 }), entries)
      const tables = yield* (under.afterPowerCut ?? under.tables)()
      const table = yield* openTable(tables, meta)
      assert.deepStrictEqual(yield* entriesOf(table), entries)
      yield* checkFinds(table, entries)
      assert.deepStrictEqual(table.meta, meta)
      const sequences = entries.map(({ sequence }) => sequence)
      assert.deepInclude(meta, {
        level: 0,
        smallest: latin1(entries[0]!.key),
        largest: latin1(entries.at(-1)!.key),
        entryCount: entries.length,
        removeCount: entries.filter(({ kind }) => kind === Kind.remove).length,
        rangeRemovalCount: 0,
        sequenceMin: Math.min(...sequences),
        sequenceMax: Math.max(...sequences)
      })
      assert.deepInclude(yield* tables.verify(meta), { entries: entries.length, damage: [] })
    })
  )

  use("1. a table has the level, another number and another id than the one before", (under) =>
    Effect.gen(function* () {
      const tables = yield* under.tables()
      const first = yield* tables.write(numbered(1), 0)
      const second = yield* tables.write(numbered(1), 3)
      assert.strictEqual(second?.level, 3)
      assert.notStrictEqual(second?.number, first?.number)
      assert.notDeepEqual(second?.fileId, first?.fileId)
      assert.lengthOf(yield* names(under), 2)
    })
  )

  use("3. mayContain has no false negatives, and seldom says yes to other keys", (under) =>
    Effect.gen(function* () {
      const entries = numbered(5000)
      const tables = yield* under.tables()
      const table = yield* openTable(tables, yield* written(tables, entries))
      const parts = yield* table.open
      const has = (key: string) => mayHold(parts, key)
      for (const { key } of entries) assert.isTrue(has(key))
      const wrong = entries.filter(({ key }) => has(`other-${key}`)).length
      assert.isBelow(wrong, 150)
    })
  )

  use("3. without filters mayContain is true", (under) =>
    Effect.gen(function* () {
      const tables = yield* under.tables({ filterBitsPerKey: 0 })
      const table = yield* openTable(tables, yield* written(tables, numbered(10)))
      assert.isTrue(mayHold(yield* table.open, "nothing like it"))
    })
  )
}

const checking = (use: Use): void => {
  use("2. damage is Corruption with file and offset, and other blocks stay readable", (under) =>
    Effect.gen(function* () {
      const entries = numbered(500, 100)
      const before = yield* under.tables({ blockBytes: 1024 })
      const meta = yield* written(before, entries)
      const path = yield* onlyTable(under)
      const { blockCount } = yield* before.handle(meta).open
      const offset = 96 + 7
      yield* rewrite(under.disk, path, (bytes) => {
        bytes[offset] ^= 0x10
        return bytes
      })
      const tables = yield* under.tables()
      const table = yield* openTable(tables, meta)
      for (let attempt = 0; attempt < 2; attempt++) {
        const reason = yield* reasonOf(table.load(0, true))
        assert.deepInclude(reason, { _tag: "Corruption", file: path, offset: 96 })
        assert.isUndefined(table.blockUnsafe(0))
      }
      if (table.loadUnsafe(1, false) !== undefined) assert.throws(() => table.loadUnsafe(0, true), /Corruption/)
      for (let ordinal = 1; ordinal < blockCount; ordinal++) yield* table.load(ordinal, true)
      yield* checkFinds(table, entries.slice(250))
      const report = yield* tables.verify(meta)
      assert.lengthOf(report.damage, 1)
      assert.deepInclude(report.damage[0], { file: path, offset: 96 })
      assert.strictEqual(report.blocks, blockCount)
      assert.isAbove(report.entries, 480)
    })
  )

  use("2. a block in another block's place is not taken for it", (under) =>
    Effect.gen(function* () {
      // Blocks of one length, all of them sound.
      const entries = numbered(8, 100)
      const before = yield* under.tables({ blockBytes: 64 })
      const meta = yield* written(before, entries)
      const table = yield* openTable(before, meta)
      assert.strictEqual((yield* table.open).blockCount, 8)
      yield* rewrite(under.disk, yield* onlyTable(under), (bytes) => {
        const length = blockLength(bytes)
        return bytes.copyWithin(96, 96 + length, 96 + 2 * length)
      })
      const tables = yield* under.tables()
      assert.deepInclude(yield* reasonOf((yield* openTable(tables, meta)).load(0, true)), {
        _tag: "Corruption",
        offset: 96
      })
    })
  )

  use("2. a table with a bad checksum is not silently ignored at open", (under) =>
    Effect.gen(function* () {
      const meta = yield* written(yield* under.tables(), numbered(100))
      const path = yield* onlyTable(under)
      for (const place of [0, 11, 50, 95, meta.bytes - 1, meta.bytes - 40, meta.bytes - 120, meta.bytes - 200]) {
        const flip = (bytes: Uint8Array) => {
          bytes[place] ^= 1
          return bytes
        }
        yield* rewrite(under.disk, path, flip)
        const reason = yield* reasonOf(openTable(yield* under.tables(), meta))
        assert.deepInclude(reason, { _tag: "Corruption", file: path }, `byte ${place}`)
        yield* rewrite(under.disk, path, flip)
      }
      yield* openTable(yield* under.tables(), meta)
    })
  )

  use("2. a zero-byte table referenced is Corruption", (under) =>
    Effect.gen(function* () {
      const meta = yield* written(yield* under.tables(), numbered(100))
      const path = yield* onlyTable(under)
      yield* rewrite(under.disk, path, () => new Uint8Array(0))
      const tables = yield* under.tables()
      const reason = yield* reasonOf(openTable(tables, meta))
      assert.deepInclude(reason, { _tag: "Corruption", file: path, offset: 0 })
      assert.match(reason.message, /has 0 bytes, the manifest says \d+/)
      assert.lengthOf((yield* tables.verify(meta)).damage, 1)
    })
  )
}

/** Of the first block of a table whose keys and values are all of the same length: where the second one begins. */
const blockLength = (bytes: Uint8Array): number => {
  const key = Buffer.from("key-00000001", "latin1")
  const zero = Buffer.from("key-00000000", "latin1")
  return Buffer.from(bytes).indexOf(key) - Buffer.from(bytes).indexOf(zero)
}

const opening = (use: Use): void => {
  use("open returns the open table, also to those who ask at the same time", (under) =>
    Effect.gen(function* () {
      const meta = yield* written(yield* under.tables(), numbered(100))
      const tables = yield* under.tables()
      const all = yield* Effect.all(
        Array.from({ length: 8 }, () => openTable(tables, meta)),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(new Set([...all, yield* openTable(tables, meta)]).size, 1)
    })
  )

  use("a failed open is tried again", (under) =>
    Effect.gen(function* () {
      const meta = yield* written(yield* under.tables(), numbered(100))
      const path = yield* onlyTable(under)
      const flip = (bytes: Uint8Array) => {
        bytes[3] ^= 1
        return bytes
      }
      yield* rewrite(under.disk, path, flip)
      const tables = yield* under.tables()
      assert.strictEqual((yield* reasonOf(openTable(tables, meta)))._tag, "Corruption")
      yield* rewrite(under.disk, path, flip)
      yield* openTable(tables, meta)
    })
  )

  use("a missing table is Corruption, and Stale in a read-only database", (under) =>
    Effect.gen(function* () {
      const meta = yield* written(yield* under.tables(), numbered(100))
      const path = yield* onlyTable(under)
      yield* under.disk.remove(path)
      // Whether it is missed at once, or when it is read.
      for (const use of [openTable, attached]) {
        const reason = yield* reasonOf(use(yield* under.tables(), meta))
        assert.deepInclude(reason, { _tag: "Corruption", file: path })
        assert.match(reason.message, /named by the manifest is missing/)
        const readOnly = yield* under.tables({ readOnly: true })
        assert.deepInclude(yield* reasonOf(use(readOnly, meta)), { _tag: "Stale", file: path })
      }
      const readOnly = yield* under.tables({ readOnly: true })
      assert.deepInclude(yield* reasonOf(readOnly.verify(meta)), { _tag: "Stale", file: path })
      assert.deepInclude((yield* (yield* under.tables()).verify(meta)).damage[0], { file: path, offset: 0 })
    })
  )

  use("a removed file stays readable through its open table", (under) =>
    Effect.gen(function* () {
      const entries = numbered(1000)
      const tables = yield* under.tables()
      const table = yield* openTable(tables, yield* written(tables, entries))
      yield* under.disk.remove(yield* onlyTable(under))
      assert.deepStrictEqual(yield* entriesOf(table), entries)
    })
  )

  use("the last key of a block can be removed", (under) =>
    Effect.gen(function* () {
      // A removal as the last entry of every block, above a version that it hides.
      const entries = numbered(40).flatMap(({ key }) => [
        plain(key, { kind: Kind.remove, sequence: 9 }),
        plain(key, { sequence: 5 })
      ])
      for (const blockBytes of [64, 80, 120, 4096]) {
        const tables = yield* under.tables({ blockBytes })
        const table = yield* openTable(tables, yield* written(tables, entries))
        for (const { key } of entries) {
          assert.strictEqual((yield* find(table, key, 100))?.kind, Kind.remove, key)
          assert.strictEqual((yield* find(table, key, 8))?.kind, Kind.set, key)
          assert.isUndefined(yield* find(table, key, 4), key)
        }
      }
    })
  )
}

const keeping = (use: Use): void => {
  use("5. attach and handle read nothing of a table", (under) =>
    Effect.gen(function* () {
      const first = yield* under.tables()
      const metas = [yield* written(first, numbered(300)), yield* written(first, numbered(300))]
      const path = under.disk.join(under.directory, (yield* names(under))[0]!)
      yield* rewrite(under.disk, path, (bytes) => bytes.fill(0))
      const tables = yield* under.tables()
      const [damaged, sound] = yield* tables.attach(metas)
      assert.strictEqual(tables.handle(metas[0]!), damaged)
      assert.isUndefined(sound!.partsUnsafe())
      // What is wrong with one fails what is read of it, and nothing else.
      for (let attempt = 0; attempt < 2; attempt++) {
        assert.deepInclude(yield* reasonOf(damaged!.open), { _tag: "Corruption", file: path })
        assert.deepInclude(yield* reasonOf(damaged!.load(0, true)), { _tag: "Corruption", file: path })
        assert.deepStrictEqual(yield* entriesOf(sound!), numbered(300))
      }
    })
  )

  use("5. attach refuses a table of another size", (under) =>
    Effect.gen(function* () {
      const first = yield* under.tables()
      const metas = [yield* written(first, numbered(30)), yield* written(first, numbered(30))]
      const path = under.disk.join(under.directory, (yield* names(under))[1]!)
      yield* rewrite(under.disk, path, (bytes) => bytes.slice(0, -1))
      const reason = yield* reasonOf((yield* under.tables()).attach(metas))
      assert.deepInclude(reason, { _tag: "Corruption", file: path, offset: metas[1]!.bytes - 1 })
    })
  )

  use("6. what was given up for another table is read again, and what somebody holds stays as it is", (under) =>
    Effect.gen(function* () {
      const first = yield* under.tables()
      const metas: Array<TableMeta> = []
      for (let index = 0; index < 20; index++) metas.push(yield* written(first, numbered(50 + index)))
      const tables = yield* under.tables({ openFilesMax: 8, cacheBytes: 0 })
      const [one, ...others] = yield* tables.attach(metas)
      const parts = yield* one!.open
      const block = yield* one!.load(0, true)
      for (const [index, other] of others.entries()) {
        assert.deepStrictEqual(yield* entriesOf(other), numbered(51 + index))
      }
      assert.isUndefined(one!.partsUnsafe())
      assert.strictEqual(parts.blockFor(latin1("key-00000000"), 0, 12), 0)
      assert.strictEqual(block.count, 50)
      assert.deepStrictEqual(yield* entriesOf(one!), numbered(50))
    })
  )

  use("7. remove gives back all that is kept of the table, and then removes the file", (under) =>
    Effect.gen(function* () {
      const tables = yield* under.tables()
      const meta = yield* written(tables, numbered(1000))
      const kept = yield* written(tables, numbered(10))
      const table = yield* openTable(tables, meta)
      const loading = yield* Effect.forkChild(table.load(1, true), { startImmediately: true })
      yield* tables.remove(meta)
      assert.isAbove((yield* Fiber.join(loading)).count, 0)
      assert.lengthOf(yield* names(under), 1)
      assert.isUndefined(table.partsUnsafe())
      assert.isUndefined(table.blockUnsafe(1))
      assert.strictEqual((yield* reasonOf(table.load(1, true)))._tag, "Closed")
      assert.deepStrictEqual(yield* entriesOf(tables.handle(kept)), numbered(10))
      // It is gone already.
      yield* tables.remove(meta)
    })
  )

  use("a table that moves to another level stays the same", (under) =>
    Effect.gen(function* () {
      const tables = yield* under.tables()
      const meta = yield* written(tables, numbered(10))
      const table = tables.handle(meta)
      assert.strictEqual(tables.handle({ ...meta, level: 3 }), table)
      assert.strictEqual(table.meta.level, 3)
    })
  )
}

const verifying = (use: Use): void => {
  use("verify goes on after a damaged block and names each", (under) =>
    Effect.gen(function* () {
      const entries = numbered(8, 100)
      const meta = yield* written(yield* under.tables({ blockBytes: 64 }), entries)
      yield* rewrite(under.disk, yield* onlyTable(under), (bytes) => {
        for (const ordinal of [0, 3, 7]) bytes[96 + blockLength(bytes) * ordinal + 20] ^= 1
        return bytes
      })
      const tables = yield* under.tables()
      const report = yield* tables.verify(meta)
      assert.deepInclude(report, { blocks: 8, entries: 5 })
      assert.lengthOf(report.damage, 3)
      assert.match(report.damage[1]!.message, /block 3: .*checksum/)
    })
  )

  use("verify sees the file, not what is cached of it", (under) =>
    Effect.gen(function* () {
      const tables = yield* under.tables()
      const meta = yield* written(tables, numbered(100))
      const table = yield* openTable(tables, meta)
      yield* entriesOf(table)
      yield* rewrite(under.disk, yield* onlyTable(under), (bytes) => bytes.fill(0, 200, 210))
      assert.isAbove((yield* tables.verify(meta)).damage.length, 0)
    })
  )
}
