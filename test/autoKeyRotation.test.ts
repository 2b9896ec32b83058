// A new data key by itself: by bytes, commits and age, whatever the clock does.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SimClock } from "../src/layers/SimClock.ts"
import type { OptionsInput } from "../src/services/Options.ts"
import { checkAll, fill, options, type Session, sessions } from "./support/rotationKit.ts"
import type { Sealed } from "./support/simKeys.ts"

const day = 86_400_000

const generation = ({ maintenance }: Sealed) =>
  Effect.map(maintenance.stats, ({ encryption }) => encryption!.keyGeneration)

const session = (more: OptionsInput, body: Session["body"], clock?: SimClock): Session => ({
  options: { ...options, ...more },
  body,
  ...(clock === undefined ? {} : { run: { clock } })
})

const write = Effect.fnUntraced(function* ({ database }: Sealed, count: number, bytes = 8) {
  for (let index = 0; index < count; index++) yield* database.set(`w-${index % 7}`, "v".repeat(bytes))
})

describe("by commits", () => {
  it(
    "a key seals as many as it may, counted over opens, and the next one follows",
    sessions(
      session({ dataKeyCommitsMax: 100 }, (sealed) =>
        Effect.gen(function* () {
          yield* write(sealed, 60)
          yield* Effect.sleep(1000)
          assert.strictEqual(yield* generation(sealed), 1)
        })
      ),
      session({ dataKeyCommitsMax: 100 }, (sealed) =>
        Effect.gen(function* () {
          yield* write(sealed, 45)
          yield* Effect.sleep(1000)
          assert.strictEqual(yield* generation(sealed), 2)
          yield* write(sealed, 90)
          yield* Effect.sleep(1000)
          assert.strictEqual(yield* generation(sealed), 2)
          yield* write(sealed, 220)
          yield* Effect.sleep(1000)
          assert.isAtLeast(yield* generation(sealed), 3)
          const { encryption, state } = yield* sealed.maintenance.stats
          assert.lengthOf(encryption!.generations, 1)
          assert.strictEqual(state, "healthy")
        })
      )
    )
  )
})

describe("by bytes", () => {
  it(
    "a key seals as many as it may; what is sealed anew does not count, so it ends",
    sessions(
      session({ dataKeyBytesMax: 8192 }, (sealed) =>
        Effect.gen(function* () {
          yield* fill(sealed, "a")
          yield* Effect.sleep(1000)
          const before = yield* generation(sealed)
          yield* write(sealed, 100, 100)
          yield* Effect.sleep(10_000)
          const after = yield* generation(sealed)
          assert.isAbove(after, before)
          yield* Effect.sleep(day)
          assert.strictEqual(yield* generation(sealed), after)
          yield* sealed.database.removeRange({ prefix: "w" })
          yield* checkAll(sealed, ["a"])
        })
      ),
      session({ dataKeyBytesMax: 1024 * 1024 }, (sealed) =>
        Effect.gen(function* () {
          const before = yield* generation(sealed)
          yield* fill(sealed, "a")
          yield* Effect.sleep(1000)
          assert.strictEqual(yield* generation(sealed), before)
        })
      )
    )
  )
})

describe("by age", () => {
  const weekly = { dataKeyAgeMillisMax: 7 * day }

  it("a key is replaced when its time has come, also if the database was closed meanwhile", () => {
    const clock = new SimClock()
    const age = (wait: number, expected: number) =>
      session(
        weekly,
        (sealed) =>
          Effect.gen(function* () {
            yield* write(sealed, 3)
            yield* Effect.sleep(wait)
            assert.strictEqual(yield* generation(sealed), expected)
          }),
        clock
      )
    sessions(age(3 * day, 1), age(3 * day, 1), age(1.5 * day, 2), age(15 * day, 4))()
    clock.jump(20 * day)
    sessions(age(1000, 1))()
  })

  it("a clock that is set back does not keep it, as long as the database is open", () => {
    const clock = new SimClock()
    const body = (sealed: Sealed) =>
      Effect.gen(function* () {
        yield* write(sealed, 3)
        clock.jump(-6 * day)
        yield* Effect.sleep(6.9 * day)
        assert.strictEqual(yield* generation(sealed), 1)
        yield* Effect.sleep(0.2 * day)
        assert.strictEqual(yield* generation(sealed), 2)
        clock.jump(-3650 * day)
        yield* Effect.sleep(day)
        assert.isAtMost(yield* generation(sealed), 3)
        yield* Effect.sleep(8 * day)
        assert.isAtLeast(yield* generation(sealed), 3)
      })
    sessions(session(weekly, body, clock))()
  })

  it("a clock that was ten years ahead, and is right again, does not keep it for ten years", () => {
    const clock = new SimClock()
    clock.jump(3650 * day)
    const opened = (expected: number) => (sealed: Sealed) =>
      Effect.gen(function* () {
        yield* write(sealed, 3)
        yield* Effect.sleep(1000)
        assert.strictEqual(yield* generation(sealed), expected)
      })
    const back = session(weekly, opened(2), clock)
    const ahead = session(weekly, (sealed) => Effect.map(opened(1)(sealed), () => clock.jump(-3650 * day)), clock)
    sessions(ahead, back, session(weekly, opened(2), clock))()
  })
})
