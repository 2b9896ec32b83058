/**
 * Files sealed with checksums only: accidents are found, attackers are not, and anybody can read.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { checksumSealer } from "../internal/format/sealer.ts"
import { fail, Unsupported } from "../services/DatabaseError.ts"
import { Encryption } from "../services/Encryption.ts"

/**
 * Tags of four bytes, the CRC-32 of the associated data and the body. A file sealed with a key is `Unsupported`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Encryption> = Layer.succeed(
  Encryption,
  Encryption.of({
    name: "none",
    tagBytes: 4,
    keyGeneration: 0,
    sealer: ({ keyGeneration }) =>
      keyGeneration === 0
        ? Effect.succeed(checksumSealer)
        : Effect.fail(
            fail(
              new Unsupported({
                message: `the file is sealed with key ${keyGeneration}; provide the encryption layer that has it`
              })
            )
          )
  })
)
