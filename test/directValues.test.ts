// Values that are written to a file of their own before their commit: how they get there and stay there.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Stream } from "effect"
import * as LsmDatabase from "../src/layers/LsmDatabase.ts"
import * as SimDisk from "../src/layers/SimDisk.ts"
import { Database, type DatabaseService } from "../src/services/Database.ts"
import type { DatabaseError } from "../src/services/DatabaseError.ts"
import { Encryption } from "../src/services/Encryption.ts"
import { invertingSealer } from "./internal/format/support.ts"
import { encryptionWith, filesWith } from "./support/encryptions.ts"
import { filesOf, options, session, settled, streamOf, valueOf } from "./support/directValues.ts"
import { directory, open as openAt, visibleImage } from "./support/opened.ts"
import { type Body, reasonOf, simulate, using } from "./support/scenario.ts"

describe("direct values", () => {
  const ways: ReadonlyArray<readonly [name: string, write: (key: string, value: Uint8Array) => Body<unknown>]> = [
    [
      "set",
      (key, value) =>
        ({ database }) =>
          database.set(key, value)
    ],
    [
      "a string",
      (key, value) =>
        ({ database }) =>
          database.set(key, Buffer.from(value).toString("latin1"))
    ],
    [
      "write",
      (key, value) =>
        ({ database }) =>
          database.write([
            { type: "set", key, value },
            { type: "remove", key: "no" }
          ])
    ],
    [
      "setStream",
      (key, value) =>
        ({ database }) =>
          database.setStream(key, streamOf(value))
    ],
    [
      "transaction",
      (key, value) =>
        ({ database }) =>
          database.transaction((tx) => tx.set(key, value))
    ],
    [
      "transaction setStream",
      (key, value) =>
        ({ database }) =>
          database.transaction((tx) => tx.setStream(key, streamOf(value)))
    ]
  ]
  for (const [name, write] of ways) {
    it(`${name}: every length reads back, in the log, after an open, flushed, and after another open`, () => {
      const { device, open } = session()
      const lengths = [0, 1, 99, 100, 101, 499, 500, 501, 3999, 5000, 100_000]
      const expected = (length: number) =>
        name === "a string"
          ? new Uint8Array(Buffer.from(Buffer.from(valueOf(length)).toString("latin1")))
          : valueOf(length)
      const check: Body<void> = ({ database }) =>
        Effect.forEach(
          lengths.filter((length) => expected(length).length <= 100_000),
          (length) =>
            Effect.map(database.get(`k${length}`), (value) =>
              assert.isTrue(value !== undefined && Buffer.from(value).equals(expected(length)), `${length} bytes`)
            ),
          { discard: true }
        )
      open((opened) =>
        Effect.gen(function* () {
          for (const length of lengths) {
            if (expected(length).length <= 100_000) yield* write(`k${length}`, valueOf(length))(opened)
          }
          yield* check(opened)
        })
      )
      assert.isNotEmpty(filesOf(device))
      open((opened) => Effect.andThen(check(opened), Effect.andThen(opened.maintenance.flush, check(opened))))
      open((opened) =>
        Effect.gen(function* () {
          yield* check(opened)
          assert.deepStrictEqual((yield* opened.maintenance.verify).damage, [])
        })
      )
    })
  }

  it("one byte more than valueBytesMax is Invalid and leaves nothing", () => {
    const { device, open } = session()
    open(({ database }) =>
      Effect.gen(function* () {
        const long = valueOf(100_001)
        yield* Effect.forEach(
          [
            database.set("k", long),
            database.set("k", "x".repeat(100_001)),
            database.set("k", "é".repeat(50_001)),
            database.setStream("k", streamOf(long)),
            database.write([{ type: "set", key: "k", value: long }]),
            database.transaction((tx) => tx.set("k", "é".repeat(50_001))),
            database.transaction((tx) => tx.setStream("k", streamOf(long, 1000)))
          ],
          (effect) => Effect.map(reasonOf(effect), ({ _tag }) => assert.strictEqual(_tag, "Invalid")),
          { discard: true }
        )
        yield* database.setStream("most", streamOf(valueOf(100_000)))
        yield* settled
        assert.strictEqual(yield* database.count(), 1)
        assert.lengthOf(filesOf(device), 1)
      })
    )
  })

  it("a stream that is short stays with its key; what is no stream, or gives no bytes, is Invalid", () => {
    const { device, open } = session()
    open(({ database }) =>
      Effect.gen(function* () {
        yield* database.setStream("k", streamOf(valueOf(100), 7))
        assert.deepStrictEqual(yield* database.get("k"), valueOf(100))
        assert.deepStrictEqual(filesOf(device), [])
        const wrong = [Stream.make("text"), [valueOf(3)], undefined] as ReadonlyArray<unknown>
        for (const value of wrong) {
          const reason = yield* reasonOf(database.setStream("k", value as Stream.Stream<Uint8Array>))
          assert.strictEqual(reason._tag, "Invalid")
        }
      })
    )
  })

  it("a piece of a stream may be used again when the next one is asked for", () => {
    const { open } = session()
    open(({ database }) =>
      Effect.gen(function* () {
        const buffer = new Uint8Array(50)
        const indexes = Stream.rechunk(Stream.fromIterable(Array.from({ length: 100 }, (_, index) => index)), 1)
        yield* database.setStream(
          "k",
          Stream.map(indexes, (index) => buffer.fill(index))
        )
        const value = (yield* database.get("k"))!
        assert.lengthOf(value, 5000)
        for (let index = 0; index < 100; index++) assert.strictEqual(value[index * 50 + 25], index)
      })
    )
  })

  it("the largest values of a commit that no memtable holds go to files of at most valueFileBytesMax", () => {
    const { device, open } = session()
    open(({ database, maintenance }) =>
      Effect.gen(function* () {
        const sets = Array.from({ length: 60 }, (_, index) => ({
          type: "set" as const,
          key: `k${index}`,
          value: valueOf(70 + 6 * index, index)
        }))
        yield* database.write(sets)
        const files = filesOf(device)
        assert.isAbove(files.length, 1)
        for (const path of files) assert.isAtMost(visibleImage(device).get(path)!.length, 4400)
        const check = Effect.forEach(sets, ({ key, value }) =>
          Effect.map(database.get(key), (found) => assert.deepStrictEqual(found, value))
        )
        yield* check
        yield* maintenance.flush
        yield* check
      })
    )
  })

  it("the same of a transaction, which reads its own writes", () => {
    const { device, open } = session()
    const body: Body<void> = ({ database }) =>
      Effect.gen(function* () {
        yield* database.transaction((tx) =>
          Effect.gen(function* () {
            for (let index = 0; index < 60; index++) yield* tx.set(`k${index}`, valueOf(100 + index, index))
            yield* tx.set("long", valueOf(2000))
            yield* tx.set("long", valueOf(3000))
            assert.deepStrictEqual(yield* tx.get("long"), valueOf(3000))
            const last = yield* Stream.runLast(tx.scan({ from: "k9" }))
            assert.deepStrictEqual(last._tag === "Some" ? last.value.value : undefined, valueOf(3000))
          })
        )
        for (let index = 0; index < 60; index++) {
          assert.deepStrictEqual(yield* database.get(`k${index}`), valueOf(100 + index, index))
        }
        assert.deepStrictEqual(yield* database.get("long"), valueOf(3000))
      })
    open(body, { transactionBytesMax: 65_536 })
    assert.isNotEmpty(filesOf(device))
  })

  it("what was overwritten in the memtable goes with it, and what a snapshot sees stays", () => {
    const { device, open } = session()
    open(({ database, maintenance }) =>
      Effect.gen(function* () {
        yield* database.set("k", valueOf(1000, 1))
        const snapshot = yield* database.snapshot
        for (const seed of [2, 3, 4]) yield* database.set("k", valueOf(1000, seed))
        assert.lengthOf(filesOf(device), 4)
        yield* maintenance.flush
        yield* settled
        assert.lengthOf(filesOf(device), 2)
        assert.deepStrictEqual(yield* snapshot.get("k"), valueOf(1000, 1))
        assert.deepStrictEqual(yield* database.get("k"), valueOf(1000, 4))
      })
    )
  })

  it("an idle database lets go of values that were overwritten", () => {
    const { device, open } = session()
    open(({ database }) =>
      Effect.gen(function* () {
        for (const seed of [1, 2, 3]) yield* database.set("k", valueOf(1000, seed))
        yield* Effect.sleep("20 seconds")
        assert.lengthOf(filesOf(device), 1)
        assert.deepStrictEqual(yield* database.get("k"), valueOf(1000, 3))
      })
    )
  })

  it("a missing or damaged value file that the log names fails the open as Corruption", () => {
    const { device, open } = session()
    open(({ database }) => database.set("k", valueOf(1000)))
    const [path] = filesOf(device)
    const image = visibleImage(device)
    const bytes = image.get(path!)!
    const reopen = (changed: Uint8Array | undefined) => {
      const files = new Map(image)
      if (changed === undefined) files.delete(path!)
      else files.set(path!, changed)
      const disk = SimDisk.make({ image: files })
      return simulate(reasonOf(using(disk, () => Effect.void, options)))
    }
    assert.strictEqual(reopen(undefined)._tag, "Corruption")
    assert.strictEqual(reopen(bytes.subarray(0, bytes.length - 1))._tag, "Corruption")
    assert.strictEqual(reopen(new Uint8Array(0))._tag, "Corruption")
    for (const offset of [0, 20, 40, 60, bytes.length - 1, bytes.length - 60]) {
      const flipped = bytes.slice()
      flipped[offset]! ^= 1
      assert.strictEqual(reopen(flipped)._tag, "Corruption", `at ${offset}`)
    }
    assert.isTrue(path!.startsWith(`${directory}/value-`))
  })

  it("a reader beside nobody sees what is in the log, and changes nothing", () => {
    const { device, open } = session()
    open(({ database }) => database.set("k", valueOf(1000)))
    const before = visibleImage(device)
    open(({ database }) => Effect.map(database.get("k"), (value) => assert.deepStrictEqual(value, valueOf(1000))), {
      readOnly: true
    })
    assert.deepStrictEqual(visibleImage(device), before)
  })

  it("a memtable is frozen before its commits bring along more than 256 files", () => {
    const { device, open } = session()
    open(
      ({ database, maintenance }) =>
        Effect.gen(function* () {
          for (let index = 0; index < 600; index++)
            yield* database.set(`k${index % 10}`, valueOf(500, index), { durability: "buffered" })
          const { flushes } = (yield* maintenance.stats).counters
          assert.isAtLeast(flushes, 1)
          yield* settled
          assert.isBelow(filesOf(device).length, 600)
          for (let index = 590; index < 600; index++) {
            assert.deepStrictEqual(yield* database.get(`k${index % 10}`), valueOf(500, index))
          }
        }),
      { arenaBytes: 1024 * 1024 }
    )
  })

  it("bytes of users are counted with their values", () => {
    const { open } = session()
    const [inline, direct] = [400, 4000].map((length) =>
      open(({ database, maintenance }) =>
        Effect.gen(function* () {
          const before = (yield* maintenance.stats).counters.userBytes
          yield* database.set("key", valueOf(length))
          return (yield* maintenance.stats).counters.userBytes - before
        })
      )
    )
    assert.strictEqual(inline, 403)
    assert.strictEqual(direct, 4003)
  })

  it("an exit of a set says what happened, whatever was interrupted", () => {
    const { open } = session()
    open(({ database }) =>
      Effect.gen(function* () {
        const exits = yield* Effect.forEach(
          Array.from({ length: 40 }, (_, index) => index),
          (index) => Effect.exit(database.set(`k${index}`, valueOf(600 + index, index))),
          { concurrency: "unbounded" }
        )
        assert.isTrue(exits.every(Exit.isSuccess))
        assert.strictEqual(yield* database.count(), 40)
      })
    )
  })

  it("an open with smaller arenas makes tables of old memtables, and keeps the files that they name", () => {
    const { device, open } = session()
    open(
      ({ database }) =>
        Effect.forEach(
          Array.from({ length: 200 }, (_, index) => index),
          (index) =>
            database.write([
              { type: "set", key: `long${index % 20}`, value: valueOf(600, index) },
              { type: "set", key: `short${index}`, value: valueOf(60, index) }
            ])
        ),
      { arenaBytes: 65_536 }
    )
    assert.isAtLeast(filesOf(device).length, 200)
    for (const arenaBytes of [1024, 4096]) {
      open(
        ({ database, maintenance }) =>
          Effect.gen(function* () {
            for (let index = 180; index < 200; index++) {
              assert.deepStrictEqual(yield* database.get(`long${index % 20}`), valueOf(600, index))
            }
            assert.strictEqual(yield* database.count(), 220)
            assert.deepStrictEqual((yield* maintenance.verify).damage, [])
          }),
        { arenaBytes }
      )
    }
    assert.isAtMost(filesOf(device).length, 200)
  })

  it("a checkpoint has the values, and stays whole when the database overwrites them", () => {
    const { device, open } = session()
    open(({ database, maintenance }) =>
      Effect.gen(function* () {
        yield* database.set("k", valueOf(3000, 1))
        yield* database.set("inline", valueOf(300, 1))
        yield* maintenance.checkpoint("/copy")
        yield* database.set("k", valueOf(3000, 2))
        yield* maintenance.flush
        yield* maintenance.compact()
        assert.deepStrictEqual(yield* database.get("k"), valueOf(3000, 2))
      })
    )
    simulate(
      Effect.scoped(
        Effect.flatMap(openAt(device.layer, options, "/copy"), ({ database, maintenance }) =>
          Effect.gen(function* () {
            assert.deepStrictEqual(yield* database.get("k"), valueOf(3000, 1))
            assert.deepStrictEqual(yield* database.get("inline"), valueOf(300, 1))
            assert.deepStrictEqual((yield* maintenance.verify).damage, [])
          })
        )
      )
    )
  })

  it("sealed values read back, and lie nowhere in the open", () => {
    const { device } = session()
    const files = filesWith(invertingSealer, { sealer: () => Effect.as(Effect.yieldNow, invertingSealer) })
    const encryption = Layer.succeed(Encryption, encryptionWith(files))
    const layer = LsmDatabase.layerWith({ ...options, directory }).pipe(Layer.provide([device.layer, encryption]))
    const using = (body: (database: DatabaseService) => Effect.Effect<void, DatabaseError>) =>
      simulate(Effect.flatMap(Database, body).pipe(Effect.provide(Layer.fresh(layer))))
    using((database) => database.set("k", valueOf(3000)))
    const marker = Buffer.from(valueOf(3000).subarray(100, 130))
    for (const [, bytes] of visibleImage(device)) assert.isFalse(Buffer.from(bytes).includes(marker))
    for (let round = 0; round < 2; round++) {
      using((database) => Effect.map(database.get("k"), (value) => assert.deepStrictEqual(value, valueOf(3000))))
    }
  })
})
