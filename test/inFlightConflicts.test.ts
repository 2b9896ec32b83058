// Commits that were in flight when a transaction began: it does not see them, and they conflict with what it read. The
// oracle learns of them only then, for a commit that no transaction can meet is not learned at all.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as SimDisk from "../src/layers/SimDisk.ts"
import type { DatabaseService, ManualTransaction } from "../src/services/Database.ts"
import { simulate, textOf, using } from "./support/scenario.ts"

const disk = { durability: "disk" } as const

/**
 * What the transaction's commit comes to. It begins while the writes are in flight, so many turns of the scheduler
 * after them, and ends when they are visible.
 */
const outcomeOf = (
  write: (database: DatabaseService) => Effect.Effect<unknown, unknown>,
  read: (transaction: ManualTransaction) => Effect.Effect<unknown, unknown>,
  turns = 0
): string =>
  simulate(
    using(SimDisk.make(), ({ database }) =>
      Effect.scoped(
        Effect.gen(function* () {
          yield* database.write(
            ["a", "b", "c"].map((key) => ({ type: "set", key, value: "before" })),
            disk
          )
          // Transactions that have ended leave nothing behind which would hide what is not learned.
          yield* database.transaction((transaction) => transaction.set("d", "before"), disk)
          const writing = yield* Effect.forkChild(write(database), { startImmediately: true })
          for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
          const transaction = yield* database.begin({ durability: "disk" })
          assert.strictEqual(textOf(yield* transaction.get("c")), "before")
          yield* Effect.orDie(read(transaction))
          yield* Fiber.join(writing).pipe(Effect.orDie)
          yield* transaction.set("e", "after")
          const committed = yield* Effect.result(transaction.commit)
          return committed._tag === "Success" ? "committed" : committed.failure.reason._tag
        })
      )
    )
  )

const setOf = (key: string) => (database: DatabaseService) => database.set(key, "after", disk)

describe("a commit in flight when a transaction begins", () => {
  it("conflicts with a read of its key, and with no other", () => {
    const read = (transaction: ManualTransaction) => transaction.get("a")
    assert.strictEqual(outcomeOf(setOf("a"), read), "Conflict")
    assert.strictEqual(outcomeOf(setOf("b"), read), "committed")
    assert.strictEqual(
      outcomeOf((database) => database.remove("a", disk), read),
      "Conflict"
    )
    const removeRange = (database: DatabaseService) => database.removeRange({ from: "a", to: "b" }, disk)
    assert.strictEqual(outcomeOf(removeRange, read), "Conflict")
  })

  it("conflicts until it is visible, whatever the log is at", () => {
    let conflicts = 0
    for (let turns = 0; turns <= 12; turns++) {
      let saw: string | undefined
      const read = (transaction: ManualTransaction) =>
        Effect.map(transaction.get("a"), (value) => {
          saw = textOf(value)
        })
      const outcome = outcomeOf(setOf("a"), read, turns)
      assert.strictEqual(outcome, saw === "before" ? "Conflict" : "committed", `${turns} turns`)
      if (outcome === "Conflict") conflicts += 1
    }
    assert.isAbove(conflicts, 2, "some of them while it waits, some while it is written and synced")
    assert.isBelow(conflicts, 13, "some when it is visible")
  })

  it("conflicts with a read of its range", () => {
    const read = (transaction: ManualTransaction) => transaction.count({ from: "b", to: "c" })
    assert.strictEqual(outcomeOf(setOf("bb"), read), "Conflict")
    assert.strictEqual(outcomeOf(setOf("ab"), read), "committed")
  })

  it("conflicts also as one of many, with others before and behind it", () => {
    const all = ["x", "a", "y"].map(setOf)
    const write = (database: DatabaseService) =>
      Effect.all(
        all.map((set) => set(database)),
        { concurrency: "unbounded" }
      )
    assert.strictEqual(
      outcomeOf(write, (transaction) => transaction.get("a")),
      "Conflict"
    )
    assert.strictEqual(
      outcomeOf(write, (transaction) => transaction.get("b")),
      "committed"
    )
  })
})
