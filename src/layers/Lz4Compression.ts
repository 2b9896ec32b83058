/**
 * LZ4, by the optional package `lz4-napi`, which is loaded only here: `npm install lz4-napi`. The quickest to read.
 *
 * @since 0.1.0
 */
import type * as Layer from "effect/Layer"
import { compressionLayer, levelsOf } from "../internal/engine/compressionLayer.ts"
import type { CompressionLevels } from "../services/Compression.ts"
import type { DatabaseError } from "../services/DatabaseError.ts"
import { packaged } from "./NodeCodecs.ts"

/**
 * Tables of the bottom level by lz4, all else as it is. Without the package it fails `Unsupported`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<never, DatabaseError> = compressionLayer(packaged("lz4"), levelsOf("lz4"))

/**
 * The same with other levels. With lz4 at none of them, what was written by it before can still be read.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerWith = (levels: Partial<CompressionLevels>): Layer.Layer<never, DatabaseError> =>
  compressionLayer(packaged("lz4"), levelsOf("lz4", levels))
