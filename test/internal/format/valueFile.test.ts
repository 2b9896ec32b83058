import { describe, expect, it } from "@effect/vitest"
import { concatBytes } from "../../../src/internal/format/bytes.ts"
import { FileKind } from "../../../src/internal/format/fileHeader.ts"
import { checksumSealer, type Sealer } from "../../../src/internal/format/sealer.ts"
import {
  decodeValueFooter,
  decodeValueTop,
  encodeValueFooter,
  encodeValueTop,
  type PlacedSection,
  valueFooterBytes,
  type ValueFooterFields
} from "../../../src/internal/format/valueFile.ts"
import {
  attempt,
  encodedTestHeader,
  everyFlip,
  everyTruncation,
  failure,
  golden,
  hex,
  invertingSealer,
  manySeeds,
  unhex
} from "./support.ts"

const headerOf = (fileNumber: number, sealer: Sealer): Uint8Array =>
  encodedTestHeader({ kind: FileKind.valueFile, fileNumber, tagBytes: sealer.tagBytes })

const fieldsOf = (sealer: Sealer): ValueFooterFields => ({
  valuesBytes: 1000,
  indexBytes: 200,
  topBytes: 30,
  sectionCount: 2,
  count: 9,
  bytes: 800,
  tagsCrc: 0xfffefdfc,
  fileBytes: 96 + 1230 + valueFooterBytes(sealer.tagBytes),
  format: 0
})

const encode = (sealer: Sealer, fields = fieldsOf(sealer)): Uint8Array =>
  concatBytes(encodeValueFooter(fields, { fileHeader: headerOf(7, sealer), sealer }).chunks)

const decode = (bytes: Uint8Array, sealer: Sealer, given?: object) =>
  decodeValueFooter({
    bytes,
    fileBytes: fieldsOf(sealer).fileBytes,
    fileHeader: headerOf(7, sealer),
    sealer,
    ...given
  })

describe("the footer of a value file", () => {
  it("has these bytes", () => {
    expect(hex(encode(checksumSealer))).toBe(
      golden(`e803000000000000 c8000000 1e000000 02000000 0900000000000000 2003000000000000 fcfdfeff
        6405000000000000 0000 1ba15977`)
    )
  })

  describe.each([checksumSealer, invertingSealer])("with tags of $tagBytes bytes", (sealer) => {
    it("reads back, with the places of what it names", () => {
      const { footerCrc } = encodeValueFooter(fieldsOf(sealer), { fileHeader: headerOf(7, sealer), sealer })
      expect(decode(encode(sealer), sealer)).toEqual({
        ...fieldsOf(sealer),
        index: { offset: 1096, bytes: 200 },
        top: { offset: 1296, bytes: 30 },
        footerCrc
      })
    })

    it("is refused cut, with a bit flipped, behind another file's header, or in a file of another length", () => {
      const bytes = encode(sealer)
      everyTruncation(bytes, (cut) => failure(() => decode(cut, sealer)))
      everyFlip(bytes, (damaged) => failure(() => decode(damaged, sealer)))
      failure(() => decode(bytes, sealer, { fileHeader: headerOf(8, sealer) }))
      for (const fileBytes of [10, fieldsOf(sealer).fileBytes + 1]) failure(() => decode(bytes, sealer, { fileBytes }))
      failure(() => decode(encode(sealer, { ...fieldsOf(sealer), indexBytes: 201 }), sealer))
      failure(() => decode(encode(sealer, { ...fieldsOf(sealer), fileBytes: 9 }), sealer))
      const longer = concatBytes([bytes, Uint8Array.of(0)])
      for (const other of [bytes.subarray(1), longer]) {
        expect(failure(() => decode(other, sealer)).message).toContain("cut off")
      }
      const fileBytes = 95 + bytes.length
      expect(failure(() => decode(bytes, sealer, { fileBytes })).message).toContain("cut off")
    })
  })
})

const sections: ReadonlyArray<PlacedSection> = [
  {
    id: 3,
    count: 300,
    bytes: 70_000,
    blocks: [
      { firstIndex: 0, offset: 500, bytes: 4098 },
      { firstIndex: 1000, offset: 4598, bytes: 122 }
    ]
  },
  { id: 300, count: 1, bytes: 0, blocks: [{ firstIndex: 7, offset: 4720, bytes: 24 }] }
]

describe("the top of a value file", () => {
  it("has these bytes, and reads back with the places of the index blocks", () => {
    const bytes = "02  03 ac02 f0a204 02 00 8220 e807 7a  ac02 01 00 01 07 18"
    expect(hex(encodeValueTop(sections))).toBe(golden(bytes))
    expect(decodeValueTop(unhex(bytes), 500)).toEqual(sections)
  })

  it("refuses index blocks that do not ascend", () => {
    const [first] = sections
    const blocks = first!.blocks.map((block) => ({ ...block, firstIndex: 5 }))
    failure(() => decodeValueTop(encodeValueTop([{ ...first!, blocks }]), 500))
  })

  it("reads damaged and random bytes as a top that encodes so, or refuses them", () => {
    const check = (bytes: Uint8Array): void => {
      const result = attempt(() => decodeValueTop(bytes, 96))
      if ("value" in result) expect(hex(encodeValueTop(result.value))).toBe(hex(bytes))
    }
    everyFlip(encodeValueTop(sections), check)
    everyTruncation(encodeValueTop(sections), (bytes) => failure(() => decodeValueTop(bytes, 96)))
    manySeeds(10_000, (dice) => check(dice.bytes(dice.below(20)).map((byte) => byte % dice.pick([4, 256]))))
    failure(() => decodeValueTop(unhex("ffffffffffffff0f 00 00 00 00"), 96))
  })
})
