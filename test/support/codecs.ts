// Codecs for tests: those that Strata has, one of a user's own, and one after the other.
import * as lz4 from "lz4-napi"
import * as snappy from "snappy"
import { deflateRawSync, inflateRawSync } from "node:zlib"
import type { Codec } from "../../src/internal/format/codec.ts"
import { packageCodec } from "../../src/internal/format/packageCodecs.ts"
import { zstd } from "../../src/internal/format/zstd.ts"

/** Runs of a byte as the byte and how often, up to 255 times. */
export const runs: Codec = {
  id: 64,
  name: "runs",
  compress: (plain) => {
    const body: Array<number> = []
    for (let at = 0; at < plain.length;) {
      let end = at
      while (end < plain.length && end - at < 255 && plain[end] === plain[at]) end += 1
      body.push(plain[at]!, end - at)
      at = end
    }
    return Uint8Array.from(body)
  },
  decompress: (body, plainLength) => {
    const plain = new Uint8Array(plainLength)
    let at = 0
    for (let index = 0; index < body.length; index += 2) {
      if (at + body[index + 1]! > plainLength) throw new Error("too long")
      plain.fill(body[index]!, at, at + body[index + 1]!)
      at += body[index + 1]!
    }
    return plain.subarray(0, at)
  }
}

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
