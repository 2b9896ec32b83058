import { assert, describe, it } from "@effect/vitest"
import { fileHeaderBytes, FileKind } from "../../../src/internal/format/fileHeader.ts"
import { FormatError } from "../../../src/internal/format/formatError.ts"
import { storedBlockExtra } from "../../../src/internal/format/storedBlock.ts"
import { type PlacedSection, type ValueFooter, valueFooterBytes } from "../../../src/internal/format/valueFile.ts"
import type { ValueFileMeta } from "../../../src/internal/format/valueFileMeta.ts"
import { valueIndexBytes, valueIndexEntriesMax } from "../../../src/internal/format/valueIndex.ts"
import {
  checkValueFileHeader,
  checkValueFileSize,
  checkValueFooter,
  checkValueTop
} from "../../../src/internal/structure/valueFileFacts.ts"
import { testHeader } from "../format/support.ts"

const header = testHeader({ kind: FileKind.valueFile })
const indexOffset = 1000
const tagBytes = 4
const lengthOf = (entries: number): number => storedBlockExtra(tagBytes) + entries * valueIndexBytes

const meta: ValueFileMeta = {
  number: header.fileNumber,
  bytes: 2000,
  fileId: header.fileId,
  footerCrc: 5,
  epoch: header.epoch,
  keyGeneration: 0,
  sections: [
    { id: 3, count: 2, bytes: 50 },
    { id: 6, count: 1, bytes: 7 }
  ]
}

const footer: ValueFooter = {
  valuesBytes: indexOffset - fileHeaderBytes,
  indexBytes: lengthOf(2) + lengthOf(1),
  topBytes: 40,
  sectionCount: 2,
  count: 3,
  bytes: 57,
  tagsCrc: 0,
  fileBytes: 2000,
  format: header.format,
  index: { offset: indexOffset, bytes: lengthOf(2) + lengthOf(1) },
  top: { offset: indexOffset + lengthOf(2) + lengthOf(1), bytes: 40 },
  footerCrc: 5
}

/** The first section has two blocks of one entry each, or one of the length. */
const sectionsWith = (given: Partial<PlacedSection> = {}, length = lengthOf(2)): ReadonlyArray<PlacedSection> => [
  { id: 3, count: 2, bytes: 50, blocks: [{ firstIndex: 0, offset: indexOffset, bytes: length }], ...given },
  { id: 6, count: 1, bytes: 7, blocks: [{ firstIndex: 0, offset: indexOffset + length, bytes: lengthOf(1) }] }
]

describe("valueFileFacts", () => {
  it("a file without room for its header and footer is cut off, and one of another length is damage", () => {
    const least = fileHeaderBytes + valueFooterBytes(0)
    checkValueFileSize({ ...meta, bytes: least }, least)
    assert.throws(() => checkValueFileSize({ ...meta, bytes: least - 1 }, least - 1), FormatError, /cut off/)
    assert.throws(() => checkValueFileSize(meta, 1999), FormatError, /the manifest says 2000/)
  })

  it("a header that is not the one that the manifest names is damage", () => {
    const check = (given: Partial<typeof header>) =>
      checkValueFileHeader(meta, { ...header, ...given }, header.databaseId)
    check({})
    assert.throws(() => check({ databaseId: new Uint8Array(16) }), FormatError, /another database/)
    assert.throws(() => check({ fileNumber: 8 }), FormatError, /value file 8/)
    assert.throws(() => check({ fileId: new Uint8Array(32) }), FormatError, /under this number/)
    assert.throws(() => check({ epoch: 4 }), FormatError, /epoch 4/)
    assert.throws(() => check({ keyGeneration: 1 }), FormatError, /of key 1/)
  })

  it("a footer that is not the one that the manifest names, or of another format than its file, is damage", () => {
    const check = (given: Partial<ValueFooter>) => checkValueFooter(meta, header, { ...footer, ...given })
    check({})
    assert.throws(() => check({ footerCrc: 6 }), FormatError, /the manifest pins/)
    assert.throws(() => check({ format: header.format + 1 }), FormatError, /format/)
    assert.throws(() => check({ sectionCount: 1 }), FormatError, /the manifest says/)
    assert.throws(() => check({ count: 4 }), FormatError, /4 values, the manifest says 3/)
    assert.throws(() => check({ bytes: 58 }), FormatError, /the manifest says/)
  })

  it("sections that are not those of the manifest are damage", () => {
    const check = (sections: ReadonlyArray<PlacedSection>, named = meta) =>
      checkValueTop({ meta: named, footer, sections, tagBytes })
    const sections = sectionsWith()
    check(sections)
    for (const given of [{ id: 4 }, { count: 3 }, { bytes: 51 }]) {
      assert.throws(() => check(sectionsWith(given)), FormatError, /is not the one that the manifest names/)
    }
    assert.throws(() => check(sections, { ...meta, sections: [meta.sections[0]!] }), FormatError, /section 6/)
    const third = { id: 9, count: 1, bytes: 1 }
    assert.throws(() => check(sections, { ...meta, sections: [...meta.sections, third] }), FormatError, /all of it/)
  })

  it("index blocks that hold no whole entries, none, more than fit or not all of the values are damage", () => {
    const check = (sections: ReadonlyArray<PlacedSection>) => checkValueTop({ meta, footer, sections, tagBytes })
    const entriesMax = valueIndexEntriesMax
    for (const length of [lengthOf(2) + 1, lengthOf(0), lengthOf(entriesMax + 1), lengthOf(-1)]) {
      assert.throws(() => check(sectionsWith({}, length)), FormatError, /an index block of/)
    }
    assert.throws(() => check(sectionsWith({}, lengthOf(1))), FormatError, /names 1 values/)
    assert.throws(() => check(sectionsWith({}, lengthOf(entriesMax))), FormatError, new RegExp(`${entriesMax} values`))
    assert.throws(() => check(sectionsWith({ blocks: [] })), FormatError, /names 0 values/)
  })

  it("an index that does not reach to the top is damage", () => {
    const { top } = footer
    const moved = { ...footer, top: { ...top, offset: top.offset + 1 } }
    assert.throws(
      () => checkValueTop({ meta, footer: moved, sections: sectionsWith(), tagBytes }),
      FormatError,
      /all of/
    )
  })
})
