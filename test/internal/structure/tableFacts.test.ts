import { assert, describe, it } from "@effect/vitest"
import { encodeFileHeader, fileHeaderBytes, FileKind } from "../../../src/internal/format/fileHeader.ts"
import { FormatError } from "../../../src/internal/format/formatError.ts"
import { checksumSealer } from "../../../src/internal/format/sealer.ts"
import { storedBlockExtra } from "../../../src/internal/format/storedBlock.ts"
import { decodeFooter, encodeFooter, footerBytes, type FooterFields } from "../../../src/internal/format/table.ts"
import { TableIndex, TableIndexBuilder } from "../../../src/internal/format/tableIndex.ts"
import {
  checkFooter,
  checkHeader,
  checkIndex,
  checkRangeRemovals,
  checkValueRefs,
  footerOffset
} from "../../../src/internal/structure/tableFacts.ts"
import { concatBytes } from "../../../src/internal/format/bytes.ts"
import { failure, testHeader, utf8 } from "../format/support.ts"
import { tableMeta } from "../../support/fileSession.ts"

describe("tableFacts", () => {
  it("a table without room for its footer is cut off", () => {
    const of = (bytes: number) => footerOffset({ ...tableMeta(1), bytes }, 66)
    assert.strictEqual(of(fileHeaderBytes + 66), fileHeaderBytes)
    for (const bytes of [fileHeaderBytes + 65, 66, 0]) assert.throws(() => of(bytes), FormatError, /cut off/)
  })

  const header = testHeader({ kind: FileKind.table })
  const fields: FooterFields = {
    blocksBytes: 100,
    filterBytes: 0,
    partitionsBytes: 0,
    indexBytes: 30,
    rangeRemovalsBytes: 0,
    valueRefsBytes: 0,
    propertiesBytes: 40,
    blockCount: 1,
    blockTagsCrc: 0,
    entryCount: 2,
    removeCount: 1,
    fileBytes: fileHeaderBytes + 100 + 30 + 40 + footerBytes(4),
    format: header.format
  }
  const footerOf = (given: Partial<FooterFields>) => {
    const fileHeader = encodeFileHeader(header)
    const { chunks } = encodeFooter({ ...fields, ...given }, { fileHeader, sealer: checksumSealer })
    const { fileBytes } = fields
    const footer = decodeFooter({ bytes: concatBytes(chunks), fileBytes, fileHeader, sealer: checksumSealer })
    return { footer, meta: { ...tableMeta(1), rangeRemovalCount: 0, footerCrc: footer.footerCrc } }
  }

  it("a header of another key than the manifest's is damage, and where all is encrypted somebody's work", () => {
    const meta = { ...tableMeta(1), number: header.fileNumber, fileId: header.fileId, epoch: header.epoch }
    const check = (keyGeneration: number, named: number) => () =>
      checkHeader({ ...meta, keyGeneration: named }, { ...header, keyGeneration }, header.databaseId)
    check(0, 0)()
    check(2, 2)()
    assert.isFalse(failure(check(1, 0)).tampered)
    assert.isTrue(failure(check(1, 2)).tampered)
    assert.isTrue(failure(check(0, 2)).tampered)
  })

  it("a footer of another format than its file's is damage", () => {
    const same = footerOf({})
    checkFooter(same.meta, header, same.footer)
    const other = footerOf({ format: header.format + 1 })
    assert.throws(() => checkFooter(other.meta, header, other.footer), FormatError, /format/)
  })

  it("references to values that are not those of the manifest are damage", () => {
    const refs = (file: number, bytes: number, ...indexes: ReadonlyArray<number>) => ({
      file,
      bytes,
      indexes: Uint32Array.from(indexes)
    })
    const { footer, meta } = footerOf({})
    const valueRefs = [
      { file: 3, count: 2, bytes: 50 },
      { file: 4, count: 1, bytes: 6 }
    ]
    assert.throws(() => checkFooter({ ...meta, valueRefs }, header, footer), FormatError, /values of 2 files/)
    const check = (...found: ReadonlyArray<ReturnType<typeof refs>>) =>
      checkValueRefs({ ...meta, valueRefs }, footer, found)
    check(refs(3, 50, 1, 9), refs(4, 6, 0))
    assert.throws(() => check(refs(3, 50, 1, 9)), FormatError, /of 1 files/)
    assert.throws(() => check(refs(3, 50, 1), refs(4, 6, 0)), FormatError, /1 references to values of file 3/)
    assert.throws(() => check(refs(3, 51, 1, 9), refs(4, 6, 0)), FormatError, /file 3/)
    assert.throws(() => check(refs(3, 50, 1, 9), refs(5, 6, 0)), FormatError, /file 5/)
    assert.throws(() => check(refs(3, 50, 1, 9), refs(4, 6, 0), refs(5, 6, 0)), FormatError, /file 5/)
  })

  it("range removals that are not those of the manifest are damage", () => {
    const { footer, meta } = footerOf({})
    assert.throws(() => checkFooter({ ...meta, rangeRemovalCount: 1 }, header, footer), FormatError, /1 range removals/)
    const removal = (from: string, to: string, sequence: number) => ({ from: utf8(from), to: utf8(to), sequence })
    const check = (...removals: ReadonlyArray<ReturnType<typeof removal>>) =>
      checkRangeRemovals({ ...meta, rangeRemovalCount: 2 }, footer, removals)
    check(removal("a", "c", 2), removal("a", "z", 1))
    check(removal("a", "c", 2), removal("b", "z\u0000", 2))
    assert.throws(() => check(removal("a", "c", 2)), FormatError, /the manifest says 2/)
    assert.throws(() => check(removal("a", "c", 1), removal("a", "z", 2)), FormatError, /out of order/)
    assert.throws(() => check(removal("b", "c", 2), removal("a", "z", 2)), FormatError, /out of order/)
    assert.throws(() => check(removal("a", "c", 2), removal("c", "b", 2)), FormatError, /reversed/)
    assert.throws(() => check(removal("A", "c", 2), removal("b", "c", 2)), FormatError, /beyond the keys/)
    assert.throws(() => check(removal("a", "c", 2), removal("b", "za", 2)), FormatError, /beyond the keys/)
    assert.throws(() => check(removal("a", "c", 2), removal("b", "c", 3)), FormatError, /sequence 3/)
  })

  it("an index of more or fewer blocks than the footer says, or of none, is damage", () => {
    const builder = new TableIndexBuilder()
    for (const key of ["a", "z"]) builder.add(100, utf8(key), 0, 1)
    const index = TableIndex.open(builder.finish(), 200)
    const of = (blockCount: number) => {
      const { footer, meta } = footerOf({ blockCount })
      return () => checkIndex(meta, footer, index)
    }
    of(2)()
    for (const blockCount of [1, 3]) assert.throws(of(blockCount), FormatError, /an index of 2 blocks/)
    const { footer, meta } = footerOf({ blockCount: 0 })
    const none = TableIndex.open(new TableIndexBuilder().finish(), 0)
    assert.throws(() => checkIndex(meta, footer, none), FormatError, /an index of 0 blocks/)
  })

  it("a block without room for its fixed parts is damage", () => {
    const of = (length: number) => {
      const builder = new TableIndexBuilder()
      builder.add(length, new Uint8Array([0x7a]), 0, 1)
      const { footer, meta } = footerOf({})
      return () => checkIndex(meta, footer, TableIndex.open(builder.finish(), length))
    }
    of(storedBlockExtra(0) + 1)()
    assert.throws(of(storedBlockExtra(0)), FormatError, /block of/)
  })
})
