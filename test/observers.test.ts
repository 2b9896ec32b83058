// Who waits for a commit goes on on the stack of whoever wrote its group, and with it the observers of its fiber. What
// one of them throws is its own matter: the others of the group are told, and the database goes on.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as SimDisk from "../src/layers/SimDisk.ts"
import type { DatabaseService } from "../src/services/Database.ts"
import { open, quiet, smallOptions } from "./support/opened.ts"

const os = { durability: "os" } as const

/** Waits for a commit with an observer that throws; false if it did not have to wait. */
const startsWithThrower = (database: DatabaseService, key: string): boolean => {
  const fiber = Effect.runFork(database.set(key, "1", os))
  const waits = fiber.pollUnsafe() === undefined
  if (waits) {
    fiber.addObserver(() => {
      // On another stack it would be the process's uncaught exception.
      const error = new Error("an observer's own bug")
      if (error.stack?.includes("goOn") === true) throw error
    })
  }
  return waits
}

// Deep enough to see whose stack it is.
Error.stackTraceLimit = 100

describe("an observer that throws", () => {
  it.effect("of one commit of a group stops neither the others nor the database, whenever they come", () =>
    Effect.gen(function* () {
      let waited = 0
      for (const synchronousAppends of [false, true]) {
        for (let turns = 0; turns < 10; turns++) {
          const { database } = yield* open(SimDisk.make({ synchronousAppends }).layer, smallOptions)
          const first = yield* Effect.forkChild(Effect.andThen(database.set("a", "1"), database.set("b", "1", os)), {
            startImmediately: true
          })
          for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
          if (startsWithThrower(database, "c")) waited += 1
          const third = yield* Effect.forkChild(database.set("d", "1", os), { startImmediately: true })
          yield* Fiber.join(first)
          yield* Fiber.join(third)
          yield* database.set("e", "1", os)
          yield* database.set("f", "1")
          assert.strictEqual(yield* database.count(), 6)
        }
      }
      assert.isAbove(waited, 0)
    }).pipe(quiet, Effect.scoped)
  )
})
