/**
 * The database: a log-structured merge tree in a directory.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { open } from "../internal/engine/engine.ts"
import { register } from "../internal/engine/metrics.ts"
import { BlockCache } from "../services/BlockCache.ts"
import { Database, type DatabaseService } from "../services/Database.ts"
import type { DatabaseError } from "../services/DatabaseError.ts"
import { Directory } from "../services/Directory.ts"
import { Disk } from "../services/Disk.ts"
import type { Encryption } from "../services/Encryption.ts"
import { Jobs } from "../services/Jobs.ts"
import { Maintenance } from "../services/Maintenance.ts"
import { Manifest } from "../services/Manifest.ts"
import { Memory } from "../services/Memory.ts"
import { Memtable } from "../services/Memtable.ts"
import * as Options from "../services/Options.ts"
import { Oracle } from "../services/Oracle.ts"
import { SsTable } from "../services/SsTable.ts"
import { ValueLog } from "../services/ValueLog.ts"
import { Wal } from "../services/Wal.ts"
import * as ArenaMemtable from "./ArenaMemtable.ts"
import * as FileManifest from "./FileManifest.ts"
import * as FileSsTable from "./FileSsTable.ts"
import * as FileValueLog from "./FileValueLog.ts"
import * as FileWal from "./FileWal.ts"
import * as InlineJobs from "./InlineJobs.ts"
import * as LocalOracle from "./LocalOracle.ts"
import * as NodeDisk from "./NodeDisk.ts"
import * as NodeMemory from "./NodeMemory.ts"
import * as NodeWorkerJobs from "./NodeWorkerJobs.ts"
import * as NoEncryption from "./NoEncryption.ts"
import * as SieveBlockCache from "./SieveBlockCache.ts"
import * as WaryDisk from "./WaryDisk.ts"

/**
 * Where the database is, and any of the options.
 *
 * @since 0.1.0
 * @category models
 */
export interface Location extends Options.OptionsInput {
  /** Created, with its parents, if it does not exist and `create` allows. */
  readonly directory: string
  /** The key of its files, as `AeadEncryption.layer` makes it of one. Default: none, and no encryption. */
  readonly encryption?: Layer.Layer<Encryption, DatabaseError> | undefined
  /** What compresses its blocks, as `ZstdCompression.layer`, which is the default. */
  readonly compression?: Layer.Layer<never, DatabaseError> | undefined
}

/**
 * A location of which encryption and compression are given otherwise.
 *
 * @since 0.1.0
 * @category models
 */
export type PlainLocation = Omit<Location, "encryption" | "compression">

/**
 * The engine over parts of your own choice.
 *
 * **When to use**
 *
 * Use to swap a part: another disk, a cache shared by databases, a log elsewhere. `layer` wires the defaults.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerNoDeps: Layer.Layer<
  Database | Maintenance,
  DatabaseError,
  Disk | Manifest | Wal | SsTable | ValueLog | Memtable | Oracle | BlockCache | Jobs
> = Layer.effectContext(
  Effect.gen(function* () {
    const manifest = yield* Manifest
    const engine = yield* open({
      options: yield* Options.Options,
      disk: yield* Disk,
      manifest,
      wal: yield* Wal,
      jobs: yield* Jobs,
      tables: yield* SsTable,
      values: yield* ValueLog,
      memtables: yield* Memtable,
      oracle: yield* Oracle,
      cache: yield* BlockCache,
      memory: yield* Memory
    })
    yield* register(manifest.directory, () => engine.counters())
    return Context.make(Database, engine.database()).pipe(Context.add(Maintenance, engine.maintenance()))
  })
)

const wired = (
  location: PlainLocation,
  jobs: Layer.Layer<Jobs, never, Disk | Manifest>
): Layer.Layer<Database | Maintenance, DatabaseError, Disk | Encryption> => {
  const { directory, ...input } = location
  const parts = (options: Options.OptionsShape) =>
    // Each provides the ones above it, so that they close in the opposite order: the engine first, the lock last.
    layerNoDeps.pipe(
      Layer.provide([FileWal.layer, ArenaMemtable.layer, LocalOracle.layer]),
      Layer.provide([FileSsTable.layer, FileValueLog.layer, jobs]),
      Layer.provideMerge(SieveBlockCache.layer),
      Layer.provide(FileManifest.layer),
      Layer.provide(WaryDisk.layer),
      Layer.provide(Layer.succeed(Directory, { path: directory })),
      Layer.provide(Layer.succeed(Options.Options, options)),
      // Layers are shared by reference wherever they are built together; the parts of two databases must not be.
      Layer.fresh
    )
  return Layer.effectContext(Effect.flatMap(Options.make(input), (options) => Layer.build(parts(options))))
}

/**
 * The same over a disk and an encryption of your own choice. Flushes and compactions run on this thread, in slices.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerWith = (
  location: PlainLocation
): Layer.Layer<Database | Maintenance, DatabaseError, Disk | Encryption> => wired(location, InlineJobs.layer)

/**
 * A database in a directory of this machine, needing nothing else. Its scope closes it; opening one that is open
 * elsewhere fails `Locked`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (location: Location): Layer.Layer<Database | Maintenance, DatabaseError> => {
  const { compression = Layer.empty, encryption = NoEncryption.layer, ...plain } = location
  const { synchronousReads = true } = plain
  return wired(plain, NodeWorkerJobs.layer).pipe(
    Layer.provide([NodeMemory.layer, NodeDisk.layerWith({ synchronousReads }), encryption, compression])
  )
}

/**
 * The same as a value, for a service key of your own: several databases in one process.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (location: Location): Effect.Effect<DatabaseService, DatabaseError, Scope.Scope> =>
  Effect.map(Layer.build(layer(location)), (context) => Context.get(context, Database))
