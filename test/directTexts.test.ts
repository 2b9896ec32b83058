// Long texts, which are encoded part by part into a value file.
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { onValues, valueOptions } from "./support/valueKit.ts"

const partLength = 256 * 1024

it(
  "a text of several parts is what it was, also where a part would end within a pair of surrogates",
  onValues(
    ({ database }) =>
      Effect.gen(function* () {
        for (const before of [partLength - 2, partLength - 1, partLength]) {
          const text = `${"a".repeat(before)}\u{1f600}${"ä".repeat(100)}`
          yield* database.set("text", text)
          const found = yield* database.get("text")
          assert.isTrue(new TextDecoder().decode(found) === text, `${before} letters before the pair`)
        }
      }),
    { ...valueOptions, valueBytesMax: 2 * 1024 * 1024 }
  )
)
