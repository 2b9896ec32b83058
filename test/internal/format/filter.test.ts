import { describe, expect, it } from "@effect/vitest"
import { hashKey, hashKeyHigh } from "../../../src/internal/format/compare.ts"
import { checkFilter, FilterBuilder, mayContain } from "../../../src/internal/format/filter.ts"
import { attempt, Dice, failure, golden, hex, same, utf8 } from "./support.ts"

const hashes = (key: string): [number, number] => {
  const bytes = utf8(key)
  return [hashKey(bytes, 0, bytes.length), hashKeyHigh(bytes, 0, bytes.length)]
}

const build = (keys: ReadonlyArray<string>, bitsPerKey: number): Uint8Array => {
  const builder = new FilterBuilder()
  for (const key of keys) builder.add(...hashes(key))
  const filter = builder.finish(bitsPerKey)
  if (filter === undefined) throw new Error("no filter")
  checkFilter(filter)
  return filter
}

const count = 100_000
const present = Array.from({ length: count }, (_, index) => `user:${index}`)
const absent = Array.from({ length: count }, (_, index) => `user:${count + index}`)

describe("filter", () => {
  it("has these bytes", () => {
    same(
      hex(build(["a", "b"], 10)),
      golden(`0004000008000000 0000000400000001 0002020000000000 8000000000000800
        0000000000480000 0000000000400000 0000000000000040 0000000000000000 06`)
    )
  })

  it.each([
    { bits: 5, low: 0.08, high: 0.13 },
    { bits: 10, low: 0.008, high: 0.013 },
    { bits: 16, low: 0.0005, high: 0.002 }
  ])(
    "of $bits bits a key and 100,000 keys misses none and lets through between $low and $high",
    ({ bits, high, low }) => {
      const filter = build(present, bits)
      expect(filter.length).toBeLessThan((count * bits) / 8 + 66)
      let missed = 0
      for (const key of present) if (!mayContain(filter, ...hashes(key))) missed += 1
      same(missed, 0)
      let passed = 0
      for (const key of absent) if (mayContain(filter, ...hashes(key))) passed += 1
      expect(passed / count).toBeGreaterThan(low)
      expect(passed / count).toBeLessThan(high)
    }
  )

  it("is not made for 0 bits a key or without keys", () => {
    const builder = new FilterBuilder()
    expect(builder.finish(10)).toBeUndefined()
    builder.add(1, 2)
    expect(builder.finish(0)).toBeUndefined()
  })

  it("of few keys and any number of bits misses none", () => {
    const keys = present.slice(0, 50)
    for (let bits = 1; bits <= 32; bits++) {
      const filter = build(keys, bits)
      same(
        keys.every((key) => mayContain(filter, ...hashes(key))),
        true
      )
    }
  })

  it("is the same filled in parts", () => {
    const keys = present.slice(0, 1000)
    for (const part of [1, 7, 999, 1000, 5000]) {
      const builder = new FilterBuilder()
      for (const key of keys) builder.add(...hashes(key))
      let parts = 1
      while (!builder.fill(10, part)) parts += 1
      same(parts, Math.ceil(1000 / part))
      same(hex(builder.finish(10)!), hex(build(keys, 10)))
    }
    same(new FilterBuilder().fill(10, 1), true)
  })

  it("is refused with a length that is no filter's or without probes; after the check nothing can go wrong", () => {
    for (const length of [0, 1, 64, 66, 128]) failure(() => checkFilter(new Uint8Array(length).fill(6)))
    failure(() => checkFilter(new Uint8Array(65)))
    failure(() => checkFilter(new Uint8Array(65).fill(25)))
    for (let seed = 0; seed < 2000; seed++) {
      const filter = new Dice(seed).bytes(1 + 64 * (seed % 4))
      if ("value" in attempt(() => checkFilter(filter))) {
        same(typeof mayContain(filter, 0xffffffff, 0xffffffff), "boolean")
      }
    }
  })
})
