/**
 * New files as they are. What was compressed before is read as ever.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { compressionLayer, levelsOf } from "../internal/engine/compressionLayer.ts"
import type { CompressionLevels } from "../services/Compression.ts"
import type { DatabaseError } from "../services/DatabaseError.ts"

/**
 * Nothing is compressed.
 *
 * **When to use**
 *
 * Use for data that is compressed or encrypted already, and where reads from the disk must cost as little as can be.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<never, DatabaseError> = compressionLayer(Effect.undefined, levelsOf("none"))

/**
 * Nothing, but for what the levels say.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerWith = (levels: Partial<CompressionLevels>): Layer.Layer<never, DatabaseError> =>
  compressionLayer(Effect.undefined, levelsOf("none", levels))
