import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as SimDisk from "../src/layers/SimDisk.ts"
import { visibleImage } from "./support/opened.ts"
import { checkAll, fill, onlyGeneration, options, sessions } from "./support/rotationKit.ts"
import { reasonOf } from "./support/scenario.ts"
import { generationsOf, keyringsOf, masterKey, openSealed, settledKeys, SimKeys } from "./support/simKeys.ts"

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
        yield* Effect.sleep(1)
        for (const [name, generation] of generationsOf(visibleImage(sealed.device))) {
          // The segment that was prepared with the old key, too.
          if (!/^(?:table|value)-/.test(name)) assert.strictEqual(generation, 2, name)
        }
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
