import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { measure, measureOnce } from "../../../src/programs/bench/measure.ts"
import { figureOf } from "../../../src/programs/bench/report.ts"

const shortly = { seconds: 0.002, writers: 1 }

describe("what is measured", () => {
  it.live("counts what every writer did, also while others did something", () =>
    Effect.gen(function* () {
      const operation = () => Effect.as(Effect.yieldNow, 3)
      const { operations, sampled, things } = yield* measure(operation, { ...shortly, writers: 16 })
      assert.strictEqual(things, 3 * operations)
      assert.isAtLeast(operations, 16)
      assert.isAtLeast(sampled.length, 16)
    })
  )

  it.live("does each operation once, in the order of their numbers", () =>
    Effect.gen(function* () {
      const numbers: Array<number> = []
      const { operations } = yield* measure((number) => Effect.sync(() => numbers.push(number) && 1), shortly)
      assert.deepStrictEqual(
        numbers,
        numbers.map((_, at) => at)
      )
      assert.isBelow(operations, numbers.length, "the first were not timed")
    })
  )

  it.live("does an operation also in no time", () =>
    Effect.gen(function* () {
      const { operations } = yield* measure(() => Effect.succeed(1), { seconds: 0, writers: 1 })
      assert.isAtLeast(operations, 1)
    })
  )

  it.live("fails as the operation does", () =>
    Effect.gen(function* () {
      const operation = (number: number) => (number < 40 ? Effect.succeed(1) : Effect.fail("broken"))
      assert.strictEqual(yield* Effect.flip(measure(operation, { seconds: 60, writers: 1 })), "broken")
      assert.strictEqual(yield* Effect.flip(measureOnce(Effect.fail("broken"))), "broken")
    })
  )
})

describe("a figure", () => {
  const measured = {
    operations: 4,
    things: 8,
    nanos: 16_000,
    sampled: Float64Array.from({ length: 100 }, (_, at) => 1000 * (at + 1))
  }

  it("is of each thing, and of each operation where one is told", () => {
    const told = figureOf({ id: "get", title: "get", spread: true }, measured)
    assert.deepInclude(told, { microsEach: 2, perSecond: 500_000, p50Micros: 51, p99Micros: 100 })
    const scan = figureOf({ id: "scan", title: "scan", spread: false }, measured)
    assert.deepInclude(scan, { microsEach: 2, p50Micros: undefined, p99Micros: undefined })
  })
})
