// The encryption of one open database, by the data keys of its keyring.
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import type {
  Allocate,
  FileEncryption,
  FileSealer,
  KeyControl,
  SealedFile,
  ThreadKeys
} from "../../services/Encryption.ts"
import { aeadName, AeadSealer, aeadTagBytes, refusingSealer } from "../format/aead.ts"
import type { Cipher } from "../format/cipher.ts"
import { assert } from "../format/formatError.ts"
import type { DataKeys } from "./dataKeys.ts"
import { type Entropy, uniqueBytes } from "./entropy.ts"
import { randomBytesUnsafe, type RandomService } from "./randomId.ts"

// More than are ever being made at once. Only a net: it catches who asks twice, not who waits long to do so.
const sealedRememberedMax = 1024

export class SealedFiles implements FileEncryption {
  readonly name = aeadName
  readonly tagBytes = aeadTagBytes
  readonly databaseId: Uint8Array
  readonly keys: KeyControl
  readonly persist: (allocate: Allocate) => Effect.Effect<void, DatabaseError>
  readonly verify: Effect.Effect<number, DatabaseError>
  private readonly dataKeys: DataKeys
  private readonly cipher: Cipher
  private readonly entropy: Entropy
  /** Ids of the files that were sealed last. */
  private readonly sealed = new Set<string>()

  constructor(options: {
    readonly databaseId: Uint8Array
    readonly dataKeys: DataKeys
    readonly cipher: Cipher
    readonly entropy: Entropy
  }) {
    this.databaseId = options.databaseId
    this.dataKeys = options.dataKeys
    this.cipher = options.cipher
    this.entropy = options.entropy
    this.keys = options.dataKeys
    this.persist = options.dataKeys.persist
    this.verify = options.dataKeys.verify
  }

  // Properties, not methods: what the manifest gives to everybody is this with more to it.
  readonly keyGeneration = (): number => this.dataKeys.current.generation

  readonly newFileId = (random: RandomService): Uint8Array => uniqueBytes(this.entropy, randomBytesUnsafe(random, 16))

  readonly threadKeys = (): ThreadKeys => ({
    cipher: aeadName,
    generations: this.dataKeys.all.map(({ generation, key }) => ({ generation, key }))
  })

  /** On the calling stack. */
  readonly sealer = (file: SealedFile): Effect.Effect<FileSealer, DatabaseError> => {
    const { cipher } = this
    const { keyGeneration } = file
    const dataKey = this.dataKeys.keyOf(keyGeneration)
    if (file.access === "seal") this.sealOnce(file, dataKey !== undefined)
    return Exit.succeed(
      dataKey === undefined ? refusingSealer(keyGeneration) : new AeadSealer({ dataKey, keyGeneration, file, cipher })
    )
  }

  private sealOnce({ fileId }: SealedFile, known: boolean): void {
    assert(known, "a new file is sealed with a data key of the keyring")
    const id = String.fromCharCode(...fileId)
    assert(!this.sealed.has(id), "a file is sealed by one sealer")
    this.sealed.add(id)
    if (this.sealed.size <= sealedRememberedMax) return
    for (const oldest of this.sealed) {
      this.sealed.delete(oldest)
      return
    }
  }
}
