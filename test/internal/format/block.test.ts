import { describe, expect, it } from "@effect/vitest"
import { BlockBuilder, BlockReader } from "../../../src/internal/format/block.ts"
import { makeEntryView } from "../../../src/internal/format/blockEntry.ts"
import { Kind } from "../../../src/internal/format/record.ts"
import { finished, latin1, type Plain, plain, randomEntries, readAll, toView } from "./entries.ts"
import { attempt, Dice, everyFlip, everyTruncation, failure, golden, hex, manySeeds, same, unhex } from "./support.ts"

const build = (entries: ReadonlyArray<Plain>, builder: BlockBuilder = new BlockBuilder()): Uint8Array => {
  for (const entry of entries) builder.add(toView(entry))
  return finished(builder)
}

const sample: ReadonlyArray<Plain> = [
  plain("a", { sequence: 300, value: "new" }),
  plain("a", { sequence: 7, expiresAt: 300 }),
  plain("b", { sequence: 9, kind: Kind.remove }),
  plain("bb", { sequence: 8, kind: Kind.merge, userMeta: 5 })
]

const sampleHex = `
  01 61 01 00 a502 03 6e6577   01 61 01 01 00 01 76 ac02   01 62 00 00 02   02 6262 04 02 01 01 76 05
  00000000 0a000000 13000000 18000000   04000000 0700000000000000`

const find = (block: BlockReader, key: string): number => block.seek(latin1(key), 0, key.length)
const findVersion = (block: BlockReader, key: string, sequence: number): number =>
  block.seekVersion(latin1(`!${key}!`), 1, 1 + key.length, sequence)

describe("block", () => {
  it("has these bytes", () => {
    same(hex(build(sample)), golden(sampleHex))
    expect(readAll(BlockReader.open(unhex(sampleHex)))).toEqual(sample)
  })

  it("reads back what was added, from a builder that is used again", () => {
    const builder = new BlockBuilder()
    manySeeds(500, (dice) => {
      const entries = randomEntries(dice, 1 + dice.below(40))
      for (const entry of entries) builder.add(toView(entry))
      const announced = builder.bytes
      const bytes = finished(builder)
      same(builder.count, 0)
      expect(bytes.length).toBeGreaterThanOrEqual(announced)
      expect(bytes.length).toBeLessThanOrEqual(announced + entries.length * 7)
      const block = BlockReader.open(bytes)
      expect(readAll(block)).toEqual(entries)
      same(block.bytes, bytes)
      block.checkOrder()
    })
  })

  it.each([false, true])("finds entries by key and sequence, prepared for it: %s", (isPrepared) => {
    manySeeds(300, (dice) => {
      const common = "c".repeat(dice.below(3))
      const entries = randomEntries(dice, 1 + dice.below(60)).map((entry) => ({ ...entry, key: common + entry.key }))
      const block = BlockReader.open(build(entries))
      if (isPrepared) block.prepare()
      for (let round = 0; round < 20; round++) {
        const near = dice.pick(entries)
        const key = dice.chance(0.6) ? near.key : Buffer.from(dice.bytes(dice.below(4))).toString("latin1")
        const sequence = near.sequence + dice.below(3) - 1
        const order = (entry: Plain): number => Buffer.compare(latin1(entry.key), latin1(key))
        const first = entries.findIndex((entry) => order(entry) >= 0)
        const version = entries.findIndex(
          (entry) => order(entry) > 0 || (order(entry) === 0 && entry.sequence <= sequence)
        )
        same(find(block, key), first === -1 ? entries.length : first)
        same(findVersion(block, key, sequence), version === -1 ? entries.length : version)
        if (entries.some((entry) => order(entry) === 0)) {
          same(block.findVersion(latin1(key), 0, key.length, sequence), findVersion(block, key, sequence))
        }
      }
      expect(readAll(block)).toEqual(entries)
    })
  })

  it("holds keys and values of every size", () => {
    const entries = [
      plain("k".repeat(127)),
      plain("k".repeat(128), { value: "v".repeat(70_000) }),
      plain("l".repeat(65_545))
    ]
    const block = BlockReader.open(build(entries))
    expect(readAll(block)).toEqual(entries)
    expect(entries.map((entry) => find(block, entry.key))).toEqual([0, 1, 2])
    block.prepare()
    expect(entries.map((entry) => find(block, entry.key))).toEqual([0, 1, 2])
    same(find(block, "k".repeat(129)), 2)
  })

  it("reads without any allocation of a view", () => {
    const block = BlockReader.open(build(sample))
    const view = makeEntryView()
    block.read(3, view)
    same(view.bytes, block.bytes)
    same(view.flags, 2)
  })

  it.each([
    ["no entries", "00000000 0000000000000000"],
    ["more entries than fit", "01 61 00 00 00  00000000  02000000 0000000000000000"],
    ["a count above all bounds", "01 61 00 00 00  00000000  ffffffff 0000000000000000"],
    ["a first offset that is not zero", "01 61 00 00 00  01000000  01000000 0000000000000000"],
    ["bytes between entries and offsets", "01 61 00 00 00 00  00000000  01000000 0000000000000000"],
    ["a key that reaches into the offsets", "03 61 00 00 00  00000000  01000000 0000000000000000"],
    ["a value that reaches into the offsets", "01 61 01 00 00 01  00000000  01000000 0000000000000000"],
    ["a range removal", "01 61 02 00 00 00  00000000  01000000 0000000000000000"],
    ["a sequence above 2^53", "01 61 00 00 01  00000000  01000000 ffffffffffff1f00"],
    ["a base above 2^53", "01 61 00 00 00  00000000  01000000 ffffffffffff2f00"]
  ])("with %s is refused", (_, bytes) => {
    same(failure(() => BlockReader.open(unhex(bytes))).unsupported, false)
  })

  it("with an unknown kind or flag is of a later version", () => {
    const open = (bytes: string) => failure(() => BlockReader.open(unhex(bytes)))
    same(open("01 61 05 00 00 00  00000000  01000000 0000000000000000").unsupported, true)
    same(open("01 61 01 08 00 00  00000000  01000000 0000000000000000").unsupported, true)
  })

  it("out of order is found by checkOrder", () => {
    for (const entries of [
      [plain("b"), plain("a")],
      [plain("a", { sequence: 1 }), plain("a", { sequence: 2 })],
      [plain("a"), plain("a")]
    ]) {
      const block = BlockReader.open(build(entries))
      failure(() => block.checkOrder())
    }
  })

  it("that opened never fails or reads outside itself, however damaged", () => {
    const check = (bytes: Uint8Array): void => {
      const result = attempt(() => BlockReader.open(bytes))
      if (!("value" in result)) return
      const entries = readAll(result.value)
      expect(hex(build(entries)).length).toBeLessThanOrEqual(bytes.length * 2)
      attempt(() => result.value.checkOrder())
      result.value.prepare()
      expect(readAll(result.value)).toEqual(entries)
      for (const key of ["", "a", "b", "bb", "zz"]) {
        expect(find(result.value, key)).toBeLessThanOrEqual(entries.length)
        expect(findVersion(result.value, key, 100)).toBeLessThanOrEqual(entries.length)
      }
    }
    everyFlip(build(sample), check)
    everyTruncation(build(sample), (bytes) => failure(() => BlockReader.open(bytes)))
    manySeeds(5000, (dice) => {
      const bytes = build(sample)
      for (let hits = dice.below(4); hits >= 0; hits--)
        bytes[dice.below(bytes.length)] = dice.below(dice.pick([6, 256]))
      check(bytes)
    })
    for (let seed = 0; seed < 5000; seed++) check(new Dice(seed).bytes(seed % 60))
  })
})
