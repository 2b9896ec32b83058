// The frames of a log segment, and their writer.
//
//   segment := fileHeader  LINK  (group | SYNCMARK)*  [SEALED]
//   group   := FULL | FIRST MIDDLE* LAST                          the payloads together are commit* (commit.ts)
//   frame   := headerCrc: u32  length: u32  kind: u8  flags: u8  keyGeneration: u16  lsn: u64  syncedLsn: u64
//              fileTag: u32  previousChain: u32  body[length]  tag[tagBytes]
//   LINK's payload := previousSegment: u64  finalLsn: u64  finalChain: u32
//
//   headerCrc      crc32 of the 32 header bytes behind it, so that the length can be trusted before it is used
//   length         of the body, at most `framePayloadMax`
//   flags          0
//   lsn            one more than the frame before it, across segments
//   syncedLsn      a promise: everything up to it was durable before this frame was written; below `lsn`
//   fileTag        the first bytes of the file's random id: a frame of another file never matches
//   previousChain  the chain of the frame before it; of a LINK, the crc of the file header
//   tag            seals the body; associated data: the 36 header bytes, of a LINK behind the file header's first 92
//   chain          crc32(tag ++ header). Tag first: crc32(x ++ crc32(x)) is the same number for every x
//
// A LINK says where the segment goes on: after which segment (0: the first of an epoch), its last LSN and chain.
import { ByteReader, copyBytes, readU16, readU32, readU64, writeU16, writeU32, writeU64 } from "./bytes.ts"
import { crc32, crc32Range } from "./checksum.ts"
import {
  associatedFileBytes,
  associatedOfFile,
  crcOfHeader,
  encodeFileHeader,
  type FileHeader,
  fileTagOf
} from "./fileHeader.ts"
import { assert, FormatError } from "./formatError.ts"
import { sealChunks, type Sealer } from "./sealer.ts"

/** Part of the format. Never renumber, never reuse. */
export const FrameKind = { full: 1, first: 2, middle: 3, last: 4, sealed: 5, syncMark: 6, link: 7 } as const
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind]

export const frameHeaderBytes = 36
/** Longer groups are cut into a chain of frames. */
export const framePayloadMax = 1024 * 1024
/** Where the fileTag stands in a frame: what a search for frames looks for. */
export const frameTagOffset = 28

/** What a segment's first frame says about the segment before it. */
export interface Link {
  /** 0: there is none, this is the first segment of an epoch. */
  readonly previousSegment: number
  readonly finalLsn: number
  readonly finalChain: number
}

/** How far a log goes: its last frame's number and chain. */
export interface LogPosition {
  readonly lsn: number
  readonly chain: number
}

const linkBytes = 20
const nothing: ReadonlyArray<Uint8Array> = []

const encodeLink = (link: Link): Uint8Array => {
  const bytes = new Uint8Array(linkBytes)
  writeU64(bytes, 0, link.previousSegment)
  writeU64(bytes, 8, link.finalLsn)
  writeU32(bytes, 16, link.finalChain)
  return bytes
}

export const decodeLink = (payload: Uint8Array): Link => {
  const reader = new ByteReader(payload)
  const link = { previousSegment: reader.u64(), finalLsn: reader.u64(), finalChain: reader.u32() }
  reader.done()
  return link
}

// What a frame's tag covers beside its body.
const associatedOfFrame = (kind: number, header: Uint8Array, fileHeader: Uint8Array): Uint8Array => {
  if (kind !== FrameKind.link) return header
  const associated = new Uint8Array(associatedFileBytes + frameHeaderBytes)
  associated.set(associatedOfFile(fileHeader))
  associated.set(header, associatedFileBytes)
  return associated
}

/** Makes the bytes of one segment, which its owner appends in this order. No frame is made twice. */
export class FrameWriter {
  /** The segment's first bytes. */
  readonly fileHeader: Uint8Array
  /** Of the last frame made. An owner that abandons a group goes on from the position before it, in another segment. */
  lsn: number
  chain: number
  private readonly sealer: Sealer
  private readonly fileTag: number

  /** `lsn`: the last LSN before this segment. */
  constructor(options: { readonly header: FileHeader; readonly sealer: Sealer; readonly lsn: number }) {
    const { header, sealer } = options
    assert(sealer.tagBytes === header.tagBytes, "the header announces the sealer's tags")
    assert(sealer.keyGeneration === header.keyGeneration, "the header announces the sealer's key")
    assert(sealer.keyGeneration <= 0xffff, "a log's key generation has 16 bits")
    this.fileHeader = encodeFileHeader(header)
    this.lsn = options.lsn
    this.chain = crcOfHeader(this.fileHeader)
    this.sealer = sealer
    this.fileTag = fileTagOf(header.fileId)
  }

  /** Of the data key that the frames are sealed with. */
  get keyGeneration(): number {
    return this.sealer.keyGeneration
  }

  position(): LogPosition {
    return { lsn: this.lsn, chain: this.chain }
  }

  /** The segment's first frame. `previousSegment` 0, with any chain, for the first segment of an epoch. */
  link(link: Link): Array<Uint8Array> {
    assert(link.finalLsn === this.lsn, "a segment goes on where the one before it ended")
    return this.frame({ kind: FrameKind.link, syncedLsn: link.finalLsn, chunks: [encodeLink(link)] })
  }

  /** A whole group of commits. The chunks must not change until the result is written. */
  group(chunks: ReadonlyArray<Uint8Array>, syncedLsn: number): Array<Uint8Array> {
    let length = 0
    for (const chunk of chunks) length += chunk.length
    if (length <= framePayloadMax) return this.frame({ kind: FrameKind.full, syncedLsn, chunks })
    return this.chainOfFrames(cut(chunks), syncedLsn)
  }

  /**
   * The frame of the group source[start, end), which must fit into one, as the first bytes of the target; returns how
   * many. What `group` makes of it, in one piece: without encryption nothing is allocated.
   */
  groupInto(
    target: Uint8Array,
    group: { readonly bytes: Uint8Array; readonly start: number; readonly end: number; readonly syncedLsn: number }
  ): number {
    const { bytes, end, start, syncedLsn } = group
    const bodyEnd = frameHeaderBytes + end - start
    this.header(target, { kind: FrameKind.full, length: end - start, syncedLsn })
    if (this.sealer.tagBytes !== 4) {
      const sealed = this.sealer.seal(target.subarray(0, frameHeaderBytes), bytes.subarray(start, end))
      target.set(sealed.body, frameHeaderBytes)
      target.set(sealed.tag, bodyEnd)
    } else {
      copyBytes(target, frameHeaderBytes, bytes, start, end)
      writeU32(target, bodyEnd, crc32Range(target, 0, bodyEnd))
    }
    const tagEnd = bodyEnd + this.sealer.tagBytes
    this.lsn += 1
    this.chain = crc32Range(target, 0, frameHeaderBytes, crc32Range(target, bodyEnd, tagEnd))
    return tagEnd
  }

  sealed(syncedLsn: number): Array<Uint8Array> {
    return this.frame({ kind: FrameKind.sealed, syncedLsn, chunks: nothing })
  }

  syncMark(syncedLsn: number): Array<Uint8Array> {
    return this.frame({ kind: FrameKind.syncMark, syncedLsn, chunks: nothing })
  }

  /** One frame: what to append, in order. */
  frame(frame: {
    readonly kind: FrameKind
    readonly syncedLsn: number
    readonly chunks: ReadonlyArray<Uint8Array>
  }): Array<Uint8Array> {
    const { chunks, kind, syncedLsn } = frame
    let length = 0
    for (const chunk of chunks) length += chunk.length
    const header = new Uint8Array(frameHeaderBytes)
    this.header(header, { kind, length, syncedLsn })
    const { body, tag } = sealChunks(this.sealer, associatedOfFrame(kind, header, this.fileHeader), chunks)
    this.lsn += 1
    this.chain = crc32(header, crc32(tag))
    return [header, ...body, tag]
  }

  /** Of the next frame, as the first bytes of the target. */
  private header(
    target: Uint8Array,
    frame: { readonly kind: FrameKind; readonly length: number; readonly syncedLsn: number }
  ): void {
    const { kind, length, syncedLsn } = frame
    const lsn = this.lsn + 1
    assert(syncedLsn < lsn, "a frame promises only what was before it")
    assert(length <= framePayloadMax, "a frame is within its limit")
    writeU32(target, 4, length)
    target[8] = kind
    target[9] = 0
    writeU16(target, 10, this.sealer.keyGeneration)
    writeU64(target, 12, lsn)
    writeU64(target, 20, syncedLsn)
    writeU32(target, frameTagOffset, this.fileTag)
    writeU32(target, 32, this.chain)
    writeU32(target, 0, crc32Range(target, 4, frameHeaderBytes))
  }

  private chainOfFrames(payloads: ReadonlyArray<ReadonlyArray<Uint8Array>>, syncedLsn: number): Array<Uint8Array> {
    const last = payloads.length - 1
    return payloads.flatMap((chunks, index) => {
      const kind = index === 0 ? FrameKind.first : index === last ? FrameKind.last : FrameKind.middle
      return this.frame({ kind, syncedLsn, chunks })
    })
  }
}

// Views of the chunks, in payloads of `framePayloadMax` bytes; the last may be shorter.
const cut = (chunks: ReadonlyArray<Uint8Array>): Array<Array<Uint8Array>> => {
  const payloads: Array<Array<Uint8Array>> = []
  let room = 0
  for (const chunk of chunks) {
    for (let start = 0; start < chunk.length;) {
      if (room === 0) {
        payloads.push([])
        room = framePayloadMax
      }
      const end = Math.min(chunk.length, start + room)
      payloads[payloads.length - 1].push(chunk.subarray(start, end))
      room -= end - start
      start = end
    }
  }
  return payloads
}

/** A frame's header fields. Reused from frame to frame. */
export class FrameView {
  offset = 0
  kind = 0
  flags = 0
  keyGeneration = 0
  lsn = 0
  syncedLsn = 0
  previousChain = 0
  bodyStart = 0
  length = 0
  /** The offset behind the frame. */
  end = 0
}

/** The part of a scan that tells a frame of its file from other bytes. */
export interface FrameContext {
  readonly bytes: Uint8Array
  readonly fileTag: number
  readonly tagBytes: number
}

/**
 * Reads the header at the offset. The result is why there is no frame of this file; `undefined` if there is one, as far
 * as its header tells: the body is not checked yet. Never throws: it is tried at many offsets.
 */
export const readFrameHeader = (context: FrameContext, offset: number, into: FrameView): string | undefined => {
  const { bytes } = context
  const left = bytes.length - offset
  if (left < frameHeaderBytes + context.tagBytes) return "a frame is cut off"
  if (readU32(bytes, offset + frameTagOffset) !== context.fileTag) return "no frame of this file begins here"
  if (crc32Range(bytes, offset + 4, offset + frameHeaderBytes) !== readU32(bytes, offset)) {
    return "a frame header's checksum does not match"
  }
  const length = readU32(bytes, offset + 4)
  if (length > framePayloadMax) return "a frame is longer than allowed"
  if (length > left - frameHeaderBytes - context.tagBytes) return "a frame is cut off"
  if (readU32(bytes, offset + 16) > 0x1fffff || readU32(bytes, offset + 24) > 0x1fffff) return "an LSN is too large"
  into.offset = offset
  into.kind = bytes[offset + 8]
  into.flags = bytes[offset + 9]
  into.keyGeneration = readU16(bytes, offset + 10)
  into.lsn = readU64(bytes, offset + 12)
  into.syncedLsn = readU64(bytes, offset + 20)
  into.previousChain = readU32(bytes, offset + 32)
  into.bodyStart = offset + frameHeaderBytes
  into.length = length
  into.end = into.bodyStart + length + context.tagBytes
  return undefined
}

/** An opened frame: its payload is bytes[start, end). */
export interface OpenedFrame {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  readonly chain: number
}

/** Opens the body of the frame that the view describes; `undefined` if the tag does not match. */
export const openFrame = (
  context: FrameContext & { readonly sealer: Sealer; readonly fileHeader: Uint8Array },
  view: FrameView
): OpenedFrame | undefined => {
  const { bytes, sealer } = context
  const { bodyStart, offset } = view
  const bodyEnd = bodyStart + view.length
  const chain = crc32Range(bytes, offset, bodyStart, crc32Range(bytes, bodyEnd, view.end))
  if (view.kind !== FrameKind.link && sealer.matchesInPlace !== undefined) {
    return sealer.matchesInPlace(bytes, offset, bodyEnd) ? { bytes, start: bodyStart, end: bodyEnd, chain } : undefined
  }
  const associated = associatedOfFrame(view.kind, bytes.subarray(offset, bodyStart), context.fileHeader)
  try {
    const plain = sealer.open(associated, bytes.subarray(bodyStart, bodyEnd), bytes.subarray(bodyEnd, view.end))
    return plain.length === view.length ? { bytes: plain, start: 0, end: plain.length, chain } : undefined
  } catch (error) {
    if (error instanceof FormatError) return undefined
    throw error
  }
}
