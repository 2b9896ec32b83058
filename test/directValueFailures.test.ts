// Values that are written to a file before their commit: nothing is left of those whose commit did not happen.
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Scope, Stream } from "effect"
import * as SimDisk from "../src/layers/SimDisk.ts"
import { filesOf, options, session, settled, streamOf, valueOf } from "./support/directValues.ts"
import { reasonOf, simulate, using } from "./support/scenario.ts"

describe("direct values whose commit does not happen", () => {
  it("nothing is left of a transaction that is discarded, fails, or conflicts", () => {
    const { device, open } = session()
    open(({ database }) =>
      Effect.gen(function* () {
        yield* Effect.scoped(Effect.flatMap(database.begin(), (tx) => tx.set("k", valueOf(1000))))
        yield* Effect.exit(database.transaction((tx) => Effect.andThen(tx.set("k", valueOf(1000)), Effect.fail("no"))))
        const tx = yield* database.begin()
        yield* tx.get("k")
        yield* tx.setStream("k", streamOf(valueOf(1000)))
        yield* database.set("k", "other")
        assert.strictEqual((yield* reasonOf(tx.commit))._tag, "Conflict")
        yield* settled
        assert.deepStrictEqual(filesOf(device), [])
        assert.strictEqual((yield* database.get("k"))?.length, 5)
      })
    )
  })

  it("to discard a transaction that commits takes nothing from it", () => {
    const { device, open } = session()
    const keys = Array.from({ length: 12 }, (_, index) => `k${index}`)
    open(({ database }) =>
      Effect.gen(function* () {
        for (let turns = 0; turns < 40; turns++) {
          const tx = yield* database.begin()
          yield* tx.set("direct", valueOf(1000, turns))
          // Together no memtable holds them: some go to a file when it commits.
          for (const key of keys) yield* tx.set(key, valueOf(450, turns))
          const committing = yield* Effect.forkChild(tx.commit)
          for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
          yield* tx.discard
          const exit = yield* Fiber.await(committing)
          if (Exit.isFailure(exit)) continue
          assert.deepStrictEqual(yield* database.get("direct"), valueOf(1000, turns), `${turns} turns`)
          for (const key of keys) assert.deepStrictEqual(yield* database.get(key), valueOf(450, turns))
        }
      })
    )
    open(({ database }) =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* database.get("direct"), valueOf(1000, 39))
      })
    )
    assert.isAbove(filesOf(device).length, 0)
  })

  it("nothing is left of a stream that fails or is interrupted", () => {
    const { device, open } = session()
    open(({ database }) =>
      Effect.gen(function* () {
        const broken = Stream.concat(streamOf(valueOf(2000)), Stream.fail("broken"))
        const failed = yield* Effect.exit(database.setStream("k", broken))
        assert.deepStrictEqual(failed, Exit.fail("broken"))
        const reached = yield* Deferred.make<void>()
        const stuck = Stream.concat(
          streamOf(valueOf(2000)),
          Stream.fromEffect(Effect.andThen(Deferred.succeed(reached, undefined), Effect.never))
        )
        const fiber = yield* Effect.forkChild(database.setStream("k", stuck))
        yield* Deferred.await(reached)
        assert.lengthOf(filesOf(device), 1)
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(filesOf(device), [])
        assert.isFalse(yield* database.has("k"))
      })
    )
  })

  it("a full disk is DiskFull and leaves nothing, whichever call says so", () => {
    for (const operation of ["create", "append", "sync", "syncDirectory"]) {
      for (const durability of ["disk", "buffered"] as const) {
        const device = SimDisk.make()
        simulate(
          using(
            device,
            ({ database }) =>
              Effect.gen(function* () {
                yield* database.set("k", "1")
                const isMatch = (name: string, path: string) =>
                  name === operation && (operation === "syncDirectory" || path.includes("/value-"))
                device.addFault({ match: isMatch, code: "ENOSPC", bytesAccepted: 100 })
                const reason = yield* reasonOf(
                  database.write([{ type: "set", key: "k", value: valueOf(2000) }], { durability })
                )
                assert.strictEqual(reason._tag, "DiskFull", operation)
                yield* settled
                assert.deepStrictEqual(filesOf(device), [], operation)
                assert.strictEqual((yield* database.get("k"))?.length, 1)
                if (operation !== "syncDirectory") yield* database.set("k", valueOf(2000))
              }),
            options
          )
        )
      }
    }
  })

  it("the file goes when the log refuses the commit, and stays when nobody knows", () => {
    for (const [accepted, tag, left] of [
      [0, "DiskFull", 0],
      [1_000_000, "CommitOutcomeUnknown", 1]
    ] as const) {
      const device = SimDisk.make()
      simulate(
        using(
          device,
          ({ database }) =>
            Effect.gen(function* () {
              yield* database.set("a", "1")
              device.addFault({
                match: (name, path) => name === "append" && path.includes("/log-"),
                code: "ENOSPC",
                bytesAccepted: accepted
              })
              assert.strictEqual((yield* reasonOf(database.set("k", valueOf(2000))))._tag, tag)
              yield* settled
              assert.lengthOf(filesOf(device), left)
            }),
          options
        )
      )
    }
  })

  it("a set that is interrupted before the log has it leaves nothing; afterwards it happens", () => {
    for (let steps = 1; steps < 60; steps++) {
      const device = SimDisk.make()
      const has = simulate(
        using(
          device,
          ({ database }) =>
            Effect.gen(function* () {
              const fiber = yield* Effect.forkChild(database.set("k", valueOf(2000)))
              for (let step = 0; step < steps; step++) yield* Effect.yieldNow
              yield* Fiber.interrupt(fiber)
              yield* database.sync
              yield* settled
              const value = yield* database.get("k")
              assert.lengthOf(filesOf(device), value === undefined ? 0 : 1, `after ${steps} steps`)
              if (value !== undefined) assert.deepStrictEqual(value, valueOf(2000))
              return value !== undefined
            }),
          options
        ),
        { seed: steps }
      )
      simulate(
        using(
          device,
          ({ database }) => Effect.map(database.has("k"), (found) => assert.strictEqual(found, has)),
          options
        )
      )
    }
  })

  it("a database that closes ends what is being written, and leaves no file of it", () => {
    const device = SimDisk.make()
    simulate(
      Effect.gen(function* () {
        const [reached, goOn] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const source = Stream.concat(
          streamOf(valueOf(2000)),
          Stream.fromEffect(
            Effect.andThen(Deferred.succeed(reached, undefined), Effect.as(Deferred.await(goOn), valueOf(2000)))
          )
        )
        const fiber = yield* using(
          device,
          ({ database }) =>
            Effect.gen(function* () {
              const fiber = yield* Effect.forkDetach(database.setStream("k", source))
              yield* Deferred.await(reached)
              assert.lengthOf(filesOf(device), 1)
              return fiber
            }),
          options
        )
        assert.deepStrictEqual(filesOf(device), [])
        // The next one has the directory now: what comes late of the first must not touch it.
        yield* using(
          device,
          ({ database }) =>
            Effect.gen(function* () {
              yield* database.set("k", valueOf(3000))
              yield* Deferred.succeed(goOn, undefined)
              const exit = yield* Fiber.await(fiber)
              assert.isTrue(Exit.isFailure(exit))
              assert.deepStrictEqual(yield* database.get("k"), valueOf(3000))
            }),
          options
        )
        assert.lengthOf(filesOf(device), 1)
      })
    )
  })

  it("a transaction that is open when its database closes leaves no file", () => {
    const device = SimDisk.make()
    simulate(
      Effect.gen(function* () {
        const outer = yield* Effect.scope
        const tx = yield* using(
          device,
          ({ database }) =>
            Effect.gen(function* () {
              const tx = yield* Scope.provide(database.begin(), outer)
              yield* tx.set("k", valueOf(2000))
              assert.lengthOf(filesOf(device), 1)
              return tx
            }),
          options
        )
        assert.deepStrictEqual(filesOf(device), [])
        assert.strictEqual((yield* reasonOf(tx.commit))._tag, "Closed")
      })
    )
  })
})
