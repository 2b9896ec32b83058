/**
 * The database in memory, for tests of applications: the same engine, on a disk that ends with its scope.
 *
 * @since 0.1.0
 */
import * as Layer from "effect/Layer"
import type { Database } from "../services/Database.ts"
import type { DatabaseError } from "../services/DatabaseError.ts"
import type { Maintenance } from "../services/Maintenance.ts"
import type { OptionsInput } from "../services/Options.ts"
import * as LsmDatabase from "./LsmDatabase.ts"
import * as MemoryDisk from "./MemoryDisk.ts"
import * as NoEncryption from "./NoEncryption.ts"

/** Small enough that a test with a hundred databases stays small. */
const arenaBytes = 1024 * 1024

/**
 * Any of the options, and how the files in memory are sealed and compressed.
 *
 * @since 0.1.0
 * @category models
 */
export type MemoryOptions = OptionsInput & Pick<LsmDatabase.Location, "encryption" | "compression">

/**
 * An empty database. Every layer value is a database of its own.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: MemoryOptions = {}): Layer.Layer<Database | Maintenance, DatabaseError> =>
  Layer.suspend(() => {
    const { compression = Layer.empty, encryption = NoEncryption.layer, ...input } = options
    // A ballast would take the memory that it is to keep free.
    return LsmDatabase.layerWith({ arenaBytes, ballastBytesMax: 0, ...input, directory: "/memory" }).pipe(
      Layer.provide([MemoryDisk.make().layer, encryption, compression])
    )
  })
