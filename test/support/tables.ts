// Tables for tests: entries as plain values, written through the service and read back block by block.
import { assert } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Layer, type Scope } from "effect"
import * as FileSsTable from "../../src/layers/FileSsTable.ts"
import * as InlineJobs from "../../src/layers/InlineJobs.ts"
import * as MemoryDisk from "../../src/layers/MemoryDisk.ts"
import * as SieveBlockCache from "../../src/layers/SieveBlockCache.ts"
import * as SimDisk from "../../src/layers/SimDisk.ts"
import { concatBytes } from "../../src/internal/format/bytes.ts"
import { hashKey, hashKeyHigh } from "../../src/internal/format/compare.ts"
import { fileHeaderBytes, fileTagOf } from "../../src/internal/format/fileHeader.ts"
import { checksumSealer } from "../../src/internal/format/sealer.ts"
import { type Layout, openBlock, sealBlock } from "../../src/internal/format/storedBlock.ts"
import { decodeFooter, type Footer, footerBytes } from "../../src/internal/format/table.ts"
import { makeEntryView } from "../../src/internal/format/blockEntry.ts"
import { Kind } from "../../src/internal/format/record.ts"
import { BlockCache, type BlockCacheService } from "../../src/services/BlockCache.ts"
import { DatabaseError, type Reason } from "../../src/services/DatabaseError.ts"
import { Disk, type DiskService } from "../../src/services/Disk.ts"
import type { FileEncryption } from "../../src/services/Encryption.ts"
import { Jobs, type MergeJob } from "../../src/services/Jobs.ts"
import { Manifest, type ManifestService, type TableMeta } from "../../src/services/Manifest.ts"
import * as Options from "../../src/services/Options.ts"
import { type LoadedParts, SsTable, type SsTableService, type Table } from "../../src/services/SsTable.ts"
import { fromView, latin1, type Plain, plain, randomHandle } from "../internal/format/entries.ts"
import type { Dice } from "../internal/format/support.ts"
import { memtableOf } from "./jobPlan.ts"

export interface TablesParts {
  readonly disk: DiskService
  readonly manifest: ManifestService
  readonly options?: Options.OptionsInput
  readonly encryption?: FileEncryption
}

/** The service, and a job that writes a table for it. */
export interface WritableTables extends SsTableService {
  /** Every entry, as it is; `undefined` if there are none. */
  readonly write: (entries: ReadonlyArray<Plain>, level: number) => Effect.Effect<TableMeta | undefined, DatabaseError>
}

export interface Tables {
  readonly tables: WritableTables
  readonly cache: BlockCacheService
}

/** A job that makes one table of the entries, and drops none of them. */
export const jobOf = (entries: ReadonlyArray<Plain>, level: number): MergeJob => ({
  memtables: [memtableOf({ points: entries, removals: [] })],
  runs: [],
  from: undefined,
  to: undefined,
  level,
  snapshots: [],
  nowMillis: 0,
  deeper: [],
  grandparents: [],
  tableBytesMax: Number.MAX_SAFE_INTEGER,
  values: undefined
})

/** `FileSsTable` with a cache of its own; both end with the scope. */
export const openTables = (parts: TablesParts): Effect.Effect<Tables, never, Scope.Scope> => {
  const { encryption = parts.manifest.encryption } = parts
  const options = { ...Options.defaults, ...parts.options } as Options.OptionsShape
  const services = Layer.mergeAll(
    Layer.succeed(Disk, parts.disk),
    Layer.succeed(Manifest, { ...parts.manifest, encryption })
  )
  const layer = Layer.merge(FileSsTable.layer, InlineJobs.layer).pipe(
    Layer.provide(services),
    Layer.provideMerge(SieveBlockCache.layer),
    Layer.provide(Layer.succeed(Options.Options, options))
  )
  return Effect.map(Layer.build(layer), (context) => {
    const jobs = Context.get(context, Jobs)
    const write: WritableTables["write"] = (entries, level) =>
      Effect.map(jobs.run(jobOf(entries, level)), ({ tables }) => tables[0])
    return { tables: { ...Context.get(context, SsTable), write }, cache: Context.get(context, BlockCache) }
  })
}

/** The table, when its parts are in memory. */
export const openTable = (tables: SsTableService, meta: TableMeta): Effect.Effect<Table, DatabaseError> =>
  Effect.suspend(() => {
    const table = tables.handle(meta)
    return Effect.as(table.open, table)
  })

/** Every entry of the table, from the first block to the last. */
export const entriesOf = (table: Table) =>
  Effect.gen(function* () {
    const view = makeEntryView()
    const entries: Array<Plain> = []
    const { blockCount } = yield* table.open
    for (let ordinal = 0; ordinal < blockCount; ordinal++) {
      const block = yield* table.load(ordinal, true)
      for (let index = 0; index < block.count; index++) {
        block.read(index, view)
        entries.push(fromView(view))
      }
    }
    return entries
  })

/** What the table's filter says of the key. */
export const mayHold = (parts: LoadedParts, key: string): boolean => {
  const target = latin1(key)
  return parts.mayContain(hashKey(target, 0, target.length), hashKeyHigh(target, 0, target.length))
}

/** The newest version at or below the sequence, searched for as the engine does. */
export const find = Effect.fnUntraced(function* (table: Table, key: string, sequence: number) {
  const target = latin1(key)
  const parts = yield* table.open
  if (!mayHold(parts, key)) return undefined
  const view = makeEntryView()
  for (let at = yield* table.place(target, 0, target.length); at < parts.blockCount; at++) {
    const block = table.blockUnsafe(at) ?? (yield* table.load(at, true))
    const index = block.seekVersion(target, 0, target.length, sequence)
    if (index === block.count) continue
    block.read(index, view)
    const found = fromView(view)
    return found.key === key ? found : undefined
  }
  return undefined
})

/** What `find` must answer, for entries in table order. */
export const answersOf = (entries: ReadonlyArray<Plain>) => {
  const versions = Map.groupBy(entries, ({ key }) => key)
  return (key: string, sequence: number) => versions.get(key)?.find((entry) => entry.sequence <= sequence)
}

/** The reason of the failure; any defect, or a success, throws. */
export const reasonOf = <A, R>(effect: Effect.Effect<A, DatabaseError, R>): Effect.Effect<Reason, never, R> =>
  Effect.map(Effect.exit(effect), (exit) => {
    if (Exit.isSuccess(exit)) throw new Error("succeeded where it had to fail")
    const error = Cause.squash(exit.cause)
    if (error instanceof DatabaseError) return error.reason
    throw new Error(`not a DatabaseError: ${Cause.pretty(exit.cause)}`)
  })

/** So many keys in order, each with one version. */
export const numbered = (count: number, valueLength = 20): Array<Plain> =>
  Array.from({ length: count }, (_, index) =>
    plain(`key-${String(index).padStart(8, "0")}`, {
      value: `${index}`.padEnd(valueLength, "."),
      sequence: 1000 + ((index * 7919) % 1000)
    })
  )

const key = (dice: Dice): string => {
  const text = dice.pick(["", "a", "ab", "ab\0", "abc", "prefix-prefix-", "\xff\xff", "zzzzzzzz", "zzzzzzzzz"])
  return text + Buffer.from(dice.bytes(dice.below(dice.chance(0.1) ? 300 : 4))).toString("latin1")
}

/** Entries in table order with all that a table can hold; if large, the longest keys and values of a mebibyte too. */
export const randomTable = (dice: Dice, size: { readonly count: number; readonly large: boolean }): Array<Plain> => {
  const entries: Array<Plain> = []
  const text = (length: number) => Buffer.alloc(length, dice.bytes(7)).toString("latin1")
  for (let count = 0; count < size.count; count++) {
    const name = size.large && dice.chance(0.05) ? text(65_545 - dice.below(10)) : key(dice)
    const versions = dice.chance(0.2) ? 1 + dice.below(40) : 1
    let sequence = 1 + dice.below(1_000_000)
    for (let version = 0; version < versions; version++) {
      const kind = dice.pick([Kind.set, Kind.set, Kind.set, Kind.remove, Kind.valueHandle, Kind.merge])
      const isRemove = kind === Kind.remove
      const length = size.large && dice.chance(0.03) ? dice.below(1024 * 1024 + 1) : dice.below(dice.pick([1, 9, 400]))
      entries.push(
        plain(name, {
          kind,
          sequence,
          value: isRemove ? "" : kind === Kind.valueHandle ? randomHandle(dice, entries.length) : text(length),
          expiresAt: isRemove || dice.chance(0.8) ? 0 : Math.max(1, dice.whole()),
          userMeta: isRemove || dice.chance(0.8) ? 0 : 1 + dice.below(255)
        })
      )
      sequence += 1 + dice.below(1000)
    }
  }
  entries.sort((a, b) => Buffer.compare(latin1(a.key), latin1(b.key)) || b.sequence - a.sequence)
  return entries.filter(({ key, sequence }, index) => {
    const before = entries[index - 1]
    return before === undefined || before.key !== key || before.sequence !== sequence
  })
}

/** Replaces a file by what `change` makes of its bytes. */
export const rewrite = Effect.fnUntraced(function* (
  disk: DiskService,
  path: string,
  change: (bytes: Uint8Array) => Uint8Array
) {
  const file = yield* disk.open(path)
  const bytes = change(yield* file.read(0, file.size))
  yield* file.close
  yield* disk.remove(path)
  const copy = yield* disk.create(path)
  yield* copy.append([bytes])
  yield* copy.close
})

/** The tables in the directory. */
export const tableNames = (disk: DiskService, directory: string) =>
  Effect.map(disk.list(directory), (entries) => entries.map(({ name }) => name).filter((name) => name.endsWith(".sst")))

/** The service alone. */
export const tablesOn = (disk: DiskService, manifest: ManifestService, options: Options.OptionsInput = {}) =>
  Effect.map(openTables({ disk, manifest, options }), ({ tables }) => tables)

/** Writes entries, of which there is one at least. */
export const writeEntries = Effect.fnUntraced(function* (tables: WritableTables, entries: ReadonlyArray<Plain>) {
  const meta = yield* tables.write(entries, 0)
  if (meta === undefined) throw new Error("wrote nothing")
  return meta
})

/** A disk in memory with the directory `/db`. */
export const inMemory = Effect.gen(function* () {
  const { disk } = MemoryDisk.make()
  yield* disk.makeDirectory("/db")
  return disk
})

/** A simulated one; the directory is durable. */
export const simulated = Effect.fnUntraced(function* (options: SimDisk.SimDiskOptions = {}) {
  const sim = SimDisk.make(options)
  yield* sim.disk.makeDirectory("/db")
  yield* sim.disk.syncDirectory("/")
  return sim
})

/** Every answer of the table is right or `Corruption` that names the file. Returns how many were refused. */
export const checkAnswers = Effect.fnUntraced(function* (
  tables: SsTableService,
  meta: TableMeta,
  { entries, file }: { readonly entries: ReadonlyArray<Plain>; readonly file: string }
) {
  const opened = yield* Effect.exit(openTable(tables, meta))
  if (Exit.isFailure(opened)) {
    assert.deepInclude(yield* reasonOf(opened), { _tag: "Corruption", file })
    return entries.length
  }
  const expected = answersOf(entries)
  let refused = 0
  for (const { key, sequence } of entries) {
    const answer = yield* Effect.exit(find(opened.value, key, sequence))
    if (Exit.isFailure(answer)) {
      refused += 1
      assert.deepInclude(yield* reasonOf(answer), { _tag: "Corruption", file })
    } else {
      assert.deepStrictEqual(answer.value, expected(key, sequence))
    }
  }
  return refused
})

/** The table with the section changed, and sound again by itself: sealed anew in its place, with a checksum. */
export const reseal = (
  bytes: Uint8Array,
  section: { readonly meta: TableMeta; readonly layout: Layout; readonly offset: number; readonly length: number },
  change: (plain: Uint8Array) => void
): Uint8Array => {
  const { layout, length, meta, offset } = section
  const place = { layout, fileTag: fileTagOf(meta.fileId), offset, sealer: checksumSealer }
  const plain = openBlock({ ...place, bytes, start: offset, length }).slice()
  change(plain)
  const changed = bytes.slice()
  changed.set(concatBytes(sealBlock({ ...place, plain }).chunks), offset)
  return changed
}

/** The footer of a table with checksums. */
export const footerOf = (bytes: Uint8Array): Footer =>
  decodeFooter({
    bytes: bytes.subarray(bytes.length - footerBytes(4)),
    fileBytes: bytes.length,
    fileHeader: bytes.subarray(0, fileHeaderBytes),
    sealer: checksumSealer
  })
