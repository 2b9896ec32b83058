// A transaction that is interrupted at any step holds nothing open: its moment would keep old versions and the memory
// of writes for as long as the database is open.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Scheduler } from "effect"
import * as MemoryDisk from "../src/layers/MemoryDisk.ts"
import { open, quiet, smallOptions } from "./support/opened.ts"

/** Lets others run after so many steps of a fiber, once. */
class YieldingOnce extends Scheduler.MixedScheduler {
  private steps = 0
  private readonly at: number

  constructor(at: number) {
    super()
    this.at = at
  }

  override shouldYield(): boolean {
    this.steps += 1
    return this.steps === this.at
  }
}

const stepsMax = 120

describe("an interrupted transaction", () => {
  it.effect("gives back what it held, at whatever step it is interrupted", () =>
    Effect.gen(function* () {
      const { database, maintenance } = yield* open(MemoryDisk.make().layer, smallOptions)
      yield* database.set("a", "0")
      let interrupted = 0
      for (let step = 1; step <= stepsMax; step++) {
        const writing = database.transaction((transaction) =>
          Effect.andThen(transaction.get("a"), transaction.set("a", String(step)))
        )
        const fiber = yield* Effect.forkChild(
          Effect.provideService(
            Effect.suspend(() => writing),
            Scheduler.Scheduler,
            new YieldingOnce(step)
          ),
          { startImmediately: true }
        )
        if (fiber.pollUnsafe() === undefined) interrupted += 1
        yield* Fiber.interrupt(fiber)
        assert.strictEqual((yield* maintenance.stats).snapshots.open, 0, `interrupted at step ${step}`)
      }
      assert.isAbove(interrupted, 20)
    }).pipe(quiet, Effect.scoped)
  )
})
