import { describe, expect, it } from "@effect/vitest"
import {
  decodeValueRefs,
  encodeValueRefs,
  type FileRefs,
  sameRefs,
  summaryOf,
  ValueRefsBuilder
} from "../../../src/internal/format/valueRefs.ts"
import { handleText, latin1 } from "./entries.ts"
import { attempt, type Dice, everyFlip, everyTruncation, failure, golden, hex, manySeeds, unhex } from "./support.ts"

const refs = (file: number, bytes: number, ...indexes: ReadonlyArray<number>): FileRefs => ({
  file,
  indexes: Uint32Array.from(indexes),
  bytes
})

const sample = [refs(3, 300, 0, 1, 5), refs(300, 0, 2 ** 32 - 1)]
const sampleHex = "02  03 03 ac02 00 01 04  ac02 01 00 ffffffff0f"

const randomRefs = (dice: Dice): ReadonlyArray<FileRefs> => {
  let file = dice.below(9)
  return Array.from({ length: dice.below(5) }, () => {
    file += 1 + dice.below(2 ** 40)
    const indexes = new Set(Array.from({ length: 1 + dice.below(40) }, () => dice.whole() % 2 ** 32))
    return refs(file, dice.whole(), ...[...indexes].sort((a, b) => a - b))
  })
}

describe("valueRefs", () => {
  it("have these bytes, and read back", () => {
    expect(hex(encodeValueRefs(sample))).toBe(golden(sampleHex))
    expect(decodeValueRefs(unhex(sampleHex))).toEqual(sample)
    expect(hex(encodeValueRefs([]))).toBe("00")
    expect(decodeValueRefs(unhex("00"))).toEqual([])
    manySeeds(500, (dice) => {
      const given = randomRefs(dice)
      expect(decodeValueRefs(encodeValueRefs(given))).toEqual(given)
    })
  })

  it("are collected from handles in any order", () => {
    manySeeds(100, (dice) => {
      const lengths = new Map<number, number>()
      const handles = randomRefs(dice).flatMap(({ file, indexes }) =>
        Array.from(indexes, (index) => ({ file, index, length: dice.below(2 ** 28 + 1) }))
      )
      const builder = new ValueRefsBuilder()
      for (const handle of handles.toSorted(() => dice.below(3) - 1)) {
        lengths.set(handle.file, (lengths.get(handle.file) ?? 0) + handle.length)
        const bytes = latin1(`<${handleText(handle)}>`)
        builder.add(bytes, 1, bytes.length - 1)
      }
      const found = builder.finish()
      const named = found.flatMap(({ file, indexes }) => Array.from(indexes, (index) => [file, index]))
      expect(named).toEqual(handles.map(({ file, index }) => [file, index]))
      expect(found.map(({ bytes, file }) => [file, bytes])).toEqual([...lengths].sort(([a], [b]) => a - b))
      expect(summaryOf(found).map(({ count }) => count)).toEqual(found.map(({ indexes }) => indexes.length))
    })
  })

  it("are compared by files, indexes and bytes", () => {
    expect(sameRefs(sample, decodeValueRefs(unhex(sampleHex)))).toBe(true)
    const others = [
      [],
      [sample[0]!],
      [sample[0]!, refs(301, 0, 2 ** 32 - 1)],
      [sample[0]!, refs(300, 1, 2 ** 32 - 1)],
      [refs(3, 300, 0, 1), sample[1]!],
      [refs(3, 300, 0, 2, 5), sample[1]!]
    ]
    for (const other of others) expect(sameRefs(sample, other)).toBe(false)
  })

  it("refuse a value that is named twice, and a handle that is none", () => {
    expect(() => encodeValueRefs([refs(1, 2, 3, 3)])).toThrow("assertion")
    failure(() => new ValueRefsBuilder().add(latin1("value"), 0, 5))
  })

  it.each([
    ["a file twice", "02 03 01 00 00 03 01 00 00"],
    ["a file without values", "01 03 00 00"],
    ["an index twice", "01 03 02 00 05 00"],
    ["an index of 2^32", "01 03 02 00 ffffffff0f 01"],
    ["more values than bytes", "01 03 ffffffffffff0f 00 00"],
    ["bytes behind them", "00 00"]
  ])("refuse %s", (_, bytes) => void failure(() => decodeValueRefs(unhex(bytes))))

  it("read damaged and random bytes as those that encode so, or refuse them", () => {
    const check = (bytes: Uint8Array): void => {
      const result = attempt(() => decodeValueRefs(bytes))
      if ("value" in result) expect(hex(encodeValueRefs(result.value))).toBe(hex(bytes))
    }
    everyFlip(encodeValueRefs(sample), check)
    everyTruncation(encodeValueRefs(sample), (bytes) => failure(() => decodeValueRefs(bytes)))
    manySeeds(10_000, (dice) => check(dice.bytes(dice.below(14)).map((byte) => byte % dice.pick([3, 9, 256]))))
  })
})
