import { describe, expect, it } from "@effect/vitest"
import {
  ValueIndexBlock,
  ValueIndexBuilder,
  valueIndexBytes,
  valueIndexEntriesMax,
  type ValueIndexEntry
} from "../../../src/internal/format/valueIndex.ts"
import { attempt, type Dice, everyFlip, failure, golden, hex, manySeeds, same, unhex } from "./support.ts"

const sample: ReadonlyArray<ValueIndexEntry> = [
  { index: 0, offset: 2 ** 40 + 5, storedBytes: 20 },
  { index: 2 ** 32 - 1, offset: 2 ** 40 + 25, storedBytes: 2 ** 28 }
]
const sampleHex = "00000000 050000000001 14000000  ffffffff 190000000001 00000010"

const blocksOf = (entries: ReadonlyArray<ValueIndexEntry>) => {
  const builder = new ValueIndexBuilder()
  for (const entry of entries) builder.add(entry)
  return builder.finish()
}

const entriesOf = (block: ValueIndexBlock): ReadonlyArray<ValueIndexEntry> =>
  Array.from({ length: block.count }, (_, position) => block.at(position))

const randomEntries = (dice: Dice, count: number): ReadonlyArray<ValueIndexEntry> => {
  let [index, offset] = [dice.below(1000), 96 + dice.below(2 ** 40)]
  return Array.from({ length: count }, () => {
    const entry = { index, offset, storedBytes: 1 + dice.below(2 ** 20) }
    index += 1 + (dice.chance(0.5) ? 0 : dice.below(2 ** 20))
    offset += entry.storedBytes
    return entry
  })
}

describe("valueIndex", () => {
  it("has these bytes, and reads back", () => {
    const [block] = blocksOf(sample)
    expect(hex(block!.plain)).toBe(golden(sampleHex))
    expect(block!.firstIndex).toBe(0)
    expect(entriesOf(ValueIndexBlock.open(unhex(sampleHex), 2 ** 41))).toEqual(sample)
  })

  it("finds every value in its block, and none that is not there", () => {
    manySeeds(30, (dice) => {
      const entries = randomEntries(dice, 1 + dice.below(2 * valueIndexEntriesMax + 5))
      const blocks = blocksOf(entries)
      same(blocks.length, Math.ceil(entries.length / valueIndexEntriesMax))
      const known = new Map(entries.map((entry) => [entry.index, entry]))
      const found: Array<ValueIndexEntry> = []
      for (const { firstIndex, plain } of blocks) {
        expect(plain.length).toBeLessThanOrEqual(4096)
        const block = ValueIndexBlock.open(plain, 2 ** 47)
        same(block.at(0).index, firstIndex)
        found.push(...entriesOf(block))
        for (const { index, offset } of entriesOf(block)) {
          same(block.find(index)?.offset, offset)
          if (!known.has(index + 1)) same(block.find(index + 1), undefined)
          if (index > firstIndex && !known.has(index - 1)) same(block.find(index - 1), undefined)
        }
        same(block.find(2 ** 32 - 1), undefined)
      }
      expect(found).toEqual(entries)
    })
  })

  it.each([
    ["nothing", ""],
    ["a part of an entry", sampleHex.slice(0, -2)],
    ["more than a block has", "00".repeat(valueIndexBytes * (valueIndexEntriesMax + 1))],
    ["a value in the header", "00000000 5f0000000000 14000000"],
    ["a value behind the last", "00000000 050000000002 14000000"],
    ["a value of no bytes", "00000000 600000000000 00000000"],
    ["a gap", "00000000 600000000000 14000000 01000000 750000000000 14000000"],
    ["an index twice", "00000000 600000000000 14000000 00000000 740000000000 14000000"]
  ])("refuses %s", (_, bytes) => void failure(() => ValueIndexBlock.open(unhex(bytes), 2 ** 41)))

  it("refuses to take indexes that do not ascend, and offsets without room", () => {
    expect(() => blocksOf([sample[0]!, { ...sample[1]!, index: 0 }])).toThrow("assertion")
    expect(() => blocksOf([{ ...sample[0]!, offset: 2 ** 48 }])).toThrow("assertion")
  })

  it("reads damaged and random bytes as a block that encodes so, or refuses them", () => {
    const check = (bytes: Uint8Array): void => {
      const result = attempt(() => ValueIndexBlock.open(bytes, 2 ** 41))
      if ("value" in result) expect(hex(blocksOf(entriesOf(result.value))[0]!.plain)).toBe(hex(bytes))
    }
    everyFlip(unhex(sampleHex), check)
    manySeeds(10_000, (dice) => check(dice.bytes(valueIndexBytes * dice.below(3)).map((byte) => byte % 2)))
  })

  it("of no entry, of parts of one, or of more than a block holds is refused by its length", () => {
    for (const length of [0, 13, 15, 14 * 293]) {
      expect(failure(() => ValueIndexBlock.open(new Uint8Array(length), 1e6)).message).toContain(`of ${length} bytes`)
    }
  })
})
