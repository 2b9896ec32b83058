/**
 * Every codec whose package is installed, for programs that open databases of others.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { compressionLayer, levelsOf } from "../internal/engine/compressionLayer.ts"
import type { PackageCodec } from "../internal/format/packageCodecs.ts"
import { Compression, type CompressionLevels } from "../services/Compression.ts"
import type { DatabaseError } from "../services/DatabaseError.ts"
import { packaged } from "./NodeCodecs.ts"

/** A package that is not there, or not for this machine, is no error where it is not needed to write. */
const withPackage = (name: PackageCodec, levels: CompressionLevels): Layer.Layer<never, DatabaseError> => {
  const isNeeded = Object.values(levels).includes(name)
  return compressionLayer(isNeeded ? packaged(name) : Effect.catch(packaged(name), () => Effect.undefined), levels)
}

const installed = (levels: CompressionLevels): Layer.Layer<never, DatabaseError> =>
  withPackage("lz4", levels).pipe(Layer.provide(withPackage("snappy", levels)))

/**
 * Writes as the database was written, a new one as without a layer, and reads lz4 and snappy where their packages are
 * installed. A database that has a codec which is not there fails to open by that codec's name.
 *
 * **When to use**
 *
 * Use for tools, as `strata` does. A program of your own says which codecs its database has.
 *
 * **Details**
 *
 * Tables of the bottom level are compressed as the newest there is, those above it and values are not. No table is
 * written again only because of its codec, also not by `Maintenance.compact`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<never, DatabaseError> = Layer.effect(
  Compression,
  Effect.map(Compression, (shape) => ({ ...shape, asFound: true }))
).pipe(Layer.provide(installed(levelsOf("zstd"))))

/**
 * Writes by these levels, also what was written otherwise once it is compacted. Without the package of a codec that a
 * level names it fails `Unsupported`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerWith = (levels: Partial<CompressionLevels>): Layer.Layer<never, DatabaseError> =>
  installed(levelsOf("zstd", levels))
