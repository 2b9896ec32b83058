import { describe, expect, it } from "@effect/vitest"
import { concatBytes } from "../../../src/internal/format/bytes.ts"
import { checksumSealer, type Sealer } from "../../../src/internal/format/sealer.ts"
import { type Layout, openBlock, sealBlock, storedBlockExtra } from "../../../src/internal/format/storedBlock.ts"
import { Dice, everyFlip, failure, hex, invertingSealer, utf8 } from "./support.ts"

const plain = utf8("plain")
const at = { layout: 1, fileTag: 0x04030201, offset: 2 ** 40 } as const

const seal = (sealer: Sealer, given?: object): Uint8Array => {
  const stored = sealBlock({ plain, ...at, sealer, ...given })
  const bytes = concatBytes(stored.chunks)
  expect(bytes.length).toBe(stored.length)
  expect(stored.chunks.at(-1)).toBe(stored.tag)
  return bytes
}

const open = (bytes: Uint8Array, sealer: Sealer, given?: object): Uint8Array =>
  openBlock({ bytes, start: 0, length: bytes.length, ...at, sealer, ...given })

describe("storedBlock", () => {
  it("has these bytes", () => {
    expect(hex(seal(checksumSealer))).toBe("706c61696e0100050000008180643b")
  })

  describe.each([checksumSealer, invertingSealer])("with tags of $tagBytes bytes", (sealer) => {
    it("opens where it was sealed for, also in the middle of other bytes", () => {
      const bytes = seal(sealer)
      expect(hex(open(bytes, sealer))).toBe(hex(plain))
      expect(bytes.length).toBe(plain.length + storedBlockExtra(sealer.tagBytes))
      const around = concatBytes([utf8("xx"), bytes, utf8("y")])
      expect(hex(open(around, sealer, { start: 2, length: bytes.length }))).toBe(hex(plain))
    })

    it("does not open in another place, in another file, as another layout, cut, or with a bit flipped", () => {
      const bytes = seal(sealer)
      failure(() => open(bytes, sealer, { offset: at.offset + 1 }))
      failure(() => open(bytes, sealer, { fileTag: 1 }))
      failure(() => open(bytes, sealer, { layout: 2 }))
      for (let length = 0; length < bytes.length; length++) failure(() => open(bytes, sealer, { length }))
      failure(() => open(bytes, sealer, { length: bytes.length + 1 }))
      failure(() => open(bytes, sealer, { start: 1 }))
      everyFlip(bytes, (damaged) => expect(failure(() => open(damaged, sealer)).offset).toBe(at.offset))
    })

    it("says that it is cut off when it is shorter than its fixed parts, or longer than what there is", () => {
      const bytes = seal(sealer)
      const lengths = Array.from({ length: storedBlockExtra(sealer.tagBytes) }, (_, length) => length)
      for (const length of [...lengths, bytes.length + 1])
        expect(failure(() => open(bytes, sealer, { length })).message).toBe("a block is cut off")
    })

    it("refuses a layout or a codec of a later version as such", () => {
      const later = seal(sealer, { layout: 11 as Layout })
      expect(failure(() => open(later, sealer)).unsupported).toBe(true)
      const resealed: Sealer = {
        ...sealer,
        seal: (associated, body) => {
          associated[13] = 7
          return sealer.seal(associated, body)
        }
      }
      const codec = seal(resealed)
      codec[plain.length + 1] = 7
      expect(failure(() => open(codec, sealer)).unsupported).toBe(true)
    })

    it("believes its length only if it is that of the body, by one byte", () => {
      const resealed: Sealer = {
        ...sealer,
        seal: (associated, body) => {
          associated[14] += 1
          return sealer.seal(associated, body)
        }
      }
      const bytes = seal(resealed)
      bytes[plain.length + 2] += 1
      expect(failure(() => open(bytes, sealer)).message).toContain("6 bytes")
    })

    it("believes its length only if it is the body's", () => {
      const resealed: Sealer = {
        ...sealer,
        seal: (associated, body) => {
          associated.fill(255, 14, 18)
          return sealer.seal(associated, body)
        }
      }
      const bytes = seal(resealed)
      bytes.fill(255, plain.length + 2, plain.length + 6)
      expect(failure(() => open(bytes, sealer)).message).toContain("4294967295")
    })
  })

  it("opens random bytes without any other exception", () => {
    for (let seed = 0; seed < 1000; seed++) failure(() => open(new Dice(seed).bytes(seed % 50), checksumSealer))
  })
})
