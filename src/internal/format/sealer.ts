// How pieces of a file (frames, blocks, footers) are sealed: a body as long as the plain bytes, and a tag.
//
// Without encryption the body is the plain bytes and the tag is their checksum behind that of the associated data:
//
//   tag := crc32(associated ++ body): u32
//
// `services/Encryption.ts` has the same shape for its users; it is declared again as formats import no services.
import { concatBytes, readU32, writeU32 } from "./bytes.ts"
import type { Codecs } from "./codec.ts"
import { crc32, crc32Range } from "./checksum.ts"
import type { FileHeader } from "./fileHeader.ts"
import { again, FormatError } from "./formatError.ts"

/** Which seal a file has: 4 is a checksum; 20 a tag of 16 bytes with the low four of its nonce's counter. */
export type TagBytes = 4 | 20
export const tagBytesMax = 20

export interface Sealed {
  readonly body: ReadonlyArray<Uint8Array>
  readonly tag: Uint8Array
}

/**
 * Seals the pieces of one file. `open` returns what `seal` was given, or throws `FormatError`. Neither keeps its
 * arguments: `associated` is reused by its owner.
 */
export interface Sealer {
  readonly tagBytes: TagBytes
  readonly keyGeneration: number
  /** What the bodies of blocks were compressed with, and can be. By default the built-in ones. */
  readonly codecs?: Codecs | undefined
  readonly seal: (associated: Uint8Array, plain: Uint8Array) => { readonly body: Uint8Array; readonly tag: Uint8Array }
  readonly open: (associated: Uint8Array, body: Uint8Array, tag: Uint8Array) => Uint8Array
  /** `seal` of the chunks' concatenation, for a sealer that need not copy them. */
  readonly sealChunks?: (associated: Uint8Array, chunks: ReadonlyArray<Uint8Array>) => Sealed
  /**
   * Whether bytes[start, end), the associated data directly followed by the body, are what the tag behind them seals;
   * for a sealer whose bodies are plain. Spares readers of many small pieces three views for each.
   */
  readonly matchesInPlace?: (bytes: Uint8Array, start: number, end: number) => boolean
}

/** Gives the sealer for the file with this header, or throws `FormatError`. */
export type SealerFor = (header: FileHeader) => Sealer

const crcTag = (crc: number): Uint8Array => {
  const tag = new Uint8Array(4)
  writeU32(tag, 0, crc)
  return tag
}

/** No encryption: finds accidents only. */
export const checksumSealer: Sealer = {
  tagBytes: 4,
  keyGeneration: 0,
  seal: (associated, plain) => ({ body: plain, tag: crcTag(crc32(plain, crc32(associated))) }),
  open: (associated, body, tag) => {
    if (tag.length !== 4 || readU32(tag, 0) !== crc32(body, crc32(associated))) {
      throw new FormatError("the checksum does not match", 0)
    }
    return body
  },
  sealChunks: (associated, chunks) => {
    let crc = crc32(associated)
    for (const chunk of chunks) crc = crc32(chunk, crc)
    return { body: chunks, tag: crcTag(crc) }
  },
  matchesInPlace: (bytes, start, end) => readU32(bytes, end) === crc32Range(bytes, start, end)
}

const sealsNothing = (): never => {
  throw new Error("a sealer made for opening seals nothing")
}

/** The same for a file that was made before. */
export const checksumOpener: Sealer = { ...checksumSealer, seal: sealsNothing, sealChunks: sealsNothing }

/** The same sealer, with codecs. */
export const withCodecs = (sealer: Sealer, codecs: Codecs): Sealer => {
  const { keyGeneration, matchesInPlace, sealChunks: chunked, tagBytes } = sealer
  return {
    tagBytes,
    keyGeneration,
    codecs,
    seal: (associated, plain) => sealer.seal(associated, plain),
    open: (associated, body, tag) => sealer.open(associated, body, tag),
    ...(chunked === undefined ? {} : { sealChunks: chunked.bind(sealer) }),
    ...(matchesInPlace === undefined ? {} : { matchesInPlace: matchesInPlace.bind(sealer) })
  }
}

/** Seals the chunks as one piece, copying them only if the sealer must. */
export const sealChunks = (sealer: Sealer, associated: Uint8Array, chunks: ReadonlyArray<Uint8Array>): Sealed => {
  if (sealer.sealChunks !== undefined) return sealer.sealChunks(associated, chunks)
  const { body, tag } = sealer.seal(associated, concatBytes(chunks))
  return { body: [body], tag }
}

/** Opens a piece; a failure names the place in the file. */
export const openPiece = (
  sealer: Sealer,
  piece: {
    readonly what: string
    readonly associated: Uint8Array
    readonly body: Uint8Array
    readonly tag: Uint8Array
    /** Where the piece stands in the file. */
    readonly offset: number
  }
): Uint8Array => {
  try {
    return sealer.open(piece.associated, piece.body, piece.tag)
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    throw again(error, `${piece.what}: ${error.message}`, piece.offset)
  }
}

/** What is wrong with a file that is not sealed as it should be. Where all is encrypted, somebody has put it there. */
export const otherSeal = (header: FileHeader, due: TagBytes): FormatError => {
  const message = `the file is sealed with ${header.tagBytes}-byte tags, key ${header.keyGeneration}`
  return new FormatError(message, 11, { tampered: due !== 4 })
}

/** The sealer for the header, which must have the tags that the header announces. */
export const sealerOf = (header: FileHeader, sealerFor: SealerFor): Sealer => {
  const sealer = sealerFor(header)
  if (sealer.tagBytes !== header.tagBytes || sealer.keyGeneration !== header.keyGeneration) {
    throw otherSeal(header, sealer.tagBytes)
  }
  return sealer
}
