import { describe, expect, it } from "@effect/vitest"
import { TableIndex, TableIndexBuilder } from "../../../src/internal/format/tableIndex.ts"
import { storedKeyBytesMax } from "../../../src/internal/format/record.ts"
import { latin1 } from "./entries.ts"
import { attempt, everyFlip, everyTruncation, failure, golden, hex, manySeeds, same, unhex } from "./support.ts"

type Blocks = ReadonlyArray<readonly [length: number, lastKey: string]>

const build = (blocks: Blocks): Uint8Array => {
  const builder = new TableIndexBuilder()
  for (const [length, key] of blocks) builder.add(length, latin1(`<${key}>`), 1, 1 + key.length)
  return builder.finish()
}

const total = (blocks: Blocks): number => blocks.reduce((sum, [length]) => sum + length, 0)

const sample: Blocks = [
  [300, "b"],
  [40, "d"],
  [5, "d"],
  [6, "e"]
]

const read = (index: TableIndex): Array<[number, string]> =>
  Array.from({ length: index.count }, (_, block) => [
    index.lengths[block],
    Buffer.from(index.keys).toString("latin1", index.keyOffsets[block], index.keyOffsets[block + 1])
  ])

describe("tableIndex", () => {
  it("has these bytes", () => {
    same(hex(build(sample)), golden("04000000 2c010000 01 62 28000000 01 64 05000000 01 64 06000000 01 65"))
    same(hex(build([])), "00000000")
  })

  it("reads back, with the offsets of the blocks", () => {
    const index = TableIndex.open(build(sample), 351)
    expect(read(index)).toEqual(sample)
    expect([...index.offsets]).toEqual([96, 396, 436, 441])
    same(TableIndex.open(build([]), 0).count, 0)
  })

  it("finds the first block whose last key is at or after the target", () => {
    manySeeds(500, (dice) => {
      const keys = Array.from({ length: dice.below(50) }, () =>
        Buffer.from(dice.bytes(dice.below(3))).toString("latin1")
      )
      keys.sort((a, b) => Buffer.compare(latin1(a), latin1(b)))
      const blocks: Blocks = keys.map((key) => [1 + dice.below(99), key])
      const index = TableIndex.open(build(blocks), total(blocks))
      expect(read(index)).toEqual(blocks)
      for (let round = 0; round < 20; round++) {
        const target = dice.bytes(dice.below(4))
        const expected = keys.findIndex((key) => Buffer.compare(latin1(key), target) >= 0)
        same(index.seek(target, 0, target.length), expected === -1 ? keys.length : expected)
      }
    })
  })

  it.each([
    ["more blocks than fit", "05000000 01000000 01 62"],
    ["a count above all bounds", "ffffffff 01000000 01 62"],
    ["another length of blocks than the footer's", "01000000 02000000 01 62"],
    ["keys that descend", "02000000 01000000 01 62 00000000 01 61"],
    ["a key that is cut off", "01000000 01000000 02 62"],
    ["bytes left over", "01000000 01000000 01 62 00"]
  ])("with %s is refused", (_, bytes) => {
    failure(() => TableIndex.open(unhex(bytes), 1))
  })

  it("with a key longer than any is refused", () => {
    const sized = (length: number) => build([[1, "k".repeat(length)]])
    same(TableIndex.open(sized(storedKeyBytesMax), 1).count, 1)
    failure(() => TableIndex.open(sized(storedKeyBytesMax + 1), 1))
  })

  it("opens damaged and random bytes as an index in order or refuses them", () => {
    const check = (bytes: Uint8Array): void => {
      const result = attempt(() => TableIndex.open(bytes, 351))
      if ("value" in result) same(hex(build(read(result.value))), hex(bytes))
    }
    everyFlip(build(sample), check)
    everyTruncation(build(sample), (bytes) => failure(() => TableIndex.open(bytes, 351)))
    manySeeds(5000, (dice) => {
      const bytes = dice.bytes(dice.below(60))
      if (bytes.length >= 4) bytes.set([dice.below(9), 0, 0, 0])
      check(bytes)
    })
  })
})
