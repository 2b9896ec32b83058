// The primitives of encryption, from `node:crypto`: AES-256-GCM, HKDF-SHA256, HMAC-SHA256, SHA-256. Nothing else calls
// it, but for the functions that make a key of a passphrase (`layers/NodeKeyDerivation.ts`) and random bytes
// (`layers/NodeEntropy.ts`). It may stand in `format`, for a worker seals by the same file, without Effect.
//
// The rules here are hard ones, each shown by an experiment on Node 24 (RELIABILITY.md §4):
//
//   key      always a `KeyObject`: raw bytes cost four times as much (45 µs a call instead of 11)
//   nonce    exactly 12 bytes; Node would take a single one
//   tag      exactly 16 bytes, said on both sides; Node would believe one of 4
//   output   what `update` returns is not authentic before `final` has returned; nobody sees it before
//
// Why synchronous `node:crypto`: medians of whole calls of `AeadSealer` (aead.ts), µs on one thread, with AES-NI. The
// checksum is what files without encryption cost; webcrypto gives a promise and takes a thread for each call.
//
//   bytes      seal            open            webcrypto, encrypt    checksum
//   64          3.3             2.9                                   0.2
//   4 KiB       6.4 (640 MB/s)  4.0 (1.0 GB/s)   44                   1.1
//   16 KiB      7.0 (2.3 GB/s)  6.4 (2.6 GB/s)   69                   3.5
//   256 KiB    56 (4.7 GB/s)   57 (4.6 GB/s)    344                  51
//
// A sealer takes 6.3 µs to make (the key of its file).
//
// `Cipher` is the seam: a test counts what is encrypted under which key and nonce, and another implementation fits.
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  timingSafeEqual
} from "node:crypto"
import { assert } from "./formatError.ts"

/** A secret key. Its bytes are not in the heap of JavaScript. */
export type Key = KeyObject

export const keyBytes = 32
export const nonceBytes = 12
export const gcmTagBytes = 16

const aes = "aes-256-gcm"
const tagged = { authTagLength: gcmTagBytes }

/** AES-256-GCM, or what stands for it in a test. Neither call keeps its arguments. */
export interface Cipher {
  /** The body has as many chunks as the plain bytes, each as long. */
  readonly encrypt: (
    key: Key,
    message: {
      readonly nonce: Uint8Array
      readonly associated: Uint8Array
      readonly chunks: ReadonlyArray<Uint8Array>
    }
  ) => { readonly body: ReadonlyArray<Uint8Array>; readonly tag: Uint8Array }
  /** `undefined` if the tag is not that of the message. */
  readonly decrypt: (
    key: Key,
    message: {
      readonly nonce: Uint8Array
      readonly associated: Uint8Array
      readonly body: Uint8Array
      readonly tag: Uint8Array
    }
  ) => Uint8Array | undefined
}

/** A `Buffer` whose `slice` is a view would break what is said of copies elsewhere. Takes 0.1 µs. */
const plainArray = (buffer: Buffer): Uint8Array => new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length)

export const aesGcm: Cipher = {
  encrypt: (key, { associated, chunks, nonce }) => {
    assert(nonce.length === nonceBytes, "a nonce has 12 bytes")
    const cipher = createCipheriv(aes, key, nonce, tagged)
    cipher.setAAD(associated)
    const body = chunks.map((chunk) => plainArray(cipher.update(chunk)))
    cipher.final()
    return { body, tag: plainArray(cipher.getAuthTag()) }
  },
  decrypt: (key, { associated, body, nonce, tag }) => {
    assert(nonce.length === nonceBytes && tag.length === gcmTagBytes, "a nonce has 12 bytes and a tag 16")
    const decipher = createDecipheriv(aes, key, nonce, tagged)
    decipher.setAAD(associated)
    decipher.setAuthTag(tag)
    const plain = decipher.update(body)
    try {
      decipher.final()
    } catch {
      plain.fill(0)
      return undefined
    }
    return plainArray(plain)
  }
}

/** Wipes the bytes it is given: the key has a copy of its own. */
export const keyOf = (bytes: Uint8Array): Key => {
  assert(bytes.length === keyBytes, "a key has 32 bytes")
  const key = createSecretKey(bytes)
  bytes.fill(0)
  return key
}

/** Calls with the key's bytes, which are wiped when it returns. For wrapping alone. */
export const withBytesOf = <A>(key: Key, body: (bytes: Uint8Array) => A): A => {
  const bytes = key.export()
  try {
    return body(bytes)
  } finally {
    bytes.fill(0)
  }
}

/** HKDF-SHA256 (RFC 5869): extracted with the salt, expanded for the purpose. */
export const derivedBytes = (
  key: Key,
  options: { readonly salt: Uint8Array; readonly info: Uint8Array; readonly length: number }
): Uint8Array => new Uint8Array(hkdfSync("sha256", key, options.salt, options.info, options.length))

/** A key of 32 bytes by HKDF-SHA256. */
export const derivedKey = (key: Key, salt: Uint8Array, info: Uint8Array): Key =>
  keyOf(derivedBytes(key, { salt, info, length: keyBytes }))

/** HMAC-SHA256, of 32 bytes. */
export const macOf = (key: Key, bytes: Uint8Array): Uint8Array =>
  plainArray(createHmac("sha256", key).update(bytes).digest())

/** SHA-256 of the parts behind each other. */
export const digestOf = (parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const hash = createHash("sha256")
  for (const part of parts) hash.update(part)
  return plainArray(hash.digest())
}

/** Takes as long for bytes that differ in the first place as for those that differ in the last. */
export const equalSecrets = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && timingSafeEqual(a, b)

/** The key that was sent by `postMessage`, or handed through a contract that knows nothing of Node. */
export const isKey = (value: unknown): value is Key =>
  typeof value === "object" && value !== null && "symmetricKeySize" in value && value.symmetricKeySize === keyBytes
