// Tests of rotations: a small encrypted database on a simulated disk, and what is to be true of its files.
import { assert } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import * as SimDisk from "../../src/layers/SimDisk.ts"
import type * as SimScheduler from "../../src/layers/SimScheduler.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import type { OptionsInput } from "../../src/services/Options.ts"
import { visibleImage } from "./opened.ts"
import { simulate, stateOf } from "./scenario.ts"
import { generationsOf, openSealed, type Sealed, SimKeys } from "./simKeys.ts"
import { longValue, valueOptions } from "./valueKit.ts"

export const options: OptionsInput = { ...valueOptions, level0TablesMin: 2, baseLevelBytes: 4096, tableBytesMax: 2048 }

export type Body = (sealed: Sealed) => Effect.Effect<void, DatabaseError | Error, Scope.Scope>

export interface Session {
  /** The master key, by its number. Default 1. */
  readonly master?: number
  readonly options?: OptionsInput
  readonly run?: Partial<SimScheduler.RunOptions>
  readonly body: Body
}

/** A database that is opened by one session after the other. */
export const sessions =
  (...all: ReadonlyArray<Body | Session>) =>
  (): void => {
    const device = SimDisk.make()
    const keys = new SimKeys(1)
    for (const session of all) {
      const { body, master = 1, options: own = options, run = {} } = "body" in session ? session : { body: session }
      const opened = Effect.orDie(openSealed(device, keys.layer(master), own))
      simulate(
        Effect.flatMap(opened, (sealed) => Effect.orDie(body(sealed))),
        run
      )
    }
    assert.deepStrictEqual(device.openHandles(), [])
  }

/** Values in tables, in value files, and such that go to value files before their commit. */
export const fill = Effect.fnUntraced(function* ({ database, maintenance }: Sealed, name: string, count = 40) {
  for (let index = 0; index < count; index++) {
    yield* database.set(`${name}-${index}`, longValue(`${name} ${index}`, [8, 30, 100][index % 3]!), {
      durability: "os"
    })
    if (index % 13 === 12) yield* maintenance.flush
  }
})

const expected = (names: ReadonlyArray<string>, count = 40): Record<string, string> =>
  Object.fromEntries(
    names
      .flatMap((name) =>
        Array.from({ length: count }, (_, index) => [
          `${name}-${index}`,
          longValue(`${name} ${index}`, [8, 30, 100][index % 3]!)
        ])
      )
      .sort()
  )

export const checkAll = Effect.fnUntraced(function* ({ database, maintenance }: Sealed, names: ReadonlyArray<string>) {
  assert.deepStrictEqual(Object.entries(yield* stateOf(database)).sort(), Object.entries(expected(names)).sort())
  assert.deepStrictEqual((yield* maintenance.verify).damage, [])
})

export const onlyGeneration = (device: SimDisk.SimDisk, generation: number): void => {
  const generations = generationsOf(visibleImage(device))
  assert.isAbove(generations.size, 0)
  for (const [name, found] of generations) assert.strictEqual(found, generation, name)
}
