import { describe, expect, it } from "@effect/vitest"
import { readVarint, varintBytes, writeVarint } from "../../../src/internal/format/varint.ts"
import { attempt, failure, hex, manySeeds, same, unhex } from "./support.ts"

const encode = (value: number): Uint8Array => {
  const target = new Uint8Array(10)
  return target.slice(0, writeVarint(target, 0, value))
}

describe("varint", () => {
  it.each([
    { value: 0, bytes: "00" },
    { value: 127, bytes: "7f" },
    { value: 128, bytes: "8001" },
    { value: 300, bytes: "ac02" },
    { value: 2 ** 31 - 1, bytes: "ffffffff07" },
    { value: 2 ** 31, bytes: "8080808008" },
    { value: 2 ** 32, bytes: "8080808010" },
    { value: 2 ** 49 - 1, bytes: "ffffffffffff7f" },
    { value: 2 ** 49, bytes: "8080808080808001" },
    { value: 2 ** 53 - 1, bytes: "ffffffffffffff0f" }
  ])("$value is $bytes", ({ bytes, value }) => {
    same(hex(encode(value)), bytes)
    same(readVarint(unhex(bytes), 0, bytes.length / 2), value)
    same(varintBytes(value), bytes.length / 2)
  })

  it("reads back every number, and only at its exact length", () => {
    manySeeds(20_000, (dice) => {
      const value = dice.whole()
      const bytes = encode(value)
      same(bytes.length, varintBytes(value))
      same(readVarint(bytes, 0, bytes.length), value)
      expect(attempt(() => readVarint(bytes, 0, bytes.length - 1))).toHaveProperty("error")
    })
  })

  it.each(["80", "8000", "808000", "ffffffffffffff10", "ffffffffffffff80", "ffffffffffffffff01", "ff"])(
    "%s is refused: cut off, not canonical or too large",
    (bytes) => {
      failure(() => readVarint(unhex(bytes), 0, bytes.length / 2))
    }
  )

  it("reads random bytes as a canonical number or refuses them", () => {
    manySeeds(20_000, (dice) => {
      const bytes = dice.bytes(dice.below(10))
      const result = attempt(() => readVarint(bytes, 0, bytes.length))
      if ("value" in result) {
        same(hex(encode(result.value)), hex(bytes.subarray(0, varintBytes(result.value))))
      }
    })
  })
})
