// The layer of a codec: it is known from then on, beside those that were provided to it, and compresses what the levels
// say.
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Compression, type CompressionLevels, type KnownCodec } from "../../services/Compression.ts"
import type { DatabaseError } from "../../services/DatabaseError.ts"

/** `undefined`: a codec that is known anyway. */
export const compressionLayer = (
  codec: Effect.Effect<KnownCodec | undefined, DatabaseError>,
  levels: CompressionLevels
): Layer.Layer<never, DatabaseError> =>
  Layer.effect(
    Compression,
    Effect.gen(function* () {
      const { known } = yield* Compression
      const added = yield* codec
      const { bottom, upper, values } = levels
      return { upper, bottom, values, known: added === undefined ? known : [...known, added] }
    })
  )

/** The codec at the bottom level, and none elsewhere, where nothing else is said. */
export const levelsOf = (name: string, given: Partial<CompressionLevels> = {}): CompressionLevels => {
  const { bottom = name, upper = "none", values = "none" } = given
  return { upper, bottom, values }
}
