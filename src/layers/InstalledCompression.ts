/**
 * Every codec whose package is installed, for programs that open databases of others.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { compressionLayer, levelsOf } from "../internal/engine/compressionLayer.ts"
import type { PackageCodec } from "../internal/format/packageCodecs.ts"
import type { DatabaseError } from "../services/DatabaseError.ts"
import { packaged } from "./NodeCodecs.ts"
import * as ZstdCompression from "./ZstdCompression.ts"

/** A package that is not there, or not for this machine, is no error as long as no database needs it. */
const ifInstalled = (name: PackageCodec): Layer.Layer<never, DatabaseError> =>
  compressionLayer(
    Effect.catch(packaged(name), () => Effect.undefined),
    levelsOf("zstd")
  )

/**
 * Writes as a database without a layer does, and reads lz4 and snappy too where their packages are installed. A
 * database that has a codec which is not there fails to open by that codec's name.
 *
 * **When to use**
 *
 * Use for tools, as `strata` does. A program of your own says which codecs its database has.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<never, DatabaseError> = ZstdCompression.layer.pipe(
  Layer.provide(ifInstalled("lz4").pipe(Layer.provide(ifInstalled("snappy"))))
)
