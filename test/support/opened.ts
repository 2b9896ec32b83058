// A database on a disk that a test gives it, small enough that a short run rotates, flushes and rewrites.
import { Context, Effect, Layer, Logger, type Scope, Stream } from "effect"
import * as LsmDatabase from "../../src/layers/LsmDatabase.ts"
import * as NoEncryption from "../../src/layers/NoEncryption.ts"
import type * as SimDisk from "../../src/layers/SimDisk.ts"
import { Database, type DatabaseService, type Reader } from "../../src/services/Database.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import type { Disk } from "../../src/services/Disk.ts"
import type { Encryption } from "../../src/services/Encryption.ts"
import { Maintenance, type MaintenanceService } from "../../src/services/Maintenance.ts"
import type { OptionsInput } from "../../src/services/Options.ts"
import { toModelEntry } from "./model.ts"

export const directory = "/db"

export interface Opened {
  readonly database: DatabaseService
  readonly maintenance: MaintenanceService
}

/** The options of a database, its encryption (none, if it is not given) and its compression (the default one). */
export interface OpenOptions extends OptionsInput {
  readonly encryption?: Layer.Layer<Encryption, DatabaseError> | undefined
  readonly compression?: Layer.Layer<never, DatabaseError> | undefined
}

/** Small enough that a short run rotates, flushes, rewrites the manifest and reserves sequences. */
export const smallOptions: OptionsInput = {
  arenaBytes: 2048,
  arenaCount: 2,
  valueBytesMax: 1024,
  blockBytes: 1024,
  cacheBytes: 0,
  flushOnCloseBytesMin: 0,
  manifestBytesMax: 256,
  sequencesReserved: 16,
  flushBytes: 256
}

/** The database of a layer, for as long as the scope. */
export const built = <E, R>(
  layer: Layer.Layer<Database | Maintenance, E, R>
): Effect.Effect<Opened, E, R | Scope.Scope> =>
  Effect.map(Layer.build(Layer.fresh(layer)), (context) => ({
    database: Context.get(context, Database),
    maintenance: Context.get(context, Maintenance)
  }))

export const open = (
  disk: Layer.Layer<Disk>,
  { compression = Layer.empty, encryption = NoEncryption.layer, ...options }: OpenOptions,
  at: string = directory
): Effect.Effect<Opened, DatabaseError, Scope.Scope> =>
  built(LsmDatabase.layerWith({ ...options, directory: at }).pipe(Layer.provide([disk, encryption, compression])))

export const quiet = Effect.provide(Logger.layer([]))

export const contentsOf = (reader: Pick<Reader, "scan">) =>
  Effect.map(Stream.runCollect(reader.scan()), (entries) => Array.from(entries, toModelEntry))

/** What the process that comes next sees. */
export const visibleImage = (device: SimDisk.SimDisk): Map<string, Uint8Array> => {
  const image = new Map<string, Uint8Array>()
  try {
    for (const { kind, name } of device.files.list(directory)) {
      if (kind !== "file") continue
      const path = `${directory}/${name}`
      const file = device.files.file(path)
      image.set(path, file.content.view(0, file.visibleSize).slice())
    }
  } catch {
    // The directory was not made yet.
  }
  return image
}
