import { describe, expect, it } from "@effect/vitest"
import { BlockCompressor } from "../../../src/internal/format/blockCompressor.ts"
import { concatBytes, writeU32 } from "../../../src/internal/format/bytes.ts"
import { type Codec, Codecs, compressed, decompressed } from "../../../src/internal/format/codec.ts"
import { moduleCodec } from "../../../src/internal/format/moduleCodec.ts"
import { packageCodec } from "../../../src/internal/format/packageCodecs.ts"
import { checksumSealer, type Sealer, withCodecs } from "../../../src/internal/format/sealer.ts"
import {
  bodyOf,
  Layout,
  openBlock,
  plainBytesMaxOf,
  sealBlock,
  sealBody,
  storedBlockExtra
} from "../../../src/internal/format/storedBlock.ts"
import { zstd } from "../../../src/internal/format/zstd.ts"
import { chain, codecs, lz4Codec, runs, snappyCodec } from "../../support/codecs.ts"
import { Dice, failure, hex, invertingSealer, manySeeds, utf8 } from "./support.ts"

const known = new Codecs(codecs)
const place = { layout: Layout.entries, fileTag: 7, offset: 4096 }

/** Bytes of which every codec makes less: long runs of few different bytes. */
const repetitive = (dice: Dice, length: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  for (let at = 0; at < length; at += 100) bytes.fill(dice.pick([65, 66, 67]), at, at + 100)
  return bytes
}

const stored = (codec: Codec | undefined, plain: Uint8Array, sealer: Sealer): Uint8Array =>
  concatBytes(sealBlock({ plain, codec, ...place, sealer }).chunks)

const opened = (bytes: Uint8Array, sealer: Sealer): Uint8Array =>
  openBlock({ bytes, start: 0, length: bytes.length, ...place, sealer })

/** A codec that notes what it is asked to decompress. */
const watched = (plain: Uint8Array, id = 200) => {
  const asked: Array<number> = []
  const codec: Codec = {
    id,
    name: "watched",
    compress: () => utf8("short"),
    decompress: (_, plainLength) => {
      asked.push(plainLength)
      return plain
    }
  }
  return { codec, asked }
}

/** A codec that returns the same memory each time, as one of WebAssembly does. */
const reusing = (length: number): Codec => {
  const memory = new Uint8Array(length)
  const returned = (bytes: Uint8Array): Uint8Array => {
    memory.set(bytes)
    return memory.subarray(0, bytes.length)
  }
  return {
    ...runs,
    compress: (plain) => returned(runs.compress(plain)),
    decompress: (body, plainLength) => returned(runs.decompress(body, plainLength))
  }
}

describe.each([checksumSealer, invertingSealer])("compressed blocks with tags of $tagBytes bytes", (plainSealer) => {
  const sealer = withCodecs(plainSealer, known)

  it.each(codecs)("come back: $name", (codec) => {
    manySeeds(60, (dice) => {
      const plain = dice.chance(0.7) ? repetitive(dice, dice.below(20_000)) : dice.bytes(dice.below(3000))
      const bytes = stored(codec, plain, sealer)
      expect(Buffer.compare(opened(bytes, sealer), plain)).toBe(0)
      const isShort = bytes.length < plain.length + storedBlockExtra(sealer.tagBytes)
      expect(bytes[bytes.length - sealer.tagBytes - 5]).toBe(isShort ? codec.id : 0)
    })
  })

  it.each(codecs)("save a quarter, or stay as they are: $name", (codec) => {
    const plain = repetitive(new Dice(1), 16_384)
    expect(stored(codec, plain, sealer).length).toBeLessThan((plain.length * 3) / 4)
    const noise = new Dice(2).bytes(5000)
    const fifth = concatBytes([noise.subarray(0, 4000), new Uint8Array(1000)])
    expect(hex(stored(codec, fifth, sealer))).toBe(hex(stored(undefined, fifth, sealer)))
    expect(hex(stored(codec, noise, sealer))).toBe(hex(stored(undefined, noise, sealer)))
    expect(hex(stored(codec, new Uint8Array(63), sealer))).toBe(hex(stored(undefined, new Uint8Array(63), sealer)))
  })

  it.each(codecs)("keep nothing alive but their bytes: $name", (codec) => {
    for (const length of [100, 900, 4000, 16_384]) {
      const plain = opened(stored(codec, repetitive(new Dice(3), length), sealer), sealer)
      expect(Object.getPrototypeOf(plain)).toBe(Uint8Array.prototype)
      expect(plain.buffer.byteLength).toBeLessThanOrEqual(length + 64)
    }
  })

  it("are refused for a bit of them, and as another codec's", () => {
    const bytes = stored(zstd, repetitive(new Dice(4), 2000), sealer)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = bytes.slice()
      damaged[bit >> 3]! ^= 1 << (bit & 7)
      failure(() => opened(damaged, sealer))
    }
  })

  it("fail for a length over the limit of the layout before the codec is asked", () => {
    for (const layout of Object.values(Layout)) {
      const limit = plainBytesMaxOf(layout)
      const { asked, codec } = watched(new Uint8Array(0))
      const own = withCodecs(plainSealer, new Codecs([codec]))
      const sealed = (plainLength: number): Uint8Array => {
        const body = { bytes: utf8("short"), codec: codec.id, plainLength }
        const { chunks } = sealBody({ body: { ...body, plainLength: 0 }, ...place, layout, sealer: own })
        const [bytes, trailer] = [chunks[0]!, chunks[1]!.slice()]
        writeU32(trailer, 2, plainLength)
        const associated = new Uint8Array(18)
        writeU32(associated, 0, place.fileTag)
        writeU32(associated, 4, place.offset)
        associated.set(trailer, 12)
        const again = own.seal(associated, utf8("short"))
        expect(bytes.length).toBe(again.body.length)
        return concatBytes([again.body, trailer, again.tag])
      }
      const open = (bytes: Uint8Array) =>
        openBlock({ bytes, start: 0, length: bytes.length, ...place, layout, sealer: own })
      for (const length of [limit + 1, 0xffffffff]) {
        expect(failure(() => open(sealed(length))).message).toMatch(`${length} bytes, and ${limit} is the limit`)
      }
      expect(asked).toEqual([])
      expect(failure(() => open(sealed(limit))).message).toMatch(`it has ${limit} bytes and has 0`)
      expect(asked).toEqual([limit])
    }
  })

  it("name a codec that is not known, and are of a later version then", () => {
    const bytes = stored(runs, repetitive(new Dice(5), 1000), sealer)
    const error = failure(() => opened(bytes, plainSealer))
    expect(error).toMatchObject({ unsupported: true, offset: place.offset })
    expect(error.message).toMatch("codec 64")
  })
})

describe("decompressing", () => {
  const body = (bytes: Uint8Array, codec: Codec, plainLength: number) => ({ bytes, codec: codec.id, plainLength })

  it.each(codecs)("is an error for any other length than is due: $name", (codec) => {
    const plain = repetitive(new Dice(6), 3000)
    const bytes = codec.compress(plain)
    for (const length of [0, 1, 2999, 3001, 100_000]) {
      const error = failure(() => decompressed(known, body(bytes, codec, length), 5))
      expect(error).toMatchObject({ unsupported: false, offset: 5 })
    }
    expect(Buffer.compare(decompressed(known, body(bytes, codec, 3000), 5), plain)).toBe(0)
  })

  it.each(codecs)("is an error or something for whatever bytes there are, and nothing else: $name", (codec) => {
    manySeeds(300, (dice) => {
      const bytes = dice.chance(0.5) ? dice.bytes(dice.below(40)) : codec.compress(repetitive(dice, 500)).slice()
      if (bytes.length > 0) bytes[dice.below(bytes.length)]! ^= 1 << dice.below(8)
      const run = (): Uint8Array => decompressed(known, body(bytes, codec, 500), 0)
      try {
        expect(run().length).toBe(500)
      } catch {
        failure(run)
      }
    })
  })

  it("does not let a package make room for more than is due", () => {
    for (const { codec, long } of [
      { codec: lz4Codec, long: Uint8Array.of(0xff, 0xff, 0xff, 0x7f, 0x10, 65) },
      { codec: snappyCodec, long: Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x07, 0, 65) }
    ]) {
      expect(failure(() => decompressed(known, body(long, codec, 100), 0)).message).toMatch("100 are due")
    }
  })
})

describe("compressing", () => {
  it("stores as it is what a user's codec would not give back", () => {
    const plain = repetitive(new Dice(7), 1000)
    const broken = (again: Codec["decompress"]): Codec => ({ ...runs, decompress: again })
    const wrong = plain.slice()
    wrong[500]! ^= 1
    const fails = () => {
      throw new Error("no")
    }
    for (const again of [() => wrong, () => plain.subarray(1), fails]) {
      expect(compressed(broken(again), plain)).toBeUndefined()
      expect(bodyOf(plain, broken(again))).toEqual({ bytes: plain, codec: 0, plainLength: 1000 })
    }
    expect(compressed(runs, plain)).toBeDefined()
  })

  it("stores as it is what a user's codec fails for, or answers with no bytes", () => {
    const plain = repetitive(new Dice(7), 1000)
    const fails = (): never => {
      throw new Error("out of memory")
    }
    const promises = (() => Promise.resolve(plain)) as unknown as Codec["compress"]
    for (const compress of [fails, promises]) {
      expect(bodyOf(plain, { ...runs, compress })).toEqual({ bytes: plain, codec: 0, plainLength: 1000 })
    }
  })

  it("keeps what a user's codec returned when its memory is used again", () => {
    const codec = reusing(100_000)
    const plain = [1, 2].map((seed) => repetitive(new Dice(seed), 1000))
    const bodies = plain.map((one) => compressed(codec, one)!)
    const own = new Codecs([codec])
    const opened = bodies.map((bytes) => decompressed(own, { bytes, codec: codec.id, plainLength: 1000 }, 0))
    expect(opened).toEqual(plain)
    // As small as what is opened, so that nothing would be saved by a copy.
    const small = reusing(1000)
    const again = bodies.map((bytes) =>
      decompressed(new Codecs([small]), { bytes, codec: small.id, plainLength: 1000 }, 0)
    )
    expect(again).toEqual(plain)
  })

  it("tries fewer blocks of a table the longer none gets shorter, and all of them again when one does", () => {
    let asked = 0
    const codec: Codec = {
      ...zstd,
      compress: (plain) => {
        asked += 1
        return zstd.compress(plain)
      }
    }
    const compressor = new BlockCompressor(codec)
    const noise = new Dice(8).bytes(1000)
    for (let block = 0; block < 1000; block++) expect(compressor.compress(noise)).toBeUndefined()
    expect(compressor.shortens).toBe(false)
    expect(asked).toBeLessThan(100)
    expect(asked).toBeGreaterThan(1000 / 16)
    const plain = repetitive(new Dice(9), 1000)
    const tries = Array.from({ length: 40 }, () => compressor.compress(plain) !== undefined)
    expect(tries.indexOf(true)).toBeLessThan(16)
    expect(tries.slice(tries.indexOf(true))).not.toContain(false)
    expect(compressor.shortens).toBe(true)
  })
})

describe("modules", () => {
  it("are codecs by their exports or their default export", () => {
    const { compress, decompress } = chain
    const named = { id: 65, name: "delta+deflate" }
    for (const module of [{ compress, decompress }, { default: { compress, decompress } }]) {
      expect(moduleCodec(named, module)).toMatchObject(named)
    }
    for (const module of [undefined, {}, { compress }, { default: { decompress } }]) {
      expect(moduleCodec(named, module)).toBeUndefined()
    }
  })

  it("are refused if they are not the package", () => {
    for (const module of [undefined, {}, { default: { compressSync: 1 } }]) {
      expect(packageCodec("lz4", module)).toBeUndefined()
    }
  })
})
