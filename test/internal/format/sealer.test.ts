import { describe, expect, it } from "@effect/vitest"
import { crc32 } from "../../../src/internal/format/checksum.ts"
import { concatBytes, readU32 } from "../../../src/internal/format/bytes.ts"
import { checksumSealer, openPiece, sealChunks, sealerOf } from "../../../src/internal/format/sealer.ts"
import { everyFlip, failure, hex, invertingSealer, testHeader, utf8 } from "./support.ts"

const associated = utf8("where")
const plain = utf8("what")

describe("checksumSealer", () => {
  it("leaves the bytes as they are, without a copy, and tags them with crc32(associated ++ body)", () => {
    const sealed = checksumSealer.seal(associated, plain)
    expect(sealed.body).toBe(plain)
    expect(readU32(sealed.tag, 0)).toBe(crc32(utf8("wherewhat")))
    expect(checksumSealer.open(associated, sealed.body, sealed.tag)).toBe(plain)
  })

  it("seals chunks as their concatenation, without a copy", () => {
    const chunks = [utf8("w"), utf8(""), utf8("hat")]
    const sealed = sealChunks(checksumSealer, associated, chunks)
    expect(sealed.body).toBe(chunks)
    expect(hex(sealed.tag)).toBe(hex(checksumSealer.seal(associated, plain).tag))
  })

  it("detects every flipped bit of the associated data, the body and the tag", () => {
    const { tag } = checksumSealer.seal(associated, plain)
    everyFlip(associated, (bytes) => failure(() => checksumSealer.open(bytes, plain, tag)))
    everyFlip(plain, (bytes) => failure(() => checksumSealer.open(associated, bytes, tag)))
    everyFlip(tag, (bytes) => failure(() => checksumSealer.open(associated, plain, bytes)))
    failure(() => checksumSealer.open(associated, plain, tag.subarray(0, 3)))
  })
})

describe("a sealer without chunks", () => {
  it("gets them joined", () => {
    const sealed = sealChunks(invertingSealer, associated, [utf8("wh"), utf8("at")])
    expect(hex(concatBytes(sealed.body))).toBe(hex(plain.map((byte) => ~byte)))
    expect(hex(invertingSealer.open(associated, concatBytes(sealed.body), sealed.tag))).toBe(hex(plain))
  })
})

describe("openPiece", () => {
  it("opens, and names the place in the file when it cannot", () => {
    const { tag } = checksumSealer.seal(associated, plain)
    const piece = { what: "block", associated, body: plain, tag, offset: 4096 }
    expect(openPiece(checksumSealer, piece)).toBe(plain)
    const error = failure(() => openPiece(checksumSealer, { ...piece, body: utf8("that") }))
    expect(error.offset).toBe(4096)
    expect(error.message).toContain("block")
  })
})

describe("sealerOf", () => {
  it("refuses a sealer that is not the header's", () => {
    expect(sealerOf(testHeader(), () => checksumSealer)).toBe(checksumSealer)
    failure(() => sealerOf(testHeader({ tagBytes: 20 }), () => checksumSealer))
    failure(() => sealerOf(testHeader({ keyGeneration: 1 }), () => checksumSealer))
  })
})
