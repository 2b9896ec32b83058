// The frames of a manifest, their writer, and the reading of a whole manifest.
//
//   manifest := fileHeader  frame*
//   frame    := headerCrc: u32  length: u32  ordinal: u64  previousChain: u32  body[length]  tag[tagBytes]
//
//   headerCrc      crc32 of the 16 header bytes behind it
//   ordinal        0, 1, 2 … in the file
//   previousChain  the chain of the frame before it; of the first, the crc of the file header
//   body           an edit (manifestEdit.ts), sealed; associated data: the first 92 bytes of the file header, then the
//                  20 of the frame's
//   chain          crc32(tag ++ header)
//
// Each edit is synced before the next is appended. So an invalid frame at the end is an edit whose publication did not
// finish, a torn tail; an invalid frame with a valid one behind it was durable once, and is damage.
import { ByteWriter, readU32, readU64 } from "./bytes.ts"
import { crc32, crc32Range } from "./checksum.ts"
import {
  associatedFileBytes,
  associatedOfFile,
  crcOfHeader,
  decodeFileHeader,
  encodeFileHeader,
  type FileHeader,
  fileHeaderBytes,
  FileKind
} from "./fileHeader.ts"
import { again, assert, FormatError } from "./formatError.ts"
import { decodeEdit, encodeEdit, type ManifestEdit } from "./manifestEdit.ts"
import { type Sealer, type SealerFor, sealerOf } from "./sealer.ts"

export const manifestFrameHeaderBytes = 20
export const manifestPayloadMax = 64 * 1024 * 1024

const chainOf = (header: Uint8Array, tag: Uint8Array): number => crc32(header, crc32(tag))

const associatedOf = (fileHeader: Uint8Array, header: Uint8Array): Uint8Array => {
  const associated = new Uint8Array(associatedFileBytes + manifestFrameHeaderBytes)
  associated.set(associatedOfFile(fileHeader))
  associated.set(header, associatedFileBytes)
  return associated
}

/** Makes the bytes of one manifest, which its owner appends in this order. */
export class ManifestFrameWriter {
  /** The file's first bytes. */
  readonly fileHeader: Uint8Array
  private readonly sealer: Sealer
  private ordinal = 0
  private chain: number

  constructor(options: { readonly header: FileHeader; readonly sealer: Sealer }) {
    const { header, sealer } = options
    assert(header.kind === FileKind.manifest && header.tagBytes === sealer.tagBytes, "a manifest has its own header")
    this.fileHeader = encodeFileHeader(header)
    this.sealer = sealer
    this.chain = crcOfHeader(this.fileHeader)
  }

  /** The edit's frame: what to append, in order. */
  frame(edit: ManifestEdit): Array<Uint8Array> {
    const plain = encodeEdit(edit)
    assert(plain.length <= manifestPayloadMax, "an edit is within its limit")
    const writer = new ByteWriter(manifestFrameHeaderBytes)
    writer.u32(0)
    writer.u32(plain.length)
    writer.u64(this.ordinal)
    writer.u32(this.chain)
    const crc = crc32Range(writer.bytes, 4, manifestFrameHeaderBytes)
    writer.reset()
    writer.u32(crc)
    const header = writer.bytes.slice(0, manifestFrameHeaderBytes)
    const { body, tag } = this.sealer.seal(associatedOf(this.fileHeader, header), plain)
    this.ordinal += 1
    this.chain = chainOf(header, tag)
    return [header, body, tag]
  }
}

export interface ManifestScan {
  readonly header: FileHeader
  readonly edits: ReadonlyArray<ManifestEdit>
  /** Behind the last valid frame. */
  readonly end: number
  /** What follows it, if anything: an edit that was never published. */
  readonly tail: { readonly bytes: number; readonly reason: string; readonly tampered: boolean } | undefined
}

/** Reads a whole manifest. Throws `FormatError` for damage that is not a torn tail. */
export const scanManifest = (bytes: Uint8Array, sealerFor: SealerFor): ManifestScan => {
  const header = decodeFileHeader(bytes, FileKind.manifest)
  return new ManifestScanner(bytes, header, sealerOf(header, sealerFor)).scan()
}

class ManifestScanner {
  private readonly bytes: Uint8Array
  private readonly fileHeader: Uint8Array
  private readonly header: FileHeader
  private readonly sealer: Sealer
  private offset = fileHeaderBytes
  private ordinal = 0
  private chain: number

  constructor(bytes: Uint8Array, header: FileHeader, sealer: Sealer) {
    this.bytes = bytes
    this.header = header
    this.sealer = sealer
    this.fileHeader = bytes.subarray(0, fileHeaderBytes)
    this.chain = crcOfHeader(bytes)
  }

  scan(): ManifestScan {
    const edits: Array<ManifestEdit> = []
    while (this.offset < this.bytes.length) {
      const frame = this.frameAt(this.offset, this.ordinal, this.ordinal)
      if (frame === undefined || readU32(this.bytes, this.offset + 16) !== this.chain) break
      edits.push(this.decode(frame.plain))
      this.offset = frame.end
      this.ordinal += 1
      this.chain = frame.chain
    }
    return { header: this.header, edits, end: this.offset, tail: this.tail() }
  }

  // The frame is whole and in its place: a failure is not a tear. Offsets of a sealed body's inside are the frame's.
  private decode(plain: Uint8Array): ManifestEdit {
    try {
      return decodeEdit(plain)
    } catch (error) {
      if (!(error instanceof FormatError)) throw error
      throw again(error, `edit ${this.ordinal}: ${error.message}`, this.offset)
    }
  }

  private tail(): ManifestScan["tail"] {
    const bytes = this.bytes.length - this.offset
    if (bytes === 0) return undefined
    const tampered = this.isTampered()
    // Frames do not overlap, so bodies of this many bytes cannot be there: headers were forged to slow this search.
    let budget = this.bytes.length * 4
    const ordinalMax = this.ordinal + bytes / manifestFrameHeaderBytes
    for (let at = this.offset; at < this.bytes.length; at++) {
      const length = this.lengthAt(at, this.ordinal, ordinalMax)
      if (length === undefined) continue
      budget -= length + 64
      if (budget < 0) throw new FormatError("too many overlapping frames behind an invalid one", this.offset)
      if (this.frameAt(at, this.ordinal, ordinalMax) !== undefined) {
        const message = `edit ${this.ordinal} is damaged: a later one, at ${at}, is whole`
        throw new FormatError(message, this.offset, { tampered })
      }
    }
    return { bytes, reason: `edit ${this.ordinal} is not whole`, tampered }
  }

  // The file has authentication tags, and the frame that is due stands here, but not as it was written.
  private isTampered(): boolean {
    return this.sealer.tagBytes !== 4 && this.lengthAt(this.offset, this.ordinal, this.ordinal) !== undefined
  }

  // The body's length, if a frame's header with such an ordinal stands here.
  private lengthAt(offset: number, ordinalMin: number, ordinalMax: number): number | undefined {
    const { bytes } = this
    const room = bytes.length - offset - manifestFrameHeaderBytes - this.sealer.tagBytes
    if (room < 0 || readU32(bytes, offset + 12) !== Math.floor(ordinalMin / 0x100000000)) return undefined
    const length = readU32(bytes, offset + 4)
    if (length > room || length > manifestPayloadMax) return undefined
    const ordinal = readU64(bytes, offset + 8)
    if (ordinal < ordinalMin || ordinal > ordinalMax) return undefined
    const crc = crc32Range(bytes, offset + 4, offset + manifestFrameHeaderBytes)
    return crc === readU32(bytes, offset) ? length : undefined
  }

  private frameAt(offset: number, ordinalMin: number, ordinalMax: number) {
    const length = this.lengthAt(offset, ordinalMin, ordinalMax)
    if (length === undefined) return undefined
    const start = offset + manifestFrameHeaderBytes
    const header = this.bytes.subarray(offset, start)
    const end = start + length + this.sealer.tagBytes
    const tag = this.bytes.subarray(start + length, end)
    try {
      const body = this.bytes.subarray(start, start + length)
      const plain = this.sealer.open(associatedOf(this.fileHeader, header), body, tag)
      return { plain, end, chain: chainOf(header, tag) }
    } catch (error) {
      if (error instanceof FormatError) return undefined
      throw error
    }
  }
}
