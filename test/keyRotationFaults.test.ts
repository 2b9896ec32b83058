// Rotations on a disk that fails: at each of its calls once, and on one that is full for a while. Whatever fails, the
// database opens again with the right key and holds what was acknowledged; a failed master rotation leaves either key.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import type { DatabaseError } from "../src/services/DatabaseError.ts"
import * as SimDisk from "../src/layers/SimDisk.ts"
import { contentsOf, visibleImage } from "./support/opened.ts"
import { checkAll, fill, onlyGeneration, options } from "./support/rotationKit.ts"
import { type Image, simulate } from "./support/scenario.ts"
import { keyringsOf, masterKey, openSealed, type Sealed, settledKeys, SimKeys } from "./support/simKeys.ts"

type Outcome = Result.Result<unknown, DatabaseError>

/** How many of the calls are struck. All of them by `STRATA_EVERY=1`. */
const every = Number(process.env.STRATA_EVERY ?? 7)

const filled = (keys: SimKeys): Image => {
  const device = SimDisk.make()
  simulate(Effect.orDie(Effect.flatMap(openSealed(device, keys.layer(1), options), (sealed) => fill(sealed, "a"))))
  return visibleImage(device)
}

/** The rotation of an image, with a fault at the call if one is given; what comes of it, and how many calls it took. */
const rotated = (
  keys: SimKeys,
  image: Image,
  run: {
    readonly rotation: (sealed: Sealed) => Effect.Effect<unknown, DatabaseError>
    readonly fault?: { readonly at: number; readonly code: string; readonly bytesAccepted?: number }
  }
) => {
  const device = SimDisk.make({ image })
  let [first, last] = [0, 0]
  const body = Effect.gen(function* () {
    const sealed = yield* openSealed(device, keys.layer(1), options)
    first = device.log.length
    if (run.fault !== undefined) device.addFault({ ...run.fault, at: first + run.fault.at })
    const outcome: Outcome = yield* Effect.result(run.rotation(sealed))
    last = device.log.length
    device.clearFaults()
    yield* Effect.sleep(30_000)
    // A directory that lost names is not believed again before the next open.
    const isLost = run.fault !== undefined && device.log[first + run.fault.at]?.operation === "syncDirectory"
    if (!isLost) assert.lengthOf(keyringsOf(visibleImage(device)), 1, "the keyring in force stands alone")
    return outcome
  })
  const outcome = simulate(Effect.orDie(body))
  assert.deepStrictEqual(device.openHandles(), [])
  return { outcome, calls: last - first, image: visibleImage(device), struck: device.log[first + (run.fault?.at ?? 0)] }
}

/** The masters, by their numbers, that open the image. */
const mastersOf = (keys: SimKeys, image: Image): ReadonlyArray<number> =>
  [1, 2].filter((master) =>
    simulate(
      Effect.map(Effect.result(openSealed(SimDisk.make({ image }), keys.layer(master), options)), (result) => {
        if (Result.isFailure(result)) assert.strictEqual(result.failure.reason._tag, "EncryptionKeyMismatch")
        return Result.isSuccess(result)
      })
    )
  )

const checkAgain = (keys: SimKeys, image: Image, master: number): void => {
  const device = SimDisk.make({ image })
  const body = Effect.gen(function* () {
    const sealed = yield* openSealed(device, keys.layer(master), options)
    yield* checkAll(sealed, ["a"])
    const { keyGeneration } = yield* settledKeys(sealed.maintenance)
    onlyGeneration(device, keyGeneration)
    assert.lengthOf(keyringsOf(visibleImage(device)), 1)
    yield* checkAll(sealed, ["a"])
  })
  simulate(Effect.orDie(body))
}

const faults = [
  { code: "EIO" },
  { code: "ENOSPC" },
  { code: "EIO", bytesAccepted: 1e9 },
  { code: "ENOSPC", bytesAccepted: 40 }
]

describe("a disk that fails once", () => {
  it("leaves one of the two master keys, and the new one if the rotation was acknowledged", () => {
    const keys = new SimKeys(1)
    const image = filled(keys)
    const rotation = ({ maintenance }: Sealed) => maintenance.rotateMasterKey(masterKey(2))
    const { calls } = rotated(keys, image, { rotation })
    assert.isAbove(calls, 8)
    for (let at = 0; at < calls; at++) {
      for (const fault of faults) {
        const struck = rotated(keys, image, { rotation, fault: { ...fault, at } })
        const where = `${fault.code} at ${struck.struck?.operation} ${struck.struck?.path}`
        const open = mastersOf(keys, struck.image)
        assert.lengthOf(open, 1, where)
        if (Result.isSuccess(struck.outcome)) assert.deepStrictEqual(open, [2], where)
        checkAgain(keys, struck.image, open[0]!)
      }
    }
  }, 600_000)

  it(`is passed over by a rotation of the data key, or told; either ends at last (every ${every}th call)`, () => {
    const keys = new SimKeys(2)
    const image = filled(keys)
    const rotation = ({ maintenance }: Sealed) => maintenance.rotateDataKey({ full: true })
    const { calls } = rotated(keys, image, { rotation })
    let told = 0
    for (let at = 0; at < calls; at++) {
      if (at % every !== 0) continue
      const fault = { ...faults[at % faults.length]!, at }
      const struck = rotated(keys, image, { rotation, fault })
      if (Result.isFailure(struck.outcome)) told += 1
      checkAgain(keys, struck.image, 1)
    }
    assert.isAbove(told, 0)
  }, 600_000)
})

describe("a disk that is full", () => {
  it("fails the rotation with DiskFull, and it goes on by itself when there is room", () => {
    const keys = new SimKeys(3)
    const device = SimDisk.make({ image: filled(keys) })
    const body = Effect.gen(function* () {
      const sealed = yield* openSealed(device, keys.layer(1), options)
      const found = yield* contentsOf(sealed.database)
      // The keyring fits, and not much more.
      const bytes = [...visibleImage(device).values()].reduce((sum, content) => sum + content.length, 0)
      device.setCapacity(bytes + 600)
      const outcome = yield* Effect.result(sealed.maintenance.rotateDataKey({ full: true }))
      assert.strictEqual(Result.isFailure(outcome) ? outcome.failure.reason._tag : "", "DiskFull")
      const { encryption, state } = yield* sealed.maintenance.stats
      assert.match(state, /^DiskFull/)
      assert.lengthOf(encryption!.generations, 2)
      assert.deepStrictEqual(yield* contentsOf(sealed.database), found)
      yield* Effect.sleep(60_000)
      device.setCapacity(2 ** 30)
      yield* settledKeys(sealed.maintenance)
      onlyGeneration(device, 2)
      assert.strictEqual((yield* sealed.maintenance.stats).state, "healthy")
      assert.deepStrictEqual(yield* contentsOf(sealed.database), found)
    })
    simulate(Effect.orDie(body))
  })

  it("is not told to a rotation that is asked for when there is room again, before the next try", () => {
    const keys = new SimKeys(4)
    const device = SimDisk.make({ image: filled(keys) })
    const body = Effect.gen(function* () {
      const { maintenance } = yield* openSealed(device, keys.layer(1), options)
      const bytes = [...visibleImage(device).values()].reduce((sum, content) => sum + content.length, 0)
      device.setCapacity(bytes + 600)
      const refused = yield* Effect.flip(maintenance.rotateDataKey({ full: true }))
      assert.strictEqual(refused.reason._tag, "DiskFull")
      yield* Effect.sleep(60_000)
      device.setCapacity(2 ** 30)
      assert.match((yield* maintenance.stats).state, /^DiskFull/)
      assert.deepStrictEqual(yield* maintenance.rotateDataKey({ full: true }), { generation: 3 })
      onlyGeneration(device, 3)
    })
    simulate(Effect.orDie(body))
  })
})
