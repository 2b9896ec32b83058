import { describe, expect, it } from "@effect/vitest"
import { compareBytes, hashKey, hashKeyHigh } from "../../../src/internal/format/compare.ts"
import { Dice, manySeeds, same, utf8 } from "./support.ts"

describe("compareBytes", () => {
  it("orders as Buffer.compare does", () => {
    manySeeds(20_000, (dice) => {
      const a = dice.bytes(dice.below(6)).map((byte) => (byte & 1) * 255)
      const b = dice.bytes(dice.below(6)).map((byte) => (byte & 1) * 255)
      same(Math.sign(compareBytes(a, 0, a.length, b, 0, b.length)), Buffer.compare(a, b))
    })
  })

  it("looks only between its bounds", () => {
    same(compareBytes(utf8("xxabc"), 2, 4, utf8("yabz"), 1, 3), 0)
  })
})

const hash = (text: string): number => hashKey(utf8(text), 0, text.length)

describe("hashKey", () => {
  it.each([
    ["", 0],
    ["hello", 0x248bfa47],
    ["hello, world", 0x149bbb7f],
    ["The quick brown fox jumps over the lazy dog", 0x2e4ff723]
  ])("of %j is MurmurHash3_x86_32's published value", (text, expected) => {
    same(hash(text), expected)
  })

  it.each([
    ["", 0xebb6c228],
    ["hello", 0xf33c02af],
    ["The quick brown fox jumps over the lazy dog", 0xb083a89d]
  ])("hashKeyHigh of %j never changes", (text, expected) => {
    same(hashKeyHigh(utf8(text), 0, text.length), expected)
  })

  it("spreads 65,536 counting keys over 65,536 buckets as chance would, each and both together", () => {
    const keys = Array.from({ length: 65_536 }, (_, index) => utf8(`user:${index}`))
    const low = keys.map((key) => hashKey(key, 0, key.length))
    const high = keys.map((key) => hashKeyHigh(key, 0, key.length))
    // Chance leaves 1/e = 24,109 of them empty; sigma is about 104.
    const empty = (bucket: (index: number) => number): number =>
      65_536 - new Set(keys.map((_, index) => bucket(index))).size
    for (const shift of [0, 8, 16]) {
      expect(Math.abs(empty((index) => (low[index] >>> shift) & 65_535) - 24_109)).toBeLessThan(600)
      expect(Math.abs(empty((index) => (high[index] >>> shift) & 65_535) - 24_109)).toBeLessThan(600)
      expect(Math.abs(empty((index) => ((low[index] ^ high[index]) >>> shift) & 65_535) - 24_109)).toBeLessThan(600)
    }
  })

  it("changes about half of its bits with every bit of the key", () => {
    const dice = new Dice(1)
    for (let bit = 0; bit < 88; bit++) {
      let changed = 0
      for (let round = 0; round < 200; round++) {
        const key = dice.bytes(11)
        const flipped = key.slice()
        flipped[bit >> 3] ^= 1 << (bit & 7)
        const difference = hashKey(key, 0, 11) ^ hashKey(flipped, 0, 11)
        for (let at = 0; at < 32; at++) changed += (difference >>> at) & 1
      }
      expect(Math.abs(changed / 200 - 16)).toBeLessThan(2)
    }
  })
})
