// Builds a value file's bytes (valueFile.ts) from values that come by section and index. It writes nothing: its owner
// appends the chunks it takes, in order, and nothing else, to a new file. It keeps what it is given only as long as it
// has not returned: values are copied.
import { crc32 } from "./checksum.ts"
import { type Codec, CodecId, compressed } from "./codec.ts"
import { ByteWriter, writeU32 } from "./bytes.ts"
import { encodeFileHeader, type FileHeader, fileHeaderBytes, FileKind, fileTagOf } from "./fileHeader.ts"
import { assert } from "./formatError.ts"
import { storedKeyBytesMax, valueBytesMax } from "./record.ts"
import { type Sealer, tagBytesMax } from "./sealer.ts"
import { type Body, Layout, sealBlock, sealBlockInPlace, storedBlockExtra } from "./storedBlock.ts"
import {
  encodeValueFooter,
  encodeValueTop,
  pieceBytes,
  pieceLengthBytes,
  type PlacedSection,
  type ValueBlock,
  valueFooterBytes
} from "./valueFile.ts"
import type { ValueFileMeta } from "./valueFileMeta.ts"
import { ValueIndexBuilder } from "./valueIndex.ts"
import { varintBytes } from "./varint.ts"

/** Whose value it is. An `EntryView` is one. */
export interface ValueOwner {
  readonly bytes: Uint8Array
  readonly keyStart: number
  readonly keyEnd: number
  /** 0 while the commit has none yet. */
  readonly sequence: number
}

interface OpenSection {
  readonly id: number
  readonly index: ValueIndexBuilder
  bytes: number
}

interface OpenValue {
  readonly index: number
  readonly offset: number
  length: number
}

export class ValueFileBuilder {
  private readonly header: FileHeader
  private readonly fileHeader: Uint8Array
  private readonly fileTag: number
  private readonly sealer: Sealer
  private readonly codec: Codec | undefined
  private readonly sections: Array<OpenSection> = []
  private chunks: Array<Uint8Array> = []
  private offset = fileHeaderBytes
  private tagsCrc = 0
  private value: OpenValue | undefined
  // The piece that is not full: room for its length, then its plain bytes.
  private piece: Uint8Array = emptyPiece
  private filled = 0
  private readonly spare: Array<Uint8Array>

  /** `spare`: memory for pieces that may be filled, shared with other builders. */
  constructor(options: {
    readonly header: FileHeader
    readonly sealer: Sealer
    /** Of the pieces of values that are added; `undefined`: none. */
    readonly codec?: Codec | undefined
    readonly spare?: Array<Uint8Array> | undefined
  }) {
    const { header, sealer } = options
    this.codec = options.codec
    this.spare = options.spare ?? []
    assert(header.kind === FileKind.valueFile && header.tagBytes === sealer.tagBytes, "a value file has its header")
    this.header = header
    this.fileHeader = encodeFileHeader(header)
    this.fileTag = fileTagOf(header.fileId)
    this.sealer = sealer
    this.chunks.push(this.fileHeader)
  }

  /** The bytes of the file so far, with the piece that is not full. */
  get bytes(): number {
    return this.offset + this.filled
  }

  /** The bytes of the file so far that were taken or can be. */
  get sealedBytes(): number {
    return this.offset
  }

  /** Values so far. */
  get count(): number {
    return this.sections.reduce((sum, { index }) => sum + index.count, 0)
  }

  get sectionCount(): number {
    return this.sections.length
  }

  /** The values that follow are of the logical file. Ids ascend. A section that gets no value is left out. */
  beginSection(id: number): void {
    const last = this.sections.at(-1)
    assert(this.value === undefined && (last === undefined || last.id < id), "sections follow each other by id")
    if (last !== undefined && last.index.count === 0) this.sections.pop()
    this.sections.push({ id, index: new ValueIndexBuilder(), bytes: 0 })
  }

  /** A whole value. Indexes ascend within a section. */
  add(
    index: number,
    owner: ValueOwner,
    value: { readonly bytes: Uint8Array; readonly start: number; readonly end: number }
  ): void {
    const { bytes, end, start } = value
    this.begin(index, owner, end - start)
    this.fill(bytes, start, end)
    this.end()
  }

  /** A value whose length is not known. */
  beginValue(index: number, owner: ValueOwner): void {
    this.begin(index, owner, 0)
  }

  /** The next bytes of the value that was begun. */
  push(bytes: Uint8Array): void {
    this.fill(bytes, 0, bytes.length)
  }

  /** Ends the value that was begun, and returns its length. */
  endValue(): number {
    return this.end()
  }

  /** Takes over a value of another file: the bodies of its pieces as they are, and how long it is. */
  copyStored(index: number, stored: { readonly pieces: ReadonlyArray<Body>; readonly length: number }): void {
    this.beginCopy(index)
    for (const body of stored.pieces) this.copyPiece(body)
    this.endCopy(stored.length)
  }

  /** The same, one piece after the other. */
  beginCopy(index: number): void {
    this.value = this.valueOf(index)
  }

  /** The next piece of the value that is taken over. */
  copyPiece({ bytes, codec, plainLength }: Body): void {
    assert(this.value !== undefined && this.filled === 0, "a copy was begun")
    assert(plainLength > 0 && plainLength <= pieceBytes && bytes.length <= plainLength, "a piece is within its limit")
    this.piece = pieceFor(bytes.length)
    this.piece.set(bytes, pieceLengthBytes)
    this.sealPiece({ bodyLength: bytes.length, codec, plainLength })
  }

  /** Ends the copy of a value of this length. */
  endCopy(length: number): void {
    assert(this.value !== undefined, "a copy was begun")
    this.value.length = length
    this.end()
  }

  /** The chunks that are ready to be appended. Nothing else refers to them. */
  take(): Array<Uint8Array> {
    const { chunks } = this
    this.chunks = []
    return chunks
  }

  /** Chunks that were taken and appended: their memory is filled again. */
  reuse(chunks: ReadonlyArray<Uint8Array>): void {
    for (const { buffer, byteOffset } of chunks) {
      if (buffer.byteLength !== wholePieceBytes || byteOffset !== 0 || this.spare.length === spareMax) continue
      this.spare.push(new Uint8Array(buffer))
    }
  }

  /** Ends the file: the last chunks, and what the manifest will pin. There is one value at least. */
  finish(): { readonly chunks: ReadonlyArray<Uint8Array>; readonly meta: ValueFileMeta } {
    const { sealer, sections } = this
    assert(this.value === undefined && this.count > 0, "a value file ends with a whole value")
    if (sections[sections.length - 1].index.count === 0) sections.pop()
    const indexOffset = this.offset
    const placed = sections.map((section) => this.placed(section))
    const topOffset = this.offset
    this.section(Layout.valueTop, encodeValueTop(placed))
    const footer = encodeValueFooter(
      {
        valuesBytes: indexOffset - fileHeaderBytes,
        indexBytes: topOffset - indexOffset,
        topBytes: this.offset - topOffset,
        sectionCount: placed.length,
        count: this.count,
        bytes: sections.reduce((sum, { bytes }) => sum + bytes, 0),
        tagsCrc: this.tagsCrc,
        fileBytes: this.offset + valueFooterBytes(sealer.tagBytes),
        format: this.header.format
      },
      { fileHeader: this.fileHeader, sealer }
    )
    for (const chunk of footer.chunks) this.chunkOf(chunk)
    const { epoch, fileId, fileNumber: number, keyGeneration } = this.header
    const metas = placed.map(({ bytes, count, id }) => ({ id, count, bytes }))
    const { footerCrc } = footer
    const meta = { number, bytes: this.offset, fileId, footerCrc, epoch, keyGeneration, sections: metas }
    return { chunks: this.take(), meta }
  }

  private valueOf(index: number): OpenValue {
    assert(this.value === undefined && this.sections.length > 0, "a value is added to a section")
    return { index, offset: this.offset, length: 0 }
  }

  private begin(index: number, owner: ValueOwner, length: number): void {
    this.value = this.valueOf(index)
    const keyLength = owner.keyEnd - owner.keyStart
    assert(keyLength <= storedKeyBytesMax, "a key is within its limit")
    const headBytes = varintBytes(owner.sequence) + varintBytes(keyLength) + keyLength
    this.piece = pieceFor(headBytes + length)
    // Not over `fill`: the head is not a part of the value's length.
    const head = new ByteWriter(headBytes)
    head.varint(owner.sequence)
    head.varint(keyLength)
    head.range(owner.bytes, owner.keyStart, owner.keyEnd)
    this.piece.set(head.bytes.subarray(0, headBytes), pieceLengthBytes)
    this.filled = headBytes
  }

  private fill(bytes: Uint8Array, start: number, end: number): void {
    const { value } = this
    assert(value !== undefined, "a value was begun")
    value.length += end - start
    assert(value.length <= valueBytesMax, "a value is within its limit")
    for (let at = start; at < end;) {
      if (this.filled === pieceBytes) this.seal()
      const length = Math.min(end - at, pieceBytes - this.filled)
      this.makeRoom(this.filled + length, end - at)
      this.piece.set(bytes.subarray(at, at + length), pieceLengthBytes + this.filled)
      this.filled += length
      at += length
    }
  }

  /** Room for the piece as it will be, and for as much as is known to follow. */
  private makeRoom(plainLength: number, following: number): void {
    if (pieceLengthBytes + plainLength + sealedBytesMax <= this.piece.length) return
    const wanted = Math.max(plainLength, Math.min(this.filled * 2, pieceBytes), this.filled + following)
    const grown = (wanted >= pieceBytes ? this.spare.pop() : undefined) ?? pieceFor(wanted)
    grown.set(this.piece.subarray(0, pieceLengthBytes + this.filled))
    this.piece = grown
  }

  private end(): number {
    const { value } = this
    assert(value !== undefined, "a value was begun")
    if (this.filled > 0) this.seal()
    const section = this.sections[this.sections.length - 1]
    section.index.add({ index: value.index, offset: value.offset, storedBytes: this.offset - value.offset })
    section.bytes += value.length
    this.value = undefined
    return value.length
  }

  /** The piece that was filled. */
  private seal(): void {
    const { codec, filled, piece } = this
    const plain = piece.subarray(pieceLengthBytes, pieceLengthBytes + filled)
    const body = codec === undefined ? undefined : compressed(codec, plain)
    if (body !== undefined) piece.set(body, pieceLengthBytes)
    const id = body === undefined ? CodecId.none : codec!.id
    this.sealPiece({ bodyLength: body?.length ?? filled, codec: id, plainLength: filled })
  }

  /** The piece, of which the body is there. */
  private sealPiece(body: Omit<Body, "bytes"> & { readonly bodyLength: number }): void {
    const { fileTag, piece, sealer } = this
    const stored = body.bodyLength + storedBlockExtra(sealer.tagBytes)
    writeU32(piece, 0, stored)
    const offset = this.offset + pieceLengthBytes
    const block = { ...body, bytes: piece, start: pieceLengthBytes, layout: Layout.value, fileTag, offset }
    const end = sealBlockInPlace({ ...block, sealer })
    assert(end === pieceLengthBytes + stored, "a piece is as long as was announced")
    this.tagsCrc = crc32(piece.subarray(end - sealer.tagBytes, end), this.tagsCrc)
    this.chunkOf(piece.subarray(0, end))
    this.piece = emptyPiece
    this.filled = 0
  }

  private placed({ bytes, id, index }: OpenSection): PlacedSection {
    const blocks = index.finish().map(({ firstIndex, plain }): ValueBlock => {
      const { offset } = this
      return { firstIndex, offset, bytes: this.section(Layout.valueIndex, plain) }
    })
    return { id, count: index.count, bytes, blocks }
  }

  private section(layout: Layout, plain: Uint8Array): number {
    const { fileTag, offset, sealer } = this
    const stored = sealBlock({ plain, layout, fileTag, offset, sealer })
    this.tagsCrc = crc32(stored.tag, this.tagsCrc)
    for (const chunk of stored.chunks) this.chunkOf(chunk)
    return stored.length
  }

  private chunkOf(chunk: Uint8Array): void {
    this.chunks.push(chunk)
    this.offset += chunk.length
  }
}

const sealedBytesMax = storedBlockExtra(tagBytesMax)
const wholePieceBytes = pieceLengthBytes + pieceBytes + sealedBytesMax
/** Pieces of spare memory. A fresh one for each would not be freed in time: long values made 100 MiB of garbage. */
const spareMax = 8
const emptyPiece = new Uint8Array(0)

/** Room for a piece with so many plain bytes, but not for more than a piece has. */
const pieceFor = (plainLength: number): Uint8Array =>
  new Uint8Array(pieceLengthBytes + Math.min(plainLength, pieceBytes) + sealedBytesMax)
