import { assert, describe, it } from "@effect/vitest"
import { FormatError } from "../../../src/internal/format/formatError.ts"
import { checksumSealer, type Sealer } from "../../../src/internal/format/sealer.ts"
import { pieceBytes, valueFooterBytes } from "../../../src/internal/format/valueFile.ts"
import { openStoredValue, ValueReading } from "../../../src/internal/format/valuePieces.ts"
import { locate, openIndexBlock, ValueFileOpening } from "../../../src/internal/structure/valueFileOpening.ts"
import { attempt, failure, invertingSealer, manySeeds, testHeader, utf8 } from "../format/support.ts"
import {
  type BuiltValues,
  builderOf,
  buildValues,
  openValues,
  ownerOf,
  placeIn,
  type PlainValue,
  randomValues,
  readValue
} from "../../support/valueFiles.ts"

const few: ReadonlyArray<PlainValue> = [
  { id: 3, index: 1, key: "a", sequence: 10, value: utf8("the first") },
  { id: 3, index: 4, key: "b", sequence: 11, value: utf8("") },
  { id: 3, index: 5, key: "b", sequence: 9, value: utf8("the third") },
  { id: 6, index: 0, key: "c", sequence: 0, value: utf8("direct") }
]

const named = ({ value, ...rest }: PlainValue) => ({ ...rest, length: value.length })

/** The file with the bytes of its meta as they are, and others in the file. */
const damaged = (built: BuiltValues, at: number, mask: number): BuiltValues => {
  const bytes = built.bytes.slice()
  bytes[at]! ^= mask
  return { bytes, meta: built.meta }
}

/** Which of the values can be read; what can must be what it was. */
const readable = (built: BuiltValues, values: ReadonlyArray<PlainValue>, sealer: Sealer): Array<boolean> => {
  const parts = attempt(() => openValues(built, sealer))
  if (!("value" in parts)) return values.map(() => false)
  return values.map((value) => {
    const found = attempt(() => readValue(parts.value, built.bytes, named(value)))
    if (!("value" in found)) return false
    assert.deepStrictEqual(found.value, value.value)
    return true
  })
}

describe("opening a value file", () => {
  it("reads header, footer and top, each once and nothing else", () => {
    const { bytes, meta } = buildValues(few)
    const opening = new ValueFileOpening({ meta, fileBytes: bytes.length, databaseId: testHeader().databaseId })
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
    const { footer, sections } = opening.opened
    const end = bytes.length - valueFooterBytes(4)
    const top = `${footer.top.offset}+${footer.top.bytes}`
    assert.deepStrictEqual(asked, ["0+96", "sealer", `${end}+${valueFooterBytes(4)}`, top])
    assert.deepStrictEqual(
      sections.map(({ bytes, count, id }) => ({ id, count, bytes })),
      meta.sections
    )
  })

  it("names the one index block that a value is in, and none for a file that it does not hold", () => {
    manySeeds(20, (dice) => {
      const values = randomValues(dice, [1, 5], 1 + dice.below(1500))
      const built = buildValues(values)
      const parts = openValues(built)
      for (const { id, index } of values) assert.isDefined(placeIn(parts, built.bytes, { id, index }))
      const [first] = values
      assert.isUndefined(locate(parts, first!.id - 1, 0))
      assert.isUndefined(locate(parts, 2 ** 50, 0))
      if (first!.index > 0) assert.isUndefined(locate(parts, first!.id, first!.index - 1))
      assert.isUndefined(placeIn(parts, built.bytes, { id: values.at(-1)!.id, index: 2 ** 32 - 1 }))
    })
  })

  it("gives a long value piece by piece, and nothing of one that is another's", () => {
    const value = new Uint8Array(3 * pieceBytes).fill(7)
    const built = buildValues([{ id: 1, index: 0, key: "long", sequence: 5, value }])
    const parts = openValues(built)
    const place = placeIn(parts, built.bytes, { id: 1, index: 0 })!
    const reading = new ValueReading(parts, place, { owner: ownerOf("long", 5), length: value.length })
    const lengths: Array<number> = []
    for (let asked = reading.next(); asked !== undefined; asked = reading.next()) {
      assert.isAtMost(asked.bytes, pieceBytes + 20)
      lengths.push(reading.feed(built.bytes.slice(asked.offset, asked.offset + asked.bytes), 0).length)
    }
    assert.deepStrictEqual(lengths, [pieceBytes - 6, pieceBytes, pieceBytes, 6])
    for (const length of [0, pieceBytes - 7, value.length - 1, value.length + 1]) {
      const other = new ValueReading(parts, place, { owner: ownerOf("long", 5), length })
      assert.match(failure(() => readAll(other, built.bytes)).message, /its handle says/)
    }
  })

  it("refuses a value of another key, sequence or length, with its place; a direct one has no sequence", () => {
    const built = buildValues(few)
    const parts = openValues(built)
    const others: ReadonlyArray<readonly [number, Partial<ReturnType<typeof named>>, RegExp]> = [
      [0, { key: "b" }, /another key/],
      [0, { key: "aa" }, /another key/],
      [0, { sequence: 11 }, /sequence 10, not 11/],
      [2, { sequence: 11 }, /sequence 9, not 11/],
      [0, { length: 8 }, /of 9 bytes, its handle says 8/],
      [1, { length: 1 }, /of 0 bytes, its handle says 1/],
      [3, { key: "d" }, /another key/]
    ]
    for (const [ordinal, given, message] of others) {
      const error = failure(() => readValue(parts, built.bytes, { ...named(few[ordinal]!), ...given }))
      assert.match(error.message, message)
      assert.strictEqual(error.offset, placeIn(parts, built.bytes, few[ordinal]!)!.offset)
    }
    assert.deepStrictEqual(readValue(parts, built.bytes, { ...named(few[3]!), sequence: 77 }), few[3]!.value)
  })

  it("refuses a value, or an index block, that was brought from another place or file", () => {
    const value = (index: number): PlainValue => ({ id: 3, index, key: "k", sequence: 1, value: utf8("same") })
    const built = buildValues([value(0), value(1)])
    const parts = openValues(built)
    const [first, second] = [0, 1].map((index) => placeIn(parts, built.bytes, { id: 3, index })!)
    const swapped = built.bytes.slice()
    swapped.copyWithin(first!.offset, second!.offset, second!.offset + second!.storedBytes)
    failure(() => readValue(parts, swapped, named(value(0))))
    const other = buildValues([value(0), value(1)], builderOf(checksumSealer, { fileId: new Uint8Array(32) }))
    failure(() => readValue(parts, other.bytes, named(value(0))))
    const block = locate(parts, 3, 0)!
    failure(() => openIndexBlock(parts, { ...block, firstIndex: 1 }, { bytes: built.bytes, start: block.offset }))
  })

  it("refuses a file that is not the one that the manifest pins", () => {
    const built = buildValues(few)
    const { bytes, meta } = built
    const [first, second] = meta.sections
    const others: ReadonlyArray<readonly [Partial<typeof meta>, RegExp]> = [
      [{ number: 8 }, /this is value file 7/],
      [{ bytes: bytes.length + 1 }, /the manifest says/],
      [{ fileId: new Uint8Array(32) }, /under this number/],
      [{ footerCrc: 1 }, /the manifest pins/],
      [{ epoch: 4 }, /epoch 3/],
      [{ sections: [first!] }, /4 values/],
      [{ sections: [first!, { ...second!, id: 7 }] }, /section 6/],
      [
        {
          sections: [
            { ...first!, bytes: 19 },
            { ...second!, bytes: 5 }
          ]
        },
        /section 3/
      ],
      [
        {
          sections: [
            { ...first!, count: 2 },
            { ...second!, count: 2 }
          ]
        },
        /section 3/
      ],
      [{ sections: [first!, { ...second!, bytes: 7 }] }, /the manifest says/]
    ]
    for (const [given, message] of others) {
      assert.match(failure(() => openValues({ bytes, meta: { ...meta, ...given } })).message, message)
    }
    const opening = { meta, fileBytes: bytes.length, databaseId: new Uint8Array(16) }
    const strange = new ValueFileOpening(opening)
    assert.match(failure(() => strange.feed(bytes.slice(0, 96))).message, /another database/)
    for (const length of [0, 95, 100, bytes.length - 1]) {
      const cut = { bytes: bytes.slice(0, length), meta: { ...meta, bytes: length } }
      assert.isTrue("error" in attempt(() => openValues(cut)), `${length}`)
    }
  })

  describe.each([checksumSealer, invertingSealer])("with tags of $tagBytes bytes", (sealer) => {
    it("finds every flipped bit, in the value that it is in alone", () => {
      const built = buildValues(few, builderOf(sealer))
      const parts = openValues(built, sealer)
      const places = few.map((value) => placeIn(parts, built.bytes, value)!)
      const valuesEnd = parts.footer.index.offset
      for (let at = 0; at < built.bytes.length; at++) {
        const hit = places.findIndex(({ offset, storedBytes }) => at >= offset && at < offset + storedBytes)
        for (let bit = 0; bit < 8; bit++) {
          const found = readable(damaged(built, at, 1 << bit), few, sealer)
          const lost = found.filter((isReadable) => !isReadable).length
          if (hit >= 0) assert.isTrue(lost === 1 && !found[hit]!, `bit ${bit} of byte ${at}`)
          // Of the index blocks each serves its own section; all else is needed for every value.
          else if (at >= valuesEnd && at < parts.footer.top.offset) assert.include([1, 3], lost)
          else assert.strictEqual(lost, few.length)
        }
      }
    })
  })

  it("reads a file with any part of it overwritten or moved as what it was, or refuses it", () => {
    manySeeds(600, (dice) => {
      const values = randomValues(dice, [1, 30, 300], 1 + dice.below(12))
      const sealer = dice.pick([checksumSealer, invertingSealer])
      const built = buildValues(values, builderOf(sealer))
      const bytes = built.bytes.slice()
      const [at, from] = [dice.below(bytes.length), dice.below(bytes.length)]
      if (dice.chance(0.5)) bytes.set(dice.bytes(Math.min(1 + dice.below(40), bytes.length - at)), at)
      else bytes.copyWithin(at, from, from + dice.below(400))
      readable({ bytes, meta: built.meta }, values, sealer)
    })
  })

  it("finds a flipped byte anywhere in a long value, and says in which piece", () => {
    const value = new Uint8Array(2 * pieceBytes + 1000).fill(7)
    const built = buildValues([{ id: 1, index: 0, key: "long", sequence: 5, value }])
    const parts = openValues(built)
    const place = placeIn(parts, built.bytes, { id: 1, index: 0 })!
    manySeeds(200, (dice) => {
      const at = place.offset + dice.below(place.storedBytes)
      const { bytes } = damaged(built, at, 1 << dice.below(8))
      const error = failure(() => openStoredValue(parts, place, { bytes, start: place.offset }))
      assert.isAtMost(error.offset, at + 4)
      assert.isAtLeast(error.offset, at - pieceBytes - 20)
    })
  })
})

const readAll = (reading: ValueReading, bytes: Uint8Array): void => {
  for (let asked = reading.next(); asked !== undefined; asked = reading.next()) reading.feed(bytes, asked.offset)
  throw new FormatError("nothing was refused", 0)
}
