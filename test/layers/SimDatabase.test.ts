import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, ConfigProvider, Data, Effect, Exit } from "effect"
import * as Database from "../../src/services/Database.ts"
import * as SimDatabase from "../../src/layers/SimDatabase.ts"
import { DatabaseError } from "../../src/services/DatabaseError.ts"
import type { Durability } from "../../src/services/Options.ts"

const accounts = ["a", "b", "c"]
const numberOf = (value: Uint8Array | undefined): number => Number(new TextDecoder().decode(value))

/** Moves money between accounts and promises each transfer; `together`: in one transaction. */
const transfers = (options: {
  readonly together: boolean
  readonly durability: Durability
}): SimDatabase.CrashTest<number, unknown> => ({
  setup: Effect.gen(function* () {
    const db = yield* Database.Database
    for (const account of accounts) yield* db.set(account, "100")
  }),
  program: (promise) =>
    Effect.gen(function* () {
      const db = yield* Database.Database
      for (let id = 1; id <= 5; id++) {
        const [from, to] = [accounts[id % 3]!, accounts[(id + 1) % 3]!]
        const taken = String(numberOf(yield* db.get(from)) - id)
        const given = String(numberOf(yield* db.get(to)) + id)
        if (options.together) {
          yield* db.transaction(
            (tx) =>
              Effect.gen(function* () {
                yield* tx.set(from, taken)
                yield* tx.set(to, given)
                yield* tx.set(`transfer ${id}`, "done")
              }),
            { durability: options.durability }
          )
        } else {
          yield* db.set(from, taken)
          yield* db.set(to, given)
          yield* db.set(`transfer ${id}`, "done")
        }
        yield* promise(id)
      }
    }),
  check: (promised) =>
    Effect.gen(function* () {
      const db = yield* Database.Database
      const values = yield* db.getMany(accounts)
      assert.strictEqual(
        values.reduce((sum, value) => sum + numberOf(value), 0),
        300,
        "money was lost or made"
      )
      for (const id of promised) assert.isTrue(yield* db.has(`transfer ${id}`), `transfer ${id} is lost`)
    })
})

/** Its disk fails, and it has a bug where it deals with that. */
const diesAfterFailure = {
  program: () =>
    Effect.gen(function* () {
      const db = yield* Database.Database
      const write = Effect.catch(db.set("key", "value"), () => Effect.die(new Error("my own bug")))
      yield* Effect.replicateEffect(write, 10)
    }),
  check: () => Effect.void
}

const failureOf = (test: SimDatabase.CrashTest<number, unknown>) =>
  Effect.map(Effect.flip(SimDatabase.crashTest(test)), (error) => {
    assert.instanceOf(error, SimDatabase.CrashTestFailed)
    return error as SimDatabase.CrashTestFailed
  })

describe("a crash test of an application", () => {
  it.effect("passes what keeps its promises, and says what it went through", () =>
    Effect.gen(function* () {
      const test = { ...transfers({ together: true, durability: "disk" }), runs: 2 }
      const report = yield* SimDatabase.crashTest(test)
      assert.strictEqual(report.runs, 2)
      assert.strictEqual(report.promised, 10)
      assert.isAbove(report.calls, 40)
      assert.isAbove(report.images, 60)
      assert.deepStrictEqual(yield* SimDatabase.crashTest(test), report, "the same seed is the same run")
    })
  )

  it.effect("finds writes that should have been one", () =>
    Effect.gen(function* () {
      const failure = yield* failureOf(transfers({ together: false, durability: "disk" }))
      assert.match(failure.message, /money was lost or made/)
      assert.match(failure.message, /STRATA_REPLAY=1:\d+:\d+/)
    })
  )

  it.effect("finds promises that were made too early", () =>
    Effect.gen(function* () {
      const failure = yield* failureOf(transfers({ together: true, durability: "os" }))
      assert.match(failure.message, /transfer \d is lost/)
    })
  )

  it.effect("does a failure again, by option or by the environment", () =>
    Effect.gen(function* () {
      const test = transfers({ together: false, durability: "disk" })
      const failure = yield* failureOf({ ...test, seed: 7 })
      const again = yield* failureOf({ ...test, replay: failure.replay })
      const told = ({ call, message, outcome, seed }: SimDatabase.CrashTestFailed) => ({ call, message, outcome, seed })
      assert.deepStrictEqual(told(again), told(failure))
      const environment = ConfigProvider.layer(ConfigProvider.fromUnknown({ STRATA_REPLAY: failure.replay }))
      assert.deepStrictEqual(told(yield* Effect.provide(failureOf(test), environment)), told(failure))
    })
  )

  it.effect("fails as the program fails", () =>
    Effect.gen(function* () {
      const broken = { program: () => Effect.fail("out of stock"), check: () => Effect.void }
      assert.strictEqual(yield* Effect.flip(SimDatabase.crashTest(broken)), "out of stock")
    })
  )

  it.effect("cuts a program on a disk that fails, which may fail too", () =>
    Effect.gen(function* () {
      const faults = [{ operation: "sync", pathPart: "/log-", skip: 4, code: "EIO" }] as const
      const report = yield* SimDatabase.crashTest({ ...transfers({ together: true, durability: "disk" }), faults })
      assert.isAbove(report.images, 10)
      assert.strictEqual(report.failed, 1)
    })
  )

  const neverStrikes = { at: 1_000_000, code: "EIO" } as const
  const ownBug = { program: () => Effect.die(new Error("my own bug")), check: () => Effect.void }
  const ownError = { program: () => Effect.fail("out of stock"), check: () => Effect.void }
  const endless = { program: () => Effect.promise(() => Promise.resolve(1)), check: () => Effect.void }
  const failingSync = { operation: "sync", pathPart: "/log-", skip: 4, code: "EIO" } as const
  const slowRead = { operation: "read", sticky: true, delayMillis: [1, 2] } as const
  it.effect.each([
    { name: "dies though no fault struck", ...ownBug, faults: [neverStrikes], expected: /my own bug/ },
    { name: "fails though no fault struck", ...ownError, faults: [neverStrikes], expected: /out of stock/ },
    { name: "fails without faults", ...ownError, faults: [], expected: /out of stock/ },
    { name: "fails on a disk that is only slow", ...ownError, faults: [slowRead], expected: /out of stock/ },
    { name: "waits for ever on a disk that is only slow", ...endless, faults: [slowRead], expected: /deadlock/ },
    { name: "dies of its own on a disk that failed", ...diesAfterFailure, faults: [failingSync], expected: /own bug/ }
  ])("does not take for the disk's fault a program that $name", ({ expected, ...test }) =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(SimDatabase.crashTest<never, unknown>(test))
      assert.isTrue(Exit.isFailure(exit))
      if (Exit.isFailure(exit)) assert.match(Cause.pretty(exit.cause), expected)
    })
  )

  it.effect("checks at the time of the cut", () =>
    Effect.gen(function* () {
      const report = yield* SimDatabase.crashTest({
        program: (promise: (what: "held" | "over") => Effect.Effect<void>) =>
          Effect.gen(function* () {
            const db = yield* Database.Database
            yield* db.write([{ type: "set", key: "lease", value: "mine", ttlMillis: 60_000 }])
            yield* promise("held")
            yield* Effect.sleep("1 day")
            yield* promise("over")
            yield* db.set("later", "1")
          }),
        check: (promised) =>
          Effect.gen(function* () {
            const isHeld = yield* (yield* Database.Database).has("lease")
            if (promised.at(-1) === "held" && !isHeld) yield* Effect.fail("the lease is lost")
            if (promised.at(-1) === "over" && isHeld) yield* Effect.fail("the lease did not expire")
          })
      })
      assert.isAbove(report.images, 20)
    })
  )

  const invalidOf = (test: SimDatabase.CrashTest<number, unknown>) =>
    Effect.map(Effect.flip(SimDatabase.crashTest(test)), (error) => {
      assert.instanceOf(error, DatabaseError)
      assert.strictEqual((error as DatabaseError).reason._tag, "Invalid")
      return (error as DatabaseError).message
    })

  it.effect.each([
    { name: "no run", with: { runs: 0 }, expected: /runs is .* not 0/ },
    { name: "half a run", with: { runs: 1.5 }, expected: /runs is .* not 1.5/ },
    { name: "no outcome", with: { outcomesPerCall: 0 }, expected: /outcomesPerCall is .* not 0/ },
    { name: "no step", with: { stepsMax: 0 }, expected: /stepsMax is .* not 0/ },
    { name: "a seed below 0", with: { seed: -1 }, expected: /seed is .* not -1/ },
    { name: "no replay", with: { replay: "abc" }, expected: /no replay of a crash test: abc/ },
    { name: "a replay of no outcome", with: { replay: "1:2:99:00000000" }, expected: /no replay/ },
    { name: "a replay of another", with: { replay: "1:900:3:00000000" }, expected: /made other calls/ },
    { name: "a lie", with: { faults: [{ at: 9, lie: "lost", seed: 1 }] as never }, expected: /faults that lie/ },
    { name: "a flipped bit", with: { faults: [{ at: 9, flip: 1 }] as never }, expected: /faults that lie/ },
    { name: "a rule of nothing", with: { faults: [{ at: 9 }] as never }, expected: /a fault has/ }
  ])("refuses $name", ({ expected, with: options }) =>
    Effect.gen(function* () {
      assert.match(yield* invalidOf({ ...transfers({ together: true, durability: "disk" }), ...options }), expected)
    })
  )

  it.effect("takes slow disks and clocks that jump", () =>
    Effect.gen(function* () {
      const faults = [
        { operation: "sync", sticky: true, delayMillis: [10, 30_000] },
        { operation: "append", pathPart: "/log-", skip: 2, jumpMillis: -86_400_000 }
      ] as const
      const report = yield* SimDatabase.crashTest({ ...transfers({ together: true, durability: "disk" }), faults })
      assert.strictEqual(report.failed, 0)
    })
  )

  it.effect("tests as a whole what the environment's replay is not of", () =>
    Effect.gen(function* () {
      const { replay } = yield* failureOf(transfers({ together: false, durability: "disk" }))
      const environment = ConfigProvider.layer(ConfigProvider.fromUnknown({ STRATA_REPLAY: replay }))
      const other = transfers({ together: true, durability: "disk" })
      const report = yield* Effect.provide(SimDatabase.crashTest(other), environment)
      assert.deepStrictEqual(report, yield* SimDatabase.crashTest(other))
    })
  )

  class NoMessage extends Data.TaggedError("NoMessage")<{ readonly id: number }> {}
  it.effect.each([
    { name: "a string", cause: "an order is lost", expected: /: an order is lost\n/ },
    { name: "an error", cause: new Error("lost"), expected: /: lost\n/ },
    { name: "an object", cause: { _tag: "Lost", id: 7 }, expected: /: \{"_tag":"Lost","id":7\}\n/ },
    { name: "an error without a message", cause: new NoMessage({ id: 7 }), expected: /: .*NoMessage.*7.*\n/ }
  ])("tells what a check fails with: $name", ({ cause, expected }) =>
    Effect.gen(function* () {
      const test = { program: () => Effect.void, check: () => Effect.fail(cause) }
      assert.match((yield* failureOf(test)).message, expected)
    })
  )

  it.effect("begins the program at the time at which its setup ended", () =>
    Effect.gen(function* () {
      yield* SimDatabase.crashTest({
        setup: Effect.gen(function* () {
          const db = yield* Database.Database
          yield* db.write([{ type: "set", key: "lease", value: "old", ttlMillis: 60_000 }])
          yield* db.set("begun", String(yield* Clock.currentTimeMillis))
          yield* Effect.sleep("10 days")
        }),
        program: () =>
          Effect.gen(function* () {
            const db = yield* Database.Database
            const millis = (yield* Clock.currentTimeMillis) - numberOf(yield* db.get("begun"))
            assert.isAtLeast(millis, 10 * 86_400_000)
            assert.isFalse(yield* db.has("lease"))
          }),
        check: () => Effect.void
      })
    })
  )

  const forever = Effect.forever(Effect.sleep("1 second"))
  const nothing = { program: () => Effect.void, check: () => Effect.void }
  it.effect.each([
    { name: "waits for what is not simulated", ...endless, expected: /deadlock/ },
    { name: "never ends", ...nothing, program: () => forever, expected: /still running after 20000 steps with seed 1/ },
    { name: "has a setup that never ends", ...nothing, setup: forever, expected: /still running after 20000 steps/ }
  ])("says that a program $name", ({ expected, ...test }) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(SimDatabase.crashTest<never, unknown>({ stepsMax: 20_000, ...test }))
      assert.instanceOf(error, SimDatabase.CrashTestStuck)
      assert.match((error as SimDatabase.CrashTestStuck).message, expected)
    })
  )

  it.effect("tells of a check that never ends as of one that fails", () =>
    Effect.gen(function* () {
      const failure = yield* failureOf({ ...nothing, check: () => forever, stepsMax: 20_000 })
      assert.match(failure.message, /still running after 20000 steps/)
    })
  )
})
