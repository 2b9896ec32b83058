import { describe, expect, it } from "@effect/vitest"
import {
  decodeFooter,
  decodeProperties,
  decodeRangeRemovals,
  encodeFooter,
  encodeProperties,
  encodeRangeRemovals,
  footerBytes,
  type FooterFields,
  type RangeRemoval
} from "../../../src/internal/format/table.ts"
import { concatBytes } from "../../../src/internal/format/bytes.ts"
import { FileKind } from "../../../src/internal/format/fileHeader.ts"
import { checksumSealer, type Sealer } from "../../../src/internal/format/sealer.ts"
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
  unhex,
  utf8
} from "./support.ts"

const headerOf = (fileNumber: number, sealer: Sealer): Uint8Array =>
  encodedTestHeader({ kind: FileKind.table, fileNumber, tagBytes: sealer.tagBytes })

const fieldsOf = (sealer: Sealer): FooterFields => ({
  blocksBytes: 1000,
  filterBytes: 20,
  partitionsBytes: 500,
  indexBytes: 30,
  rangeRemovalsBytes: 0,
  valueRefsBytes: 70,
  propertiesBytes: 40,
  blockCount: 3,
  blockTagsCrc: 0xfffefdfc,
  entryCount: 50,
  removeCount: 6,
  fileBytes: 96 + 1660 + footerBytes(sealer.tagBytes),
  format: 0
})

const encode = (sealer: Sealer, fields: FooterFields = fieldsOf(sealer)): Uint8Array =>
  concatBytes(encodeFooter(fields, { fileHeader: headerOf(7, sealer), sealer }).chunks)

const decode = (bytes: Uint8Array, sealer: Sealer, given?: object) =>
  decodeFooter({ bytes, fileBytes: fieldsOf(sealer).fileBytes, fileHeader: headerOf(7, sealer), sealer, ...given })

describe("footer", () => {
  it("has these bytes", () => {
    expect(hex(encode(checksumSealer))).toBe(
      golden(`e803000000000000 14000000 f4010000 1e000000 00000000 46000000 28000000 03000000 fcfdfeff
        3200000000000000 0600000000000000 2207000000000000 0000 27c2e356`)
    )
  })

  describe.each([checksumSealer, invertingSealer])("with tags of $tagBytes bytes", (sealer) => {
    it("reads back, with the places of the sections", () => {
      const footer = decode(encode(sealer), sealer)
      const { footerCrc } = encodeFooter(fieldsOf(sealer), { fileHeader: headerOf(7, sealer), sealer })
      expect(footer).toMatchObject({
        ...fieldsOf(sealer),
        filter: { offset: 1096, bytes: 20 },
        partitions: { offset: 1116, bytes: 500 },
        index: { offset: 1616, bytes: 30 },
        rangeRemovals: { offset: 1646, bytes: 0 },
        valueRefs: { offset: 1646, bytes: 70 },
        properties: { offset: 1716, bytes: 40 },
        footerCrc
      })
    })

    it("of another length, or in a file without room for it, is that of a table that is cut off", () => {
      const bytes = encode(sealer)
      const others = [bytes.subarray(1), concatBytes([bytes, Uint8Array.of(0)]), new Uint8Array(0)]
      for (const other of others) expect(failure(() => decode(other, sealer)).message).toBe("a table is cut off")
      for (const given of [{ fileBytes: bytes.length + 95 }, { fileHeader: headerOf(7, sealer).subarray(1) }])
        expect(failure(() => decode(bytes, sealer, given)).message).toBe("a table is cut off")
    })

    it("is refused cut, with a bit flipped, behind another file's header, or in a file of another length", () => {
      const bytes = encode(sealer)
      everyTruncation(bytes, (cut) => failure(() => decode(cut, sealer)))
      everyFlip(bytes, (damaged) => failure(() => decode(damaged, sealer)))
      failure(() => decode(bytes, sealer, { fileHeader: headerOf(8, sealer) }))
      failure(() => decode(bytes, sealer, { fileBytes: fieldsOf(sealer).fileBytes + 1 }))
      failure(() => decode(bytes, sealer, { fileBytes: 10 }))
      failure(() => decode(encode(sealer, { ...fieldsOf(sealer), indexBytes: 31 }), sealer))
      failure(() => decode(encode(sealer, { ...fieldsOf(sealer), fileBytes: 9 }), sealer))
    })
  })
})

const removals: ReadonlyArray<RangeRemoval> = [
  { from: utf8("a"), to: utf8("b"), sequence: 300 },
  { from: utf8("a"), to: utf8(""), sequence: 2 }
]

describe("rangeRemovals", () => {
  it("have these bytes, and read back", () => {
    expect(hex(encodeRangeRemovals(removals))).toBe(golden("02 01 61 01 62 ac02 01 61 00 02"))
    expect(decodeRangeRemovals(encodeRangeRemovals(removals))).toEqual(removals)
    expect(decodeRangeRemovals(unhex("00"))).toEqual([])
  })

  it("read damaged and random bytes as the removals that encode so, or refuse them", () => {
    const check = (bytes: Uint8Array): void => {
      const result = attempt(() => decodeRangeRemovals(bytes))
      if ("value" in result) expect(hex(encodeRangeRemovals(result.value))).toBe(hex(bytes))
    }
    everyFlip(encodeRangeRemovals(removals), check)
    everyTruncation(encodeRangeRemovals(removals), (bytes) => failure(() => decodeRangeRemovals(bytes)))
    manySeeds(5000, (dice) => check(dice.bytes(dice.below(20)).map((byte) => byte % dice.pick([4, 256]))))
    failure(() => decodeRangeRemovals(unhex("ffffffffffffff0f 00 00 00")))
  })
})

const properties = {
  entryCount: 1,
  removeCount: 2,
  rangeRemovalCount: 3,
  sequenceMin: 4,
  sequenceMax: 5,
  keyBytes: 6,
  valueBytes: 7,
  expiringCount: 8,
  expiresAtMin: 300
}

describe("properties", () => {
  it("have these bytes, and read back", () => {
    const bytes = "01 01 01  02 01 02  03 01 03  04 01 04  05 01 05  06 01 06  07 01 07  08 01 08  09 02 ac02"
    expect(hex(encodeProperties(properties))).toBe(golden(bytes))
    expect(decodeProperties(unhex(bytes))).toEqual(properties)
  })

  it("skip what they do not know, and are zero where nothing is said", () => {
    expect(decodeProperties(unhex("02 01 09  63 03 ffffff"))).toMatchObject({ entryCount: 0, removeCount: 9 })
  })

  it("read damaged and random bytes as properties or refuse them", () => {
    everyFlip(encodeProperties(properties), (bytes) => attempt(() => decodeProperties(bytes)))
    everyTruncation(encodeProperties(properties), (bytes) => attempt(() => decodeProperties(bytes)))
    manySeeds(5000, (dice) => attempt(() => decodeProperties(dice.bytes(dice.below(20)).map((byte) => byte % 12))))
    failure(() => decodeProperties(unhex("02 01 09 01 01 09")))
    failure(() => decodeProperties(unhex("02 02 09")))
  })
})
