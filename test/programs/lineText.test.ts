import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as MemoryDatabase from "../../src/layers/MemoryDatabase.ts"
import { type LineForm, lines } from "../../src/programs/lineText.ts"
import { entryJson, printed } from "../../src/programs/text.ts"
import { Database } from "../../src/services/Database.ts"

const kibibyte = 1024
const utf8 = (text: string) => new TextEncoder().encode(text)

/** The bytes again and again; a pattern of odd length is cut everywhere by pieces. */
const repeated = (pattern: Uint8Array, bytes: number) =>
  Uint8Array.from({ length: bytes }, (_, index) => pattern[index % pattern.length]!)

const text = utf8('ü€👍\n\t"\\\u0000\u007f\u0085\ud7ff')
const longBytes = text.length * Math.ceil((600 * kibibyte) / text.length)
const long = repeated(text, longBytes)
const binary = repeated(Uint8Array.of(0, 0xff, 0x5c, 0x80, 0x0a, 0x61, 0xc3), 600 * kibibyte)

const values: ReadonlyArray<readonly [what: string, value: Uint8Array]> = [
  ["nothing", utf8("")],
  ["a short text", text],
  ["what is short enough to be whole", repeated(utf8("a"), 256 * kibibyte)],
  ["what is not", repeated(utf8("a"), 256 * kibibyte + 1)],
  ["a long text", long],
  ["a long text that lacks its last byte", long.subarray(0, longBytes - 1)],
  ["a long text with a byte that is none", long.with(300 * kibibyte, 0xff)],
  ["long bytes, a multiple of three", binary],
  ["one more", repeated(binary, binary.length + 1)],
  ["two more", repeated(binary, binary.length + 2)],
  // Together more than becomes text at once.
  ...Array.from({ length: 5 }, (_, index) => [`a piece ${index}`, repeated(text, 100 * kibibyte)] as const)
]

const forms: ReadonlyArray<LineForm> = [
  { notation: "text", json: false },
  { notation: "hex", json: false },
  { notation: "text", json: true },
  { notation: "hex", json: true }
]

describe("lines of entries", () => {
  for (const form of forms) {
    it.live(`are as of the entries as a whole: ${form.notation}${form.json ? " as JSON" : ""}`, () =>
      Effect.gen(function* () {
        const database = yield* Database
        for (const [index, [what, value]] of values.entries()) {
          yield* database.set(`${10 + index}\t${what}`, value, { userMeta: index, expiresAt: 2 ** 45 })
        }
        const written = yield* Stream.runCollect(lines(database, database.scanLazy(), form))
        const entries = yield* Stream.runCollect(database.scan())
        const found = written.join("").split("\n")
        assert.lengthOf(found, values.length + 1)
        for (const [index, [what]] of values.entries()) {
          const { key, value } = entries[index]!
          const expected = form.json
            ? JSON.stringify(entryJson(entries[index]!, form.notation))
            : `${printed(key, form.notation)}\t${printed(value, form.notation)}`
          assert.isTrue(found[index] === expected, what)
        }
        assert.strictEqual(found.at(-1), "")
        for (const { length } of written) assert.isBelow(length, 2 ** 21)
      }).pipe(Effect.provide(MemoryDatabase.layer()))
    )
  }
})
