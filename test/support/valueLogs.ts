// The value log over a disk, and value files written for it.
import { Context, Effect, Layer, type Scope } from "effect"
import * as FileSsTable from "../../src/layers/FileSsTable.ts"
import * as FileValueLog from "../../src/layers/FileValueLog.ts"
import * as SieveBlockCache from "../../src/layers/SieveBlockCache.ts"
import type { Sealer } from "../../src/internal/format/sealer.ts"
import { valueFileName } from "../../src/internal/format/fileName.ts"
import { BlockCache, type BlockCacheService } from "../../src/services/BlockCache.ts"
import { Disk, type DiskService } from "../../src/services/Disk.ts"
import type { FileEncryption } from "../../src/services/Encryption.ts"
import { Manifest, type ManifestService } from "../../src/services/Manifest.ts"
import * as Options from "../../src/services/Options.ts"
import { SsTable, type SsTableService } from "../../src/services/SsTable.ts"
import { type StoredValue, ValueLog, type ValueLogService } from "../../src/services/ValueLog.ts"
import { type BuiltValues, builderOf, buildValues, ownerOf, type PlainValue } from "./valueFiles.ts"

export interface ValueLogs {
  readonly values: ValueLogService
  readonly tables: SsTableService
  readonly cache: BlockCacheService
}

/** `FileValueLog` beside `FileSsTable`, with a cache of their own; all end with the scope. */
export const openValueLogs = (parts: {
  readonly disk: DiskService
  readonly manifest: ManifestService
  readonly options?: Options.OptionsInput | undefined
  readonly encryption?: FileEncryption | undefined
}): Effect.Effect<ValueLogs, never, Scope.Scope> => {
  const { encryption = parts.manifest.encryption } = parts
  const options = { ...Options.defaults, ...parts.options } as Options.OptionsShape
  const services = Layer.mergeAll(
    Layer.succeed(Disk, parts.disk),
    Layer.succeed(Manifest, { ...parts.manifest, encryption })
  )
  const layer = Layer.merge(FileValueLog.layer, FileSsTable.layer).pipe(
    Layer.provide(services),
    Layer.provideMerge(SieveBlockCache.layer),
    Layer.provide(Layer.succeed(Options.Options, options)),
    Layer.fresh
  )
  return Effect.map(Layer.build(layer), (context) => ({
    values: Context.get(context, ValueLog),
    tables: Context.get(context, SsTable),
    cache: Context.get(context, BlockCache)
  }))
}

/** Writes a file of these values, which are in order. */
export const writeValues = Effect.fnUntraced(function* (
  disk: DiskService,
  directory: string,
  file: { readonly number: number; readonly values: ReadonlyArray<PlainValue>; readonly sealer?: Sealer }
) {
  const { number, sealer, values } = file
  const built: BuiltValues = buildValues(values, builderOf(sealer, { fileNumber: number }))
  const created = yield* disk.create(disk.join(directory, valueFileName(number)))
  yield* created.append([built.bytes])
  yield* created.sync
  yield* created.close
  yield* disk.syncDirectory(directory)
  return built.meta
})

/** What a record of the value's key and sequence has of it. */
export const storedOf = ({ id, index, key, sequence, value }: PlainValue): StoredValue => ({
  handle: { file: id, index, length: value.length },
  owner: ownerOf(key, sequence)
})

/** So many values of one file, each of the length. */
export const valuesOf = (id: number, count: number, length: number): Array<PlainValue> =>
  Array.from({ length: count }, (_, index) => ({
    id,
    index,
    key: `key-${index}`,
    sequence: 1000 + index,
    value: patterned(length, id + index)
  }))

/** Bytes that are the same nowhere else. */
export const patterned = (length: number, seed: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  let state = seed + 1
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[at] = state >>> 24
  }
  return bytes
}
