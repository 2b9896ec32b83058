import { assert, describe, it } from "@effect/vitest"
import { TableIndex, TableIndexBuilder } from "../../../src/internal/format/tableIndex.ts"
import { TableBlocks } from "../../../src/internal/structure/tableBlocks.ts"
import { latin1 } from "../format/entries.ts"
import { type Dice, manySeeds } from "../format/support.ts"

const indexOf = (keys: ReadonlyArray<string>, length = (block: number) => 100 + block): TableIndex => {
  const builder = new TableIndexBuilder()
  let total = 0
  for (const [block, key] of keys.entries()) {
    const bytes = latin1(`<${key}>`)
    builder.add(length(block), bytes, 1, bytes.length - 1)
    total += length(block)
  }
  return TableIndex.open(builder.finish(), total)
}

const order = (a: string, b: string): number => Buffer.compare(latin1(a), latin1(b))

/** Keys that are alike in every way that the search tells apart: prefixes, zeros, lengths around eight bytes. */
const randomKeys = (dice: Dice): Array<string> => {
  const shared = dice.pick(["", "k", "prefix/", "a long common prefix of all keys/"])
  const alphabet = dice.pick(["\0", "\0\xff", "ab", "\0\x01\x7f\x80\xff"])
  const text = () => Array.from({ length: dice.below(dice.pick([3, 10, 20])) }, () => dice.pick([...alphabet])).join("")
  const middle = dice.pick(["", "12345678", "1234567"])
  const keys = Array.from({ length: 1 + dice.below(40) }, () => shared + (dice.chance(0.5) ? middle : "") + text())
  return keys.sort(order)
}

const around = (key: string): Array<string> => [
  key,
  `${key}\0`,
  `${key}\xff`,
  key.slice(0, -1),
  `${key.slice(0, -1)}\xff`,
  key.slice(1),
  `\xff${key}`
]

describe("TableBlocks", () => {
  it("finds the first block whose last key is at or after the target", () =>
    manySeeds(200, (dice) => {
      const keys = randomKeys(dice)
      const blocks = new TableBlocks(indexOf(keys))
      const targets = [...keys, ...randomKeys(dice), "", "\0", "\xff\xff"].flatMap(around)
      for (const target of targets) {
        const first = keys.findIndex((key) => order(key, target) >= 0)
        const bytes = latin1(`\xff${target}\xff`)
        const found = blocks.seek(bytes, 1, bytes.length - 1)
        const equal = keys.map((_, block) => blocks.endsWith(block, bytes, 1, bytes.length - 1))
        // Messages are made on failure only: there are 100,000 of them.
        const isRight =
          found === (first < 0 ? keys.length : first) && equal.every((is, block) => is === (keys[block] === target))
        if (!isRight) assert.fail(JSON.stringify({ keys, target, found, equal }))
      }
    }))

  it("knows where each block stands, also beyond 4 GiB", () => {
    for (const large of [100, 2 ** 32 - 1]) {
      const length = (block: number) => (block % 2 === 0 ? large : 7)
      const index = indexOf(["a", "b", "c", "d"], length)
      const blocks = new TableBlocks(index)
      assert.strictEqual(blocks.count, 4)
      for (let block = 0; block < 4; block++) {
        assert.strictEqual(blocks.offsetOf(block), index.offsets[block])
        assert.strictEqual(blocks.lengthOf(block), length(block))
      }
    }
  })

  it("takes 25 bytes a block for keys of 16 bytes without a common beginning", () => {
    const keys = Array.from({ length: 256 }, (_, block) => String.fromCharCode(block).padEnd(16, "x"))
    assert.isAtMost(new TableBlocks(indexOf(keys)).bytes, 256 * 25 + 4 + 4)
  })

  it("of no blocks, none is found", () => {
    assert.strictEqual(new TableBlocks(indexOf([])).seek(latin1("a"), 0, 1), 0)
  })
})
