import { assert, describe, it } from "@effect/vitest"
import { crc32 } from "../../src/internal/format/checksum.ts"
import { formatReplay, keyOf, parseReplay } from "../../src/layers/SimCuts.ts"

/** As the parts of most files are: followed by their checksum. */
const withChecksum = (text: string): Uint8Array => {
  const bytes = new TextEncoder().encode(`${text}....`)
  new DataView(bytes.buffer).setUint32(bytes.length - 4, crc32(bytes.subarray(0, -4)), true)
  return bytes
}

const moment = { promised: 1, nowMillis: 1000 }
const keyWith = (bytes: Uint8Array) => keyOf({ image: new Map([["/db/file", bytes]]), ...moment })

describe("the cuts of a crash test", () => {
  it("are told apart though their files end with their own checksums", () => {
    const [first, second] = [withChecksum("one book"), withChecksum("two cups")]
    assert.strictEqual(crc32(first), crc32(second))
    assert.notStrictEqual(keyWith(first), keyWith(second))
    assert.strictEqual(keyWith(first), keyWith(first.slice()))
  })

  it("are told apart by what was promised, and by the time", () => {
    const image = new Map<string, Uint8Array>()
    const keys = [moment, { ...moment, promised: 2 }, { ...moment, nowMillis: 2000 }].map((when) =>
      keyOf({ image, ...when })
    )
    assert.strictEqual(new Set(keys).size, 3)
  })

  it("are asked for by what is told of them", () => {
    const replay = { seed: 7, call: 55, outcome: 13, print: "0123abcd" }
    assert.strictEqual(formatReplay(replay), "7:55:13:0123abcd")
    assert.deepStrictEqual(parseReplay("7:55:13:0123abcd"), replay)
  })

  it.each(["", "abc", "7:55:13", "7:55:21:0123abcd", "-7:55:13:0123abcd", "7:55:13:0123ABCD", "7:5.5:13:0123abcd"])(
    "are not asked for by %j",
    (text) => assert.isUndefined(parseReplay(text))
  )
})
