// An error of the disk at every call that a mixed workload makes of it, and a disk that runs full.
//
// A clean run tells the calls. Then the workload runs again once for each case: which call fails, with which code, once
// or from then on, and for an append how much was taken, for a sync what became of the bytes. The default run has, for
// every call, each of these kinds with one of the codes; `STRATA_FAULTS=all` has all codes, `STRATA_FAULTS=<n>` every
// n-th of the default.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as SimDisk from "../src/layers/SimDisk.ts"
import { casesOf, type Strikes, strikeAll } from "./support/faultCases.ts"
import { canonical } from "./support/faultSession.ts"
import { valueWorkload } from "./support/faultValues.ts"
import { contentsOf, smallOptions } from "./support/opened.ts"
import { contentsAfter, crashOf, nothingKept, reasonOf, simulate, stateOf, using } from "./support/scenario.ts"

const selection = process.env.STRATA_FAULTS ?? "1"
const strikes: Strikes = {
  seed: Number(process.env.STRATA_SEED ?? 1),
  selection: selection === "all" ? "all" : Number(selection)
}

describe("an error of the disk", () => {
  it("at any call is a typed error or none, and loses nothing", () => strikeAll(canonical, strikes), 1_800_000)

  it(
    "at any call about value files is a typed error or none, and loses nothing",
    () => strikeAll(valueWorkload, strikes),
    1_800_000
  )
})

describe("the cases of a sweep", () => {
  const call = (index: number, operation: SimDisk.OperationRecord["operation"], path: string) => ({
    index,
    operation,
    path,
    code: undefined
  })
  const log = [
    call(0, "append", "/db/log-1"),
    call(1, "read", "/db/a"),
    call(2, "sync", "/db/a"),
    call(3, "read", "/b")
  ]

  it("are every kind of every call, once and from then on", () => {
    const kinds = (at: number) =>
      casesOf(log, "kinds")
        .filter((one) => one.at === at)
        .map(({ kind }) => kind)
        .sort()
    const twice = (...whats: ReadonlyArray<string>) =>
      whats.flatMap((what) => [`${what} once`, `${what} sticky`]).sort()
    assert.deepStrictEqual(kinds(0), twice("0", "20", "Infinity"))
    assert.deepStrictEqual(kinds(1), twice("failed", "short"))
    assert.deepStrictEqual(kinds(2), twice("dropped", "reverted", "written"))
    assert.deepStrictEqual(kinds(3), twice("failed", "short"))
  })

  it("have short reads from one on, and no other call that is short", () => {
    const rules = casesOf(log, "kinds", ({ index }) => index === 3).map(({ rule }) => rule)
    assert.deepInclude(rules, { operation: "read", skip: 1, code: "ESHORT", sticky: true })
  })
})

const keysOf = (count: number, prefix: string) =>
  Array.from({ length: count }, (_, index) => `${prefix}${1000 + index}`)
const value = "v".repeat(100)

describe("a full disk", () => {
  for (const durability of ["disk", "os"] as const) {
    it(`refuses writes and serves reads, and writing goes on by itself when space returns (${durability})`, () => {
      const device = SimDisk.make({ synchronousAppends: durability === "os" })
      const [before, refused, after] = [keysOf(30, "a"), keysOf(100, "b"), keysOf(30, "c")]
      const state = simulate(
        using(device, ({ database, maintenance }) =>
          Effect.gen(function* () {
            for (const key of before) yield* database.set(key, value, { durability })
            // The room that is left ends in the middle of a write.
            device.setCapacity(device.files.bytes + 333)
            let accepted = 0
            const definite: Array<string> = []
            for (const key of refused) {
              const result = yield* Effect.result(database.set(key, value, { durability }))
              if (result._tag === "Success") {
                assert.strictEqual(definite.length, 0, "no space came back")
                accepted += 1
              } else {
                assert.strictEqual(result.failure.reason._tag, "DiskFull")
                assert.isTrue(result.failure.isRetryable)
                definite.push(key)
                assert.isUndefined(yield* database.get(key))
              }
              yield* Effect.sleep("20 millis")
            }
            assert.isAbove(definite.length, 50)
            const wanted = [...before, ...refused.slice(0, accepted)]
            assert.deepStrictEqual(Object.keys(yield* stateOf(database)), wanted, "reads go on")
            assert.notStrictEqual((yield* maintenance.stats).state, "healthy")
            device.setCapacity(2 ** 40)
            yield* Effect.sleep("1 second")
            for (const key of after) yield* database.set(key, value, { durability })
            yield* maintenance.flush
            assert.strictEqual((yield* maintenance.stats).state, "healthy")
            assert.deepStrictEqual(Object.keys(yield* stateOf(database)), [...wanted, ...after])
            return { wanted: [...wanted, ...after], image: crashOf(device, nothingKept) }
          })
        )
      )
      assert.deepStrictEqual(Object.keys(contentsAfter(state.image)), state.wanted)
    })
  }

  it("keeps buffered commits until there is room for them", () => {
    const device = SimDisk.make()
    const keys = keysOf(8, "a")
    simulate(
      using(device, ({ database }) =>
        Effect.gen(function* () {
          yield* database.set("first", value)
          device.setCapacity(device.files.bytes + 50)
          for (const key of keys) yield* database.set(key, value, { durability: "buffered" })
          yield* Effect.sleep("5 seconds")
          assert.strictEqual((yield* contentsOf(database)).length, keys.length + 1)
          assert.strictEqual((yield* reasonOf(database.sync))._tag, "DiskFull")
          device.setCapacity(2 ** 40)
          yield* Effect.sleep("1 second")
          yield* database.sync
          assert.deepStrictEqual(Object.keys(contentsAfter(crashOf(device, nothingKept))), [...keys, "first"])
        })
      )
    )
  })

  it("is no obstacle to closing, and what was acknowledged is there when it is opened with room", () => {
    const device = SimDisk.make()
    const keys = keysOf(12, "a")
    simulate(
      using(
        device,
        ({ database }) =>
          Effect.gen(function* () {
            for (const key of keys) yield* database.set(key, value)
            device.setCapacity(device.files.bytes)
          }),
        { ...smallOptions, arenaBytes: 4096 }
      )
    )
    const reason = simulate(reasonOf(using(device, ({ database }) => stateOf(database))))
    assert.strictEqual(reason._tag, "DiskFull")
    device.setCapacity(2 ** 40)
    assert.deepStrictEqual(Object.keys(simulate(using(device, ({ database }) => stateOf(database)))), keys)
  })
})
