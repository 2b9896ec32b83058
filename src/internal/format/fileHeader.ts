// The first 96 bytes of every file.
//
//   header := magic: "STRATA\r\n"  format: u16  kind: u8  tagBytes: u8  keyGeneration: u32  databaseId[16]
//             incarnation[16]  epoch: u32  fileNumber: u64  fileId[32]  crc: u32
//
// `crc` covers the 92 bytes before it. These 96 bytes keep their form in every later format; `format` is about what
// follows them. The header is not sealed; the first sealed piece of a file (of a table: its footer) has its 92 bytes as
// associated data: not the crc too, because crc32(x ++ crc32(x) ++ y) is the same whatever x is and binds nothing.
// `tagBytes` is 4 (checksums) or 20 (authentication tags with the counters of their nonces).
// The magic's \r\n shows a transfer that "corrected" line ends.
import { ByteReader, ByteWriter, readU32 } from "./bytes.ts"
import { crc32Range } from "./checksum.ts"
import { assert, FormatError, unsupported } from "./formatError.ts"
import type { TagBytes } from "./sealer.ts"

/** Frozen numbers. */
export const FileKind = { log: 1, table: 2, valueFile: 3, manifest: 4, marker: 5, keyring: 6 } as const
export type FileKind = (typeof FileKind)[keyof typeof FileKind]

export const fileHeaderBytes = 96
/** Version 0 until the first release freezes the formats. */
export const formatVersion = 0

const magic = Uint8Array.of(0x53, 0x54, 0x52, 0x41, 0x54, 0x41, 0x0d, 0x0a)
export const associatedFileBytes = fileHeaderBytes - 4
const crcOffset = associatedFileBytes

export interface FileHeader {
  readonly format: number
  readonly kind: FileKind
  readonly tagBytes: TagBytes
  /** The generation of the data key; 0 without encryption. */
  readonly keyGeneration: number
  /** 16 bytes. */
  readonly databaseId: Uint8Array
  /** 16 bytes. */
  readonly incarnation: Uint8Array
  readonly epoch: number
  readonly fileNumber: number
  /** 32 random bytes. */
  readonly fileId: Uint8Array
}

/** The header's 96 bytes. */
export const encodeFileHeader = (header: FileHeader): Uint8Array => {
  assert(header.databaseId.length === 16 && header.incarnation.length === 16, "database id and incarnation: 16 bytes")
  assert(header.fileId.length === 32, "a file id is 32 bytes")
  const writer = new ByteWriter(fileHeaderBytes)
  writer.raw(magic)
  writer.u16(header.format)
  writer.u8(header.kind)
  writer.u8(header.tagBytes)
  writer.u32(header.keyGeneration)
  writer.raw(header.databaseId)
  writer.raw(header.incarnation)
  writer.u32(header.epoch)
  writer.u64(header.fileNumber)
  writer.raw(header.fileId)
  writer.u32(crc32Range(writer.bytes, 0, crcOffset))
  assert(writer.offset === fileHeaderBytes, "a header has 96 bytes")
  return writer.finish()
}

/** Reads the header that the bytes begin with. The checksum is checked before anything else is believed. */
export const decodeFileHeader = (bytes: Uint8Array, kind: FileKind): FileHeader => {
  const reader = new ByteReader(bytes)
  if (reader.remaining < fileHeaderBytes) throw new FormatError("the file header is cut off", bytes.length)
  for (let index = 0; index < magic.length; index++) {
    if (reader.u8() !== magic[index]) throw new FormatError("this is not a Strata file (bad magic)", index)
  }
  if (crc32Range(bytes, 0, crcOffset) !== readU32(bytes, crcOffset)) {
    throw new FormatError("the file header's checksum does not match", crcOffset)
  }
  const format = reader.u16()
  if (format > formatVersion)
    throw unsupported(`format ${format} is newer than ${formatVersion}, the newest known here`, 8)
  const foundKind = reader.u8()
  if (foundKind !== kind) throw new FormatError(`a file of kind ${foundKind} where one of kind ${kind} is due`, 10)
  const tagBytes = reader.u8()
  if (tagBytes !== 4 && tagBytes !== 20) throw new FormatError(`tags of ${tagBytes} bytes`, 11)
  return {
    format,
    kind,
    tagBytes,
    keyGeneration: reader.u32(),
    databaseId: reader.raw(16),
    incarnation: reader.raw(16),
    epoch: reader.u32(),
    fileNumber: reader.u64(),
    fileId: reader.raw(32)
  }
}

/** What binds a sealed piece to its file: the header's bytes without their checksum. */
export const associatedOfFile = (fileHeader: Uint8Array): Uint8Array => fileHeader.subarray(0, crcOffset)

/** The checksum at the end of the header, for chains that begin with it. */
export const crcOfHeader = (fileHeader: Uint8Array): number => readU32(fileHeader, crcOffset)

/** The first four bytes of the file's id: what ties a frame or block to its file where nothing is encrypted. */
export const fileTagOf = (fileId: Uint8Array): number => readU32(fileId, 0)
