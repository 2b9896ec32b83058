/**
 * Keys of passphrases, by scrypt (RFC 7914) or argon2id (RFC 9106), in Node's thread pool.
 *
 * Node has argon2 from 24.7 on. A derivation takes long on purpose, once for an open database: 0.4 s by scrypt and 0.25
 * by argon2id on an idle machine, 1.0 to 1.2 and 0.3 to 0.6 beside ten busy processes on two cores. The rest of opening
 * a keyring takes 0.3 ms, which is all of it with a raw key, and a change of keys some milliseconds, for its syncs.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as crypto from "node:crypto"
import { type Key, keyBytes, keyOf } from "../internal/format/cipher.ts"
import { derivationBytes, type PassphraseDerivation } from "../internal/format/keyDerivation.ts"
import { type DatabaseError, fail, Unsupported } from "../services/DatabaseError.ts"

type Done = (error: Error | null, key: Uint8Array) => void

const start = (secret: Buffer, derivation: PassphraseDerivation, done: Done): void => {
  if (derivation._tag === "Scrypt") {
    const { blockSize, costLog2, parallelism, salt } = derivation
    // OpenSSL counts two blocks more than it says in RFC 7914.
    const limits = { maxmem: derivationBytes(derivation) + 256 * blockSize + 1024 }
    crypto.scrypt(secret, salt, keyBytes, { N: 2 ** costLog2, r: blockSize, p: parallelism, ...limits }, done)
  } else {
    const { lanes, memoryKiB, passes, salt } = derivation
    const cost = { parallelism: lanes, tagLength: keyBytes, memory: memoryKiB, passes }
    crypto.argon2("argon2id", { message: secret, nonce: salt, ...cost }, done)
  }
}

/**
 * Whether this runtime can do it.
 *
 * @internal
 */
export const hasArgon2 = (): boolean => typeof crypto.argon2 === "function"

/**
 * The key of a passphrase. The same letters in another encoding of Unicode are the same passphrase (NFC).
 *
 * @internal
 */
export const derivePassphrase = (
  passphrase: string,
  derivation: PassphraseDerivation
): Effect.Effect<Key, DatabaseError> => {
  if (derivation._tag === "Argon2id" && !hasArgon2()) {
    const message = "this runtime has no argon2id (Node has it from 24.7 on); use scrypt, or a newer Node"
    return Effect.fail(fail(new Unsupported({ message })))
  }
  return Effect.uninterruptible(
    Effect.callback<Key, DatabaseError>((resume) => {
      const text = passphrase.normalize("NFC")
      // Not `Buffer.from`, which leaves a copy in a pool.
      const secret = Buffer.alloc(Buffer.byteLength(text))
      secret.write(text)
      const done: Done = (error, key) => {
        secret.fill(0)
        resume(error === null ? Effect.succeed(keyOf(key)) : Effect.fail(refused(derivation, error)))
      }
      try {
        start(secret, derivation, done)
      } catch (error) {
        secret.fill(0)
        resume(Effect.fail(refused(derivation, error)))
      }
    })
  )
}

// What Node says of it: memory that the system does not give, or parameters that it does not take.
const refused = (derivation: PassphraseDerivation, error: unknown): DatabaseError => {
  const code = typeof error === "object" && error !== null && "code" in error ? ` (${String(error.code)})` : ""
  const memory = Math.ceil(derivationBytes(derivation) / 2 ** 20)
  const message = `the key of the passphrase could not be made${code}: it takes ${memory} MiB of memory`
  return fail(new Unsupported({ message }))
}
