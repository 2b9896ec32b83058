// A block (of entries, or any other section of a table, or a piece of a value file) as it stands in the file.
//
//   stored  := body  trailer  tag[tagBytes]
//   trailer := layout: u8  codec: u8  plainLength: u32
//
//   layout  1 entries (block.ts), 2 index (tableIndex.ts), 3 filter (filter.ts), 4 range removals, 5 properties (both
//           table.ts), 6 index top (indexTop.ts), 7 piece of a value, 8 value index, 9 top of a value file (all three
//           valueFile.ts), 10 value references (valueRefs.ts)
//   codec   0: the body is the plain bytes. No other yet.
//   tag     seals the body; associated data: fileTag: u32  offset: u64  trailer
//
// The offset of the block in its file is in what the tag covers: a block copied to another place does not open there.
// How long a stored block is says whoever points to it. The trailer is believed only when the tag is right.
import { readU32, writeU32, writeU64 } from "./bytes.ts"
import { again, assert, FormatError, unsupported } from "./formatError.ts"
import { storedKeyBytesMax, valueBytesMax } from "./record.ts"
import { openPiece, type Sealer } from "./sealer.ts"

/** Part of the format. Never renumber, never reuse. */
export const Layout = {
  entries: 1,
  index: 2,
  filter: 3,
  rangeRemovals: 4,
  properties: 5,
  indexTop: 6,
  value: 7,
  valueIndex: 8,
  valueTop: 9,
  valueRefs: 10
} as const
export type Layout = (typeof Layout)[keyof typeof Layout]
/** Part of the format. Never renumber, never reuse. */
export const Codec = { none: 0 } as const

const layoutMax = 10
const trailerBytes = 6
const associatedBytes = 12 + trailerBytes

/** The longest plain block: one entry of the largest key and value. Checked before it is believed. */
export const blockPlainBytesMax = valueBytesMax + storedKeyBytesMax + 1024

// Sealers do not keep it.
const associated = new Uint8Array(associatedBytes)

const fillAssociated = (fileTag: number, offset: number): void => {
  writeU32(associated, 0, fileTag)
  writeU64(associated, 4, offset)
}

/** What sealing adds to the plain bytes. */
export const storedBlockExtra = (tagBytes: number): number => trailerBytes + tagBytes

/** What to write, in order; `tag` is the last of the chunks. `plain` must not change until it is written. */
export const sealBlock = (block: {
  readonly plain: Uint8Array
  readonly layout: Layout
  readonly fileTag: number
  /** Where the stored block will stand in the file. */
  readonly offset: number
  readonly sealer: Sealer
}): { readonly chunks: ReadonlyArray<Uint8Array>; readonly length: number; readonly tag: Uint8Array } => {
  const { layout, plain, sealer } = block
  assert(plain.length <= blockPlainBytesMax, "a block is within its limit")
  const trailer = new Uint8Array(trailerBytes)
  trailer[0] = layout
  trailer[1] = Codec.none
  writeU32(trailer, 2, plain.length)
  fillAssociated(block.fileTag, block.offset)
  associated.set(trailer, 12)
  const { body, tag } = sealer.seal(associated, plain)
  return { chunks: [body, trailer, tag], length: plain.length + storedBlockExtra(sealer.tagBytes), tag }
}

/**
 * Seals bytes[start, start + plainLength) where they stand, with what follows them: for many small pieces, which would
 * otherwise be three chunks each. Returns the offset behind; the tag is what stands before it.
 */
export const sealBlockInPlace = (block: {
  readonly bytes: Uint8Array
  readonly start: number
  readonly plainLength: number
  readonly layout: Layout
  readonly fileTag: number
  readonly offset: number
  readonly sealer: Sealer
}): number => {
  const { bytes, plainLength, start } = block
  const plain = bytes.subarray(start, start + plainLength)
  const { chunks } = sealBlock({ ...block, plain })
  let at = start
  for (const chunk of chunks) {
    if (chunk !== plain) bytes.set(chunk, at)
    at += chunk.length
  }
  return at
}

/** Opens bytes[start, start + length): a stored block that stands at the offset of the file. Throws `FormatError`. */
export const openBlock = (block: {
  readonly bytes: Uint8Array
  readonly start: number
  readonly length: number
  readonly layout: Layout
  readonly fileTag: number
  readonly offset: number
  readonly sealer: Sealer
}): Uint8Array => {
  const { bytes, layout, length, offset, sealer, start } = block
  const bodyLength = length - storedBlockExtra(sealer.tagBytes)
  if (bodyLength < 0 || length > bytes.length - start) throw new FormatError("a block is cut off", offset)
  const trailer = start + bodyLength
  fillAssociated(block.fileTag, offset)
  for (let index = 0; index < trailerBytes; index++) associated[12 + index] = bytes[trailer + index]
  const body = bytes.subarray(start, trailer)
  const tag = bytes.subarray(trailer + trailerBytes, start + length)
  const plain = openPiece(sealer, { what: "a block", associated, body, tag, offset })
  if (bytes[trailer] > layoutMax) throw unsupported(`a block has the unknown layout ${bytes[trailer]}`, offset)
  if (bytes[trailer + 1] !== Codec.none)
    throw unsupported(`a block has the unknown codec ${bytes[trailer + 1]}`, offset)
  if (bytes[trailer] !== layout)
    throw new FormatError(`a block of layout ${bytes[trailer]} instead of ${layout}`, offset)
  const plainLength = readU32(bytes, trailer + 2)
  if (plainLength > blockPlainBytesMax || plainLength !== plain.length) {
    throw new FormatError(`a block says it has ${plainLength} bytes and has ${plain.length}`, offset)
  }
  return plain
}

/** Runs a decoder over a block's plain bytes; a failure names the block's place in the file. */
export const decodingAt = <A>(offset: number, decode: () => A): A => {
  try {
    return decode()
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    throw again(error, `${error.message} (at ${error.offset} of the block)`, offset)
  }
}
