import { describe, expect, it } from "@effect/vitest"
import {
  handleBytes,
  handleBytesMax,
  readHandle,
  readHandleLength,
  type ValueHandle,
  writeHandle
} from "../../../src/internal/format/valueHandle.ts"
import { attempt, type Dice, everyFlip, everyTruncation, failure, hex, manySeeds, unhex } from "./support.ts"

const encode = (handle: ValueHandle): Uint8Array => {
  const bytes = new Uint8Array(handleBytes(handle) + 2)
  expect(writeHandle(bytes, 1, handle)).toBe(bytes.length - 1)
  return bytes.slice(1, -1)
}

const decode = (bytes: Uint8Array): ValueHandle => readHandle(bytes, 0, bytes.length)

const randomHandle = (dice: Dice): ValueHandle => ({
  file: dice.whole(),
  index: dice.whole() % 2 ** 32,
  length: dice.whole() % (2 ** 28 + 1),
  ...(dice.chance(0.5) ? { fileTag: dice.u32() } : {})
})

describe("valueHandle", () => {
  it.each([
    { file: 0, index: 0, length: 0, bytes: "00 00 00" },
    { file: 300, index: 5, length: 1025, bytes: "ac02 05 8108" },
    { file: 2 ** 53 - 1, index: 2 ** 32 - 1, length: 2 ** 28, bytes: "ffffffffffffff0f ffffffff0f 8080808001" },
    { file: 300, index: 5, length: 1025, fileTag: 0x01020304, bytes: "ac02 05 8108 04030201" }
  ])("of file $file, index $index, length $length, tag $fileTag is $bytes", ({ bytes, ...handle }) => {
    expect(hex(encode(handle))).toBe(hex(unhex(bytes)))
    expect(decode(unhex(bytes))).toEqual(handle)
    expect(handleBytesMax).toBeGreaterThanOrEqual(unhex(bytes).length)
  })

  it("reads back in the middle of other bytes, and its length alone", () => {
    manySeeds(3000, (dice) => {
      const handle = randomHandle(dice)
      const bytes = new Uint8Array([0xff, ...encode(handle), 0xff])
      expect(readHandle(bytes, 1, bytes.length - 1)).toEqual(handle)
      expect(readHandleLength(bytes, 1, bytes.length - 1)).toBe(handle.length)
    })
  })

  it.each([
    ["an index of 2^32", "00 8080808010 00"],
    ["a length above 256 MiB", "00 00 8180808001"],
    ["bytes behind it", "00 00 00 00"],
    ["bytes behind its tag", "00 00 00 01020304 00"],
    ["a number that is not canonical", "8000 00 00"]
  ])("refuses %s", (_, bytes) => {
    failure(() => decode(unhex(bytes)))
    failure(() => readHandleLength(unhex(bytes), 0, unhex(bytes).length))
  })

  it("refuses to write what it could not read", () => {
    for (const given of [{ file: -1 }, { file: 1.5 }, { index: 2 ** 32 }, { length: 2 ** 28 + 1 }]) {
      const handle = { file: 1, index: 2, length: 3, ...given }
      expect(() => writeHandle(new Uint8Array(40), 0, handle)).toThrow("assertion")
    }
  })

  it("reads damaged and random bytes as the handle that encodes so, or refuses them", () => {
    const check = (bytes: Uint8Array): void => {
      const result = attempt(() => decode(bytes))
      const length = attempt(() => readHandleLength(bytes, 0, bytes.length))
      expect("value" in length).toBe("value" in result)
      if (!("value" in result)) return
      expect(hex(encode(result.value))).toBe(hex(bytes))
      expect(length).toEqual({ value: result.value.length })
    }
    const sample = encode({ file: 2 ** 40, index: 70_000, length: 300 })
    everyFlip(sample, check)
    everyTruncation(sample, (bytes) => failure(() => decode(bytes)))
    manySeeds(10_000, (dice) => check(dice.bytes(dice.below(8)).map((byte) => byte % dice.pick([4, 140, 256]))))
  })
})
