import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import * as SimDisk from "../src/layers/SimDisk.ts"
import type { DatabaseError } from "../src/services/DatabaseError.ts"
import type { OptionsInput } from "../src/services/Options.ts"
import { visibleImage } from "./support/opened.ts"
import { reasonOf, simulate, stateOf } from "./support/scenario.ts"
import {
  generationsOf,
  keyringsOf,
  masterKey,
  openSealed,
  type Sealed,
  settledKeys,
  SimKeys
} from "./support/simKeys.ts"
import { longValue, valueOptions } from "./support/valueKit.ts"

const options: OptionsInput = { ...valueOptions, level0TablesMin: 2, baseLevelBytes: 4096, tableBytesMax: 2048 }

type Body = (sealed: Sealed) => Effect.Effect<void, DatabaseError | Error, Scope.Scope>

/** A database under master key 1, by sessions one after the other. */
const sessions =
  (
    ...bodies: ReadonlyArray<Body | { readonly master: number; readonly options?: OptionsInput; readonly body: Body }>
  ) =>
  () => {
    const device = SimDisk.make()
    const keys = new SimKeys(1)
    for (const session of bodies) {
      const { body, master, ...more } = typeof session === "function" ? { body: session, master: 1 } : session
      simulate(
        Effect.flatMap(openSealed(device, keys.layer(master), more.options ?? options), body) as Effect.Effect<
          void,
          DatabaseError,
          Scope.Scope
        >
      )
    }
    assert.deepStrictEqual(device.openHandles(), [])
  }

/** Values in the tables, in value files, and such that go to value files before their commit. */
const fill = Effect.fnUntraced(function* ({ database, maintenance }: Sealed, name: string, count = 40) {
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

const checkAll = Effect.fnUntraced(function* ({ database, maintenance }: Sealed, names: ReadonlyArray<string>) {
  assert.deepStrictEqual(Object.entries(yield* stateOf(database)).sort(), Object.entries(expected(names)).sort())
  assert.deepStrictEqual((yield* maintenance.verify).damage, [])
})

const onlyGeneration = (device: SimDisk.SimDisk, generation: number): void => {
  const generations = generationsOf(visibleImage(device))
  assert.isAbove(generations.size, 0)
  for (const [name, found] of generations) assert.strictEqual(found, generation, name)
}

describe("rotating the data key", () => {
  it(
    "leaves no file of the old one, and one key in the ring, when it is full",
    sessions(
      Effect.fnUntraced(function* (sealed) {
        const { device, maintenance } = sealed
        yield* fill(sealed, "a")
        const before = (yield* maintenance.stats).encryption!
        assert.deepInclude(before, { cipher: "aes-256-gcm", masterKind: "raw", keyGeneration: 1 })
        assert.isAbove(before.generations[0]!.files, 3)
        const progress: Array<number> = []
        const rotated = yield* maintenance.rotateDataKey({
          full: true,
          onProgress: ({ files, filesDone }) => Effect.sync(() => progress.push(filesDone / files))
        })
        assert.deepStrictEqual(rotated, { generation: 2 })
        onlyGeneration(device, 2)
        assert.lengthOf(keyringsOf(visibleImage(device)), 1)
        const { counters, encryption, state } = yield* maintenance.stats
        assert.deepStrictEqual(
          encryption!.generations.map(({ generation }) => generation),
          [2]
        )
        assert.deepInclude(counters, { dataKeyRotations: 1, dataKeysForgotten: 1, keyRotationFailures: 0 })
        assert.strictEqual(state, "healthy")
        assert.strictEqual(progress.at(-1), 1)
        assert.deepStrictEqual(
          progress,
          [...progress].sort((a, b) => a - b)
        )
        yield* checkAll(sealed, ["a"])
      }),
      (sealed) => checkAll(sealed, ["a"])
    )
  )

  it(
    "seals all that comes with the new one at once, and the rest in time, over several opens",
    sessions(
      Effect.fnUntraced(function* (sealed) {
        const { maintenance } = sealed
        yield* fill(sealed, "a")
        yield* maintenance.rotateDataKey()
        const { encryption } = yield* maintenance.stats
        assert.deepInclude(encryption, { keyGeneration: 2 })
        assert.lengthOf(encryption!.generations, 2)
      }),
      Effect.fnUntraced(function* (sealed) {
        assert.lengthOf((yield* sealed.maintenance.stats).encryption!.generations, 2)
        yield* fill(sealed, "b")
        const settled = yield* settledKeys(sealed.maintenance)
        assert.deepInclude(settled, { keyGeneration: 2 })
        onlyGeneration(sealed.device, 2)
        yield* checkAll(sealed, ["a", "b"])
      })
    )
  )
})

describe("rotating the master key", () => {
  it(
    "opens with the new one alone",
    sessions(
      Effect.fnUntraced(function* (sealed) {
        yield* fill(sealed, "a")
        yield* sealed.maintenance.rotateMasterKey(masterKey(2))
        yield* checkAll(sealed, ["a"])
        const old = yield* reasonOf(
          openSealed(SimDisk.make({ image: visibleImage(sealed.device) }), new SimKeys(9).layer(1), options)
        )
        assert.strictEqual(old._tag, "EncryptionKeyMismatch")
        assert.strictEqual((yield* sealed.maintenance.stats).counters.masterKeyRotations, 1)
      }),
      { master: 2, body: (sealed) => checkAll(sealed, ["a"]) }
    )
  )
})
