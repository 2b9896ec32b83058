import { assert, describe, it } from "@effect/vitest"
import { Option } from "effect"
import { durationMillis } from "../../../src/programs/commands/set.ts"

describe("durations", () => {
  it.each([
    { text: "1ms", millis: 1 },
    { text: "90s", millis: 90_000 },
    { text: "1.5h", millis: 5_400_000 },
    { text: "15 m", millis: 900_000 },
    { text: "7d", millis: 604_800_000 },
    { text: "2w", millis: 1_209_600_000 },
    { text: "90 seconds", millis: 90_000 }
  ])("$text is $millis ms", ({ millis, text }) => {
    assert.deepStrictEqual(durationMillis(text), Option.some(millis))
  })

  it.each(["", "5", "5 apples", "-5s", "-5 seconds", "0s", "0.1ms", "1e3s", "infinity", "99999999999999999d"])(
    "%j is none",
    (text) => {
      assert.deepStrictEqual(durationMillis(text), Option.none())
    }
  )
})
