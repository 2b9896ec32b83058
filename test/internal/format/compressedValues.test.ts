import { describe, expect, it } from "@effect/vitest"
import { concatBytes } from "../../../src/internal/format/bytes.ts"
import { type Codec, Codecs } from "../../../src/internal/format/codec.ts"
import { checksumSealer, withCodecs } from "../../../src/internal/format/sealer.ts"
import { pieceBytes } from "../../../src/internal/format/valueFile.ts"
import { openStoredValue, ValuePieces } from "../../../src/internal/format/valuePieces.ts"
import { zstd } from "../../../src/internal/format/zstd.ts"
import { codecs, runs } from "../../support/codecs.ts"
import {
  builderOf,
  buildValues,
  finishValues,
  openValues,
  placeIn,
  randomValues,
  readValue
} from "../../support/valueFiles.ts"
import { Dice, failure, manySeeds, same } from "./support.ts"

const sealer = withCodecs(checksumSealer, new Codecs(codecs))

const builder = (codec: Codec | undefined) => builderOf(sealer, {}, codec)

/** Pieces of one byte each, and of noise in between. */
const longValue = (dice: Dice, pieces: number): Uint8Array =>
  concatBytes(
    Array.from({ length: pieces }, (_, index) =>
      index % 3 === 1 ? dice.bytes(pieceBytes) : new Uint8Array(pieceBytes).fill(index)
    )
  ).subarray(9)

describe.each(codecs)("values compressed by $name", (codec) => {
  it("read back, in shorter files", () => {
    manySeeds(30, (dice) => {
      const values = randomValues(dice, [1, 40, 3000, 20_000], 1 + dice.below(40))
      const built = buildValues(values, builder(codec))
      const parts = openValues(built, sealer)
      for (const value of values) {
        const found = readValue(parts, built.bytes, { ...value, length: value.value.length })!
        same(Buffer.compare(found, value.value), 0)
      }
      same(built.bytes.length <= buildValues(values, builder(undefined)).bytes.length, true)
    })
  })

  it("of many pieces are read piece by piece, each no more than once but for the first", () => {
    const value = longValue(new Dice(1), 7)
    const values = [{ id: 1, index: 0, key: "key", sequence: 9, value }]
    const built = buildValues(values, builder(codec))
    const parts = openValues(built, sealer)
    same(Buffer.compare(readValue(parts, built.bytes, { ...values[0]!, length: value.length })!, value), 0)
    const place = placeIn(parts, built.bytes, values[0]!)!
    expect(place.storedBytes).toBeLessThan(value.length / 2)
    const pieces = new ValuePieces(parts, place)
    let read = 0
    for (let asked = pieces.next(); asked !== undefined; asked = pieces.next()) {
      read += asked.bytes
      pieces.feed(built.bytes.slice(asked.offset, asked.offset + asked.bytes), 0)
    }
    same(pieces.length, value.length)
    expect(read).toBeLessThan(place.storedBytes + 2 * pieceBytes)
  })

  it("are copied as they are, without the codec but for the first piece of each", () => {
    manySeeds(10, (dice) => {
      const long = { id: 5, index: 2, key: "long", sequence: 9, value: longValue(dice, 4) }
      const values = [...randomValues(dice, [40, 3000], 12).map((value) => ({ ...value, id: 1 })), long]
      for (const [index, value] of values.entries()) if (value.id === 1) Object.assign(value, { index })
      const built = buildValues(values, builder(codec))
      let asked = 0
      const counting: Codec = {
        ...codec,
        decompress: (body, length) => {
          asked += 1
          return codec.decompress(body, length)
        }
      }
      const own = withCodecs(checksumSealer, new Codecs([counting]))
      const parts = openValues(built, own)
      const copy = builder(undefined)
      for (const id of [1, 5]) {
        copy.beginSection(id)
        for (const { index } of values.filter((value) => value.id === id)) {
          const place = placeIn(parts, built.bytes, { id, index })!
          copy.copyStored(index, openStoredValue(parts, place, { bytes: built.bytes, start: place.offset }))
        }
      }
      same(Buffer.compare(finishValues(copy).bytes, built.bytes), 0)
      same(asked <= values.length, true)
    })
  })

  it("are refused for any byte of them, of their lengths and of their trailers", () => {
    const values = randomValues(new Dice(3), [600], 3)
    const built = buildValues(values, builder(codec))
    const parts = openValues(built, sealer)
    for (const value of values) {
      const place = placeIn(parts, built.bytes, value)!
      for (let at = place.offset; at < place.offset + place.storedBytes; at++) {
        const bytes = built.bytes.slice()
        bytes[at]! ^= 0x11
        const error = failure(() => openStoredValue(parts, place, { bytes, start: place.offset }))
        expect(error.offset).toBeLessThanOrEqual(Math.max(at, place.offset))
      }
    }
  })
})

describe("pieces of a value", () => {
  it("are whole but for the last, whatever they became", () => {
    const value = new Uint8Array(2 * pieceBytes)
    const built = buildValues([{ id: 1, index: 0, key: "k", sequence: 1, value }], builder(zstd))
    const parts = openValues(built, sealer)
    const place = placeIn(parts, built.bytes, { id: 1, index: 0 })!
    const { pieces } = openStoredValue(parts, place, { bytes: built.bytes, start: place.offset })
    expect(pieces.map(({ plainLength }) => plainLength)).toEqual([pieceBytes, pieceBytes, 3])
    const copy = builder(undefined)
    copy.beginSection(1)
    copy.copyStored(0, {
      pieces: [{ ...pieces[0]!, bytes: zstd.compress(new Uint8Array(999)), plainLength: 999 }, pieces[1]!],
      length: 1
    })
    const bad = finishValues(copy)
    const opened = openValues(bad, sealer)
    const at = placeIn(opened, bad.bytes, { id: 1, index: 0 })!
    const error = failure(() => openStoredValue(opened, at, { bytes: bad.bytes, start: at.offset }))
    expect(error.message).toMatch("short, and not the last")
  })

  it("of a codec that is not known are of a later version", () => {
    const value = new Uint8Array(5000)
    const built = buildValues([{ id: 1, index: 0, key: "k", sequence: 1, value }], builder(runs))
    const parts = openValues(built, checksumSealer)
    const place = placeIn(parts, built.bytes, { id: 1, index: 0 })!
    const error = failure(() => openStoredValue(parts, place, { bytes: built.bytes, start: place.offset }))
    expect(error.unsupported).toBe(true)
  })
})
