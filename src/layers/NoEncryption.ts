/**
 * Files sealed with checksums only: accidents are found, attackers are not, and anybody can read.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { randomBytesUnsafe } from "../internal/engine/randomId.ts"
import { checksumOpener, checksumSealer } from "../internal/format/sealer.ts"
import { EncryptionKeyRequired, fail } from "../services/DatabaseError.ts"
import { Encryption, type FileEncryption, type Place } from "../services/Encryption.ts"

const sealing = Effect.succeed(checksumSealer)
const opening = Effect.succeed(checksumOpener)

/**
 * The same for every place.
 *
 * @internal
 */
export const fileEncryption: FileEncryption = {
  name: "none",
  tagBytes: 4,
  keyGeneration: () => 0,
  databaseId: undefined,
  newFileId: (random) => randomBytesUnsafe(random, 32),
  // What a header says of its key is compared with the sealer by whoever has read it.
  sealer: ({ access }) => (access === "seal" ? sealing : opening),
  threadKeys: () => ({ cipher: "none", generations: [] }),
  persist: () => Effect.void,
  verify: Effect.succeed(0),
  keys: undefined
}

/**
 * Tags of four bytes, the CRC-32 of the associated data and the body. A database that is encrypted fails
 * `EncryptionKeyRequired`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Encryption> = Layer.succeed(
  Encryption,
  Encryption.of({
    name: "none",
    attach: ({ directory, keyrings, sealedWith }: Place) => {
      // Without a marker, a keyring is all that says what the database was, or was to be.
      if (sealedWith !== 20 && (sealedWith === 4 || keyrings.length === 0)) return Effect.succeed(fileEncryption)
      const message = `the database in ${directory} is encrypted; give the key that it was created with`
      return Effect.fail(fail(new EncryptionKeyRequired({ message })))
    }
  })
)
