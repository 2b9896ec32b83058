import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { KeyUse } from "../../../src/internal/engine/keyUse.ts"
import type { ValueLogService, ValueWriter } from "../../../src/services/ValueLog.ts"

const kit = () => {
  const state = { generation: 1, ended: 0 }
  const use = new KeyUse(() => state.generation)
  use.onEnd = () => (state.ended += 1)
  return { state, use }
}

describe("keys in use", () => {
  it.effect("are those of the beginning of what is being made, until it ends in any way", () =>
    Effect.gen(function* () {
      const { state, use } = kit()
      const end = yield* Deferred.make<void>()
      const first = yield* Effect.forkChild(use.during(Deferred.await(end)), { startImmediately: true })
      state.generation = 2
      const second = yield* Effect.forkChild(use.during(Effect.never), { startImmediately: true })
      assert.strictEqual(use.oldest, 1)
      yield* Deferred.succeed(end, undefined)
      yield* Fiber.join(first)
      assert.deepStrictEqual([use.oldest, state.ended], [2, 1])
      yield* Fiber.interrupt(second)
      assert.deepStrictEqual([use.oldest, state.ended], [undefined, 1])
      state.generation = 3
      yield* Effect.exit(use.during(Effect.fail("no")))
      assert.isUndefined(use.oldest)
    })
  )

  it.effect("are held by a value file until it is finished or discarded, once", () =>
    Effect.gen(function* () {
      const { state, use } = kit()
      const writer = {
        id: 7,
        bytes: 9,
        begin: () => 0,
        end: () => 0,
        push: () => Effect.void,
        finish: Effect.sync(() => ({ number: 7 })),
        discard: Effect.void
      } as unknown as ValueWriter
      const values = use.values({ create: Effect.succeed(writer) } as unknown as ValueLogService)
      const one = yield* values.create
      const other = yield* values.create
      state.generation = 2
      assert.deepStrictEqual([one.id, one.bytes, use.oldest], [7, 9, 1])
      yield* one.finish
      yield* one.discard
      assert.strictEqual(use.oldest, 1)
      yield* other.discard
      assert.isUndefined(use.oldest)
      const failing = use.values({ create: Effect.fail("no") } as unknown as ValueLogService)
      yield* Effect.exit(failing.create)
      assert.isUndefined(use.oldest)
    })
  )
})
