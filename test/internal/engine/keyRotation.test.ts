// The loop of rotations over parts that do nothing but what they are told: how often it looks, and what it waits for.
// Rotations of real files are in test/keyRotation.test.ts and beside it.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Semaphore } from "effect"
import type { Committer } from "../../../src/internal/engine/committer.ts"
import type { KeyedFiles } from "../../../src/internal/engine/keyedFiles.ts"
import { KeyRotation } from "../../../src/internal/engine/keyRotation.ts"
import { KeyUse } from "../../../src/internal/engine/keyUse.ts"
import { type DatabaseError, fail, Poisoned } from "../../../src/services/DatabaseError.ts"
import { type FileEncryption, FileKind, type KeyControl } from "../../../src/services/Encryption.ts"
import type { ManifestService } from "../../../src/services/Manifest.ts"
import type { OptionsInput, OptionsShape } from "../../../src/services/Options.ts"
import type { OracleService } from "../../../src/services/Oracle.ts"
import { simulate } from "../../support/scenario.ts"
import { masterKey } from "../../support/simKeys.ts"

/** A database whose files are all of the newest key, but for one that somebody reads. */
const given = (options: Partial<OptionsInput>, generations: ReadonlyArray<number>) => {
  const state = {
    generations: [...generations],
    looks: 0,
    agesAsked: 0,
    masterRotations: 0,
    refusal: undefined as DatabaseError | undefined
  }
  const facts = () => ({
    generations: state.generations.map((generation) => ({ generation, createdSequence: 0, createdMillis: 0 }))
  })
  const newest = () => state.generations.at(-1)!
  const keys = {
    facts,
    prepareMaster: () => Effect.succeed({ kind: "raw" }),
    rotateMaster: () =>
      Effect.andThen(
        Effect.sleep(1000),
        Effect.sync(() => void (state.masterRotations += 1))
      ),
    addDataKey: () => Effect.sync(() => state.generations.push(newest() + 1))
  } as unknown as KeyControl
  const turn = Semaphore.makeUnsafe(1)
  const manifest = {
    encryption: { keys, keyGeneration: newest, persist: () => Effect.void } as unknown as FileEncryption,
    state: () => ({ tables: [] }),
    allocateFileNumber: () => 100,
    rewrite: Effect.void,
    changeKeys: (change: (keys: KeyControl, allocate: () => number) => Effect.Effect<unknown, DatabaseError>) =>
      turn.withPermit(
        Effect.suspend(() => (state.refusal === undefined ? change(keys, () => 1) : Effect.fail(state.refusal)))
      ),
    olderFiles: () =>
      Effect.sync(() => {
        state.looks += 1
        return [{ kind: FileKind.table, name: "held", number: 1, keyGeneration: state.generations[0]! }]
      })
  } as unknown as ManifestService
  const committer = {
    get refusal() {
      return state.refusal
    },
    poison: (error: DatabaseError) => {
      state.refusal = error
    }
  }
  const files = {
    oldestInMemory: () => Infinity,
    oldestLive: () => Infinity,
    damage: () => undefined,
    isHeld: () => true,
    troubles: () => () => undefined
  }
  const rotation = new KeyRotation({
    options: {
      dataKeyBytesMax: undefined,
      dataKeyCommitsMax: undefined,
      dataKeyAgeMillisMax: undefined,
      ...options
    } as OptionsShape,
    manifest,
    oracle: {
      assigned: () => {
        state.agesAsked += 1
        return 0
      }
    } as unknown as OracleService,
    committer: committer as unknown as Committer,
    use: new KeyUse(newest),
    files: files as unknown as KeyedFiles,
    committedBytes: () => 0,
    flush: () => Effect.void,
    changed: () => {}
  })
  return { rotation, state }
}

const poisoned = fail(new Poisoned({ message: "a sync failed", cause: undefined }))

describe("a rotation that waits for a reader", () => {
  it("looks once in a second, however many commits there are", () => {
    const { rotation, state } = given({}, [1, 2])
    const body = Effect.gen(function* () {
      yield* rotation.start
      for (let count = 0; count < 500; count++) {
        yield* Effect.sleep(20)
        rotation.committed()
      }
      assert.isAtLeast(state.looks, 8)
      assert.isAtMost(state.looks, 12)
      const { looks } = state
      rotation.changed()
      yield* Effect.sleep(150)
      assert.isAbove(state.looks, looks, "what lets a file go tells of it")
    })
    simulate(body)
  })
})

describe("a key that is due by its age and cannot be replaced", () => {
  it.each([
    { name: "because nothing is written any more", generations: [1], refusal: poisoned },
    { name: "because there were as many as there can be", generations: [0xffff], refusal: undefined }
  ])("does not keep the loop awake, $name", ({ generations, refusal }) => {
    const { rotation, state } = given({ dataKeyAgeMillisMax: 1000 }, generations)
    const body = Effect.gen(function* () {
      state.refusal = refusal
      yield* rotation.start
      yield* Effect.sleep(60_000)
      assert.isAtMost(state.agesAsked, 3)
      yield* rotation.stop
    })
    simulate(body)
  })
})

describe("the end of rotations", () => {
  it.each([
    { name: "sound", refusal: undefined },
    { name: "poisoned", refusal: poisoned }
  ])("waits for a change of the keyring that is under way ($name)", ({ refusal }) => {
    const { rotation, state } = given({}, [1])
    const body = Effect.gen(function* () {
      yield* rotation.start
      const caller = yield* Effect.forkScoped(rotation.rotateMaster(masterKey(2)))
      yield* Effect.sleep(500)
      state.refusal = refusal
      yield* rotation.stop
      assert.strictEqual(state.masterRotations, 1, "the lock goes after it")
      yield* Fiber.join(caller)
    })
    simulate(body)
  })
})
