// By what a key is known in reports of what was sealed: its bytes stand in none.
import { createHash } from "node:crypto"
import type { Key } from "../../src/internal/format/cipher.ts"

/** Bytes of a key's name; two of 10^7 keys have the same with a chance of 10^-24. */
export const keyNameBytes = 16
/** Of a fingerprint in a worker's report: a key's name and a nonce. */
export const fingerprintBytes = keyNameBytes + 12

const names = new WeakMap<Key, Uint8Array>()

/** The name of a key, made once for each object. */
export const keyNameOf = (key: Key): Uint8Array => {
  let name = names.get(key)
  if (name === undefined) {
    name = new Uint8Array(createHash("sha256").update(key.export()).digest().subarray(0, keyNameBytes))
    names.set(key, name)
  }
  return name
}
