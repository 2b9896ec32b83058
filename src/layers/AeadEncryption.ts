/**
 * Files sealed with AES-256-GCM: nobody without the key reads them, and whoever changes them is noticed.
 *
 * A master key, which the user keeps, wraps data keys, which the directory keeps in a keyring (`keyring-<n>.ring`,
 * `internal/format/keyring.ts`); each file has a key of its own, made of a data key and the file's random id
 * (`internal/format/aead.ts`). How a keyring takes another's place is in `internal/engine/keyringFiles.ts`, and what
 * the keyring's changes mean in `dataKeys.ts`.
 *
 * It guards against who has the disk, a backup or several of them over time. It does not guard a running machine, its
 * memory or its swap, and it does not notice when all the files of a database are put back together to what they were.
 * A keyring that is put back alone it does: the manifest knows the number of the newest one.
 * The number, sizes and times of files are plain to see.
 *
 * Attaching to a place, which is done before anything else of it is read:
 *
 *   newest marker        keyrings   outcome
 *   none                 any        a new database: a keyring of one data key, written before the first file. A keyring
 *                                   that is there is of a creation that was not finished
 *   with checksums       any        `NotEncrypted`; `Tampered` if the keyring in force is this key's: it was encrypted
 *   encrypted            none       `Tampered`
 *   encrypted            some       the highest that is whole counts. Is it another key's: `EncryptionKeyMismatch`,
 *                                   was it changed: `Tampered`
 *
 * Keys are kept as `KeyObject`s, outside of JavaScript's heap, and every copy of their bytes is overwritten; what the
 * engine or the operating system copied besides is out of reach. No message, span or log line has any of them.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import { DataKeys, type KeyEncryptionKey, newDataKey } from "../internal/engine/dataKeys.ts"
import { decoding } from "../internal/engine/diskErrors.ts"
import { type Entropy, uniqueBytes } from "../internal/engine/entropy.ts"
import { findKeyring } from "../internal/engine/keyringFiles.ts"
import { SealedFiles } from "../internal/engine/sealedFiles.ts"
import { aeadName } from "../internal/format/aead.ts"
import { aesGcm, type Cipher } from "../internal/format/cipher.ts"
import { type DataKey, openKeyring } from "../internal/format/keyring.ts"
import { type DatabaseError, fail, NotEncrypted, Tampered } from "../services/DatabaseError.ts"
import { Encryption, type FileEncryption, type MasterKey, type Place } from "../services/Encryption.ts"
import { KeyProvider } from "../services/KeyProvider.ts"
import {
  checkMaster,
  foundKeyEncryptionKey,
  mismatch,
  newKeyEncryptionKey,
  type PassphraseCosts,
  passphraseCosts
} from "./MasterKeys.ts"
import { entropy as nodeEntropy } from "./NodeEntropy.ts"

/**
 * What simulations and tests replace.
 *
 * @internal
 */
export interface AeadOptions {
  readonly master: MasterKey
  /** Where keys come from: what is sealed with one that repeats itself is no secret, and must not meet itself. */
  readonly entropy?: Entropy | undefined
  readonly cipher?: Cipher | undefined
  readonly costs?: PassphraseCosts | undefined
}

/** The encryption of one layer, for any number of databases. */
class Aead {
  private readonly master: MasterKey
  private readonly entropy: Entropy
  private readonly cipher: Cipher
  private readonly costs: PassphraseCosts

  constructor({ cipher, costs, entropy, master }: AeadOptions) {
    this.master = master
    this.entropy = entropy ?? nodeEntropy
    this.cipher = cipher ?? aesGcm
    this.costs = costs ?? passphraseCosts
  }

  readonly attach = (place: Place): Effect.Effect<FileEncryption, DatabaseError> => {
    if (place.sealedWith === undefined) return this.create(place)
    return place.sealedWith === 4 ? this.refuse(place) : this.open(place)
  }

  private readonly refuse = Effect.fnUntraced({ self: this as Aead }, function* (this: Aead, place: Place) {
    const { directory, keyrings } = place
    const ours = keyrings.length > 0 && (yield* Effect.exit(this.open(place)))._tag === "Success"
    if (ours) {
      const message = `${directory}: the marker is not encrypted, and the keyring is of the given key; restore a backup`
      return yield* fail(new Tampered({ message, file: directory, offset: 0 }))
    }
    const message = `the database in ${directory} is not encrypted, and a key was given; open it without`
    return yield* fail(new NotEncrypted({ message }))
  })

  private readonly create = Effect.fnUntraced({ self: this as Aead }, function* (this: Aead, place: Place) {
    const { entropy } = this
    const kek = yield* this.newKek(this.master)
    const createdMillis = yield* Clock.currentTimeMillis
    const key = newDataKey(entropy, { generation: 1, createdSequence: 0, createdMillis })
    const databaseId = uniqueBytes(entropy).slice(0, 16)
    return this.attached(place, { databaseId, kek, keys: [key], number: 0, settled: false })
  })

  private readonly open = Effect.fnUntraced({ self: this as Aead }, function* (this: Aead, place: Place) {
    const { file, number, ring } = yield* findKeyring(place, place.keyrings)
    const kek = yield* foundKeyEncryptionKey(this.master, ring.derivation, place.directory)
    const keys = yield* decoding(file, () => openKeyring(ring, kek.key, this.cipher))
    if (keys === undefined) return yield* wrongKey(place)
    const { databaseId } = ring.header
    return this.attached(place, { databaseId, kek, keys, number, settled: place.keyrings.length === 1 })
  })

  private attached(
    place: Place,
    found: {
      readonly databaseId: Uint8Array
      readonly kek: KeyEncryptionKey
      readonly keys: ReadonlyArray<DataKey>
      readonly number: number
      readonly settled: boolean
    }
  ): FileEncryption {
    const { cipher, entropy } = this
    const { databaseId, kek, keys, number, settled } = found
    const { newKek } = this
    const dataKeys = new DataKeys({ place, databaseId, entropy, cipher, newKek, ring: { kek, keys }, number, settled })
    return new SealedFiles({ databaseId, dataKeys, cipher, entropy })
  }

  private readonly newKek = (master: MasterKey): Effect.Effect<KeyEncryptionKey, DatabaseError> =>
    newKeyEncryptionKey(master, { costs: this.costs, entropy: this.entropy })
}

const wrongKey = ({ directory, keyrings }: Place): DatabaseError => {
  const other =
    keyrings.length > 1 ? "; a change of the key was under way: try the one that was to come, and the one before" : ""
  return mismatch(`the database in ${directory} is encrypted with another key than the one given${other}`)
}

/**
 * With any master key.
 *
 * @internal
 */
export const layerWith = (options: AeadOptions): Layer.Layer<Encryption, DatabaseError> =>
  Layer.effect(
    Encryption,
    Effect.as(checkMaster(options.master), Encryption.of({ name: aeadName, attach: new Aead(options).attach }))
  )

/**
 * Encryption with a key of 32 bytes. Any other length is `Invalid`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: {
  readonly key: Redacted.Redacted<Uint8Array>
}): Layer.Layer<Encryption, DatabaseError> => layerWith({ master: { _tag: "Raw", key: options.key } })

/**
 * Encryption with a passphrase.
 *
 * **Details**
 *
 * Opening a database takes about 0.4 s and 128 MiB by scrypt (N = 2^17, r = 8, p = 1), 0.25 s and 64 MiB by argon2id
 * (3 passes, 1 lane), so that guessing takes long too. `kdf` is for databases that are created: one that exists says
 * itself how its key is made. Where the runtime has no argon2id, asking for it is `Unsupported`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerPassphrase = (options: {
  readonly passphrase: Redacted.Redacted<string>
  /** Default `scrypt`. */
  readonly kdf?: "scrypt" | "argon2id" | undefined
}): Layer.Layer<Encryption, DatabaseError> => layerWith({ master: { _tag: "Passphrase", ...options } })

/**
 * Encryption with a random key that a key-management system wraps.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerProvider: Layer.Layer<Encryption, DatabaseError, KeyProvider> = Layer.unwrap(
  Effect.map(KeyProvider, (provider) => layerWith({ master: { _tag: "Provider", provider } }))
)
