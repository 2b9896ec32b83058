import { assert, describe, it } from "@effect/vitest"
import { FormatError } from "../../../src/internal/format/formatError.ts"
import { IndexTop } from "../../../src/internal/format/indexTop.ts"
import { checksumSealer } from "../../../src/internal/format/sealer.ts"
import { Layout } from "../../../src/internal/format/storedBlock.ts"
import { encodeRangeRemovals, footerBytes, type RangeRemoval } from "../../../src/internal/format/table.ts"
import type { TableMeta } from "../../../src/internal/format/tableMeta.ts"
import { TableOpening } from "../../../src/internal/structure/tableOpening.ts"
import { type Held, header, tableOf } from "../../support/jobPlan.ts"
import { footerOf, reseal } from "../../support/tables.ts"
import { Kind } from "../../../src/internal/format/record.ts"
import { handleText, latin1, plain } from "../format/entries.ts"

/** Opens the table, and what it asked for. */
const open = (
  meta: TableMeta,
  bytes: Uint8Array,
  {
    withFilter = true,
    withPartitions = true,
    ...refs
  }: {
    readonly withFilter?: boolean
    readonly withPartitions?: boolean
    readonly withValueRefs?: boolean
    readonly withIndex?: boolean
  } = {}
) => {
  const { databaseId } = header
  const opening = new TableOpening({ meta, fileBytes: bytes.length, databaseId, withFilter, withPartitions, ...refs })
  const asked: Array<string> = []
  for (let request = opening.next(); request !== undefined; request = opening.next()) {
    if (request._tag === "Sealer") {
      asked.push("sealer")
      opening.feed(checksumSealer)
    } else {
      asked.push(`${request.offset}+${request.length}`)
      opening.feed(bytes.slice(request.offset, request.offset + request.length))
    }
  }
  return {
    opening,
    asked,
    get opened() {
      return opening.readable
    }
  }
}

const removal = (from: string, to: string, sequence: number): RangeRemoval => ({
  from: latin1(from),
  to: latin1(to),
  sequence
})

const points = ["b", "c", "d"].map((key, index) => plain(key, { sequence: 10 + index }))
const removals = [
  { from: "b", to: "d\0", sequence: 13 },
  { from: "a", to: "bb", sequence: 11 },
  { from: "b", to: "c", sequence: 12 }
]

const bounds = ({ largest, smallest }: TableMeta) =>
  [smallest, largest].map((key) => Buffer.from(key).toString("latin1"))

const failure = (run: () => unknown): FormatError => {
  try {
    run()
  } catch (error) {
    if (error instanceof FormatError) return error
    throw error
  }
  return assert.fail("nothing was refused")
}

describe("opening a table", () => {
  it("reads header, footer, index, filter and range removals, each once and nothing else", () => {
    const { bytes, meta } = tableOf({ points, removals }, { number: 1 })
    const { filter, index, rangeRemovals } = footerOf(bytes)
    const { asked, opened } = open(meta, bytes)
    assert.deepStrictEqual(asked, [
      "0+96",
      "sealer",
      `${bytes.length - footerBytes(4)}+${footerBytes(4)}`,
      `${index.offset}+${index.bytes}`,
      `${filter.offset}+${filter.bytes}`,
      `${rangeRemovals.offset}+${rangeRemovals.bytes}`
    ])
    assert.deepStrictEqual(opened.rangeRemovals, [
      removal("a", "bb", 11),
      removal("b", "d\0", 13),
      removal("b", "c", 12)
    ])
    const without = open(meta, bytes, { withFilter: false })
    assert.lengthOf(without.asked, asked.length - 1)
    assert.isUndefined(without.opened.filter)
  })

  it("reads all partitions of a long index, or its top alone", () => {
    const many = Array.from({ length: 200 }, (_, index) => plain(`key${index + 100}`, { sequence: 10 + index }))
    const { bytes, meta } = tableOf({ points: many, removals: [] }, { number: 1, blockBytes: 64 })
    const { partitions } = footerOf(bytes)
    const whole = open(meta, bytes)
    const short = open(meta, bytes, { withPartitions: false })
    assert.isAbove(whole.asked.length, short.asked.length + 3)
    const { blockCount } = footerOf(bytes)
    assert.strictEqual(whole.opening.opened.index.count, blockCount)
    assert.throws(() => short.opening.opened, /whole index/)
    assert.isTrue(short.opened.index instanceof IndexTop)
    const asked = whole.asked.filter((range) => !short.asked.includes(range))
    assert.strictEqual(asked.length, (short.opened.index as IndexTop).count)
    assert.strictEqual(asked[0]!.split("+")[0], `${partitions.offset}`)
    // One that is sound, and another one.
    const [first, second] = asked.map((range) => range.split("+").map(Number)) as [[number, number], [number, number]]
    const section = { meta, layout: Layout.index, offset: first[0], length: first[1] }
    const other = reseal(bytes, section, (plain) => {
      // The first letter of its last key.
      plain[plain.length - "key100".length]! += 1
    })
    assert.match(failure(() => open(meta, other)).message, /beyond its bounds/)
    open(meta, other, { withPartitions: false })
    const damaged = bytes.slice()
    damaged[second[0] + 3]! ^= 1
    assert.strictEqual(failure(() => open(meta, damaged)).offset, second[0])
  })

  it("reads which values the entries name if it is asked to, and without the index if that is all", () => {
    const named = ["b", "c"].map((key, at) => {
      const value = handleText({ file: 30, index: 9 - at, length: 100 })
      return plain(key, { kind: Kind.valueHandle, sequence: 10, value })
    })
    const { bytes, meta } = tableOf({ points: named, removals }, { number: 1 })
    assert.deepStrictEqual(meta.valueRefs, [{ file: 30, count: 2, bytes: 200 }])
    const { valueRefs } = footerOf(bytes)
    const place = `${valueRefs.offset}+${valueRefs.bytes}`
    const found = [{ file: 30, indexes: Uint32Array.of(8, 9), bytes: 200 }]
    const without = open(meta, bytes)
    assert.deepStrictEqual(without.opened.valueRefs, [])
    assert.throws(() => without.opening.valueRefs, /were read/)
    const all = open(meta, bytes, { withValueRefs: true })
    assert.deepStrictEqual(all.asked, [...without.asked, place])
    assert.deepStrictEqual(all.opened.valueRefs, found)
    const only = open(meta, bytes, { withValueRefs: true, withIndex: false })
    assert.deepStrictEqual(only.asked, [...without.asked.slice(0, 3), place])
    assert.deepStrictEqual(only.opening.valueRefs, found)
    assert.throws(() => only.opened, /was wanted/)
    for (const more of [
      { file: 30, count: 3, bytes: 200 },
      { file: 31, count: 2, bytes: 200 }
    ]) {
      const error = failure(() => open({ ...meta, valueRefs: [more] }, bytes, { withValueRefs: true }))
      assert.strictEqual(error.offset, valueRefs.offset)
    }
    failure(() => open({ ...meta, valueRefs: [] }, bytes))
    const table = tableOf({ points, removals }, { number: 1 })
    assert.deepStrictEqual(open(table.meta, table.bytes, { withValueRefs: true }).opening.valueRefs, [])
  })

  it("takes a table of nothing but range removals", () => {
    const { bytes, meta } = tableOf({ points: [], removals }, { number: 1 })
    const { opened } = open(meta, bytes)
    assert.strictEqual(opened.index.count, 0)
    assert.isUndefined(opened.filter)
    assert.lengthOf(opened.rangeRemovals, 3)
    assert.deepStrictEqual(bounds(meta), ["a", "d"])
    assert.deepInclude(meta, { entryCount: 3, removeCount: 3, sequenceMin: 11, sequenceMax: 13 })
  })

  it.each([
    { to: "c\0", largest: "d", why: "it ends below the last key" },
    { to: "e", largest: "e", why: "no key is its last" },
    { to: "e\0", largest: "e", why: "e is the last key that it covers" },
    { to: "d\0\0", largest: "d\0", why: "d and a zero byte is the last key that it covers" }
  ])("bounds: with a removal up to $to the largest is $largest: $why", ({ largest, to }) => {
    const held: Held = { points, removals: [{ from: "bb", to, sequence: 20 }] }
    const { bytes, meta } = tableOf(held, { number: 1 })
    assert.deepStrictEqual(bounds(meta), ["b", largest])
    open(meta, bytes)
  })

  it("refuses range removals that are not the table's", () => {
    const { bytes, meta } = tableOf({ points, removals }, { number: 1 })
    const { offset, bytes: length } = footerOf(bytes).rangeRemovals
    const others: ReadonlyArray<readonly [RegExp, ReadonlyArray<RangeRemoval>]> = [
      [/4 range removals/, [removal("", "", 1), removal("", "", 1), removal("", "", 1), removal("aaa", "bb", 1)]],
      [/out of order/, [removal("b", "d\0", 13), removal("a", "bb", 11), removal("b", "c", 12)]],
      [/out of order/, [removal("a", "bb", 11), removal("b", "c", 12), removal("b", "d\0", 13)]],
      [/reversed/, [removal("a", "bb", 11), removal("b", "d\0", 13), removal("c", "b", 12)]],
      [/beyond the keys/, [removal("a", "bb", 11), removal("b", "d\x01", 13), removal("b", "c", 12)]],
      [/sequence 14/, [removal("a", "bb", 11), removal("b", "d\0", 14), removal("b", "c", 12)]]
    ]
    for (const [message, removals] of others) {
      const plainBytes = encodeRangeRemovals(removals)
      const changed = reseal(bytes, { meta, layout: Layout.rangeRemovals, offset, length }, (plainText) => {
        assert.strictEqual(plainBytes.length, plainText.length)
        plainText.set(plainBytes)
      })
      const error = failure(() => open(meta, changed))
      assert.strictEqual(error.offset, offset, String(message))
      assert.match(error.message, message)
    }
  })

  it("refuses an index that ends elsewhere than the manifest says, as far as it can be told", () => {
    const { bytes, meta } = tableOf({ points, removals: [] }, { number: 1 })
    assert.match(failure(() => open({ ...meta, largest: latin1("e") }, bytes)).message, /largest/)
    const both = tableOf({ points, removals }, { number: 1 })
    assert.match(failure(() => open({ ...both.meta, largest: latin1("cc") }, both.bytes)).message, /largest/)
  })
})
