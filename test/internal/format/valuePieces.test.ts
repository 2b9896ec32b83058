// Pieces that are sealed as they should be and are not what a value has: only a bug makes them, or who has the key.
import { assert, describe, it } from "@effect/vitest"
import { ByteWriter, concatBytes, writeU32 } from "../../../src/internal/format/bytes.ts"
import { storedKeyBytesMax } from "../../../src/internal/format/record.ts"
import { checksumSealer } from "../../../src/internal/format/sealer.ts"
import { Layout, sealBlock } from "../../../src/internal/format/storedBlock.ts"
import { pieceBytes } from "../../../src/internal/format/valueFile.ts"
import { ValuePieces } from "../../../src/internal/format/valuePieces.ts"
import { failure, utf8 } from "./support.ts"

const fileTag = 7
const offset = 500

/** A stored piece that begins at the offset, with its length before it. */
const pieceAt = (at: number, plain: Uint8Array): Uint8Array => {
  const block = { layout: Layout.value, fileTag, offset: at + 4, sealer: checksumSealer, plain }
  const stored = concatBytes(sealBlock(block).chunks)
  const length = new Uint8Array(4)
  writeU32(length, 0, stored.length)
  return concatBytes([length, stored])
}

/** What stands before the value in its first piece; the key may be shorter than it says. */
const head = (key: string, keyLength = key.length): Uint8Array => {
  const writer = new ByteWriter()
  writer.varint(9)
  writer.varint(keyLength)
  writer.raw(utf8(key))
  return writer.finish()
}

/** All pieces of a value whose pieces have these plain bytes. */
const read = (...plain: ReadonlyArray<Uint8Array>): ValuePieces => {
  const stored: Array<Uint8Array> = []
  for (let at = offset, index = 0; index < plain.length; at += stored[index]!.length, index++)
    stored.push(pieceAt(at, plain[index]!))
  const bytes = concatBytes(stored)
  const pieces = new ValuePieces({ sealer: checksumSealer, fileTag }, { offset, storedBytes: bytes.length })
  for (let asked = pieces.next(); asked !== undefined; asked = pieces.next()) pieces.feed(bytes, asked.offset - offset)
  return pieces
}

describe("valuePieces", () => {
  it("are read to the end, with the key and the sequence before the value", () => {
    const { head: found, length } = read(concatBytes([head("key"), utf8("value")]))
    assert.strictEqual(length, 5)
    assert.deepInclude(found, { sequence: 9, keyStart: 2, keyEnd: 5 })
  })

  it("of which one is empty are refused, also the last", () => {
    const full = concatBytes([head("key"), new Uint8Array(pieceBytes - 5)])
    assert.match(failure(() => read(new Uint8Array(0))).message, /empty/)
    assert.match(failure(() => read(full, new Uint8Array(0))).message, /empty/)
    assert.strictEqual(read(full, new Uint8Array(1)).length, pieceBytes - 4)
  })

  it("of which one is short, and not the last, are refused", () => {
    const short = concatBytes([head("key"), new Uint8Array(pieceBytes - 6)])
    const error = failure(() => read(short, new Uint8Array(1)))
    assert.match(error.message, /short, and not the last/)
    assert.strictEqual(error.offset, offset + 4)
  })

  it("of which the first has no room for the key that it names are refused", () => {
    assert.strictEqual(read(head("key")).length, 0)
    assert.match(failure(() => read(head("key", 4))).message, /key of a value is too long/)
    const long = head("k".repeat(storedKeyBytesMax + 1))
    assert.match(failure(() => read(concatBytes([long, utf8("v")]))).message, /key of a value is too long/)
  })

  it("with a length of none, or of more than there is, are refused where they begin", () => {
    const stored = pieceAt(offset, concatBytes([head("key"), utf8("value")]))
    for (const length of [0, stored.length - 3, 2 ** 32 - 1]) {
      const bytes = stored.slice()
      writeU32(bytes, 0, length)
      const pieces = new ValuePieces({ sealer: checksumSealer, fileTag }, { offset, storedBytes: bytes.length })
      const error = failure(() => pieces.feed(bytes, 0))
      assert.match(error.message, /the length that is due/)
      assert.strictEqual(error.offset, offset)
    }
  })
})
