// Zstandard, as Node has it.
//
// Level 1: with blocks of 16 KiB of source text, level 3 makes them 2 % shorter for twice the time. Node makes a new
// context for each call and has no way to keep one; by its private handle that would save about 5 µs of 55 (16 KiB).
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib"
import { type Codec, CodecId, Codecs } from "./codec.ts"
import type { Sealer } from "./sealer.ts"

const chunkBytesMin = 64
const params = { [constants.ZSTD_c_compressionLevel]: 1 }

export const zstd: Codec = {
  id: CodecId.zstd,
  name: "zstd",
  // A body that is not shorter is not used: one chunk has room for any that is.
  compress: (plain) => zstdCompressSync(plain, { params, chunkSize: Math.max(chunkBytesMin, plain.length) }),
  // One byte more, or a second chunk would be made for nothing.
  decompress: (body, plainLength) =>
    zstdDecompressSync(body, {
      chunkSize: Math.max(chunkBytesMin, plainLength + 1),
      maxOutputLength: Math.max(1, plainLength)
    })
}

/** What every database can read. */
export const builtinCodecs = new Codecs([zstd])

/** Of the file that is sealed, the codec with this id; `undefined` for none. */
export const codecToWrite = ({ codecs = builtinCodecs }: Sealer, id: number): Codec | undefined => codecs.toWrite(id)
