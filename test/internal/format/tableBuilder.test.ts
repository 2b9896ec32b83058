import { describe, expect, it } from "@effect/vitest"
import { BlockReader } from "../../../src/internal/format/block.ts"
import { concatBytes } from "../../../src/internal/format/bytes.ts"
import { crc32 } from "../../../src/internal/format/checksum.ts"
import { hashKey, hashKeyHigh } from "../../../src/internal/format/compare.ts"
import { decodeFileHeader, FileKind, fileTagOf } from "../../../src/internal/format/fileHeader.ts"
import { checkFilter, mayContain } from "../../../src/internal/format/filter.ts"
import { Kind } from "../../../src/internal/format/record.ts"
import { checksumSealer, type Sealer } from "../../../src/internal/format/sealer.ts"
import { decodingAt, Layout, openBlock } from "../../../src/internal/format/storedBlock.ts"
import {
  decodeFooter,
  decodeProperties,
  decodeRangeRemovals,
  footerBytes,
  type RangeRemoval,
  type Section
} from "../../../src/internal/format/table.ts"
import { TableBuilder, type TableFacts } from "../../../src/internal/format/tableBuilder.ts"
import { TableIndex } from "../../../src/internal/format/tableIndex.ts"
import { readHandle } from "../../../src/internal/format/valueHandle.ts"
import { decodeValueRefs } from "../../../src/internal/format/valueRefs.ts"
import { latin1, type Plain, plain, randomEntries, readAll, toView } from "./entries.ts"
import {
  attempt,
  everyFlip,
  everyTruncation,
  failure,
  golden,
  hex,
  invertingSealer,
  manySeeds,
  testHeader
} from "./support.ts"

const builder = (sealer: Sealer = checksumSealer, given?: object): TableBuilder =>
  new TableBuilder({
    header: testHeader({ kind: FileKind.table, tagBytes: sealer.tagBytes, keyGeneration: sealer.keyGeneration }),
    blockBytes: 256,
    filterBitsPerKey: 10,
    indexBytesMax: 1024 * 1024,
    sealer,
    ...given
  })

const build = (
  table: TableBuilder,
  entries: ReadonlyArray<Plain>,
  removals: ReadonlyArray<RangeRemoval> = []
): { readonly bytes: Uint8Array; readonly facts: TableFacts } => {
  const chunks: Array<Uint8Array> = []
  for (const entry of entries) {
    table.add(toView(entry))
    chunks.push(...table.take().map((chunk) => chunk.slice()))
  }
  for (const removal of removals) table.addRangeRemoval(removal)
  const last = table.finish()
  return { bytes: concatBytes([...chunks, ...last.chunks]), facts: last.facts }
}

/** Reads a whole table the way `verify` would. */
const read = (bytes: Uint8Array, sealer: Sealer = checksumSealer, fileBytes: number = bytes.length) => {
  const header = decodeFileHeader(bytes, FileKind.table)
  const fileHeader = bytes.subarray(0, 96)
  const end = bytes.subarray(Math.max(0, bytes.length - footerBytes(sealer.tagBytes)))
  const footer = decodeFooter({ bytes: end, fileBytes, fileHeader, sealer })
  const fileTag = fileTagOf(header.fileId)
  const section = <A>({ bytes: length, offset }: Section, layout: Layout, decode: (plain: Uint8Array) => A): A =>
    decodingAt(offset, () => decode(openBlock({ bytes, start: offset, length, layout, fileTag, offset, sealer })))
  const index = section(footer.index, Layout.index, (plain) => TableIndex.open(plain, footer.blocksBytes))
  const blocks = Array.from({ length: index.count }, (_, block) =>
    section({ offset: index.offsets[block], bytes: index.lengths[block] }, Layout.entries, (plain) => {
      const reader = BlockReader.open(plain)
      reader.checkOrder()
      return reader
    })
  )
  const filter =
    footer.filterBytes === 0
      ? undefined
      : section(footer.filter, Layout.filter, (plain) => {
          checkFilter(plain)
          return plain
        })
  const removals =
    footer.rangeRemovalsBytes === 0 ? [] : section(footer.rangeRemovals, Layout.rangeRemovals, decodeRangeRemovals)
  const valueRefs = footer.valueRefsBytes === 0 ? [] : section(footer.valueRefs, Layout.valueRefs, decodeValueRefs)
  const properties = section(footer.properties, Layout.properties, decodeProperties)
  return { header, footer, index, blocks, filter, removals, valueRefs, properties, entries: blocks.flatMap(readAll) }
}

/** The values that the entries name, by file and index. */
const refsOf = (entries: ReadonlyArray<Plain>) => {
  const handles = entries
    .filter(({ kind }) => kind === Kind.valueHandle)
    .map(({ value }) => readHandle(latin1(value), 0, value.length))
    .sort((a, b) => a.file - b.file || a.index - b.index)
  return [...Map.groupBy(handles, ({ file }) => file)].map(([file, own]) => ({
    file,
    indexes: own.map(({ index }) => index),
    lengths: own.map(({ length }) => length)
  }))
}

const sample = [plain("a", { sequence: 5 }), plain("a", { sequence: 4 }), plain("b", { kind: Kind.remove })]
const sampleRemovals = [{ from: latin1("c"), to: latin1("d"), sequence: 9 }]

describe("tableBuilder", () => {
  it("has these bytes", () => {
    const { bytes } = build(builder(checksumSealer, { blockBytes: 20, filterBitsPerKey: 0 }), sample, sampleRemovals)
    expect(hex(bytes.subarray(96))).toBe(
      golden(`
        01610100000176000000000100000005000000000000000100170000006c386c0c
        0161010000017600000000010000000400000000000000010017000000480bce70
        0162000000000000000100000001000000000000000100150000005fad781e
        030000002100000001612100000001611f000000016202001600000022dd4322
        0101630164090400060000008f2b413c
        01010402010203010104010105010906010307010208010009010005001b000000b96d5f5c
        6100000000000000 00000000 00000000 20000000 10000000 00000000 25000000 03000000 a657a39c
        0400000000000000 0200000000000000 5c01000000000000 0000 e63f6c87
      `)
    )
  })

  describe.each([checksumSealer, invertingSealer])("with tags of $tagBytes bytes", (sealer) => {
    it("builds what reads back, and facts that are true", () => {
      manySeeds(150, (dice) => {
        const entries = randomEntries(dice, 1 + dice.below(100))
        const blockBytes = dice.pick([1, 64, 256, 4096])
        const { bytes, facts } = build(builder(sealer, { blockBytes }), entries)
        const table = read(bytes, sealer)
        expect(table.entries).toEqual(entries)
        const sequences = entries.map((entry) => entry.sequence)
        const removes = entries.filter((entry) => entry.kind === Kind.remove).length
        expect(facts).toEqual({
          number: 7,
          epoch: 3,
          keyGeneration: sealer.keyGeneration,
          codec: 0,
          fileId: table.header.fileId,
          bytes: bytes.length,
          footerCrc: table.footer.footerCrc,
          smallest: latin1(entries[0].key),
          largest: latin1(entries[entries.length - 1].key),
          entryCount: entries.length,
          removeCount: removes,
          rangeRemovalCount: 0,
          hiddenCount: 0,
          sequenceMin: Math.min(...sequences),
          sequenceMax: Math.max(...sequences),
          valueRefs: refsOf(entries).map(({ file, indexes, lengths }) => ({
            file,
            count: indexes.length,
            bytes: lengths.reduce((sum, length) => sum + length, 0)
          }))
        })
        expect(table.valueRefs.map(({ file, indexes }) => [file, ...indexes])).toEqual(
          refsOf(entries).map(({ file, indexes }) => [file, ...indexes])
        )
        expect(table.footer).toMatchObject({ blockCount: table.blocks.length, entryCount: entries.length })
        expect(table.properties).toMatchObject({
          entryCount: entries.length,
          removeCount: removes,
          rangeRemovalCount: 0
        })
        for (const block of table.blocks)
          expect(block.count === 1 || block.bytes.length <= blockBytes + 7 * block.count).toBe(true)
        for (const { key } of entries) {
          const bytes = latin1(key)
          expect(mayContain(table.filter!, hashKey(bytes, 0, bytes.length), hashKeyHigh(bytes, 0, bytes.length))).toBe(
            true
          )
          const block = table.index.seek(bytes, 0, bytes.length)
          expect(table.blocks[block].seek(bytes, 0, bytes.length)).toBeLessThan(table.blocks[block].count)
        }
      })
    })
  })

  it("keeps range removals apart, sorted, and counts their ends as keys", () => {
    const removal = (from: string, to: string, sequence: number) => ({ from: latin1(from), to: latin1(to), sequence })
    const given = [removal("m", "z", 1), removal("a", "c", 2), removal("a", "b", 30)]
    const { bytes, facts } = build(builder(), [plain("k", { sequence: 10 })], given)
    const table = read(bytes)
    expect(table.removals).toEqual([given[2], given[1], given[0]])
    expect(table.entries).toHaveLength(1)
    expect(facts).toMatchObject({
      entryCount: 4,
      removeCount: 3,
      rangeRemovalCount: 3,
      sequenceMin: 1,
      sequenceMax: 30
    })
    expect([facts.smallest, facts.largest]).toEqual([latin1("a"), latin1("z")])
    const alone = build(builder(), [], given)
    expect(read(alone.bytes)).toMatchObject({ removals: [given[2], given[1], given[0]], blocks: [], filter: undefined })
    expect([alone.facts.smallest, alone.facts.largest]).toEqual([latin1("a"), latin1("z")])
  })

  it("gives an entry that is longer than a block a block of its own", () => {
    const entries = [plain("a"), plain("b", { value: "v".repeat(10_000) }), plain("c"), plain("d")]
    const table = read(build(builder(), entries).bytes)
    expect(table.blocks.map((block) => block.count)).toEqual([1, 1, 2])
    expect(table.entries).toEqual(entries)
  })

  it("hands out at most a block and what it was given, in memory that it uses again", () => {
    const table = builder()
    const buffers = new Set<ArrayBufferLike>()
    const small: Array<Uint8Array> = []
    for (let index = 0; index < 5000; index++) {
      table.add(toView(plain(`key ${1000 + index}`, { value: "x".repeat(20) })))
      const chunks = table.take()
      const bytes = concatBytes(chunks.map((chunk) => chunk.slice()))
      expect(bytes.length).toBeLessThan(500)
      for (const { buffer } of index === 0 ? [] : chunks) buffers.add(buffer)
      small.push(bytes)
    }
    expect(buffers.size).toBe(1)
    const large = "y".repeat(300_000)
    table.add(toView(plain("large", { value: large })))
    const last = table.finish()
    expect(table.take()).toEqual([])
    const { entries } = read(concatBytes([...small, ...last.chunks]))
    expect(entries.length).toBe(5001)
    expect(entries.at(-1)!.value).toEqual(large)
  })

  it("counts expiring entries and the earliest expiry", () => {
    const entries = [
      plain("a", { expiresAt: 9 }),
      plain("b", { expiresAt: 5 }),
      plain("c"),
      plain("d", { expiresAt: 7 })
    ]
    expect(read(build(builder(), entries).bytes).properties).toMatchObject({ expiringCount: 3, expiresAtMin: 5 })
  })

  it("puts a key into its filter once, however many versions it has", () => {
    const entries = Array.from({ length: 200 }, (_, index) => plain("a", { sequence: 1000 - index }))
    expect(read(build(builder(), entries).bytes).filter).toHaveLength(65)
  })

  it("sums the tags of its blocks", () => {
    const { bytes } = build(builder(), [plain("a"), plain("b", { value: "v".repeat(300) })])
    const table = read(bytes)
    const tags = table.blocks.map((_, block) => {
      const end = table.index.offsets[block] + table.index.lengths[block]
      return bytes.subarray(end - 4, end)
    })
    expect(tags).toHaveLength(2)
    expect(table.footer.blockTagsCrc).toBe(crc32(concatBytes(tags)))
  })

  it("refuses entries out of order, and an empty table", () => {
    for (const second of [plain("a"), plain("b", { sequence: 5 }), plain("b", { sequence: 6 })]) {
      const table = builder()
      table.add(toView(plain("b", { sequence: 5 })))
      expect(() => table.add(toView(second))).toThrow("assertion")
    }
    expect(() => builder().finish()).toThrow("assertion")
    const reversed = { from: latin1("b"), to: latin1("a"), sequence: 1 }
    expect(() => builder().addRangeRemoval(reversed)).toThrow("assertion")
  })

  it.each([checksumSealer, invertingSealer])(
    "finds every flipped bit and every cut, tags of $tagBytes bytes",
    (sealer) => {
      const { bytes } = build(builder(sealer, { blockBytes: 20, filterBitsPerKey: 1 }), sample, sampleRemovals)
      everyFlip(bytes, (damaged) => failure(() => read(damaged, sealer)))
      everyTruncation(bytes, (cut) => failure(() => read(cut, sealer)))
      everyTruncation(bytes, (cut) => failure(() => read(cut, sealer, bytes.length)))
    }
  )

  it("finds blocks that changed places, with checksums too", () => {
    const { bytes } = build(builder(checksumSealer, { blockBytes: 1 }), [plain("a"), plain("b")])
    const { index } = read(bytes)
    expect(index.lengths[0]).toBe(index.lengths[1])
    const swapped = bytes.slice()
    swapped.copyWithin(index.offsets[0], index.offsets[1], index.offsets[1] + index.lengths[1])
    expect(failure(() => read(swapped)).offset).toBe(96)
  })

  it("reads tables with random bytes in them without any other exception", () => {
    const { bytes } = build(builder(checksumSealer, { blockBytes: 20 }), sample, sampleRemovals)
    manySeeds(1000, (dice) => {
      const damaged = bytes.slice()
      const from = dice.below(bytes.length)
      damaged.set(dice.bytes(dice.below(bytes.length - from)), from)
      const result = attempt(() => read(damaged))
      if ("value" in result) expect(result.value.entries).toEqual(sample)
    })
  })
})
