import { describe, expect, it } from "@effect/vitest"
import { concatBytes } from "../../../src/internal/format/bytes.ts"
import { storedKeyBytesMax, valueBytesMax } from "../../../src/internal/format/record.ts"
import { checksumSealer } from "../../../src/internal/format/sealer.ts"
import { storedBlockExtra } from "../../../src/internal/format/storedBlock.ts"
import { pieceBytes, storedValueBytesMax } from "../../../src/internal/format/valueFile.ts"
import {
  builderOf,
  buildValues,
  finishValues,
  openValues,
  ownerOf,
  placeIn,
  type PlainValue,
  randomValues,
  readValue,
  storedValue
} from "../../support/valueFiles.ts"
import { golden, hex, invertingSealer, manySeeds, same, utf8 } from "./support.ts"

const small: ReadonlyArray<PlainValue> = [
  { id: 7, index: 0, key: "a", sequence: 300, value: utf8("vw") },
  { id: 7, index: 5, key: "", sequence: 0, value: utf8("") },
  { id: 9, index: 2, key: "b", sequence: 1, value: utf8("x") }
]

/** Every value is there, and what it says of itself is true. */
const checkAll = (values: ReadonlyArray<PlainValue>, sealer = checksumSealer): void => {
  const built = buildValues(values, builderOf(sealer))
  const parts = openValues(built, sealer)
  for (const value of values) {
    const sequence = value.sequence === 0 ? 77 : value.sequence
    const found = readValue(parts, built.bytes, { ...value, sequence, length: value.value.length })
    same(Buffer.compare(found!, value.value), 0)
  }
  const sections = [...Map.groupBy(values, ({ id }) => id)].map(([id, own]) => ({
    id,
    count: own.length,
    bytes: own.reduce((sum, { value }) => sum + value.length, 0)
  }))
  expect(built.meta).toMatchObject({ number: 7, epoch: 3, bytes: built.bytes.length, sections })
}

const patterned = (length: number): Uint8Array =>
  new Uint8Array(
    Buffer.alloc(
      length,
      Uint8Array.from({ length: 251 }, (_, index) => index * 7)
    )
  )

describe("valueFileBuilder", () => {
  it("has these bytes", () => {
    const { bytes, meta } = buildValues(small)
    expect(hex(bytes.subarray(96))).toBe(
      golden(`
        10000000 ac02 01 61 7677 07 00 06000000 ecc937ff
        0c000000 00 00 07 00 02000000 56b69bcf
        0e000000 01 01 62 78 07 00 04000000 38b73d9e
        00000000 600000000000 14000000  05000000 740000000000 10000000  08 00 1c000000 137cf0fb
        02000000 840000000000 12000000  08 00 0e000000 99f43864
        02 07 02 02 01 00 26  09 01 01 01 02 18  09 00 0d000000 e3e8c131
        3600000000000000 3e000000 17000000 02000000 0300000000000000 0300000000000000 c7b4cb13
        2101000000000000 0000 5a936c2f
      `)
    )
    expect(meta.sections).toEqual([
      { id: 7, count: 2, bytes: 2 },
      { id: 9, count: 1, bytes: 1 }
    ])
  })

  describe.each([checksumSealer, invertingSealer])("with tags of $tagBytes bytes", (sealer) => {
    it("builds what reads back: values of several sections, with gaps between their indexes", () => {
      manySeeds(60, (dice) => checkAll(randomValues(dice, [1, 40, 3000], 1 + dice.below(60)), sealer))
    })

    it.each([-1, 0, 1])("a value whose last piece is full, and %i bytes more", (more) => {
      for (const pieces of [1, 2]) {
        const head = 2 + 1 + 1
        const value = patterned(pieces * pieceBytes - head + more)
        const values = [{ id: 7, index: 0, key: "a", sequence: 300, value }]
        checkAll(values, sealer)
        const built = buildValues(values, builderOf(sealer))
        const place = placeIn(openValues(built, sealer), built.bytes, values[0]!)
        const extra = 4 + storedBlockExtra(sealer.tagBytes)
        expect(place!.storedBytes).toBe(value.length + head + extra * (more > 0 ? pieces + 1 : pieces))
      }
    })
  })

  it("takes a value in pieces of any length, as if it came whole", () => {
    manySeeds(40, (dice) => {
      const value = patterned(dice.below(dice.pick([3, 1000, 3 * pieceBytes])))
      const whole = buildValues([{ id: 1, index: 0, key: "key", sequence: 9, value }])
      const builder = builderOf()
      builder.beginSection(1)
      builder.beginValue(0, ownerOf("key", 9))
      const chunks = builder.take()
      for (let at = 0; at < value.length;) {
        const length = dice.below(dice.pick([2, 500, 300_000]))
        builder.push(value.slice(at, at + length))
        chunks.push(...builder.take())
        at += length
      }
      same(builder.endValue(), value.length)
      const streamed = finishValues(builder, chunks)
      expect(streamed.meta).toEqual(whole.meta)
      same(Buffer.compare(streamed.bytes, whole.bytes), 0)
    })
  })

  it("takes over values of other files, under their ids and indexes, and leaves out what it is not given", () => {
    manySeeds(40, (dice) => {
      const sizes = [1, 40, 3000, dice.chance(0.2) ? 2 * pieceBytes : 1]
      const values = randomValues(dice, sizes, 2 + dice.below(60))
      const built = buildValues(values)
      const parts = openValues(built)
      const kept = values.filter((_, index) => index === 0 || dice.chance(0.6))
      const builder = builderOf(checksumSealer, { fileNumber: 8 })
      const ids = [...new Set(values.map(({ id }) => id))]
      for (const id of ids) {
        // Also where none of it is kept.
        builder.beginSection(id)
        for (const { index } of kept.filter((value) => value.id === id)) {
          builder.copyStored(index, storedValue(parts, built.bytes, placeIn(parts, built.bytes, { id, index })!))
        }
      }
      const copied = finishValues(builder)
      const direct = buildValues(kept, builderOf(checksumSealer, { fileNumber: 8 }))
      same(Buffer.compare(copied.bytes, direct.bytes), 0)
      expect(copied.meta).toEqual(direct.meta)
      const sparse = openValues(copied)
      for (const value of values) {
        const named = { ...value, length: value.value.length }
        if (!kept.includes(value)) same(readValue(sparse, copied.bytes, named), undefined)
      }
    })
  })

  it("takes over a value piece by piece as it does whole, and seals each piece at once", () => {
    const value = patterned(2 * pieceBytes + 5)
    const built = buildValues([{ id: 1, index: 3, key: "key", sequence: 9, value }])
    const parts = openValues(built)
    const { length, pieces } = storedValue(parts, built.bytes, placeIn(parts, built.bytes, { id: 1, index: 3 })!)
    const builder = builderOf()
    builder.beginSection(1)
    builder.beginCopy(3)
    const chunks: Array<Uint8Array> = []
    for (const piece of pieces) {
      builder.copyPiece(piece)
      chunks.push(...builder.take())
      same(builder.sealedBytes, concatBytes(chunks).length)
    }
    builder.endCopy(length)
    same(Buffer.compare(finishValues(builder, chunks).bytes, built.bytes), 0)
  })

  it("knows how long a value can become in a file", () => {
    manySeeds(60, (dice) => {
      const key = "k".repeat(dice.below(dice.pick([2, 300, storedKeyBytesMax])))
      const value = patterned(dice.below(dice.pick([2, 300, 3 * pieceBytes])))
      const values = [{ id: 1, index: 0, key, sequence: dice.whole(), value }]
      const built = buildValues(values, builderOf(invertingSealer))
      const { storedBytes } = placeIn(openValues(built, invertingSealer), built.bytes, values[0]!)!
      const most = storedValueBytesMax(key.length + value.length)
      expect(storedBytes).toBeLessThanOrEqual(most)
      // Room for the longest sequence and the longest key's length, which are not known, and a piece that they may add.
      expect(most - storedBytes).toBeLessThan(50)
    })
  })

  it("keeps nothing that it is given", () => {
    const builder = builderOf()
    builder.beginSection(1)
    const owner = ownerOf("key", 9)
    const value = patterned(100)
    builder.add(0, owner, { bytes: value, start: 10, end: 20 })
    builder.beginValue(1, owner)
    builder.push(value.subarray(0, 10))
    owner.bytes.fill(0)
    value.fill(0)
    builder.endValue()
    const built = finishValues(builder)
    const parts = openValues(built)
    const named = { id: 1, key: "key", sequence: 9, length: 10 }
    expect(readValue(parts, built.bytes, { ...named, index: 0 })).toEqual(patterned(100).slice(10, 20))
    expect(readValue(parts, built.bytes, { ...named, index: 1 })).toEqual(patterned(10))
  })

  it("says how long the file is so far", () => {
    const builder = builderOf()
    expect(builder.bytes).toBe(96)
    builder.beginSection(1)
    builder.add(0, ownerOf("key", 9), { bytes: new Uint8Array(10), start: 0, end: 10 })
    expect(builder.bytes).toBe(concatBytes(builder.take()).length)
    builder.beginValue(1, ownerOf("key", 9))
    builder.push(new Uint8Array(1000))
    expect(builder.bytes).toBeGreaterThan(1000)
  })

  it("refuses what could not be read: another order, values without a section, too long ones, none at all", () => {
    const begun = () => {
      const builder = builderOf()
      builder.beginSection(5)
      return builder
    }
    const empty = { bytes: new Uint8Array(0), start: 0, end: 0 }
    const long = { bytes: new Uint8Array(0), start: 0, end: valueBytesMax + 1 }
    const attempts: ReadonlyArray<(builder: ReturnType<typeof begun>) => unknown> = [
      (builder) => builder.finish(),
      (builder) => builder.beginSection(5),
      (builder) => builder.add(0, ownerOf("x".repeat(storedKeyBytesMax + 1), 1), empty),
      (builder) => builder.add(0, ownerOf("x", 1), long),
      (builder) => builder.push(new Uint8Array(1)),
      (builder) => builder.endValue(),
      (builder) => {
        builder.add(1, ownerOf("x", 1), empty)
        builder.add(1, ownerOf("x", 1), empty)
      },
      (builder) => {
        builder.beginValue(1, ownerOf("x", 1))
        builder.finish()
      },
      (builder) => {
        builder.beginValue(1, ownerOf("x", 1))
        builder.beginSection(6)
      }
    ]
    for (const attempt of attempts) expect(() => attempt(begun())).toThrow("assertion")
    expect(() => builderOf().add(0, ownerOf("x", 1), empty)).toThrow("assertion")
  })
})
