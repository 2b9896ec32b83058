// lz4 and snappy, by packages with native code that users install. What a block has is what the package gives:
//
//   lz4     plainLength: u32 little-endian, then an LZ4 block       lz4-napi
//   snappy  a raw Snappy block, which begins with plainLength: varint    snappy
//
// Both are asked for their length before the native code is, which would make room for whatever it says.
import { readU32 } from "./bytes.ts"
import { type Codec, CodecId } from "./codec.ts"
import { readVarint } from "./varint.ts"

/** The packages, by the codecs that need them. */
export const codecPackages = { lz4: "lz4-napi", snappy: "snappy" } as const
export type PackageCodec = keyof typeof codecPackages

interface Functions {
  readonly compressSync: (plain: Uint8Array) => Uint8Array
  readonly uncompressSync: (body: Uint8Array) => Uint8Array
}

const lengthOf: Readonly<Record<PackageCodec, (body: Uint8Array) => number>> = {
  lz4: (body) => (body.length < 4 ? -1 : readU32(body, 0)),
  snappy: (body) => readVarint(body, 0, body.length)
}

/** The codec, of what an import of its package gave; `undefined` if that is not the package. */
export const packageCodec = (name: PackageCodec, module: unknown): Codec | undefined => {
  const functions = functionsOf(module)
  if (functions === undefined) return undefined
  return {
    id: CodecId[name],
    name,
    compress: (plain) => functions.compressSync(plain),
    decompress: (body, plainLength) => {
      const length = lengthOf[name](body)
      if (length !== plainLength) throw new Error(`it has ${length} bytes, and ${plainLength} are due`)
      return functions.uncompressSync(body)
    }
  }
}

const functionsOf = (module: unknown): Functions | undefined => {
  const given = (module as { readonly default?: unknown } | undefined)?.default ?? module
  const { compressSync, uncompressSync } = (given ?? {}) as Partial<Functions>
  return typeof compressSync === "function" && typeof uncompressSync === "function"
    ? { compressSync, uncompressSync }
    : undefined
}
