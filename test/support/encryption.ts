// What tests of encryption share: keys that are known, randomness that repeats itself, a cipher that counts.
import { Effect, Redacted } from "effect"
import { createHash, type KeyObject } from "node:crypto"
import { aesGcm, type Cipher } from "../../src/internal/format/cipher.ts"
import { parseFileName } from "../../src/internal/format/fileName.ts"
import type { Entropy } from "../../src/internal/engine/entropy.ts"
import { SeededRandom } from "../../src/internal/structure/random.ts"
import type { PassphraseCosts } from "../../src/layers/MasterKeys.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import type { DiskService } from "../../src/services/Disk.ts"
import type { KeyControl, MasterKey, Place, TagBytes } from "../../src/services/Encryption.ts"

/** 32 times the same byte. */
export const rawMaster = (byte: number): MasterKey => ({
  _tag: "Raw",
  key: Redacted.make(new Uint8Array(32).fill(byte))
})

export const passphraseMaster = (passphrase: string, kdf?: "scrypt" | "argon2id"): MasterKey => ({
  _tag: "Passphrase",
  passphrase: Redacted.make(passphrase),
  kdf
})

/** A provider that "wraps" by turning the bits over, and remembers what it was asked. */
export const providerMaster = (keyId: string, asked: Array<string> = []): MasterKey => {
  const turned = (what: string, bytes: Uint8Array): Uint8Array => {
    asked.push(what)
    return bytes.map((byte) => ~byte)
  }
  return {
    _tag: "Provider",
    provider: {
      keyId,
      wrap: (key) => Effect.sync(() => turned("wrap", key)),
      unwrap: (wrapped) => Effect.sync(() => turned("unwrap", wrapped))
    }
  }
}

/** A thousandth of what is used. */
export const cheapCosts: PassphraseCosts = {
  scrypt: { costLog2: 7, blockSize: 8, parallelism: 1 },
  argon2id: { memoryKiB: 64, passes: 1, lanes: 1 }
}

/** The same seed gives the same bytes. Two that are used for one directory must have different seeds. */
export const seededEntropy = (seed: number): Entropy => {
  const random = new SeededRandom(seed)
  return {
    bytes: (length) => Uint8Array.from({ length }, () => random.below(256)),
    moment: () => Uint8Array.of(seed, seed >>> 8, seed >>> 16, seed >>> 24)
  }
}

/** A cipher that remembers every key and nonce it encrypted with, and throws if one comes twice. */
export class CountingCipher implements Cipher {
  encryptions = 0
  private readonly seen = new Set<string>()
  private readonly prints = new WeakMap<KeyObject, string>()

  readonly encrypt: Cipher["encrypt"] = (key, message) => {
    const pair = `${this.printOf(key)} ${Buffer.from(message.nonce).toString("hex")}`
    if (this.seen.has(pair)) throw new Error(`nonce ${pair} comes twice`)
    this.seen.add(pair)
    this.encryptions += 1
    return aesGcm.encrypt(key, message)
  }

  readonly decrypt: Cipher["decrypt"] = (key, message) => aesGcm.decrypt(key, message)

  private printOf(key: KeyObject): string {
    const known = this.prints.get(key)
    if (known !== undefined) return known
    const print = createHash("sha256").update(key.export()).digest("base64").slice(0, 16)
    this.prints.set(key, print)
    return print
  }
}

/** What the manifest says of the directory as it is. */
export const placeOf = (
  disk: DiskService,
  directory: string,
  options: { readonly sealedWith: TagBytes | undefined; readonly readOnly?: boolean }
): Effect.Effect<Place> =>
  Effect.orDie(
    Effect.map(disk.list(directory), (entries) => ({
      disk,
      directory,
      readOnly: options.readOnly ?? false,
      sealedWith: options.sealedWith,
      keyrings: entries
        .map(({ name }) => parseFileName(name))
        .flatMap((parsed) => (parsed?.kind === "keyring" ? [parsed.number] : []))
        .sort((a, b) => b - a)
    }))
  )

/** Both steps of a change of the master key. */
export const rotated = (keys: KeyControl, to: MasterKey, allocate: () => number): Effect.Effect<void, DatabaseError> =>
  Effect.flatMap(keys.prepareMaster(to), (master) => keys.rotateMaster(master, allocate))
