// The ballast of an encrypted database: it has no key and no header, and nothing takes it for a file that lacks them.
// And what a change of keys is on a full disk.
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import * as SimDisk from "../src/layers/SimDisk.ts"
import type { DatabaseError } from "../src/services/DatabaseError.ts"
import { ballastOptions, ballastsOn, fill, filled, keyOf, millisUntilSet, refusesSets } from "./support/ballastRun.ts"
import { open, type Opened, visibleImage } from "./support/opened.ts"
import { reasonOf, refusalOf, simulate, using } from "./support/scenario.ts"
import { keyringsOf, masterKey, settledKeys, SimKeys } from "./support/simKeys.ts"

const count = 1000

/** All opens of one device take their keys from one entropy. */
const session = (device: SimDisk.SimDisk, keys = new SimKeys(1)) => {
  const optionsOf = (master: number) => ({ ...ballastOptions, encryption: keys.layer(master) })
  const run = <A>(master: number, body: (opened: Opened) => Effect.Effect<A, DatabaseError | Error, Scope.Scope>): A =>
    simulate(Effect.scoped(Effect.flatMap(open(device.layer, optionsOf(master)), body)), { stepsMax: 5_000_000 })
  return { optionsOf, run }
}

describe("the ballast of an encrypted database", () => {
  it("is made, given up, and taken over by the next open with the key", () => {
    const device = SimDisk.make()
    const { run } = session(device)
    run(1, (opened) => filled(opened, count))
    const [bytes] = ballastsOn(device)
    assert.isAbove(bytes!, 64 * 1024)
    run(1, (opened) =>
      Effect.gen(function* () {
        const { database, maintenance } = opened
        assert.strictEqual((yield* maintenance.stats).ballast.bytes, bytes)
        assert.deepStrictEqual((yield* maintenance.verify).damage, [])
        fill(device)
        yield* refusesSets(opened, "new")
        assert.deepStrictEqual(ballastsOn(device), [])
        for (let index = 0; index < 400; index++) yield* database.remove(keyOf(index))
        assert.isAtMost(yield* millisUntilSet(opened, "new"), 15_000)
        assert.lengthOf(ballastsOn(device), 1)
        assert.strictEqual(yield* database.count(), count - 400 + 1)
      })
    )
  })

  it("changes nothing about which key opens it, and is in no checkpoint", () => {
    const device = SimDisk.make()
    const { optionsOf, run } = session(device)
    run(1, (opened) =>
      Effect.gen(function* () {
        yield* filled(opened, count)
        yield* opened.maintenance.checkpoint("/copy")
        assert.notInclude(
          device.files.list("/copy").map(({ name }) => name.slice(0, 7)),
          "ballast"
        )
      })
    )
    assert.lengthOf(ballastsOn(device), 1)
    const image = visibleImage(device)
    assert.strictEqual(refusalOf(image, optionsOf(2))?._tag, "EncryptionKeyMismatch")
    assert.strictEqual(refusalOf(image, ballastOptions)?._tag, "EncryptionKeyRequired")
    const plain = SimDisk.make()
    simulate(
      using(plain, (opened) => filled(opened, count), ballastOptions),
      { stepsMax: 5_000_000 }
    )
    assert.lengthOf(ballastsOn(plain), 1)
    assert.strictEqual(refusalOf(visibleImage(plain), optionsOf(1))?._tag, "NotEncrypted")
  })

  it("may be changed, cut, or removed by anybody", () => {
    const first = SimDisk.make()
    const { optionsOf, run } = session(first)
    run(1, (opened) => filled(opened, count))
    const image = visibleImage(first)
    const [path, bytes] = [...image].find(([name]) => name.includes("ballast-"))!
    const other = path.replace(/[0-9a-f]{16}/, "00000000000fffff")
    const changes: ReadonlyArray<ReadonlyArray<readonly [string, Uint8Array]>> = [
      [[path, bytes.map((byte) => ~byte)]],
      [[path, bytes.subarray(0, 1000)]],
      [[path, new Uint8Array(0)]],
      [[path, [...image].find(([name]) => name.includes("table-"))![1]]],
      [[other, bytes]]
    ]
    const without = new Map([...image].filter(([name]) => name !== path))
    for (const changed of [...changes.map((change) => new Map([...image, ...change])), without]) {
      const device = SimDisk.make({ image: changed })
      const found = simulate(
        using(
          device,
          ({ database, maintenance }) =>
            Effect.gen(function* () {
              assert.deepStrictEqual((yield* maintenance.verify).damage, [])
              yield* Effect.sleep("1 minute")
              return yield* database.count()
            }),
          optionsOf(1)
        ),
        { stepsMax: 5_000_000 }
      )
      assert.strictEqual(found, count)
      assert.lengthOf(ballastsOn(device), 1)
    }
  })

  it("does not hinder a rotation of the data key from ending", () => {
    const device = SimDisk.make()
    const { run } = session(device)
    run(1, (opened) =>
      Effect.gen(function* () {
        yield* filled(opened, count)
        const before = ballastsOn(device)
        yield* opened.maintenance.rotateDataKey({ full: true })
        const { generations } = yield* settledKeys(opened.maintenance)
        assert.lengthOf(generations, 1)
        assert.deepStrictEqual(ballastsOn(device), before)
      })
    )
  })
})

describe("keys on a full disk", () => {
  it("are as they were after a change that failed, of the master key and of the data key", () => {
    const device = SimDisk.make()
    const { optionsOf, run } = session(device)
    run(1, (opened) =>
      Effect.gen(function* () {
        const { maintenance } = opened
        yield* filled(opened, count)
        const ballasts = ballastsOn(device)
        const rings = keyringsOf(visibleImage(device))
        fill(device)
        assert.strictEqual((yield* reasonOf(maintenance.rotateMasterKey(masterKey(2))))._tag, "DiskFull")
        assert.strictEqual((yield* reasonOf(maintenance.rotateDataKey()))._tag, "DiskFull")
        yield* Effect.sleep("1 minute")
        assert.deepStrictEqual(keyringsOf(visibleImage(device)), rings)
        assert.deepStrictEqual(ballastsOn(device), ballasts, "nothing was paid")
        const { encryption } = yield* maintenance.stats
        assert.deepStrictEqual([encryption!.keyGeneration, encryption!.generations.length], [1, 1])
        assert.isUndefined(refusalOf(visibleImage(device), optionsOf(1)))
        assert.strictEqual(refusalOf(visibleImage(device), optionsOf(2))?._tag, "EncryptionKeyMismatch")
        device.setCapacity(2 ** 40)
        yield* maintenance.rotateMasterKey(masterKey(2))
        yield* maintenance.rotateDataKey({ full: true })
      })
    )
    assert.strictEqual(refusalOf(visibleImage(device), optionsOf(1))?._tag, "EncryptionKeyMismatch")
    assert.strictEqual(
      run(2, ({ database }) => database.count()),
      count
    )
  })

  it("a rotation that the disk gets full under is paid for, and so are removals", () => {
    const device = SimDisk.make()
    const { run } = session(device)
    run(1, (opened) =>
      Effect.gen(function* () {
        const { database, maintenance } = opened
        yield* filled(opened, count)
        yield* maintenance.rotateDataKey()
        assert.lengthOf((yield* maintenance.stats).encryption!.generations, 2)
        fill(device)
        const { keyGeneration } = yield* settledKeys(maintenance)
        assert.strictEqual(keyGeneration, 2)
        assert.deepStrictEqual(ballastsOn(device), [])
        yield* refusesSets(opened, "new")
        for (let index = 0; index < 200; index++) yield* database.remove(keyOf(index))
        assert.isAtMost(yield* millisUntilSet(opened, "new"), 15_000)
        yield* Effect.sleep("1 minute")
        assert.strictEqual((yield* maintenance.stats).state, "healthy")
        assert.lengthOf(ballastsOn(device), 1)
        assert.strictEqual(yield* database.count(), count - 200 + 1)
      })
    )
  })
})
