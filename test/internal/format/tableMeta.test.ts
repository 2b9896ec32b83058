import { assert, describe, it } from "@effect/vitest"
import { ByteReader, ByteWriter } from "../../../src/internal/format/bytes.ts"
import { readTableMeta, type TableMeta, writeTableMeta } from "../../../src/internal/format/tableMeta.ts"
import { failure, utf8 } from "./support.ts"

const sound: TableMeta = {
  number: 9,
  level: 2,
  bytes: 100,
  fileId: new Uint8Array(32).fill(7),
  footerCrc: 5,
  smallest: utf8("b"),
  largest: utf8("y"),
  entryCount: 6,
  removeCount: 3,
  rangeRemovalCount: 2,
  hiddenCount: 1,
  sequenceMin: 6,
  sequenceMax: 7,
  epoch: 1,
  keyGeneration: 0,
  codec: 0,
  valueRefs: [
    { file: 3, count: 1, bytes: 4 },
    { file: 5, count: 2, bytes: 8 }
  ]
}

/** Where the fields stand that take one byte each here. */
const places = {
  level: 1,
  smallest: 40,
  entryCount: 43,
  removeCount: 44,
  rangeRemovalCount: 45,
  hiddenCount: 46,
  sequenceMin: 47,
  firstRef: 53
}

const encoded = (): Uint8Array => {
  const writer = new ByteWriter()
  writeTableMeta(writer, sound)
  return writer.finish()
}

const read = (bytes: Uint8Array): TableMeta => readTableMeta(new ByteReader(bytes))

describe("the facts of a table in the manifest", () => {
  it("read back as they were", () => assert.deepStrictEqual(read(encoded()), sound))

  it.each<readonly [string, number, number, RegExp]>([
    ["a level above all", places.level, 0x7f, /at level 127/],
    ["more removes than entries", places.removeCount, 7, /more removes than entries/],
    ["more range removals than removes", places.rangeRemovalCount, 4, /more range removals than removes/],
    ["more hidden entries than entries", places.hiddenCount, 7, /more hidden entries than entries/],
    ["reversed sequences", places.sequenceMin, 8, /sequences are reversed/],
    ["reversed keys", places.smallest, 0x7a, /keys are reversed/],
    ["value files twice", places.firstRef, 5, /out of order/],
    ["a value file of no value", places.firstRef + 1, 0, /no value of value file 3/],
    ["more values than entries", places.firstRef + 1, 2, /more values than it has entries/]
  ])("that do not agree are refused: %s", (_, at, byte, message) => {
    const bytes = encoded()
    bytes[at] = byte
    const error = failure(() => read(bytes))
    assert.match(error.message, message)
    assert.strictEqual(error.offset, 0)
  })
})
