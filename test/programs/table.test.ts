import { assert, describe, it } from "@effect/vitest"
import { bytesText, columns, countText, entriesText, plural, table } from "../../src/programs/table.ts"

describe("numbers for people", () => {
  it.each([
    { bytes: 0, text: "0 B" },
    { bytes: 1023, text: "1023 B" },
    { bytes: 1024, text: "1.0 KiB" },
    { bytes: 1024 * 1024 - 1, text: "1.0 MiB" },
    { bytes: 8 * 1024 * 1024, text: "8.0 MiB" },
    { bytes: 5 * 1024 ** 5, text: "5120.0 TiB" }
  ])("$bytes bytes are $text", ({ bytes, text }) => {
    assert.strictEqual(bytesText(bytes), text)
  })

  it("groups digits by three", () => {
    assert.deepStrictEqual([0, 999, 1000, 1234567].map(countText), ["0", "999", "1,000", "1,234,567"])
  })

  it("knows one from many", () => {
    assert.deepStrictEqual(
      [plural(1, "file"), plural(0, "file"), entriesText(1), entriesText(2)],
      ["1 file", "0 files", "1 entry", "2 entries"]
    )
  })

  it("sets figures to the right, under their names", () => {
    assert.strictEqual(
      columns([
        ["a", "long"],
        ["1,000", "2"]
      ]),
      "    a  long\n1,000     2"
    )
  })

  it("lines up the second column and leaves no space at the end", () => {
    assert.strictEqual(
      table([
        ["a", "1"],
        ["long", ""]
      ]),
      "a     1\nlong"
    )
  })
})
