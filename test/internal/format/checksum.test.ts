import { crc32 as zlibCrc32 } from "node:zlib"
import { describe, it } from "@effect/vitest"
import { crc32, crc32Range } from "../../../src/internal/format/checksum.ts"
import { Dice, same, utf8 } from "./support.ts"

describe("checksum", () => {
  it("is CRC-32 (IEEE): the check value of the catalogue", () => {
    same(crc32(utf8("123456789")), 0xcbf43926)
    same(crc32(new Uint8Array(0)), 0)
  })

  it("is the same in tables and in native code, at every length, whole or in parts", () => {
    const dice = new Dice(1)
    for (let length = 0; length < 600; length++) {
      const bytes = dice.bytes(length)
      const expected = zlibCrc32(bytes)
      const cut = dice.below(length + 1)
      same(crc32(bytes), expected)
      same(crc32Range(bytes, cut, length, crc32Range(bytes, 0, cut)), expected)
      same(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut))), expected)
    }
  })
})
