// Rotations of the data key beside what holds files, or makes them: nothing that is read or written loses its key.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted, Stream } from "effect"
import * as SimDisk from "../src/layers/SimDisk.ts"
import { open, smallOptions, visibleImage } from "./support/opened.ts"
import { type Body, checkAll, fill, onlyGeneration, options, sessions } from "./support/rotationKit.ts"
import { flipped, reasonOf, simulate, stateOf, textOf } from "./support/scenario.ts"
import { keyringsOf, masterKey, openSealed, settledKeys, SimKeys } from "./support/simKeys.ts"
import { longValue } from "./support/valueKit.ts"

const fullRotation = ({ maintenance }: Parameters<typeof checkAll>[0]) => maintenance.rotateDataKey({ full: true })

describe("a full rotation of the data key", () => {
  it(
    "takes nothing from a snapshot and a cursor, which hold no file",
    sessions(
      Effect.fnUntraced(function* (sealed) {
        const { database, device } = sealed
        yield* fill(sealed, "a")
        const snapshot = yield* database.snapshot
        const cursor = yield* database.cursor({ lazy: true })
        yield* cursor.seek("a-2")
        const entry = cursor.lazyEntry!
        for (const key of ["a-1", "a-2", "a-3"]) yield* database.set(key, "new")
        yield* fullRotation(sealed)
        onlyGeneration(device, 2)
        assert.strictEqual(textOf(yield* entry.value), longValue("a 2", 100))
        assert.strictEqual(textOf(yield* snapshot.get("a-1")), longValue("a 1", 30))
        assert.isTrue(yield* cursor.next)
        assert.strictEqual(textOf(yield* snapshot.get("a-3")), longValue("a 3", 8))
      })
    )
  )

  it(
    "is not waited for by anybody while its provider does not answer",
    sessions(
      Effect.fnUntraced(function* (sealed) {
        const { database, maintenance } = sealed
        const provider = { keyId: "slow", wrap: () => Effect.never, unwrap: () => Effect.never }
        const rotation = yield* Effect.forkScoped(maintenance.rotateMasterKey({ _tag: "Provider", provider }))
        yield* Effect.sleep(100)
        yield* database.set("a", "1")
        yield* maintenance.flush
        yield* fullRotation(sealed)
        assert.isUndefined(rotation.pollUnsafe())
        yield* Fiber.interrupt(rotation)
      })
    )
  )

  it("leaves a checkpoint that waits for its turn the keyring that is there then", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const beside: Body = ({ maintenance }) =>
        Effect.all([maintenance.checkpoint("/copy"), maintenance.rotateDataKey()], {
          concurrency: "unbounded",
          discard: true
        })
      sessions(() => Effect.void, { body: beside, run: { seed } })()
    }
  })

  it(
    "waits for a value that is streamed out of a file of the old key",
    sessions(
      Effect.fnUntraced(function* (sealed) {
        const { database, device, maintenance } = sealed
        yield* fill(sealed, "a")
        const long = new Uint8Array(200_000).fill(0x61)
        yield* database.set("~long", long)
        const slowly = Effect.scoped(
          Effect.gen(function* () {
            const stream = (yield* database.getStream("~long"))!
            const lengths = Stream.mapEffect(stream, (bytes) => Effect.as(Effect.sleep(2000), bytes.length))
            return yield* Stream.runSum(lengths)
          })
        )
        const reading = yield* Effect.forkScoped(slowly)
        yield* Effect.sleep(1000)
        const rotation = yield* Effect.forkScoped(fullRotation(sealed))
        yield* Effect.sleep(500)
        assert.isUndefined(rotation.pollUnsafe(), "the stream holds a file")
        const { encryption } = yield* maintenance.stats
        assert.deepInclude(encryption!.generations[0], { generation: 1, files: 0 })
        assert.strictEqual(yield* Fiber.join(reading), long.length)
        yield* Fiber.join(rotation)
        onlyGeneration(device, 2)
      })
    )
  )

  it(
    "waits for a value that is streamed in, and seals that anew, too",
    sessions(
      Effect.fnUntraced(function* (sealed) {
        const { database, device } = sealed
        yield* fill(sealed, "a")
        const piece = new Uint8Array(700).fill(0x62)
        const slowly = Stream.fromIterable([piece, piece, piece]).pipe(
          Stream.mapEffect((bytes) => Effect.as(Effect.sleep(2000), bytes))
        )
        const writing = yield* Effect.forkScoped(database.setStream("~stream", slowly))
        yield* Effect.sleep(3000)
        const rotation = yield* Effect.forkScoped(fullRotation(sealed))
        yield* Effect.sleep(2000)
        assert.isUndefined(rotation.pollUnsafe(), "a file of the old key is being written")
        yield* Fiber.join(writing)
        yield* Fiber.join(rotation)
        onlyGeneration(device, 2)
        assert.strictEqual(textOf(yield* database.get("~stream")), "b".repeat(2100))
        yield* database.remove("~stream")
        yield* checkAll(sealed, ["a"])
      })
    )
  )

  it(
    "waits for a transaction that has brought a value along",
    sessions(
      Effect.fnUntraced(function* (sealed) {
        const { database, device } = sealed
        const rotation = yield* Effect.scoped(
          Effect.gen(function* () {
            const transaction = yield* database.begin()
            yield* transaction.set("~long", "c".repeat(300))
            const rotation = yield* Effect.forkDetach(fullRotation(sealed))
            yield* Effect.sleep(3000)
            assert.isUndefined(rotation.pollUnsafe())
            yield* transaction.commit
            return rotation
          })
        )
        // It does not wait for the memtable, which has the value now, to be full or idle.
        yield* Effect.timeout(Fiber.join(rotation), 3000)
        onlyGeneration(device, 2)
        assert.strictEqual(textOf(yield* database.get("~long")), "c".repeat(300))
      })
    )
  )

  it(
    "goes on in the background when it is interrupted, and several end together",
    sessions(
      Effect.fnUntraced(function* (sealed) {
        yield* fill(sealed, "a")
        const first = yield* Effect.forkScoped(fullRotation(sealed))
        const second = yield* Effect.forkScoped(fullRotation(sealed))
        yield* Effect.sleep(1)
        yield* Fiber.interrupt(first)
        const { generation } = yield* Fiber.join(second)
        const settled = yield* settledKeys(sealed.maintenance)
        assert.isAtLeast(settled.keyGeneration, generation)
        onlyGeneration(sealed.device, settled.keyGeneration)
        yield* checkAll(sealed, ["a"])
      })
    )
  )

  it("makes checkpoints that open with the master key of their moment, at whatever step it is", () => {
    for (let seed = 1; seed <= 12; seed++) {
      const device = SimDisk.make()
      const keys = new SimKeys(seed)
      const copies: Array<string> = []
      const body = Effect.gen(function* () {
        const sealed = yield* openSealed(device, keys.layer(1), options)
        yield* fill(sealed, "a")
        const rotations = yield* Effect.forkScoped(
          Effect.andThen(sealed.maintenance.rotateMasterKey(masterKey(2)), fullRotation(sealed))
        )
        for (let count = 0; count < 4; count++) {
          yield* sealed.maintenance.checkpoint(`/copy-${count}`)
          copies.push(`/copy-${count}`)
        }
        yield* Fiber.join(rotations)
      })
      simulate(Effect.orDie(body), { seed })
      for (const at of copies) {
        const isOpen = [1, 2].map((master) => {
          const opened = open(device.layer, { ...options, encryption: keys.layer(master) }, at)
          return simulate(
            Effect.map(Effect.result(Effect.flatMap(opened, ({ database }) => stateOf(database))), (result) => {
              if (result._tag === "Success") assert.lengthOf(Object.keys(result.success), 40)
              else assert.strictEqual(result.failure.reason._tag, "EncryptionKeyMismatch")
              return result._tag === "Success"
            })
          )
        })
        assert.sameMembers(isOpen, [true, false], `${at} of seed ${seed}`)
      }
    }
  })
})

describe("a file that is damaged", () => {
  it.each([
    { kind: "table", name: "table-" },
    { kind: "value file", name: "value-" }
  ])("keeps its key, and fails a full rotation, when it is a $kind; all else is sealed anew", ({ name }) => {
    const keys = new SimKeys(1)
    const first = SimDisk.make()
    simulate(Effect.orDie(Effect.flatMap(openSealed(first, keys.layer(1), options), (sealed) => fill(sealed, "a"))))
    const image = visibleImage(first)
    const path = [...image.keys()].find((file) => file.includes(name))!
    image.set(path, flipped(image.get(path)!, 150))
    const device = SimDisk.make({ image })
    const body = Effect.gen(function* () {
      const sealed = yield* openSealed(device, keys.layer(1), options)
      const reason = yield* reasonOf(fullRotation(sealed))
      assert.include(["Tampered", "Corruption"], reason._tag)
      yield* Effect.sleep(60_000)
      const { encryption, state } = yield* sealed.maintenance.stats
      assert.match(state, /^(?:Tampered|Corruption)/)
      assert.deepInclude(encryption!.generations[0], { generation: 1 })
      assert.isAbove(encryption!.generations.at(-1)!.files, encryption!.generations[0]!.files)
      yield* fill(sealed, "b")
    })
    simulate(Effect.orDie(body))
  })
})

describe("rotations that cannot be", () => {
  it(
    "are refused, and change nothing",
    sessions(
      Effect.fnUntraced(function* ({ device, maintenance }) {
        const before = keyringsOf(visibleImage(device))
        const short = { _tag: "Raw", key: Redacted.make(new Uint8Array(31)) } as const
        assert.strictEqual((yield* reasonOf(maintenance.rotateMasterKey(short)))._tag, "Invalid")
        assert.deepStrictEqual(keyringsOf(visibleImage(device)), before)
      }),
      {
        options: { ...options, readOnly: true },
        body: Effect.fnUntraced(function* ({ maintenance }) {
          assert.strictEqual((yield* reasonOf(maintenance.rotateDataKey()))._tag, "ReadOnly")
          assert.strictEqual((yield* reasonOf(maintenance.rotateMasterKey(masterKey(2))))._tag, "ReadOnly")
          assert.lengthOf((yield* maintenance.stats).encryption!.generations, 1)
        })
      }
    )
  )

  it("are NotEncrypted without encryption", () => {
    const body = Effect.gen(function* () {
      const { maintenance } = yield* open(SimDisk.make().layer, smallOptions)
      assert.strictEqual((yield* reasonOf(maintenance.rotateDataKey({ full: true })))._tag, "NotEncrypted")
      assert.strictEqual((yield* reasonOf(maintenance.rotateMasterKey(masterKey(2))))._tag, "NotEncrypted")
      assert.isUndefined((yield* maintenance.stats).encryption)
    })
    simulate(body)
  })
})
