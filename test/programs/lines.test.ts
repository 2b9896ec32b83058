import { assert, describe, it } from "@effect/vitest"
import { LineSplitter, LineTooLong } from "../../src/programs/lines.ts"

const encoder = new TextEncoder()
const decoder = new TextDecoder()

const split = (text: string, chunkBytes: number, bytesMax = 100): ReadonlyArray<string> => {
  const splitter = new LineSplitter(bytesMax)
  const bytes = encoder.encode(text)
  const lines: Array<Uint8Array> = []
  for (let at = 0; at < bytes.length; at += chunkBytes)
    lines.push(...splitter.push(bytes.subarray(at, at + chunkBytes)))
  lines.push(...splitter.end())
  return lines.map((line) => decoder.decode(line))
}

describe("LineSplitter", () => {
  it.each([
    { what: "lines with and without a return", text: "a\nb\r\nc\n", lines: ["a", "b", "c"] },
    { what: "a last line without a line feed", text: "a\nbc", lines: ["a", "bc"] },
    { what: "empty lines", text: "\n\r\na\n\n", lines: ["", "", "a", ""] },
    { what: "a return inside a line", text: "a\rb\n", lines: ["a\rb"] },
    { what: "characters of several bytes", text: "ü👍\nü", lines: ["ü👍", "ü"] },
    { what: "nothing", text: "", lines: [] }
  ])("cuts $what, however it is chunked", ({ lines, text }) => {
    for (let chunkBytes = 1; chunkBytes <= 12; chunkBytes += 1) assert.deepStrictEqual(split(text, chunkBytes), lines)
  })

  it("takes a line of the limit and refuses one over it, naming the line", () => {
    assert.deepStrictEqual(split("a\n12345\r\n", 3, 5), ["a", "12345"])
    for (let chunkBytes = 1; chunkBytes <= 12; chunkBytes += 1) {
      try {
        split("a\n1234567\n", chunkBytes, 5)
        assert.fail("the line was taken")
      } catch (error) {
        assert.instanceOf(error, LineTooLong)
        assert.strictEqual(error.line, 2)
      }
    }
  })

  it("hands out lines that a reused chunk does not change", () => {
    const splitter = new LineSplitter(10)
    const chunk = encoder.encode("abc\n")
    const [line] = splitter.push(chunk)
    chunk.fill(0)
    assert.strictEqual(decoder.decode(line), "abc")
  })
})
