import { describe, expect, it } from "@effect/vitest"
import { crc32 } from "../../../src/internal/format/checksum.ts"
import {
  decodeFileHeader,
  encodeFileHeader,
  fileHeaderBytes,
  FileKind,
  fileTagOf
} from "../../../src/internal/format/fileHeader.ts"
import { writeU32 } from "../../../src/internal/format/bytes.ts"
import {
  attempt,
  encodedTestHeader,
  everyFlip,
  everyTruncation,
  failure,
  golden,
  hex,
  manySeeds,
  testHeader
} from "./support.ts"

const resealed = (bytes: Uint8Array): Uint8Array => {
  writeU32(bytes, 92, crc32(bytes.subarray(0, 92)))
  return bytes
}

describe("fileHeader", () => {
  it("has these bytes", () => {
    expect(hex(encodedTestHeader())).toBe(
      golden(`
        5354524154410d0a 0000 01 04 00000000
        000102030405060708090a0b0c0d0e0f
        101112131415161718191a1b1c1d1e1f
        03000000 0700000000000000
        a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf
        9507c38d
      `)
    )
  })

  it("reads back", () => {
    manySeeds(2000, (dice) => {
      const header = testHeader({
        kind: dice.pick(Object.values(FileKind)),
        tagBytes: dice.pick([4, 20] as const),
        keyGeneration: dice.u32(),
        databaseId: dice.bytes(16),
        incarnation: dice.bytes(16),
        epoch: dice.u32(),
        fileNumber: dice.whole(),
        fileId: dice.bytes(32)
      })
      const bytes = encodeFileHeader(header)
      expect(bytes.length).toBe(fileHeaderBytes)
      expect(decodeFileHeader(bytes, header.kind)).toEqual(header)
    })
  })

  it("says that it is cut off, however much of it is there", () => {
    const bytes = encodedTestHeader()
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeFileHeader(bytes.subarray(0, length), FileKind.log), `${length}`).toThrow("cut off")
    }
  })

  it("tags its file with the first bytes of the id", () => {
    expect(fileTagOf(testHeader().fileId)).toBe(0xa3a2a1a0)
  })

  it("detects every flipped bit and every cut", () => {
    everyFlip(encodedTestHeader(), (bytes) => failure(() => decodeFileHeader(bytes, FileKind.log)))
    everyTruncation(encodedTestHeader(), (bytes) => failure(() => decodeFileHeader(bytes, FileKind.log)))
  })

  it("says what is wrong: not ours, newer, another kind, impossible tags", () => {
    const magic = encodedTestHeader()
    magic[6] = 0x0a
    expect(failure(() => decodeFileHeader(magic, FileKind.log)).message).toContain("magic")
    const newer = encodedTestHeader()
    newer[8] = 9
    expect(failure(() => decodeFileHeader(newer, FileKind.log)).unsupported).toBe(false)
    expect(failure(() => decodeFileHeader(resealed(newer), FileKind.log)).unsupported).toBe(true)
    expect(failure(() => decodeFileHeader(encodedTestHeader(), FileKind.table)).message).toContain("kind")
    const tags = encodedTestHeader()
    tags[11] = 5
    expect(failure(() => decodeFileHeader(resealed(tags), FileKind.log)).message).toContain("tags")
  })

  it("reads random bytes without any other exception", () => {
    manySeeds(5000, (dice) => {
      const bytes = dice.bytes(dice.below(200))
      bytes.set(encodedTestHeader().subarray(0, Math.min(8, bytes.length)))
      attempt(() => decodeFileHeader(bytes.length >= 96 ? resealed(bytes) : bytes, FileKind.log))
    })
  })
})
