// The data keys of an open database, the key-encryption key that wraps them, and every change of either.
//
// Each change writes a whole new keyring and then removes the one before (keyringFiles.ts). In memory it holds from the
// moment at which the new keyring is durable; so if only the removal fails, the change was made, the caller is told of
// the failure, and the next change or open removes what was left. If it fails before, nothing was changed here, but
// either keyring may be what a power cut leaves: of a failed rotation of the master key, keep both keys until one has
// succeeded. Whatever a failure left, both keyrings have every data key that a file is sealed with.
//
// A new keyring is decoded again with its own key before it is written, as it is the one thing that nothing could mend.
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import { type DatabaseError, invalid } from "../../services/DatabaseError.ts"
import type { Allocate, KeyControl, KeyFacts, MasterKey, PreparedMaster } from "../../services/Encryption.ts"
import { aeadName } from "../format/aead.ts"
import { type Cipher, equalSecrets, type Key, keyOf, withBytesOf } from "../format/cipher.ts"
import { type FileHeader, FileKind, formatVersion } from "../format/fileHeader.ts"
import { assert, tampered } from "../format/formatError.ts"
import type { KeyDerivation } from "../format/keyDerivation.ts"
import { type DataKey, encodeKeyring, generationsMax, openKeyring, readKeyring } from "../format/keyring.ts"
import { type Entropy, uniqueBytes } from "./entropy.ts"
import { decoding } from "./diskErrors.ts"
import { keyringInForce, type KeyringPlace, removeOlderKeyrings, writeKeyring } from "./keyringFiles.ts"

/** What wraps the data keys, and how it comes of the master key. */
export interface KeyEncryptionKey {
  readonly key: Key
  readonly derivation: KeyDerivation
}

/** What a keyring holds. */
interface Ring {
  readonly kek: KeyEncryptionKey
  readonly keys: ReadonlyArray<DataKey>
}

export interface DataKeysOptions {
  readonly place: KeyringPlace
  readonly databaseId: Uint8Array
  readonly entropy: Entropy
  readonly cipher: Cipher
  readonly newKek: (master: MasterKey) => Effect.Effect<KeyEncryptionKey, DatabaseError>
  readonly ring: Ring
  /** Of the keyring that was read; 0 if there is none yet. */
  readonly number: number
  /** The keyring that was read stands alone, so it is durable. */
  readonly settled: boolean
}

const masterKinds = {
  Raw: "raw",
  Scrypt: "passphrase-scrypt",
  Argon2id: "passphrase-argon2id",
  Provider: "provider"
} as const

class ReadyMaster implements PreparedMaster {
  readonly kind: PreparedMaster["kind"]
  readonly kek: KeyEncryptionKey

  constructor(kek: KeyEncryptionKey) {
    this.kek = kek
    this.kind = masterKinds[kek.derivation._tag]
  }
}

export class DataKeys implements KeyControl {
  private readonly options: DataKeysOptions
  private ring: Ring
  private number: number
  /** The keyring of this number is durable, and none of a lower number is there. */
  private settled: boolean
  private readonly turn = Semaphore.makeUnsafe(1)

  constructor(options: DataKeysOptions) {
    this.options = options
    this.ring = options.ring
    this.number = options.number
    this.settled = options.settled
  }

  /** Ascending; the last is the one for new files. */
  get all(): ReadonlyArray<DataKey> {
    return this.ring.keys
  }

  get current(): DataKey {
    return this.ring.keys[this.ring.keys.length - 1]
  }

  keyOf(generation: number): Key | undefined {
    return this.ring.keys.find((key) => key.generation === generation)?.key
  }

  readonly facts = (): KeyFacts => {
    const { derivation } = this.ring.kek
    return {
      cipher: aeadName,
      masterKind: masterKinds[derivation._tag],
      providerKeyId: derivation._tag === "Provider" ? derivation.keyId : undefined,
      ringNumber: this.number,
      generations: this.ring.keys.map(({ createdMillis, createdSequence, generation }) => ({
        generation,
        createdSequence,
        createdMillis
      }))
    }
  }

  readonly persist = (allocate: Allocate): Effect.Effect<void, DatabaseError> =>
    this.turn.withPermits(1)(Effect.suspend(() => (this.settled ? Effect.void : this.install(this.ring, allocate))))

  readonly prepareMaster = (to: MasterKey): Effect.Effect<PreparedMaster, DatabaseError> =>
    Effect.map(this.options.newKek(to), (kek) => new ReadyMaster(kek))

  readonly rotateMaster = (to: PreparedMaster, allocate: Allocate): Effect.Effect<void, DatabaseError> => {
    assert(to instanceof ReadyMaster, "a master key is prepared by the keys that it is for")
    return this.change(({ keys }) => Effect.succeed({ kek: to.kek, keys }), allocate)
  }

  readonly addDataKey = (
    at: { readonly sequence: number },
    allocate: Allocate
  ): Effect.Effect<number, DatabaseError> => {
    const added = ({ kek, keys }: Ring) =>
      Effect.map(Clock.currentTimeMillis, (millis) => {
        const generation = keys[keys.length - 1].generation + 1
        const key = newDataKey(this.options.entropy, {
          generation,
          createdSequence: at.sequence,
          createdMillis: millis
        })
        return { kek, keys: [...keys, key] }
      })
    return this.change(
      (ring) =>
        ring.keys.length < generationsMax
          ? added(ring)
          : Effect.fail(invalid(`a keyring has at most ${generationsMax} data keys; finish the rotations first`)),
      allocate
    ).pipe(Effect.map(() => this.current.generation))
  }

  readonly forgetBelow = (generation: number, allocate: Allocate): Effect.Effect<void, DatabaseError> =>
    this.change(({ kek, keys }) => {
      assert(generation <= keys[keys.length - 1].generation, "the current data key is not forgotten")
      return Effect.succeed({ kek, keys: keys.filter((key) => key.generation >= generation) })
    }, allocate)

  /** That the keyring in force has the keys that are in memory. Returns its bytes. */
  readonly verify: Effect.Effect<number, DatabaseError> = Effect.suspend(() =>
    this.turn.withPermits(1)(this.number === 0 ? Effect.succeed(0) : this.readAgain)
  )

  private readonly readAgain: Effect.Effect<number, DatabaseError> = Effect.suspend(() => {
    const { cipher, databaseId, place } = this.options
    return Effect.flatMap(keyringInForce(place), ({ bytes, file, ring, number }) =>
      decoding(file, () => {
        const keys = openKeyring(ring, this.ring.kek.key, cipher)
        const isOurs = number === this.number && equalSecrets(ring.header.databaseId, databaseId)
        if (isOurs && keys !== undefined && sameKeys(keys, this.ring.keys)) return bytes
        throw tampered("this is not the keyring of the open database", 0)
      })
    )
  })

  private change(
    next: (ring: Ring) => Effect.Effect<Ring, DatabaseError>,
    allocate: Allocate
  ): Effect.Effect<void, DatabaseError> {
    return this.turn.withPermits(1)(
      Effect.flatMap(
        Effect.suspend(() => next(this.ring)),
        (ring) => this.install(ring, allocate)
      )
    )
  }

  private readonly install = Effect.fnUntraced(
    { self: this as DataKeys },
    function* (this: DataKeys, ring: Ring, allocate: Allocate) {
      const { place } = this.options
      assert(!place.readOnly, "a database that is only read keeps its keyring")
      const number = allocate()
      const bytes = this.encoded(ring, number)
      this.settled = false
      yield* writeKeyring(place, number, bytes)
      this.ring = ring
      this.number = number
      yield* removeOlderKeyrings(place, number)
      this.settled = true
    },
    Effect.uninterruptible
  )

  private encoded({ kek, keys }: Ring, number: number): Uint8Array {
    const { cipher, databaseId, entropy } = this.options
    const header: FileHeader = {
      format: formatVersion,
      kind: FileKind.keyring,
      tagBytes: 4,
      keyGeneration: 0,
      databaseId,
      // The keyring outlives incarnations and epochs, and a checkpoint has the same.
      incarnation: new Uint8Array(16),
      epoch: 0,
      fileNumber: number,
      fileId: uniqueBytes(entropy)
    }
    const { derivation, key } = kek
    const bytes = encodeKeyring({ header, derivation, kek: key, salt: uniqueBytes(entropy), keys, cipher })
    const found = openKeyring(readKeyring(bytes), key, cipher)
    assert(found !== undefined && sameKeys(found, keys), "a keyring decodes to what was encoded")
    return bytes
  }
}

const sameKeys = (a: ReadonlyArray<DataKey>, b: ReadonlyArray<DataKey>): boolean =>
  a.length === b.length &&
  a.every((key, index) => key.generation === b[index].generation && sameKey(key.key, b[index].key))

const sameKey = (a: Key, b: Key): boolean =>
  withBytesOf(a, (some) => withBytesOf(b, (other) => equalSecrets(some, other)))

export const newDataKey = (
  entropy: Entropy,
  facts: { readonly generation: number; readonly createdSequence: number; readonly createdMillis: number }
): DataKey => ({ ...facts, key: keyOf(entropy.bytes(32)) })
