// Codecs for tests: those that Strata has, one of a user's own, and one after the other.
import * as lz4 from "lz4-napi"
import * as snappy from "snappy"
import { deflateRawSync, inflateRawSync } from "node:zlib"
import type { Codec } from "../../src/internal/format/codec.ts"
import { packageCodec } from "../../src/internal/format/packageCodecs.ts"
import { zstd } from "../../src/internal/format/zstd.ts"
import * as CustomCompression from "../../src/layers/CustomCompression.ts"
import * as Lz4Compression from "../../src/layers/Lz4Compression.ts"
import * as NoCompression from "../../src/layers/NoCompression.ts"
import * as SnappyCompression from "../../src/layers/SnappyCompression.ts"
import * as ZstdCompression from "../../src/layers/ZstdCompression.ts"
import { compress, decompress } from "./runsCodec.ts"

/** By functions. */
export const runs: Codec = { id: 64, name: "runs", compress, decompress }

/** The same by its module. */
export const runsModule = { id: 64, name: "runs", module: new URL("runsCodec.ts", import.meta.url) }

/** Differences of neighbours, and then deflate: a chain is a codec of its own. */
export const chain: Codec = {
  id: 65,
  name: "delta+deflate",
  compress: (plain) => new Uint8Array(deflateRawSync(plain.map((byte, index) => byte - (plain[index - 1] ?? 0)))),
  decompress: (body, plainLength) => {
    const plain = new Uint8Array(inflateRawSync(body, { maxOutputLength: plainLength }))
    for (let index = 1; index < plain.length; index++) plain[index] = plain[index]! + plain[index - 1]!
    return plain
  }
}

export const lz4Codec = packageCodec("lz4", lz4)!
export const snappyCodec = packageCodec("snappy", snappy)!

export const codecs: ReadonlyArray<Codec> = [zstd, lz4Codec, snappyCodec, runs, chain]

const everywhere = (name: string) => ({ upper: name, bottom: name, values: name })

/** All that is written is compressed by the one codec. */
export const compressions = {
  none: NoCompression.layer,
  zstd: ZstdCompression.layerWith(everywhere("zstd")),
  lz4: Lz4Compression.layerWith(everywhere("lz4")),
  snappy: SnappyCompression.layerWith(everywhere("snappy")),
  runs: CustomCompression.layerWith(runs, everywhere("runs")),
  "runs of a module": CustomCompression.layerWith(runsModule, everywhere("runs")),
  "delta+deflate": CustomCompression.layerWith(chain, everywhere("delta+deflate"))
} as const
