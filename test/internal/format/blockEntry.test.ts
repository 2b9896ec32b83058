import { assert, describe, it } from "@effect/vitest"
import { makeEntryView, readEntry } from "../../../src/internal/format/blockEntry.ts"
import { FormatError } from "../../../src/internal/format/formatError.ts"
import { storedKeyBytesMax } from "../../../src/internal/format/record.ts"
import { varintBytes, writeVarint } from "../../../src/internal/format/varint.ts"

/** An entry of a set whose lengths say what they like. */
const entry = (options: {
  readonly keyLength: number
  readonly valueLength: number
  readonly rest: number
}): Uint8Array => {
  const { keyLength, rest, valueLength } = options
  const bytes = new Uint8Array(varintBytes(keyLength) + keyLength + 3 + varintBytes(valueLength) + rest)
  let at = writeVarint(bytes, 0, keyLength) + keyLength
  bytes[at] = 1
  at = writeVarint(bytes, at + 2, 0)
  writeVarint(bytes, at, valueLength)
  return bytes
}

const read = (bytes: Uint8Array, end = bytes.length) => readEntry(bytes, 0, end, makeEntryView())

describe("blockEntry", () => {
  it("reads an entry that ends where it should", () => {
    const bytes = entry({ keyLength: storedKeyBytesMax, valueLength: 5, rest: 5 })
    assert.strictEqual(read(bytes), bytes.length)
  })

  it("refuses a key that is too long, and one that leaves no room for the rest", () => {
    assert.throws(() => read(entry({ keyLength: storedKeyBytesMax + 1, valueLength: 0, rest: 0 })), FormatError)
    const bytes = entry({ keyLength: 4, valueLength: 0, rest: 0 })
    for (let end = 1; end < bytes.length; end++) assert.throws(() => read(bytes, end), FormatError, /./, `end ${end}`)
  })

  it("refuses a value that reaches over the end", () => {
    assert.throws(() => read(entry({ keyLength: 4, valueLength: 6, rest: 5 })), FormatError, /value/)
  })
})
