import { assert, describe, it } from "@effect/vitest"
import { entryJson, HexReader, keyJson, parsed, printed } from "../../src/programs/text.ts"

const bytes = (...values: ReadonlyArray<number>) => Uint8Array.from(values)
const utf8 = (text: string) => new TextEncoder().encode(text)

describe("printed", () => {
  it.each([
    { what: "plain text", input: utf8("user/1 ü 👍"), text: "user/1 ü 👍" },
    { what: "nothing", input: bytes(), text: "" },
    { what: "tab, line feed, return, backslash", input: utf8("a\tb\nc\rd\\e"), text: "a\\tb\\nc\\rd\\\\e" },
    { what: "other control characters", input: utf8("\u0000\u001b[0m\u007f"), text: "\\x00\\x1b[0m\\x7f" },
    { what: "control characters of two bytes", input: utf8("\u0085\u009b"), text: "\\xc2\\x85\\xc2\\x9b" },
    { what: "bytes that are no UTF-8", input: bytes(0x61, 0xff, 0xc3, 0x0a, 0x5c), text: "a\\xff\\xc3\\n\\\\" },
    { what: "a byte order mark", input: bytes(0xef, 0xbb, 0xbf, 0x61), text: "\ufeffa" }
  ])("$what", ({ input, text }) => {
    assert.strictEqual(printed(input, "text"), text)
  })

  it("writes hexadecimal in lower case", () => {
    assert.strictEqual(printed(bytes(0, 0xab, 0xff), "hex"), "00abff")
  })

  it("gives different text for different bytes", () => {
    // Those that are escaped, what they are escaped with, and the parts of UTF-8 characters.
    const some = [0x00, 0x09, 0x0a, 0x0d, 0x1f, 0x20, 0x30, 0x5c, 0x6e, 0x72, 0x74, 0x78, 0x7f, 0x80, 0x9f, 0xc2, 0xff]
    const seen = new Map<string, string>()
    for (const first of some) {
      for (const second of some) {
        const input = bytes(first, second)
        const text = printed(input, "text")
        assert.isUndefined(seen.get(text), `${printed(input, "hex")} and ${seen.get(text)} are both ${text}`)
        assert.notMatch(text, /[\t\n\r]/)
        seen.set(text, printed(input, "hex"))
      }
    }
  })
})

describe("parsed", () => {
  it("takes text as its UTF-8 bytes", () => {
    assert.deepStrictEqual(parsed("ü", "text"), bytes(0xc3, 0xbc))
  })

  it("reads hexadecimal in either case", () => {
    assert.deepStrictEqual(parsed("00aBfF", "hex"), bytes(0, 0xab, 0xff))
  })

  it.each(["0", "0g", "0x00", " 00"])("refuses %j as hexadecimal", (text) => {
    assert.isUndefined(parsed(text, "hex"))
  })
})

describe("JSON", () => {
  it("names the encoding of each part", () => {
    const entry = { key: utf8("k"), value: bytes(0xff, 0), sequence: 7, expiresAt: undefined, userMeta: 3 }
    assert.deepStrictEqual(entryJson(entry, "text"), {
      key: "k",
      keyEncoding: "utf8",
      value: "/wA=",
      valueEncoding: "base64",
      sequence: 7,
      expiresAt: null,
      userMeta: 3
    })
  })

  it("is hexadecimal if asked", () => {
    assert.deepStrictEqual(keyJson(utf8("k"), "hex"), { key: "6b", keyEncoding: "hex" })
  })
})

describe("hexadecimal in pieces", () => {
  const read = (pieces: ReadonlyArray<Uint8Array>): string | undefined => {
    const reader = new HexReader()
    const parts = [...pieces.map((piece) => reader.push(piece)), reader.end()]
    return parts.includes(undefined) ? undefined : parts.map((part) => printed(part!, "hex")).join("")
  }

  it.each([
    { text: "", is: "" },
    { text: "00ffA0", is: "00ffa0" },
    { text: " \r\n\ufeff\u00a000 \n\u2003", is: "00" },
    { text: "  ", is: "" },
    { text: "000", is: undefined },
    { text: "0 ", is: undefined },
    { text: "00 00", is: undefined },
    { text: "0 0", is: undefined },
    { text: "0g", is: undefined },
    { text: "0x00", is: undefined }
  ])("$text", ({ is, text }) => {
    const input = utf8(text)
    // As the whole is read.
    assert.strictEqual(parsed(text.trim(), "hex") && printed(parsed(text.trim(), "hex")!, "hex"), is)
    assert.strictEqual(read(Array.from(input, (byte) => bytes(byte))), is)
    for (let cut = 0; cut <= input.length; cut += 1) {
      assert.strictEqual(read([input.subarray(0, cut), input.subarray(cut)]), is, `cut at ${cut}`)
    }
  })

  it("is not what is no UTF-8", () => {
    const cut = bytes(0x30, 0x30, 0xc2)
    assert.isUndefined(read([cut]))
    assert.isUndefined(read([bytes(0xff)]))
  })
})
