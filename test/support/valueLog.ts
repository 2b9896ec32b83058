// What the scenarios about value logs share: a dozen keys with values that tell their round, and a judge of what is
// found.
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import * as MemoryDisk from "../../src/layers/MemoryDisk.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import type { Opened } from "./opened.ts"
import { type Image, numbered, simulate, stateOf, using } from "./scenario.ts"
import { longValue, separatedOptions, valueOptions } from "./valueKit.ts"

export const keys = numbered(12)
export const value = (key: string, round = 0): string => longValue(`${key} ${round}`, 100)
export const stateAt = (round: number): Record<string, string> =>
  Object.fromEntries(keys.map((key) => [key, value(key, round)]))

export const setAll = ({ database }: Opened, round = 0, which: ReadonlyArray<string> = keys) =>
  Effect.forEach(which, (key) => database.set(key, value(key, round)), { discard: true })

/** Nothing that is not needed is left when it is done. */
export const tidy = ({ maintenance }: Opened): Effect.Effect<void, DatabaseError> =>
  maintenance.flush.pipe(
    Effect.andThen(maintenance.compact()),
    Effect.andThen(maintenance.collectValues({ garbageRatioMin: 0 })),
    Effect.asVoid
  )

export const modes = [["separated", separatedOptions] as const, ["direct", valueOptions] as const]

/** What the next process finds, before it tidies up and after. */
export const soundState = (image: Image, where: string): Record<string, string> =>
  simulate(
    using(
      MemoryDisk.fromImage(image),
      (opened) =>
        Effect.gen(function* () {
          const found = yield* stateOf(opened.database)
          assert.deepStrictEqual((yield* opened.maintenance.verify).damage, [], where)
          yield* tidy(opened)
          assert.deepStrictEqual(yield* stateOf(opened.database), found, `${where}, tidied up`)
          assert.deepStrictEqual((yield* opened.maintenance.verify).damage, [], `${where}, tidied up`)
          return found
        }),
      separatedOptions
    )
  )
