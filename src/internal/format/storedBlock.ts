// A block (of entries, or any other section of a table, or a piece of a value file) as it stands in the file.
//
//   stored  := body  trailer  tag[tagBytes]
//   trailer := layout: u8  codec: u8  plainLength: u32
//
//   layout  1 entries (block.ts), 2 index (tableIndex.ts), 3 filter (filter.ts), 4 range removals, 5 properties (both
//           table.ts), 6 index top (indexTop.ts), 7 piece of a value, 8 value index, 9 top of a value file (all three
//           valueFile.ts), 10 value references (valueRefs.ts)
//   codec   what the body is decompressed with (codec.ts); 0: it is the plain bytes. Filters, value indexes, range
//           removals and value references are never compressed, nor is the top of a value file
//   tag     seals the body; associated data: fileTag: u32  offset: u64  trailer
//
// The offset of the block in its file is in what the tag covers: a block copied to another place does not open there.
// How long a stored block is says whoever points to it. The trailer is believed only when the tag is right, and
// `plainLength` is compared with the longest that its layout can be before room for it is made. What is sealed is the
// compressed body: compressing what is sealed would make nothing shorter.
import { readU32, writeU32, writeU64 } from "./bytes.ts"
import { type Codec, CodecId, compressed, decompressed } from "./codec.ts"
import { again, assert, FormatError, unsupported } from "./formatError.ts"
import { storedKeyBytesMax, valueBytesMax } from "./record.ts"
import { openPiece, type Sealer } from "./sealer.ts"
import { builtinCodecs } from "./zstd.ts"

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

const layoutMax = 10
const trailerBytes = 6
const associatedBytes = 12 + trailerBytes

/** The longest plain block: one entry of the largest key and value. */
export const blockPlainBytesMax = valueBytesMax + storedKeyBytesMax + 1024

/** The longest plain block of the layout. Checked before it is believed. */
export const plainBytesMaxOf = (layout: Layout): number =>
  layout === Layout.value ? 256 * 1024 : layout === Layout.valueIndex ? 4096 : blockPlainBytesMax

/** What is sealed: bytes that are plain, or give as many plain ones as it says. */
export interface Body {
  readonly bytes: Uint8Array
  /** Its id. */
  readonly codec: number
  readonly plainLength: number
}

/** A block as it stands in a file, or will. */
interface Place {
  readonly layout: Layout
  readonly fileTag: number
  /** Where the stored block stands in the file. */
  readonly offset: number
  readonly sealer: Sealer
}

// Sealers do not keep it.
const associated = new Uint8Array(associatedBytes)

const fillAssociated = (fileTag: number, offset: number): void => {
  writeU32(associated, 0, fileTag)
  writeU64(associated, 4, offset)
}

/** What sealing adds to the plain bytes. */
export const storedBlockExtra = (tagBytes: number): number => trailerBytes + tagBytes

/** The bytes as they are. */
export const plainBody = (plain: Uint8Array): Body => ({
  bytes: plain,
  codec: CodecId.none,
  plainLength: plain.length
})

/** The bytes compressed, if that makes them short enough. */
export const bodyOf = (plain: Uint8Array, codec: Codec | undefined): Body => {
  const bytes = codec === undefined ? undefined : compressed(codec, plain)
  return bytes === undefined ? plainBody(plain) : { bytes, codec: codec!.id, plainLength: plain.length }
}

/** What to write, in order; `tag` is the last of the chunks. The body must not change until it is written. */
export const sealBody = (
  block: Place & { readonly body: Body }
): { readonly chunks: ReadonlyArray<Uint8Array>; readonly length: number; readonly tag: Uint8Array } => {
  const { body: given, layout, sealer } = block
  const { bytes, codec, plainLength } = given
  assert(plainLength <= plainBytesMaxOf(layout), "a block is within its limit")
  const trailer = new Uint8Array(trailerBytes)
  trailer[0] = layout
  trailer[1] = codec
  writeU32(trailer, 2, plainLength)
  fillAssociated(block.fileTag, block.offset)
  associated.set(trailer, 12)
  const { body, tag } = sealer.seal(associated, bytes)
  return { chunks: [body, trailer, tag], length: bytes.length + storedBlockExtra(sealer.tagBytes), tag }
}

/** The same of plain bytes, compressed if there is a codec and that makes them short enough. */
export const sealBlock = (
  block: Place & { readonly plain: Uint8Array; readonly codec?: Codec | undefined }
): ReturnType<typeof sealBody> => {
  const { codec, fileTag, layout, offset, plain, sealer } = block
  return sealBody({ body: bodyOf(plain, codec), layout, fileTag, offset, sealer })
}

/**
 * Seals bytes[start, start + bodyLength) where they stand, with what follows them: for many small pieces, which would
 * otherwise be three chunks each. Returns the offset behind; the tag is what stands before it. By default the body is
 * the plain bytes.
 */
export const sealBlockInPlace = (
  block: Place & {
    readonly bytes: Uint8Array
    readonly start: number
    readonly bodyLength: number
    readonly codec?: number
    readonly plainLength?: number
  }
): number => {
  const { bodyLength, bytes, codec = CodecId.none, fileTag, layout, offset, sealer, start } = block
  const body = bytes.subarray(start, start + bodyLength)
  const plainLength = block.plainLength ?? bodyLength
  const { chunks } = sealBody({ body: { bytes: body, codec, plainLength }, layout, fileTag, offset, sealer })
  let at = start
  for (const chunk of chunks) {
    if (chunk !== body) bytes.set(chunk, at)
    at += chunk.length
  }
  return at
}

/** bytes[start, start + length): a stored block. */
type StoredAt = Place & { readonly bytes: Uint8Array; readonly start: number; readonly length: number }

/** Opens a stored block as far as its body, which is whole and believable. Throws `FormatError`. */
export const openBody = (block: StoredAt): Body => {
  const { bytes, layout, length, offset, sealer, start } = block
  const bodyLength = length - storedBlockExtra(sealer.tagBytes)
  if (bodyLength < 0 || length > bytes.length - start) throw new FormatError("a block is cut off", offset)
  const trailer = start + bodyLength
  fillAssociated(block.fileTag, offset)
  for (let index = 0; index < trailerBytes; index++) associated[12 + index] = bytes[trailer + index]
  const body = bytes.subarray(start, trailer)
  const tag = bytes.subarray(trailer + trailerBytes, start + length)
  const opened = openPiece(sealer, { what: "a block", associated, body, tag, offset })
  if (bytes[trailer] > layoutMax) throw unsupported(`a block has the unknown layout ${bytes[trailer]}`, offset)
  if (bytes[trailer] !== layout)
    throw new FormatError(`a block of layout ${bytes[trailer]} instead of ${layout}`, offset)
  const codec = bytes[trailer + 1]
  const plainLength = readU32(bytes, trailer + 2)
  const lengthMax = plainBytesMaxOf(layout)
  if (plainLength > lengthMax) {
    throw new FormatError(`a block says it has ${plainLength} bytes, and ${lengthMax} is the limit`, offset)
  }
  if (codec === CodecId.none && plainLength !== opened.length) {
    throw new FormatError(`a block says it has ${plainLength} bytes and has ${opened.length}`, offset)
  }
  return { bytes: opened, codec, plainLength }
}

/** The plain bytes of a body of the file at the offset. Throws `FormatError`. */
export const plainOf = (body: Body, { codecs = builtinCodecs }: Pick<Sealer, "codecs">, offset: number): Uint8Array =>
  body.codec === CodecId.none ? body.bytes : decompressed(codecs, body, offset)

/** Opens a stored block: its plain bytes. Throws `FormatError`. */
export const openBlock = (block: StoredAt): Uint8Array => plainOf(openBody(block), block.sealer, block.offset)

/** Runs a decoder over a block's plain bytes; a failure names the block's place in the file. */
export const decodingAt = <A>(offset: number, decode: () => A): A => {
  try {
    return decode()
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    throw again(error, `${error.message} (at ${error.offset} of the block)`, offset)
  }
}
