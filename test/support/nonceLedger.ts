// Every (key, nonce) that is sealed with, and whether one comes twice.
//
// Stands where `format/cipher.ts` does, and encrypts by it. A key is known by the SHA-256 of its bytes, so two objects
// of one key are the same here. What was encrypted does not count: the same bytes sealed twice with one nonce are a
// repeat.
import { type Layer, Redacted } from "effect"
import type { Entropy } from "../../src/internal/engine/entropy.ts"
import { aesGcm, type Cipher } from "../../src/internal/format/cipher.ts"
import * as AeadEncryption from "../../src/layers/AeadEncryption.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import type { Encryption } from "../../src/services/Encryption.ts"
import { fingerprintBytes, keyNameBytes, keyNameOf } from "./keyName.ts"

const textOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1")

export class NonceLedger {
  encryptions = 0
  /** The first of them, for a message. */
  readonly repeats: Array<string> = []
  repeated = 0
  /** By a key's name: the nonces it has had. */
  private readonly nonces = new Map<string, Set<string>>()

  get keys(): number {
    return this.nonces.size
  }

  /** Encrypts, and notes with what before it does: an attempt that fails has had its nonce. */
  readonly cipher: Cipher = {
    encrypt: (key, message) => {
      this.note(keyNameOf(key), message.nonce)
      return aesGcm.encrypt(key, message)
    },
    decrypt: aesGcm.decrypt
  }

  note(keyName: Uint8Array, nonce: Uint8Array): void {
    this.encryptions += 1
    const [key, text] = [textOf(keyName), textOf(nonce)]
    const seen = this.nonces.get(key)
    if (seen === undefined) this.nonces.set(key, new Set([text]))
    else if (seen.has(text)) {
      this.repeated += 1
      if (this.repeats.length < 5) this.repeats.push(Buffer.from(nonce).toString("hex"))
    } else seen.add(text)
  }

  /** What a worker thread, or another process, has written down. */
  noteReport(report: Uint8Array): void {
    for (let at = 0; at + fingerprintBytes <= report.length; at += fingerprintBytes) {
      this.note(report.subarray(at, at + keyNameBytes), report.subarray(at + keyNameBytes, at + fingerprintBytes))
    }
  }
}

/** Encryption with a raw key of 32 equal bytes. */
export const sealedBy = (
  options: { readonly byte?: number; readonly cipher?: Cipher; readonly entropy?: Entropy | undefined } = {}
): Layer.Layer<Encryption, DatabaseError> => {
  const { byte = 7, cipher, entropy } = options
  const key = Redacted.make(new Uint8Array(32).fill(byte))
  return AeadEncryption.layerWith({ master: { _tag: "Raw", key }, cipher, entropy })
}
