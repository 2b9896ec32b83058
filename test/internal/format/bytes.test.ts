import { describe, expect, it } from "@effect/vitest"
import { ByteReader, ByteWriter, concatBytes, copyBytes } from "../../../src/internal/format/bytes.ts"
import { everyTruncation, failure, golden, hex, manySeeds, same, unhex } from "./support.ts"

const sample = (): Uint8Array => {
  const writer = new ByteWriter(1)
  writer.u8(255)
  writer.u16(0x0102)
  writer.u32(0xfffefdfc)
  writer.u64(2 ** 53 - 1)
  writer.f64(-1.5)
  writer.varint(300)
  writer.sized(Uint8Array.of(9, 8, 7))
  return writer.finish()
}

const read = (bytes: Uint8Array): ReadonlyArray<unknown> => {
  const reader = new ByteReader(bytes)
  const fields = [reader.u8(), reader.u16(), reader.u32(), reader.u64(), reader.f64(), reader.varint()]
  const last = hex(reader.sized(3))
  reader.done()
  return [...fields, last]
}

describe("bytes", () => {
  it("writes little-endian fields", () => {
    same(hex(sample()), golden("ff 0201 fcfdfeff ffffffffffff1f00 000000000000f8bf ac02 03090807"))
  })

  it("reads what was written", () => {
    expect(read(sample())).toEqual([255, 0x0102, 0xfffefdfc, 2 ** 53 - 1, -1.5, 300, "090807"])
  })

  it("never reads behind its end", () => {
    everyTruncation(sample(), (bytes) => failure(() => read(bytes)))
    const reader = new ByteReader(sample(), 0, 2)
    reader.u8()
    failure(() => reader.u16())
  })

  it("refuses numbers above 2^53 - 1, numbers that are not finite, lengths above their limit, and leftovers", () => {
    failure(() => new ByteReader(unhex("0000000000002000")).u64())
    failure(() => new ByteReader(unhex("000000000000f87f")).f64())
    failure(() => new ByteReader(unhex("03090807")).sized(2))
    failure(() => new ByteReader(unhex("ff09")).sized(1000))
    failure(() => new ByteReader(unhex("00")).done())
  })

  it("refuses to write what it could not read", () => {
    const writer = new ByteWriter()
    for (const bad of [-1, 0.5, 2 ** 53, Number.NaN]) {
      expect(() => writer.varint(bad)).toThrow("assertion")
      expect(() => writer.u64(bad)).toThrow("assertion")
    }
    expect(() => writer.f64(Number.NaN)).toThrow("assertion")
  })

  it("copies parts and wholes of every length", () => {
    manySeeds(2000, (dice) => {
      const source = dice.bytes(1 + dice.below(120))
      const start = dice.chance(0.5) ? 0 : dice.below(source.length)
      const end = dice.chance(0.5) ? source.length : start + dice.below(source.length - start)
      const target = new Uint8Array(200)
      const offset = dice.below(80)
      same(copyBytes(target, offset, source, start, end), offset + end - start)
      same(hex(target.subarray(offset, offset + end - start)), hex(source.subarray(start, end)))
      same(
        target.subarray(0, offset).every((byte) => byte === 0),
        true
      )
      same(
        target.subarray(offset + end - start).every((byte) => byte === 0),
        true
      )
    })
  })

  it("joins chunks", () => {
    same(hex(concatBytes([])), "")
    same(hex(concatBytes([Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3)])), "010203")
  })
})
