import { describe, expect, it } from "@effect/vitest"
import { concatBytes } from "../../../src/internal/format/bytes.ts"
import { FileKind } from "../../../src/internal/format/fileHeader.ts"
import { decodeMarker, encodeMarker } from "../../../src/internal/format/marker.ts"
import { checksumSealer, type Sealer } from "../../../src/internal/format/sealer.ts"
import { attempt, Dice, everyFlip, everyTruncation, failure, hex, invertingSealer, testHeader } from "./support.ts"

const marker = { manifestNumber: 9, manifestBytes: 4321, manifestFileId: new Uint8Array(32).fill(0xcd) }

const encode = (sealer: Sealer): Uint8Array => {
  const { keyGeneration, tagBytes } = sealer
  return concatBytes(
    encodeMarker({ header: testHeader({ kind: FileKind.marker, tagBytes, keyGeneration }), marker, sealer })
  )
}

describe("marker", () => {
  it("has these bytes behind its header", () => {
    expect(hex(encode(checksumSealer).subarray(96))).toBe(`0900000000000000e110000000000000${"cd".repeat(32)}4cb85bbd`)
  })

  it.each([checksumSealer, invertingSealer])("reads back, with tags of $tagBytes bytes", (sealer) => {
    expect(decodeMarker(encode(sealer), () => sealer)).toMatchObject({ ...marker, header: { fileNumber: 7 } })
  })

  it.each([checksumSealer, invertingSealer])(
    "is refused torn or with any bit flipped, tags of $tagBytes bytes",
    (sealer) => {
      const bytes = encode(sealer)
      everyTruncation(bytes, (cut) => failure(() => decodeMarker(cut, () => sealer)))
      everyFlip(bytes, (damaged) => failure(() => decodeMarker(damaged, () => sealer)))
      failure(() => decodeMarker(concatBytes([bytes, Uint8Array.of(0)]), () => sealer))
    }
  )

  it("has one length", () => {
    const bytes = encode(checksumSealer)
    for (const other of [bytes.subarray(0, 96), bytes.subarray(0, -1), concatBytes([bytes, Uint8Array.of(0)])])
      expect(() => decodeMarker(other, () => checksumSealer)).toThrow(`a marker of ${other.length} bytes`)
  })

  it("reads random bytes without any other exception", () => {
    for (let seed = 0; seed < 500; seed++) {
      const bytes = encode(checksumSealer)
      bytes.set(new Dice(seed).bytes(52), 96)
      attempt(() => decodeMarker(bytes, () => checksumSealer))
    }
  })
})
