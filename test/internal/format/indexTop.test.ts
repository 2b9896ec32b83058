import { assert, describe, expect, it } from "@effect/vitest"
import { encodeIndexTop, IndexTop } from "../../../src/internal/format/indexTop.ts"
import { storedKeyBytesMax } from "../../../src/internal/format/record.ts"
import { type Partition, TableIndex, TableIndexBuilder } from "../../../src/internal/format/tableIndex.ts"
import { latin1 } from "./entries.ts"
import { type Dice, everyTruncation, failure, golden, hex, manySeeds, same } from "./support.ts"

type Blocks = ReadonlyArray<readonly [length: number, lastKey: string]>

const partitionsOf = (blocks: Blocks, bytesMax: number): ReadonlyArray<Partition> => {
  const builder = new TableIndexBuilder()
  for (const [length, key] of blocks) builder.add(length, latin1(key), 0, key.length)
  same(builder.bytes, builder.finish().length)
  return builder.partitions(bytesMax)
}

const storedLength = ({ plain }: Partition): number => plain.length + 10
const encode = (partitions: ReadonlyArray<Partition>) => encodeIndexTop(partitions, partitions.map(storedLength))

/** As a footer would say it, with the partitions from 1000 on. */
const footerOf = (blocks: Blocks, partitions: ReadonlyArray<Partition>) => ({
  blockCount: blocks.length,
  blocksBytes: blocks.reduce((sum, [length]) => sum + length, 0),
  partitions: { offset: 1000, bytes: partitions.reduce((sum, partition) => sum + storedLength(partition), 0) }
})

const sample: Blocks = [
  [300, "banana"],
  [40, "cherry"],
  [5, "cherry"],
  [6, "cherrytree"]
]

const randomBlocks = (dice: Dice): Blocks => {
  const keys = Array.from({ length: 1 + dice.below(60) }, () =>
    Buffer.from(dice.bytes(dice.below(dice.chance(0.2) ? 40 : 3))).toString("latin1")
  )
  keys.sort((a, b) => Buffer.compare(latin1(a), latin1(b)))
  return keys.map((key) => [1 + dice.below(99), key])
}

describe("the top of an index", () => {
  it("has these bytes", () => {
    const partitions = partitionsOf(sample, 20)
    expect(partitions.map(({ plain }) => hex(plain))).toEqual([
      golden("01000000 2c010000 06 62616e616e61"),
      golden("01000000 28000000 06 636865727279"),
      golden("01000000 05000000 06 636865727279"),
      golden("01000000 06000000 0a 63686572727974726565")
    ])
    expect(hex(encode(partitions))).toBe(
      golden(`04000000
        19000000 01 ac02 01 63
        19000000 01 28 06 636865727279
        19000000 01 05 06 636865727279
        1d000000 01 06 0a 63686572727974726565`)
    )
  })

  it("leads to the block that the whole index names, without looking into a second partition", () => {
    manySeeds(600, (dice) => {
      const blocks = randomBlocks(dice)
      const whole = new TableIndexBuilder()
      for (const [length, key] of blocks) whole.add(length, latin1(key), 0, key.length)
      const partitions = partitionsOf(blocks, dice.pick([8, 30, 200]))
      const footer = footerOf(blocks, partitions)
      const index = TableIndex.open(whole.finish(), footer.blocksBytes)
      const top = IndexTop.open(encode(partitions), footer)
      const opened = partitions.map(({ plain }, partition) => top.open(partition, plain))
      expect(TableIndex.joined(opened)).toEqual(index)
      for (let round = 0; round < 20; round++) {
        const target = dice.chance(0.3) ? latin1(dice.pick(blocks)[1]) : dice.bytes(dice.below(4))
        const partition = top.seek(target, 0, target.length)
        const found =
          partition === top.count
            ? blocks.length
            : top.firstBlocks[partition] + opened[partition].seek(target, 0, target.length)
        same(found, index.seek(target, 0, target.length))
      }
      for (let block = 0; block < blocks.length; block++) {
        const partition = top.partitionOf(block)
        same(opened[partition].offsets[block - top.firstBlocks[partition]], index.offsets[block])
      }
    })
  })

  it("keeps little of long keys", () => {
    const long = "x".repeat(60_000)
    const blocks: Blocks = ["a", "b", "c", "d"].map((letter) => [10, letter + long])
    const bounds = partitionsOf(blocks, 100).map(({ bound }) => bound.length)
    assert.deepStrictEqual(bounds, [1, 1, 1, 60_001])
  })

  it("is refused when it is cut off, or does not agree with the footer or with itself", () => {
    const partitions = partitionsOf(sample, 20)
    const footer = footerOf(sample, partitions)
    const bytes = encode(partitions)
    everyTruncation(bytes, (cut) => failure(() => IndexTop.open(cut, footer)))
    for (const wrong of [
      { blockCount: 5 },
      { blocksBytes: 352 },
      { partitions: { offset: 1000, bytes: footer.partitions.bytes + 1 } }
    ]) {
      failure(() => IndexTop.open(bytes, { ...footer, ...wrong }))
    }
    const changed = (change: Partial<Partition>) => encode(partitions.with(1, { ...partitions[1], ...change }))
    failure(() => IndexTop.open(changed({ blockCount: 0 }), footer))
    const [first] = partitions
    const withNone = [first, { ...first, blockCount: 0, blocksBytes: 0 }, ...partitions.slice(1)]
    expect(failure(() => IndexTop.open(encode(withNone), footerOf(sample, withNone))).message).toContain(
      "without blocks"
    )
    failure(() => IndexTop.open(changed({ bound: latin1("a") }), footer))
    failure(() => IndexTop.open(changed({ bound: new Uint8Array(storedKeyBytesMax + 1) }), footer))
    failure(() => IndexTop.open(latin1("\xff\xff\xff\xff"), footer))
  })

  it("refuses a partition that is not the one it names", () => {
    const partitions = partitionsOf(sample, 20)
    const top = IndexTop.open(encode(partitions), footerOf(sample, partitions))
    for (const [at, of] of [
      [0, 1],
      [1, 0],
      [1, 2],
      [2, 3]
    ] as const) {
      failure(() => top.open(at, partitions[of].plain))
    }
    const other = (key: string) => {
      const builder = new TableIndexBuilder()
      builder.add(40, latin1(key), 0, key.length)
      return builder.finish()
    }
    same(top.open(1, other("cherry")).count, 1)
    const halves = new TableIndexBuilder()
    for (const key of ["cg", "cherry"]) halves.add(20, latin1(key), 0, key.length)
    expect(failure(() => top.open(1, halves.finish())).message).toContain("a partition of 2 blocks")
    failure(() => top.open(1, other("bz")))
    failure(() => top.open(1, other("d")))
  })
})
