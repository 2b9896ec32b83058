// A value file: values that are too long for tables, each written once. Immutable.
//
//   valueFile  := fileHeader  value*  indexBlock*  top  footer
//   value      := piece+                      by section, in a section by index ascending, without gaps
//   piece      := storedLength: u32  storedBlock[storedLength] of layout 7
//   indexBlock := storedBlock of layout 8     by section; described in valueIndex.ts
//   top        := storedBlock of layout 9
//
//   the plain bytes of a value's pieces, joined, are
//     sequence: varint  keyLength: varint  storedKey[keyLength]  the value
//   cut every 256 KiB, so only the last piece is shorter, and each compressed by itself, or not. Sequence 0: written
//   before its commit had one
//
//   top        := sectionCount: varint  section{sectionCount}                    by id ascending
//   section    := id: varint  count: varint  bytes: varint  blockCount: varint  block{blockCount}
//   block      := firstIndex: varint  storedLength: varint                       firstIndex ascends
//
//   footer     := valuesBytes: u64  indexBytes: u32  topBytes: u32  sectionCount: u32  count: u64  bytes: u64
//                 tagsCrc: u32  fileBytes: u64  format: u16  tag[tagBytes]
//
// A section holds the values of one logical file, whose id handles name: a file as it is first written has one, with
// the file's own number. Where files are rewritten, values that nobody needs are left out and several sections may come
// into one file; what is kept keeps its id and index. `count` and `bytes` (of the values alone) are those of a section,
// and in the footer their sums.
//
// `tagsCrc` is the crc32 of the tags of all pieces, index blocks and the top, in order. The footer's tag has the first
// 92 bytes of the file header as associated data; its first four bytes are the manifest's `footerCrc`, which so pins
// the whole file. The first piece says whose value it is, and every piece's tag covers its file and its place: neither
// another value nor another version of the same one passes for it.
import { ByteReader, ByteWriter, readU32 } from "./bytes.ts"
import { associatedOfFile, fileHeaderBytes } from "./fileHeader.ts"
import { FormatError } from "./formatError.ts"
import { openPiece, type Sealer, tagBytesMax } from "./sealer.ts"
import { storedKeyBytesMax } from "./record.ts"
import { Layout, plainBytesMaxOf, storedBlockExtra } from "./storedBlock.ts"
import { varintBytes, varintBytesMax } from "./varint.ts"
import type { Section } from "./table.ts"
import type { ValueSection } from "./valueFileMeta.ts"

/** Of a piece that is not a value's last, in plain bytes. */
export const pieceBytes = plainBytesMaxOf(Layout.value)
/** Before each stored piece. */
export const pieceLengthBytes = 4

/** What stands before the key in a value's first piece: its sequence, and the length of the key. */
const headBytesMax = varintBytesMax + varintBytes(storedKeyBytesMax)
/** With its length and the longest tag. */
const pieceExtraMax = pieceLengthBytes + storedBlockExtra(tagBytesMax)

/** At most so long is a value with its key, both together this long, in a file. */
export const storedValueBytesMax = (plainBytes: number): number => {
  const bytes = headBytesMax + plainBytes
  return bytes + pieceExtraMax * Math.ceil(bytes / pieceBytes)
}

/** An index block in its file. */
export interface ValueBlock extends Section {
  readonly firstIndex: number
}

export interface PlacedSection extends ValueSection {
  readonly blocks: ReadonlyArray<ValueBlock>
}

/** The sections, with their index blocks. */
export const encodeValueTop = (sections: ReadonlyArray<PlacedSection>): Uint8Array => {
  const writer = new ByteWriter()
  writer.varint(sections.length)
  for (const { blocks, bytes, count, id } of sections) {
    writer.varint(id)
    writer.varint(count)
    writer.varint(bytes)
    writer.varint(blocks.length)
    for (const block of blocks) {
      writer.varint(block.firstIndex)
      writer.varint(block.bytes)
    }
  }
  return writer.finish()
}

/** Reads a top that fills the bytes; the index blocks stand from the offset on. Throws `FormatError`. */
export const decodeValueTop = (plain: Uint8Array, indexOffset: number): ReadonlyArray<PlacedSection> => {
  const reader = new ByteReader(plain)
  const sections: Array<PlacedSection> = []
  let offset = indexOffset
  for (let left = reader.varint(); left > 0; left--) {
    const { offset: at } = reader
    const section = { id: reader.varint(), count: reader.varint(), bytes: reader.varint() }
    const blocks: Array<ValueBlock> = []
    for (let blocksLeft = reader.varint(); blocksLeft > 0; blocksLeft--) {
      const block = { firstIndex: reader.varint(), offset, bytes: reader.varint() }
      if (blocks.length > 0 && block.firstIndex <= blocks[blocks.length - 1].firstIndex) {
        throw new FormatError("the index blocks of a value file are out of order", at)
      }
      blocks.push(block)
      offset += block.bytes
    }
    sections.push({ ...section, blocks })
  }
  reader.done()
  return sections
}

export interface ValueFooterFields {
  readonly valuesBytes: number
  readonly indexBytes: number
  readonly topBytes: number
  readonly sectionCount: number
  readonly count: number
  readonly bytes: number
  readonly tagsCrc: number
  readonly fileBytes: number
  readonly format: number
}

export interface ValueFooter extends ValueFooterFields {
  readonly index: Section
  readonly top: Section
  /** The first four bytes of the tag, as the manifest pins them. */
  readonly footerCrc: number
}

const footerPlainBytes = 50

/** The length of the footer, at the file's end. */
export const valueFooterBytes = (tagBytes: number): number => footerPlainBytes + tagBytes

/** What to write, and the first four bytes of its tag. */
export const encodeValueFooter = (
  footer: ValueFooterFields,
  file: { readonly fileHeader: Uint8Array; readonly sealer: Sealer }
): { readonly chunks: ReadonlyArray<Uint8Array>; readonly footerCrc: number } => {
  const writer = new ByteWriter(footerPlainBytes)
  writer.u64(footer.valuesBytes)
  writer.u32(footer.indexBytes)
  writer.u32(footer.topBytes)
  writer.u32(footer.sectionCount)
  writer.u64(footer.count)
  writer.u64(footer.bytes)
  writer.u32(footer.tagsCrc)
  writer.u64(footer.fileBytes)
  writer.u16(footer.format)
  const { body, tag } = file.sealer.seal(associatedOfFile(file.fileHeader), writer.finish())
  return { chunks: [body, tag], footerCrc: readU32(tag, 0) }
}

/** Reads the file's last `valueFooterBytes`. `fileBytes` is the file's true length. Throws `FormatError`. */
export const decodeValueFooter = (options: {
  readonly bytes: Uint8Array
  readonly fileBytes: number
  /** The file's first 96 bytes. */
  readonly fileHeader: Uint8Array
  readonly sealer: Sealer
}): ValueFooter => {
  const { bytes, fileBytes, fileHeader, sealer } = options
  const at = fileBytes - bytes.length
  if (bytes.length !== valueFooterBytes(sealer.tagBytes) || at < fileHeaderBytes) {
    throw new FormatError("a value file is cut off", Math.max(at, 0))
  }
  const tag = bytes.subarray(footerPlainBytes)
  const body = bytes.subarray(0, footerPlainBytes)
  const associated = associatedOfFile(fileHeader)
  const reader = new ByteReader(openPiece(sealer, { what: "the footer", associated, body, tag, offset: at }))
  const fields: ValueFooterFields = {
    valuesBytes: reader.u64(),
    indexBytes: reader.u32(),
    topBytes: reader.u32(),
    sectionCount: reader.u32(),
    count: reader.u64(),
    bytes: reader.u64(),
    tagsCrc: reader.u32(),
    fileBytes: reader.u64(),
    format: reader.u16()
  }
  reader.done()
  const index = { offset: fileHeaderBytes + fields.valuesBytes, bytes: fields.indexBytes }
  const top = { offset: index.offset + index.bytes, bytes: fields.topBytes }
  if (fields.fileBytes !== fileBytes || top.offset + top.bytes !== at) {
    throw new FormatError(`the footer is that of a file of ${fields.fileBytes} bytes, this one has ${fileBytes}`, at)
  }
  return { ...fields, index, top, footerCrc: readU32(tag, 0) }
}
