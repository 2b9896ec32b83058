/**
 * Zstandard, which every Node has: nothing to install.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { compressionLayer, levelsOf } from "../internal/engine/compressionLayer.ts"
import type { CompressionLevels } from "../services/Compression.ts"
import type { DatabaseError } from "../services/DatabaseError.ts"

/**
 * Tables of the bottom level by zstd, all else as it is: what a database without a layer does.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<never, DatabaseError> = compressionLayer(Effect.undefined, levelsOf("zstd"))

/**
 * The same with other levels: `{ upper: "zstd", values: "zstd" }` compresses everything.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerWith = (levels: Partial<CompressionLevels>): Layer.Layer<never, DatabaseError> =>
  compressionLayer(Effect.undefined, levelsOf("zstd", levels))
