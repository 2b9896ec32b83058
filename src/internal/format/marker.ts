// The marker that makes a manifest the current one. The database is what the highest valid marker names.
//
//   marker := fileHeader  manifestNumber: u64  manifestBytes: u64  manifestFileId[32]  tag[tagBytes]
//
//   manifestBytes   how long the manifest was when it was published: a shorter one is damaged
//   tag             seals the 48 bytes before it; associated data: the first 92 bytes of the file header
//
// The file is exactly this long. It is written once, to a new name; a torn one is `FormatError`.
import { ByteReader, ByteWriter } from "./bytes.ts"
import {
  associatedOfFile,
  decodeFileHeader,
  encodeFileHeader,
  type FileHeader,
  fileHeaderBytes,
  FileKind
} from "./fileHeader.ts"
import { assert, FormatError } from "./formatError.ts"
import { openPiece, type Sealer, type SealerFor, sealerOf } from "./sealer.ts"

export interface Marker {
  readonly manifestNumber: number
  readonly manifestBytes: number
  /** 32 bytes. */
  readonly manifestFileId: Uint8Array
}

const bodyBytes = 48

/** What to write, in order. */
export const encodeMarker = (options: {
  readonly header: FileHeader
  readonly marker: Marker
  readonly sealer: Sealer
}): Array<Uint8Array> => {
  const { header, marker, sealer } = options
  assert(header.kind === FileKind.marker && header.tagBytes === sealer.tagBytes, "a marker has a marker's header")
  const writer = new ByteWriter(bodyBytes)
  writer.u64(marker.manifestNumber)
  writer.u64(marker.manifestBytes)
  writer.raw(marker.manifestFileId)
  assert(writer.offset === bodyBytes, "a file id is 32 bytes")
  const fileHeader = encodeFileHeader(header)
  const { body, tag } = sealer.seal(associatedOfFile(fileHeader), writer.finish())
  return [fileHeader, body, tag]
}

/** Reads a whole marker file. */
export const decodeMarker = (bytes: Uint8Array, sealerFor: SealerFor): { readonly header: FileHeader } & Marker => {
  const header = decodeFileHeader(bytes, FileKind.marker)
  if (bytes.length !== fileHeaderBytes + bodyBytes + header.tagBytes) {
    throw new FormatError(`a marker of ${bytes.length} bytes`, Math.min(bytes.length, fileHeaderBytes))
  }
  const plain = openPiece(sealerOf(header, sealerFor), {
    what: "the marker",
    associated: associatedOfFile(bytes),
    body: bytes.subarray(fileHeaderBytes, fileHeaderBytes + bodyBytes),
    tag: bytes.subarray(fileHeaderBytes + bodyBytes),
    offset: fileHeaderBytes
  })
  const reader = new ByteReader(plain)
  return { header, manifestNumber: reader.u64(), manifestBytes: reader.u64(), manifestFileId: reader.raw(32) }
}
