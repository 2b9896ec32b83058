import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { SharedSync } from "../../../src/internal/engine/sharedSync.ts"
import { DiskError } from "../../../src/services/Disk.ts"

describe("SharedSync", () => {
  it.effect("all who come while one runs share the next", () =>
    Effect.gen(function* () {
      const gates = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      let begun = 0
      const shared = new SharedSync(Effect.suspend(() => Deferred.await(gates[begun++]!)))
      const first = yield* Effect.forkChild(shared.run, { startImmediately: true })
      const others = yield* Effect.forEach([1, 2, 3], () => Effect.forkChild(shared.run, { startImmediately: true }))
      assert.strictEqual(begun, 1)
      yield* Deferred.succeed(gates[0]!, undefined)
      yield* Fiber.join(first)
      yield* Effect.yieldNow
      assert.strictEqual(begun, 2)
      for (const other of others) assert.isUndefined(other.pollUnsafe())
      yield* Deferred.succeed(gates[1]!, undefined)
      for (const other of others) yield* Fiber.join(other)
      assert.strictEqual(begun, 2)
    })
  )

  it.effect("one that fails is nobody's but the caller's", () =>
    Effect.gen(function* () {
      let begun = 0
      const failing = new DiskError({ operation: "syncDirectory", file: "/db", code: "EIO" })
      const shared = new SharedSync(Effect.suspend(() => (++begun === 1 ? Effect.fail(failing) : Effect.void)))
      assert.strictEqual(yield* Effect.flip(shared.run), failing)
      yield* shared.run
      assert.strictEqual(begun, 2)
    })
  )
})
