import { describe, expect, it } from "@effect/vitest"
import { argon2Sync, createSecretKey } from "node:crypto"
import {
  aesGcm,
  derivedBytes,
  derivedKey,
  digestOf,
  equalSecrets,
  isKey,
  keyOf,
  macOf,
  withBytesOf
} from "../../../src/internal/format/cipher.ts"
import { concatBytes } from "../../../src/internal/format/bytes.ts"
import { argon2idWithSecret, gcmVectors, hkdfVectors, hmacVectors, wrongTags } from "../../support/cryptoVectors.ts"
import { everyFlip, everyTruncation, hex, unhex, utf8 } from "./support.ts"

const messageOf = (vector: (typeof gcmVectors)[number]) => ({
  key: createSecretKey(unhex(vector.key)),
  nonce: unhex(vector.nonce),
  associated: unhex(vector.associated),
  body: unhex(vector.body),
  tag: unhex(vector.tag)
})

describe("AES-256-GCM", () => {
  it.each(gcmVectors)("encrypts and decrypts as published: $name", (vector) => {
    const { key, ...message } = messageOf(vector)
    const plain = unhex(vector.plain)
    const sealed = aesGcm.encrypt(key, { ...message, chunks: [plain] })
    expect([hex(concatBytes(sealed.body)), hex(sealed.tag)]).toEqual([vector.body, vector.tag])
    expect(hex(aesGcm.decrypt(key, message)!)).toBe(vector.plain)
  })

  it.each(gcmVectors)("encrypts in chunks of any length what it encrypts whole: $name", (vector) => {
    const { key, ...message } = messageOf(vector)
    const plain = unhex(vector.plain)
    for (const length of [1, 5, 16, 17, 31]) {
      const chunks: Array<Uint8Array> = [new Uint8Array(0)]
      for (let at = 0; at < plain.length; at += length) chunks.push(plain.subarray(at, at + length))
      const sealed = aesGcm.encrypt(key, { ...message, chunks })
      expect(sealed.body.map((part) => part.length)).toEqual(chunks.map((part) => part.length))
      expect([hex(concatBytes(sealed.body)), hex(sealed.tag)]).toEqual([vector.body, vector.tag])
    }
  })

  it("gives nothing for a tag, a body or associated data with any bit flipped, nor for another nonce or key", () => {
    const { key, ...message } = messageOf(gcmVectors[6])
    for (const part of ["tag", "body", "associated", "nonce"] as const) {
      everyFlip(message[part], (bytes) => expect(aesGcm.decrypt(key, { ...message, [part]: bytes })).toBeUndefined())
    }
    everyFlip(unhex(gcmVectors[6].key), (bytes) =>
      expect(aesGcm.decrypt(createSecretKey(bytes), message)).toBeUndefined()
    )
    everyTruncation(message.body, (body) => expect(aesGcm.decrypt(key, { ...message, body })).toBeUndefined())
  })

  it.each(wrongTags)("refuses the published wrong tag %s", (tag) => {
    const { key, ...message } = messageOf(gcmVectors[8])
    expect(aesGcm.decrypt(key, { ...message, tag: unhex(tag) })).toBeUndefined()
  })

  it("takes no tag but of 16 bytes and no nonce but of 12", () => {
    const { key, ...message } = messageOf(gcmVectors[8])
    everyTruncation(message.tag, (tag) => expect(() => aesGcm.decrypt(key, { ...message, tag })).toThrow("12 bytes"))
    for (const length of [0, 1, 8, 11, 13, 16]) {
      const nonce = new Uint8Array(length)
      expect(() => aesGcm.decrypt(key, { ...message, nonce })).toThrow("12 bytes")
      expect(() => aesGcm.encrypt(key, { ...message, nonce, chunks: [] })).toThrow("12 bytes")
    }
  })

  it("gives plain arrays with memory of their own, not views of a pool", () => {
    const { key, ...message } = messageOf(gcmVectors[5])
    const plain = unhex(gcmVectors[5].plain)
    const { body, tag } = aesGcm.encrypt(key, { ...message, chunks: [plain] })
    for (const bytes of [...body, tag, aesGcm.decrypt(key, message)!]) {
      expect(bytes.constructor).toBe(Uint8Array)
      expect(bytes.buffer.byteLength).toBe(bytes.length)
    }
  })
})

describe("keys", () => {
  it.each(hkdfVectors)("are derived as published: RFC 5869 $name", ({ info, key, output, salt }) => {
    const length = output.length / 2
    const derived = derivedBytes(createSecretKey(unhex(key)), { salt: unhex(salt), info: unhex(info), length })
    expect(hex(derived)).toBe(output)
    const first = derivedKey(createSecretKey(unhex(key)), unhex(salt), unhex(info))
    expect(withBytesOf(first, hex)).toBe(output.slice(0, 64))
  })

  it.each(hmacVectors)("authenticate as published: RFC 4231 $mac", ({ bytes, key, mac }) => {
    expect(hex(macOf(createSecretKey(unhex(key)), unhex(bytes)))).toBe(mac)
  })

  it("take their bytes away from who gave them, and wipe those they give out", () => {
    const bytes = new Uint8Array(32).fill(9)
    const key = keyOf(bytes)
    expect(hex(bytes)).toBe("00".repeat(32))
    let exported: Uint8Array | undefined
    withBytesOf(key, (some) => {
      exported = some
      expect(hex(some)).toBe("09".repeat(32))
    })
    expect(hex(exported!)).toBe("00".repeat(32))
    expect(() => keyOf(new Uint8Array(31))).toThrow("32 bytes")
    expect([isKey(key), isKey(createSecretKey(new Uint8Array(16))), isKey(bytes), isKey(null)]).toEqual([
      true,
      false,
      false,
      false
    ])
  })

  it("say nothing of themselves", () => {
    const key = keyOf(new Uint8Array(32).fill(0x41))
    expect(`${String(key)} ${JSON.stringify(key)}`).not.toMatch(/41414141|AAAA|QUFB/)
  })
})

describe("digests and comparison", () => {
  it("is SHA-256 of the parts behind each other", () => {
    expect(hex(digestOf([utf8("a"), utf8(""), utf8("bc")]))).toBe(
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
  })

  it("compares all of them", () => {
    expect(equalSecrets(utf8("same"), utf8("same"))).toBe(true)
    expect(equalSecrets(utf8("same"), utf8("sama"))).toBe(false)
    expect(equalSecrets(utf8("same"), utf8("sam"))).toBe(false)
  })
})

describe("argon2id of this runtime", () => {
  it("is that of RFC 9106", () => {
    const { associatedData, message, nonce, output, secret, ...cost } = argon2idWithSecret
    const bytes = { message: unhex(message), nonce: unhex(nonce), secret: unhex(secret) }
    expect(hex(argon2Sync("argon2id", { ...cost, ...bytes, associatedData: unhex(associatedData) }))).toBe(output)
  })
})
