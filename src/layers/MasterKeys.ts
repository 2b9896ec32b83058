/**
 * From master keys to key-encryption keys: a raw key is one; a passphrase is stretched to one; a provider wraps a
 * random one, which the keyring keeps.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { KeyEncryptionKey } from "../internal/engine/dataKeys.ts"
import type { Entropy } from "../internal/engine/entropy.ts"
import { equalSecrets, type Key, keyBytes, keyOf, withBytesOf } from "../internal/format/cipher.ts"
import { type KeyDerivation, providerKeyIdBytesMax, providerWrappedBytesMax } from "../internal/format/keyDerivation.ts"
import { type DatabaseError, EncryptionKeyMismatch, fail, invalid } from "../services/DatabaseError.ts"
import type { MasterKey } from "../services/Encryption.ts"
import { derivePassphrase } from "./NodeKeyDerivation.ts"

type Raw = Extract<MasterKey, { readonly _tag: "Raw" }>
type Provider = Extract<MasterKey, { readonly _tag: "Provider" }>

/**
 * What a new passphrase costs.
 *
 * @internal
 */
export interface PassphraseCosts {
  readonly scrypt: { readonly costLog2: number; readonly blockSize: number; readonly parallelism: number }
  readonly argon2id: { readonly memoryKiB: number; readonly passes: number; readonly lanes: number }
}

/**
 * 128 MiB and 64 MiB of memory, and a third of a second each.
 *
 * @internal
 */
export const passphraseCosts: PassphraseCosts = {
  scrypt: { costLog2: 17, blockSize: 8, parallelism: 1 },
  argon2id: { memoryKiB: 65_536, passes: 3, lanes: 1 }
}

const passphraseCharactersMax = 4096

/**
 * Fails `Invalid` for a key that can be none. The message never has any of it.
 *
 * @internal
 */
export const checkMaster = (master: MasterKey): Effect.Effect<void, DatabaseError> => {
  if (master._tag === "Raw") {
    const { length } = Redacted.value(master.key)
    return length === keyBytes ? Effect.void : Effect.fail(invalid(`a key has ${keyBytes} bytes, this one ${length}`))
  }
  if (master._tag === "Passphrase") {
    const { length } = Redacted.value(master.passphrase)
    return length >= 1 && length <= passphraseCharactersMax
      ? Effect.void
      : Effect.fail(invalid(`a passphrase has between 1 and ${passphraseCharactersMax} characters, this one ${length}`))
  }
  return new TextEncoder().encode(master.provider.keyId).length <= providerKeyIdBytesMax
    ? Effect.void
    : Effect.fail(invalid(`the id of a provider's key has at most ${providerKeyIdBytesMax} bytes`))
}

// A copy, which `slice` of a `Buffer` is not: what a key is made of is wiped, and the user's is not ours.
const copyOf = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes)

const rawKey = ({ key }: Raw): Key => keyOf(copyOf(Redacted.value(key)))

/**
 * A key-encryption key for a keyring that is yet to be written.
 *
 * @internal
 */
export const newKeyEncryptionKey = Effect.fnUntraced(function* (
  master: MasterKey,
  { costs, entropy }: { readonly costs: PassphraseCosts; readonly entropy: Entropy }
): Effect.fn.Return<KeyEncryptionKey, DatabaseError> {
  yield* checkMaster(master)
  switch (master._tag) {
    case "Raw":
      return { key: rawKey(master), derivation: { _tag: "Raw" } }
    case "Passphrase": {
      const salt = entropy.bytes(32)
      const derivation: Extract<KeyDerivation, { readonly salt: Uint8Array }> =
        master.kdf === "argon2id"
          ? { _tag: "Argon2id", ...costs.argon2id, salt }
          : { _tag: "Scrypt", ...costs.scrypt, salt }
      return { key: yield* derivePassphrase(Redacted.value(master.passphrase), derivation), derivation }
    }
    case "Provider":
      return yield* wrapped(master, entropy)
  }
})

const wrapped = Effect.fnUntraced(function* ({ provider }: Provider, entropy: Entropy) {
  const bytes = entropy.bytes(keyBytes)
  // The provider has its own to do with as it likes: what it returns may be the same array.
  const given = copyOf(bytes)
  const key = keyOf(bytes)
  const wrappedKey = yield* Effect.ensuring(
    Effect.map(
      Effect.suspend(() => provider.wrap(given)),
      copyOf
    ),
    Effect.sync(() => given.fill(0))
  )
  if (wrappedKey.length > providerWrappedBytesMax) {
    return yield* invalid(`the provider wrapped a key in more than ${providerWrappedBytesMax} bytes`)
  }
  // Before anything hangs on it.
  if (!sameKey(yield* unwrapped(provider, wrappedKey), key)) {
    return yield* invalid("the provider does not unwrap what it has wrapped; nothing was encrypted with its key")
  }
  const derivation: KeyDerivation = { _tag: "Provider", keyId: provider.keyId, wrappedKey }
  return { key, derivation } satisfies KeyEncryptionKey
})

/**
 * The key-encryption key of a keyring that was found; it is still to be compared with the keyring's commitment. A
 * master key of another kind fails `EncryptionKeyMismatch`.
 *
 * @internal
 */
export const foundKeyEncryptionKey = Effect.fnUntraced(function* (
  master: MasterKey,
  derivation: KeyDerivation,
  directory: string
): Effect.fn.Return<KeyEncryptionKey, DatabaseError> {
  yield* checkMaster(master)
  if (master._tag === "Raw" && derivation._tag === "Raw") return { key: rawKey(master), derivation }
  if (master._tag === "Passphrase" && (derivation._tag === "Scrypt" || derivation._tag === "Argon2id")) {
    return { key: yield* derivePassphrase(Redacted.value(master.passphrase), derivation), derivation }
  }
  if (master._tag === "Provider" && derivation._tag === "Provider") {
    const { keyId, wrappedKey } = derivation
    const { provider } = master
    if (provider.keyId !== keyId) {
      return yield* mismatch(`the keyring in ${directory} is the provider's key ${keyId}'s, not ${provider.keyId}'s`)
    }
    const key = yield* unwrapped(provider, wrappedKey)
    if (key !== undefined) return { key, derivation }
    return yield* mismatch(`the provider unwrapped no key of the keyring in ${directory}`)
  }
  return yield* mismatch(`${directory} opens with ${words[derivation._tag]}, and ${words[master._tag]} was given`)
})

/** `undefined` if it is no key. */
const unwrapped = (
  provider: Provider["provider"],
  wrappedKey: Uint8Array
): Effect.Effect<Key | undefined, DatabaseError> =>
  Effect.map(
    Effect.suspend(() => provider.unwrap(copyOf(wrappedKey))),
    (bytes) => (bytes.length === keyBytes ? keyOf(bytes) : undefined)
  )

const sameKey = (found: Key | undefined, key: Key): boolean =>
  found !== undefined && withBytesOf(found, (a) => withBytesOf(key, (b) => equalSecrets(a, b)))

const words = {
  Raw: "a raw key",
  Passphrase: "a passphrase",
  Scrypt: "a passphrase",
  Argon2id: "a passphrase",
  Provider: "a key provider"
} as const

/** @internal */
export const mismatch = (message: string): DatabaseError => fail(new EncryptionKeyMismatch({ message }))
