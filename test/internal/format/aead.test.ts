import { describe, expect, it } from "@effect/vitest"
import { createCipheriv, createSecretKey, hkdfSync } from "node:crypto"
import {
  AeadSealer,
  type FileIdentity,
  fileKeyOf,
  refusingSealer,
  threadSealer
} from "../../../src/internal/format/aead.ts"
import { concatBytes } from "../../../src/internal/format/bytes.ts"
import { aesGcm, type Cipher, keyOf, withBytesOf } from "../../../src/internal/format/cipher.ts"
import { FileKind } from "../../../src/internal/format/fileHeader.ts"
import { CountingCipher } from "../../support/encryption.ts"
import { attempt, everyFlip, everyTruncation, failure, golden, hex, manySeeds, utf8 } from "./support.ts"

const dataKey = keyOf(Uint8Array.from({ length: 32 }, (_, index) => index))
const file = {
  kind: FileKind.table,
  fileId: Uint8Array.from({ length: 32 }, (_, index) => 0xa0 + index),
  databaseId: Uint8Array.from({ length: 16 }, (_, index) => 0x10 + index)
}

const sealer = (given: Partial<FileIdentity> = {}, cipher?: Cipher) =>
  new AeadSealer({ dataKey, keyGeneration: 3, file: { ...file, ...given, access: "seal" }, cipher })
const opener = (given: Partial<FileIdentity> = {}, key = dataKey) =>
  new AeadSealer({ dataKey: key, keyGeneration: 3, file: { ...file, ...given, access: "open" } })

const associated = utf8("where it stands")

describe("AeadSealer", () => {
  it("has these bytes", () => {
    const one = sealer()
    const first = one.seal(associated, utf8("the first piece"))
    const second = one.seal(associated, utf8("the first piece"))
    expect(withBytesOf(fileKeyOf(dataKey, file), hex)).toBe(
      "090899b5f24ef04191805c47bf0e8d9f65dcb73afd8a6d36231fc2315d536bb8"
    )
    expect(`${hex(first.body)} ${hex(first.tag)}`).toBe(
      "9fb142a33724e21593ee0e90c0a24e da3ab188c0a0eff7f914e5281d419f3801000000"
    )
    expect(`${hex(second.body)} ${hex(second.tag)}`).toBe(
      "271ce402fe2a4396fcc7cff47a85fe 7086fac5e231e79350925d4cc3a3ba8902000000"
    )
  })

  it("is what its header says, without any of its code", () => {
    const { body, tag } = sealer().seal(associated, utf8("piece"))
    const info = concatBytes([utf8("strata|v0|"), file.databaseId, Uint8Array.of(FileKind.table)])
    const key = hkdfSync(
      "sha256",
      Uint8Array.from({ length: 32 }, (_, index) => index),
      file.fileId,
      info,
      32
    )
    const nonce = Buffer.from(golden("02000000 0100000000000000"), "hex")
    const cipher = createCipheriv("aes-256-gcm", createSecretKey(new Uint8Array(key)), nonce, { authTagLength: 16 })
    cipher.setAAD(associated)
    expect(hex(body)).toBe(cipher.update("piece", "utf8", "hex") + cipher.final("hex"))
    expect(hex(tag)).toBe(cipher.getAuthTag().toString("hex") + "01000000")
  })

  it("opens what it sealed, of any length, in any order", () => {
    manySeeds(100, (dice) => {
      const one = sealer()
      const pieces = Array.from({ length: 5 }, () => {
        const [where, plain] = [dice.bytes(dice.below(100)), dice.bytes(dice.below(3000))]
        return { where, plain, ...one.seal(where, plain) }
      })
      const other = opener()
      for (const { body, plain, tag, where } of pieces.reverse()) {
        expect([body.length, tag.length]).toEqual([plain.length, 20])
        expect(hex(other.open(where, body, tag))).toBe(hex(plain))
        expect(hex(one.open(where, body, tag))).toBe(hex(plain))
      }
    })
  })

  it("seals chunks, joined or not, as their concatenation", () => {
    manySeeds(40, (dice) => {
      const chunks = Array.from({ length: dice.below(6) }, () => dice.bytes(dice.below(dice.chance(0.5) ? 10_000 : 50)))
      const [some, other] = [sealer(), sealer()]
      const [whole, parts] = [some.seal(associated, concatBytes(chunks)), other.sealChunks(associated, chunks)]
      expect(hex(concatBytes(parts.body))).toBe(hex(whole.body))
      expect(hex(parts.tag)).toBe(hex(whole.tag))
      expect(parts.body.length === chunks.length || parts.body.length === 1).toBe(true)
    })
  })

  it("leaves what it seals as it was", () => {
    const plain = utf8("plain")
    const { body } = sealer().seal(associated, plain)
    expect(new TextDecoder().decode(plain)).toBe("plain")
    expect(body.buffer).not.toBe(plain.buffer)
  })

  it("refuses every flipped bit and every cut of body, tag and associated data, and says that it is tampering", () => {
    const { body, tag } = sealer().seal(associated, utf8("some plain bytes"))
    const one = opener()
    const refused = (what: { body?: Uint8Array; tag?: Uint8Array; associated?: Uint8Array }) => {
      const piece = { body, tag, associated, ...what }
      expect(failure(() => one.open(piece.associated, piece.body, piece.tag)).tampered).toBe(true)
    }
    for (const every of [everyFlip, everyTruncation]) {
      every(body, (bytes) => refused({ body: bytes }))
      every(tag, (bytes) => refused({ tag: bytes }))
      every(associated, (bytes) => refused({ associated: bytes }))
    }
    refused({ tag: concatBytes([tag, Uint8Array.of(0)]) })
    refused({ body: concatBytes([body, Uint8Array.of(0)]) })
  })

  it("opens nothing of another file, kind, database or key, and no piece in the place of another", () => {
    const one = sealer()
    const [first, second] = [one.seal(associated, utf8("one")), one.seal(associated, utf8("two"))]
    const others = [
      opener({ fileId: file.fileId.map((byte) => byte ^ 1) }),
      opener({ databaseId: file.databaseId.map((byte) => byte ^ 1) }),
      opener({ kind: FileKind.valueFile }),
      opener({}, keyOf(new Uint8Array(32)))
    ]
    for (const other of others) failure(() => other.open(associated, first.body, first.tag))
    failure(() => opener().open(associated, first.body, second.tag))
    failure(() => opener().open(associated, second.body, first.tag))
  })

  it("reads random bytes without any other exception", () => {
    manySeeds(300, (dice) => {
      const tag = dice.bytes(dice.chance(0.8) ? 20 : dice.below(40))
      const read = attempt(() => opener().open(dice.bytes(5), dice.bytes(dice.below(50)), tag))
      expect("error" in read).toBe(true)
    })
  })

  it("can be spread into another", () => {
    const spread = { ...sealer() }
    const { body, tag } = spread.seal(associated, utf8("x"))
    expect(hex(opener().open(associated, body, tag))).toBe("78")
    expect([spread.tagBytes, spread.keyGeneration]).toEqual([20, 3])
  })
})

describe("nonces", () => {
  it("never come twice: not over pieces, nor attempts that failed, nor files, nor data keys", () => {
    const cipher = new CountingCipher()
    let failing = false
    const flaky: Cipher = {
      ...aesGcm,
      encrypt: (key, message) => {
        const sealed = cipher.encrypt(key, message)
        if (failing) throw new Error("it failed")
        return sealed
      }
    }
    manySeeds(40, (dice) => {
      const one = sealer({ fileId: dice.bytes(32) }, flaky)
      let last = 0
      for (let attempts = 1; attempts <= 60; attempts++) {
        failing = dice.chance(0.3)
        try {
          const { tag } = dice.chance(0.5) ? one.seal(associated, dice.bytes(9)) : one.sealChunks(associated, [])
          last = tag[16]
          expect(last).toBe(attempts)
        } catch (error) {
          if (!failing) throw error
        }
      }
    })
    expect(cipher.encryptions).toBe(40 * 60)
  })

  it("would be noticed if they did", () => {
    const cipher = new CountingCipher()
    sealer({}, cipher).seal(associated, utf8("a"))
    expect(() => sealer({}, cipher).seal(associated, utf8("b"))).toThrow("twice")
  })

  it("are not begun by who only opens: it refuses to seal", () => {
    expect(() => opener().seal(associated, utf8("a"))).toThrow("seals nothing")
    expect(() => opener().sealChunks(associated, [utf8("a")])).toThrow("seals nothing")
  })

  it("end: a file has at most 2^32 - 1 pieces and 64 GiB", () => {
    const nothing: Cipher = { ...aesGcm, encrypt: () => ({ body: [new Uint8Array(0)], tag: new Uint8Array(16) }) }
    const one = sealer({}, nothing)
    Object.assign(one, { pieces: 2 ** 32 - 2 })
    expect(hex(one.seal(associated, utf8("a")).tag.subarray(16))).toBe("ffffffff")
    expect(() => one.seal(associated, utf8("a"))).toThrow("2^32")
    const large = sealer({}, nothing)
    const chunk = { length: 2 ** 35 } as Uint8Array
    large.seal(associated, chunk)
    large.seal(associated, chunk)
    expect(() => large.seal(associated, utf8("a"))).toThrow("64 GiB")
  })
})

describe("sealers of another thread", () => {
  const generations = [
    { generation: 2, key: keyOf(new Uint8Array(32).fill(2)) },
    { generation: 3, key: dataKey }
  ]

  it("seal and open as those of this one", () => {
    const there = threadSealer(generations, { ...file, keyGeneration: 3, access: "seal" })
    const { body, tag } = there.seal(associated, utf8("abc"))
    expect(hex(tag)).toBe(hex(sealer().seal(associated, utf8("abc")).tag))
    expect(hex(opener().open(associated, body, tag))).toBe(hex(utf8("abc")))
  })

  it("open nothing of a data key that is not there, and seal nothing", () => {
    const { body, tag } = sealer().seal(associated, utf8("abc"))
    for (const one of [refusingSealer(9), threadSealer(generations, { ...file, keyGeneration: 9, access: "open" })]) {
      const error = failure(() => one.open(associated, body, tag))
      expect([error.tampered, error.message]).toEqual([true, expect.stringContaining("data key 9")])
      expect(() => one.seal(associated, body)).toThrow("seals nothing")
      expect([one.tagBytes, one.keyGeneration]).toEqual([20, 9])
    }
    expect(() => threadSealer([{ generation: 3, key: {} }], { ...file, keyGeneration: 3, access: "open" })).toThrow(
      "given keys"
    )
  })
})
