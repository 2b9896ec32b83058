// Values that are written to a file of their own before their commit: how they get there, and that nothing is left of
// those whose commit did not happen.
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Stream } from "effect"
import * as SimDisk from "../src/layers/SimDisk.ts"
import type { OptionsInput } from "../src/services/Options.ts"
import { directory, visibleImage } from "./support/opened.ts"
import { type Body, pathsOf, reasonOf, simulate, using } from "./support/scenario.ts"

const options: OptionsInput = {
  arenaBytes: 4096,
  arenaCount: 2,
  valueBytesMax: 100_000,
  valueThreshold: 100,
  directValueBytesMin: 500,
  valueFileBytesMax: 4000,
  cacheBytes: 0,
  flushOnCloseBytesMin: 1024 * 1024
}

/** Bytes that differ from value to value and within one. */
const valueOf = (length: number, seed = 1): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index * 7 + seed * 31 + (index >> 8)) & 0xff)

const pieces = (value: Uint8Array, length: number): ReadonlyArray<Uint8Array> =>
  Array.from({ length: Math.ceil(value.length / length) }, (_, index) =>
    value.subarray(index * length, (index + 1) * length)
  )

const streamOf = (value: Uint8Array, length = 333) => Stream.fromIterable(pieces(value, length))

/** The names of value files on the disk. */
const filesOf = (device: SimDisk.SimDisk): ReadonlyArray<string> => pathsOf(visibleImage(device), "value")

interface Session {
  readonly device: SimDisk.SimDisk
  /** One open database after the other, on the same disk. */
  readonly open: <A>(body: Body<A>, more?: OptionsInput) => A
}

const session = (): Session => {
  const device = SimDisk.make()
  return { device, open: (body, more = {}) => simulate(using(device, body, { ...options, ...more })) }
}

/** What is removed in the background is gone. */
const settled = Effect.sleep(50)

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

  it("nothing is left of a transaction that is discarded, fails, or conflicts", () => {
    const { device, open } = session()
    open(({ database }) =>
      Effect.gen(function* () {
        yield* Effect.scoped(Effect.flatMap(database.begin(), (tx) => tx.set("k", valueOf(1000))))
        yield* Effect.exit(database.transaction((tx) => Effect.andThen(tx.set("k", valueOf(1000)), Effect.fail("no"))))
        const tx = yield* database.begin()
        yield* tx.get("k")
        yield* tx.setStream("k", streamOf(valueOf(1000)))
        yield* database.set("k", "other")
        assert.strictEqual((yield* reasonOf(tx.commit))._tag, "Conflict")
        yield* settled
        assert.deepStrictEqual(filesOf(device), [])
        assert.strictEqual((yield* database.get("k"))?.length, 5)
      })
    )
  })

  it("nothing is left of a stream that fails or is interrupted", () => {
    const { device, open } = session()
    open(({ database }) =>
      Effect.gen(function* () {
        const broken = Stream.concat(streamOf(valueOf(2000)), Stream.fail("broken"))
        const failed = yield* Effect.exit(database.setStream("k", broken))
        assert.deepStrictEqual(failed, Exit.fail("broken"))
        const reached = yield* Deferred.make<void>()
        const stuck = Stream.concat(
          streamOf(valueOf(2000)),
          Stream.fromEffect(Effect.andThen(Deferred.succeed(reached, undefined), Effect.never))
        )
        const fiber = yield* Effect.forkChild(database.setStream("k", stuck))
        yield* Deferred.await(reached)
        assert.lengthOf(filesOf(device), 1)
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(filesOf(device), [])
        assert.isFalse(yield* database.has("k"))
      })
    )
  })

  it("a full disk is DiskFull and leaves nothing, whichever call says so", () => {
    for (const operation of ["create", "append", "sync", "syncDirectory"]) {
      for (const durability of ["disk", "buffered"] as const) {
        const device = SimDisk.make()
        simulate(
          using(
            device,
            ({ database }) =>
              Effect.gen(function* () {
                yield* database.set("k", "1")
                const isMatch = (name: string, path: string) =>
                  name === operation && (operation === "syncDirectory" || path.includes("/value-"))
                device.addFault({ match: isMatch, code: "ENOSPC", bytesAccepted: 100 })
                const reason = yield* reasonOf(
                  database.write([{ type: "set", key: "k", value: valueOf(2000) }], { durability })
                )
                assert.strictEqual(reason._tag, "DiskFull", operation)
                yield* settled
                assert.deepStrictEqual(filesOf(device), [], operation)
                assert.strictEqual((yield* database.get("k"))?.length, 1)
                if (operation !== "syncDirectory") yield* database.set("k", valueOf(2000))
              }),
            options
          )
        )
      }
    }
  })

  it("the file goes when the log refuses the commit, and stays when nobody knows", () => {
    for (const [accepted, tag, left] of [
      [0, "DiskFull", 0],
      [1_000_000, "CommitOutcomeUnknown", 1]
    ] as const) {
      const device = SimDisk.make()
      simulate(
        using(
          device,
          ({ database }) =>
            Effect.gen(function* () {
              yield* database.set("a", "1")
              device.addFault({
                match: (name, path) => name === "append" && path.includes("/log-"),
                code: "ENOSPC",
                bytesAccepted: accepted
              })
              assert.strictEqual((yield* reasonOf(database.set("k", valueOf(2000))))._tag, tag)
              yield* settled
              assert.lengthOf(filesOf(device), left)
            }),
          options
        )
      )
    }
  })

  it("a set that is interrupted before the log has it leaves nothing; afterwards it happens", () => {
    for (let steps = 1; steps < 60; steps++) {
      const device = SimDisk.make()
      const has = simulate(
        using(
          device,
          ({ database }) =>
            Effect.gen(function* () {
              const fiber = yield* Effect.forkChild(database.set("k", valueOf(2000)))
              for (let step = 0; step < steps; step++) yield* Effect.yieldNow
              yield* Fiber.interrupt(fiber)
              yield* database.sync
              yield* settled
              const value = yield* database.get("k")
              assert.lengthOf(filesOf(device), value === undefined ? 0 : 1, `after ${steps} steps`)
              if (value !== undefined) assert.deepStrictEqual(value, valueOf(2000))
              return value !== undefined
            }),
          options
        ),
        { seed: steps }
      )
      simulate(
        using(
          device,
          ({ database }) => Effect.map(database.has("k"), (found) => assert.strictEqual(found, has)),
          options
        )
      )
    }
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
})
