// A table: an immutable sorted file.
//
//   table      := fileHeader  block*  [filter]  (index | partition+  top)  [rangeRemovals]  [valueRefs]  properties
//                 footer
//   block, filter, index, partition, top, rangeRemovals, valueRefs, properties: each a stored block (storedBlock.ts) of
//   its layout, a partition of that of an index
//
//   footer     := blocksBytes: u64  filterBytes: u32  partitionsBytes: u32  indexBytes: u32  rangeRemovalsBytes: u32
//                 valueRefsBytes: u32  propertiesBytes: u32  blockCount: u32  blockTagsCrc: u32  entryCount: u64
//                 removeCount: u64  fileBytes: u64  format: u16  tag[tagBytes]
//
//   rangeRemovals := count: varint  removal{count}           by `from` ascending, then sequence descending
//   removal       := fromLength: varint  from  toLength: varint  to  sequence: varint
//
//   properties    := property*                               tags ascend
//   property      := tag: varint  length: varint  value      an unknown one is skipped: they inform, they do not decide
//
// Sections stand without gaps in this order, so the footer holds their stored lengths (0: there is none) and their sum
// is the file's. `indexBytes` is that of the top where there are partitions.
//
// `blockTagsCrc` is the crc32 of the tags of all entry blocks in order; `format` that of the file
// header. The footer's tag has the first 92 bytes of the file header as associated data; its first four bytes are the
// manifest's `footerCrc`. So the manifest pins the footer and, through it, the entry blocks; filter, index and
// properties rest on their own tags, which name the file and their place in it.
import { ByteReader, ByteWriter, readU32 } from "./bytes.ts"
import { associatedOfFile, fileHeaderBytes } from "./fileHeader.ts"
import { FormatError } from "./formatError.ts"
import { storedKeyBytesMax } from "./record.ts"
import { openPiece, type Sealer } from "./sealer.ts"

const footerPlainBytes = 66

export interface Section {
  readonly offset: number
  /** Stored; 0: there is no such section. */
  readonly bytes: number
}

export interface FooterFields {
  readonly blocksBytes: number
  readonly filterBytes: number
  readonly partitionsBytes: number
  readonly indexBytes: number
  readonly rangeRemovalsBytes: number
  readonly valueRefsBytes: number
  readonly propertiesBytes: number
  readonly blockCount: number
  readonly blockTagsCrc: number
  readonly entryCount: number
  readonly removeCount: number
  readonly fileBytes: number
  readonly format: number
}

export interface Footer extends FooterFields {
  readonly filter: Section
  readonly partitions: Section
  readonly index: Section
  readonly rangeRemovals: Section
  readonly valueRefs: Section
  readonly properties: Section
  /** The first four bytes of the tag, as the manifest pins them. */
  readonly footerCrc: number
}

/** The length of the footer, at the file's end. */
export const footerBytes = (tagBytes: number): number => footerPlainBytes + tagBytes

/** What to write, and the first four bytes of its tag. */
export const encodeFooter = (
  footer: FooterFields,
  file: { readonly fileHeader: Uint8Array; readonly sealer: Sealer }
): { readonly chunks: ReadonlyArray<Uint8Array>; readonly footerCrc: number } => {
  const writer = new ByteWriter(footerPlainBytes)
  writer.u64(footer.blocksBytes)
  writer.u32(footer.filterBytes)
  writer.u32(footer.partitionsBytes)
  writer.u32(footer.indexBytes)
  writer.u32(footer.rangeRemovalsBytes)
  writer.u32(footer.valueRefsBytes)
  writer.u32(footer.propertiesBytes)
  writer.u32(footer.blockCount)
  writer.u32(footer.blockTagsCrc)
  writer.u64(footer.entryCount)
  writer.u64(footer.removeCount)
  writer.u64(footer.fileBytes)
  writer.u16(footer.format)
  const { body, tag } = file.sealer.seal(associatedOfFile(file.fileHeader), writer.finish())
  return { chunks: [body, tag], footerCrc: readU32(tag, 0) }
}

/** Reads the file's last `footerBytes`. `fileBytes` is the file's true length. Throws `FormatError`. */
export const decodeFooter = (options: {
  readonly bytes: Uint8Array
  readonly fileBytes: number
  /** The file's first 96 bytes. */
  readonly fileHeader: Uint8Array
  readonly sealer: Sealer
}): Footer => {
  const { bytes, fileBytes, fileHeader, sealer } = options
  const at = fileBytes - bytes.length
  if (bytes.length !== footerBytes(sealer.tagBytes) || fileHeader.length !== fileHeaderBytes || at < fileHeaderBytes) {
    throw new FormatError("a table is cut off", Math.max(at, 0))
  }
  const tag = bytes.subarray(footerPlainBytes)
  const body = bytes.subarray(0, footerPlainBytes)
  const plain = openPiece(sealer, {
    what: "the footer",
    associated: associatedOfFile(fileHeader),
    body,
    tag,
    offset: at
  })
  const reader = new ByteReader(plain)
  const fields: FooterFields = {
    blocksBytes: reader.u64(),
    filterBytes: reader.u32(),
    partitionsBytes: reader.u32(),
    indexBytes: reader.u32(),
    rangeRemovalsBytes: reader.u32(),
    valueRefsBytes: reader.u32(),
    propertiesBytes: reader.u32(),
    blockCount: reader.u32(),
    blockTagsCrc: reader.u32(),
    entryCount: reader.u64(),
    removeCount: reader.u64(),
    fileBytes: reader.u64(),
    format: reader.u16()
  }
  reader.done()
  const filter = { offset: fileHeaderBytes + fields.blocksBytes, bytes: fields.filterBytes }
  const partitions = { offset: filter.offset + filter.bytes, bytes: fields.partitionsBytes }
  const index = { offset: partitions.offset + partitions.bytes, bytes: fields.indexBytes }
  const rangeRemovals = { offset: index.offset + index.bytes, bytes: fields.rangeRemovalsBytes }
  const valueRefs = { offset: rangeRemovals.offset + rangeRemovals.bytes, bytes: fields.valueRefsBytes }
  const properties = { offset: valueRefs.offset + valueRefs.bytes, bytes: fields.propertiesBytes }
  if (fields.fileBytes !== fileBytes || properties.offset + properties.bytes !== at) {
    throw new FormatError(`the footer is that of a file of ${fields.fileBytes} bytes, this one has ${fileBytes}`, at)
  }
  return { ...fields, filter, partitions, index, rangeRemovals, valueRefs, properties, footerCrc: readU32(tag, 0) }
}

/**
 * From `sequence` on, keys from `from` (inclusive) to `to` (exclusive) are gone, unless written at or after it. Stored
 * keys, in bytes of their own. With `from` at or above `to` it removes nothing.
 */
export interface RangeRemoval {
  readonly from: Uint8Array
  readonly to: Uint8Array
  readonly sequence: number
}

/**
 * What a removal's end counts as among a table's keys: the last key that it covers, if there is one. That is so where
 * the end is a key and a zero byte: no key is between the two. Tables that were cut there have no key in common.
 */
export const lastCovered = (to: Uint8Array): Uint8Array =>
  to.length > 0 && to[to.length - 1] === 0 ? to.subarray(0, to.length - 1) : to

/** The removals, in their section's order. */
export const encodeRangeRemovals = (removals: ReadonlyArray<RangeRemoval>): Uint8Array => {
  const writer = new ByteWriter()
  writer.varint(removals.length)
  for (const removal of removals) {
    writer.sized(removal.from)
    writer.sized(removal.to)
    writer.varint(removal.sequence)
  }
  return writer.finish()
}

export const decodeRangeRemovals = (plain: Uint8Array): Array<RangeRemoval> => {
  const reader = new ByteReader(plain)
  const count = reader.varint()
  const removals: Array<RangeRemoval> = []
  for (let index = 0; index < count; index++) {
    removals.push({
      from: reader.sized(storedKeyBytesMax),
      to: reader.sized(storedKeyBytesMax),
      sequence: reader.varint()
    })
  }
  reader.done()
  return removals
}

/** Part of the format. Never renumber, never reuse. */
const propertyTags = {
  entryCount: 1,
  removeCount: 2,
  rangeRemovalCount: 3,
  sequenceMin: 4,
  sequenceMax: 5,
  keyBytes: 6,
  valueBytes: 7,
  /** How many entries have an expiry, and the earliest. */
  expiringCount: 8,
  expiresAtMin: 9
} as const

/** What a table says about its contents. Zero where nothing is said. */
export type TableProperties = { readonly [K in keyof typeof propertyTags]: number }

const propertyNames = Object.keys(propertyTags) as ReadonlyArray<keyof TableProperties>

export const encodeProperties = (properties: TableProperties): Uint8Array => {
  const writer = new ByteWriter()
  const value = new ByteWriter(16)
  for (const name of propertyNames) {
    value.reset()
    value.varint(properties[name])
    writer.varint(propertyTags[name])
    writer.varint(value.offset)
    writer.range(value.bytes, 0, value.offset)
  }
  return writer.finish()
}

export const decodeProperties = (plain: Uint8Array): TableProperties => {
  const properties: Record<string, number> = Object.fromEntries(propertyNames.map((name) => [name, 0]))
  const reader = new ByteReader(plain)
  let previous = 0
  while (reader.remaining > 0) {
    const { offset } = reader
    const tag = reader.varint()
    const length = reader.varint()
    const start = reader.offset
    reader.skip(length)
    if (tag <= previous) throw new FormatError(`property ${tag} is out of order`, offset)
    previous = tag
    const name = propertyNames[tag - 1]
    if (name === undefined) continue
    const value = new ByteReader(plain, start, start + length)
    properties[name] = value.varint()
    value.done()
  }
  return properties as TableProperties
}
