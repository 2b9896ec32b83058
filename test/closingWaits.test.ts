// Whoever waits for something when the database is closed: it is done, or fails `Closed`, and nothing hangs.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope, Stream } from "effect"
import * as SimDisk from "../src/layers/SimDisk.ts"
import type { DatabaseError } from "../src/services/DatabaseError.ts"
import { open, type Opened } from "./support/opened.ts"
import { numbered, simulate } from "./support/scenario.ts"
import { longValue, valueOptions } from "./support/valueKit.ts"

const calls: ReadonlyArray<readonly [name: string, (opened: Opened) => Effect.Effect<unknown, DatabaseError>]> = [
  ["a compaction", ({ maintenance }) => maintenance.compact()],
  [
    "a value that is written as it comes",
    ({ database }) =>
      database.setStream(
        "stream",
        Stream.fromIterable(Array.from({ length: 8 }, () => new Uint8Array(3000))).pipe(
          Stream.mapEffect((piece) => Effect.as(Effect.yieldNow, piece))
        )
      )
  ]
]

/** What becomes of the call if the database is closed so many turns after it began. */
const closedAfter = (turns: number, call: (typeof calls)[number][1]): string =>
  simulate(
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const opened = yield* Scope.provide(open(SimDisk.make().layer, valueOptions), scope)
      for (const round of [1, 2, 3]) {
        for (const key of numbered(12)) yield* opened.database.set(key, longValue(`${key} ${round}`, 40))
        if (round < 3) yield* opened.maintenance.flush
      }
      const outcome = Effect.match(call(opened), {
        onFailure: ({ reason }) => reason._tag as string,
        onSuccess: () => "done"
      })
      const fiber = yield* Effect.forkChild(outcome, { startImmediately: true })
      for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
      yield* Scope.close(scope, Exit.void)
      return yield* Fiber.join(fiber)
    })
  )

describe("a close", () => {
  it.each(calls)("fails %s that waits, or lets it end", (_, call) => {
    const outcomes = new Set<string>()
    for (let turns = 0; turns < 40; turns++) outcomes.add(closedAfter(turns, call))
    assert.sameMembers(["Closed", "done"], [...new Set([...outcomes, "done"])])
  })

  it("lets a flush that waits end", () => {
    for (let turns = 0; turns < 8; turns++) {
      assert.strictEqual(
        closedAfter(turns, ({ maintenance }) => maintenance.flush),
        "done"
      )
    }
  })
})
