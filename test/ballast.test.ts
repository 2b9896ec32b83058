// Promise 7: on a full disk reads and removals go on, the ballast pays for the compaction that frees space, and writing
// goes on by itself. Here all values are in tables; ballastValues.test.ts has those in value files.
import { deflateRawSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as SimDisk from "../src/layers/SimDisk.ts"
import {
  ballastOptions,
  ballastsOn,
  fill,
  filled,
  keyOf,
  millisUntilSet,
  refusesSets,
  valueOf
} from "./support/ballastRun.ts"
import { visibleImage } from "./support/opened.ts"
import { type Body, crashOf, nothingKept, reasonOf, simulate, textOf, using } from "./support/scenario.ts"

const seeds = [1, 2, 3]
const count = 2000

const run = <A>(device: SimDisk.SimDisk, body: Body<A>, seed = 1): A =>
  simulate(using(device, body, ballastOptions), { seed, stepsMax: 5_000_000 })

describe("a full disk, with a ballast", () => {
  it.each(seeds)("takes removals, and the space that they free, until writing goes on (seed %i)", (seed) => {
    const device = SimDisk.make()
    run(
      device,
      (opened) =>
        Effect.gen(function* () {
          const { database, maintenance } = opened
          yield* filled(opened, count)
          const before = yield* maintenance.stats
          assert.deepStrictEqual(before.ballast, { bytes: ballastsOn(device)[0]!, inUse: false })
          assert.approximately(before.ballast.bytes, before.tableBytes / 16, before.tableBytes / 32)
          fill(device)
          yield* refusesSets(opened, "new")
          assert.deepStrictEqual(ballastsOn(device), [], "the ballast is given up at once")
          const calls = device.log.length
          const message = yield* refusesSets(opened, "new")
          assert.match(message, /only removals/)
          assert.strictEqual(device.log.slice(calls).filter(({ operation }) => operation === "append").length, 0)
          for (let index = 0; index < 1000; index++) yield* database.remove(keyOf(index))
          yield* database.removeRange({ from: keyOf(1000), to: keyOf(1900) })
          assert.strictEqual(yield* database.count(), count - 1900, "reads go on")
          assert.strictEqual(textOf(yield* database.get(keyOf(1950))), valueOf(1950))
          const during = yield* maintenance.stats
          assert.deepStrictEqual(during.ballast, { bytes: 0, inUse: true })
          assert.match(during.state, /only removals/)
          yield* refusesSets(opened, "new")
          const millis = yield* millisUntilSet(opened, "new")
          assert.isAtMost(millis, 15_000, "idle after five seconds, its memtable is flushed and its tables merged")
          yield* Effect.sleep("20 seconds")
          const after = yield* maintenance.stats
          assert.isBelow(after.tableBytes, before.tableBytes / 4)
          assert.strictEqual(after.state, "healthy")
          assert.strictEqual(yield* database.count(), count - 1900 + 1)
        }),
      seed
    )
  })

  it("takes writes within a second of the space that somebody else returns, and has a ballast again", () => {
    const device = SimDisk.make()
    run(device, (opened) =>
      Effect.gen(function* () {
        yield* filled(opened, count)
        yield* Effect.sleep("1 minute")
        const [bytes] = ballastsOn(device)
        fill(device)
        for (let tries = 0; tries < 20; tries++) {
          yield* refusesSets(opened, "new")
          yield* Effect.sleep("1 second")
        }
        device.setCapacity(device.files.bytes + 2 * bytes! - 1)
        yield* Effect.sleep("10 seconds")
        yield* refusesSets(opened, "new")
        assert.deepStrictEqual(ballastsOn(device), [], "there must be room for it twice")
        device.setCapacity(2 ** 40)
        assert.isAtMost(yield* millisUntilSet(opened, "new"), 1000)
        assert.deepStrictEqual(ballastsOn(device), [bytes])
        assert.strictEqual((yield* opened.maintenance.stats).state, "healthy")
      })
    )
  })

  it("takes batches and transactions that only remove, and no others", () => {
    const device = SimDisk.make()
    run(device, (opened) =>
      Effect.gen(function* () {
        const { database } = opened
        yield* filled(opened, count)
        fill(device)
        yield* refusesSets(opened, "new")
        yield* database.write([
          { type: "remove", key: keyOf(0) },
          { type: "removeRange", from: keyOf(1), to: keyOf(3) }
        ])
        // What it sets, it removes.
        yield* database.write([
          { type: "set", key: keyOf(3), value: "x" },
          { type: "remove", key: keyOf(3) }
        ])
        yield* database.transaction((tx) => Effect.andThen(tx.get(keyOf(9)), tx.remove(keyOf(4))))
        const others = [
          database.write([
            { type: "remove", key: keyOf(8) },
            { type: "set", key: keyOf(9), value: "x" }
          ]),
          database.transaction((tx) => Effect.andThen(tx.remove(keyOf(8)), tx.set("a", "b"))),
          database.set("a", "b", { durability: "buffered" })
        ]
        for (const other of others) assert.strictEqual((yield* reasonOf(other))._tag, "DiskFull")
        assert.strictEqual(yield* database.count({ to: keyOf(10) }), 5)
        yield* database.sync
        assert.strictEqual(yield* database.count(), count - 5)
      })
    )
  })

  it("has the removal that met it tried again, and not the sets beside it", () => {
    const device = SimDisk.make()
    const left = run(device, (opened) =>
      Effect.gen(function* () {
        const { database } = opened
        yield* filled(opened, count)
        fill(device)
        const results = yield* Effect.all(
          Array.from({ length: 60 }, (_, index) =>
            Effect.result(index % 3 === 0 ? database.remove(keyOf(index)) : database.set(keyOf(index), "new"))
          ),
          { concurrency: "unbounded" }
        )
        for (const [index, result] of results.entries()) {
          assert.strictEqual(result._tag, index % 3 === 0 ? "Success" : "Failure", `commit ${index}`)
          const value = textOf(yield* database.get(keyOf(index)))
          assert.strictEqual(value, index % 3 === 0 ? undefined : valueOf(index))
        }
        return crashOf(device, nothingKept)
      })
    )
    const found = run(SimDisk.make({ image: left }), ({ database }) => database.count())
    assert.strictEqual(found, count - 20, "what was acknowledged is durable")
  })

  it.each(seeds)("takes removals while compactions take what room there is, in vain (seed %i)", (seed) => {
    const device = SimDisk.make()
    const body: Body<void> = (opened) =>
      Effect.gen(function* () {
        const { database, maintenance } = opened
        yield* filled(opened, count)
        fill(device)
        yield* refusesSets(opened, "new")
        const again = Effect.andThen(Effect.ignore(maintenance.compact()), Effect.sleep("100 millis"))
        const compacting = yield* Effect.forkScoped(Effect.forever(again))
        // A compaction begins at some of these moments, and no time passes while it fills the disk and gives it back.
        for (let moment = 0; moment < 70; moment++) {
          for (let index = 0; index < 40; index++) yield* database.remove(keyOf(index * 10), { durability: "os" })
          yield* Effect.sleep("100 millis")
        }
        yield* Fiber.interrupt(compacting)
        assert.isAbove((yield* maintenance.stats).counters.compactionFailures, 2)
        assert.strictEqual(yield* database.count(), count - 40)
      })
    const options = { ...ballastOptions, baseLevelBytes: 8 * 1024 * 1024, tableBytesMax: 4 * 1024 * 1024 }
    simulate(using(device, body, options), { seed, stepsMax: 5_000_000 })
  })

  it.each(seeds)("gets the space of removals whose table spans more than there is room for (seed %i)", (seed) => {
    const device = SimDisk.make()
    const body: Body<void> = (opened) =>
      Effect.gen(function* () {
        const { database, maintenance } = opened
        yield* filled(opened, count)
        const before = yield* maintenance.stats
        fill(device)
        yield* refusesSets(opened, "new")
        // One table: to write again what it overlaps, nearly all, takes ten times the ballast.
        for (let index = 0; index < 800; index++) {
          if (index % 10 > 0) yield* database.remove(keyOf(index), { durability: "os" })
        }
        yield* database.remove(keyOf(count - 1))
        assert.isAtMost(yield* millisUntilSet(opened, "new"), 15_000)
        yield* Effect.sleep("1 minute")
        const after = yield* maintenance.stats
        assert.isBelow(after.tableBytes, 0.7 * before.tableBytes)
        assert.strictEqual(after.state, "healthy")
        assert.strictEqual(yield* database.count(), count - 720)
      })
    const options = { ...ballastOptions, baseLevelBytes: 8 * 1024 * 1024 }
    simulate(using(device, body, options), { seed, stepsMax: 5_000_000 })
  })

  it("keeps it when a compaction is too large for what is free", () => {
    const device = SimDisk.make()
    const body: Body<void> = (opened) =>
      Effect.gen(function* () {
        const { database, maintenance } = opened
        yield* filled(opened, count)
        const ballasts = ballastsOn(device)
        for (let index = 0; index < count; index += 20) yield* database.remove(keyOf(index))
        device.setCapacity(device.files.bytes + 3 * ballasts[0]!)
        assert.strictEqual((yield* reasonOf(maintenance.compact()))._tag, "DiskFull")
        yield* Effect.sleep("1 minute")
        assert.isAbove((yield* maintenance.stats).counters.compactionFailures, 3)
        assert.deepStrictEqual(ballastsOn(device), ballasts)
        yield* database.set("new", "1")
      })
    const options = { ...ballastOptions, baseLevelBytes: 8 * 1024 * 1024, tableBytesMax: 4 * 1024 * 1024 }
    simulate(using(device, body, options), { stepsMax: 5_000_000 })
  })

  it("is not made again and again where a quota refuses what the disk has room for", () => {
    const device = SimDisk.make()
    run(device, (opened) =>
      Effect.gen(function* () {
        yield* filled(opened, count)
        const isLog = (operation: string, path: string) => operation === "append" && path.includes("log-")
        device.addFault({ code: "EDQUOT", match: isLog, sticky: true })
        const calls = device.log.length
        for (let tries = 0; tries < 600; tries++) {
          yield* refusesSets(opened, "new")
          yield* Effect.sleep("100 millis")
        }
        const made = device.log
          .slice(calls)
          .filter(({ operation, path }) => operation === "create" && path.includes("ballast-"))
        assert.isAtLeast(made.length, 3)
        assert.isAtMost(made.length, 10)
        device.clearFaults()
        assert.isAtMost(yield* millisUntilSet(opened, "new"), 11_000)
      })
    )
  })

  it("gives up a ballast that is being made", () => {
    const filling: { device: SimDisk.SimDisk | undefined } = { device: undefined }
    const device = SimDisk.make({
      onOperation: (_, operation, path) => {
        if (operation === "append" && path.includes("ballast-") && filling.device !== undefined) fill(filling.device)
      }
    })
    const large = { ...ballastOptions, valueBytesMax: 32 * 1024, ballastLiveBytesMin: 4 * 1024 * 1024 }
    const body: Body<void> = (opened) =>
      Effect.gen(function* () {
        const { database, maintenance } = opened
        for (let index = 0; index < 500; index++) {
          yield* database.set(keyOf(index), valueOf(index).repeat(10), { durability: "os" })
        }
        yield* maintenance.flush
        filling.device = device
        yield* maintenance.compact()
        yield* Effect.sleep("3 seconds")
        assert.isAbove(device.log.filter(({ path }) => path.includes("ballast-")).length, 3)
        assert.deepStrictEqual(ballastsOn(device), [])
        yield* refusesSets(opened, "new")
        for (let index = 0; index < 100; index++) yield* database.remove(keyOf(index))
        filling.device = undefined
        device.setCapacity(2 ** 40)
        assert.isAtMost(yield* millisUntilSet(opened, "new"), 2000)
        assert.isAbove(ballastsOn(device)[0]!, 512 * 1024, "of three slices")
      })
    simulate(using(device, body, large), { stepsMax: 5_000_000 })
    assert.deepStrictEqual(device.openHandles(), [])
  })

  it("pays for the flush of a full memtable, in which the removals are", () => {
    const device = SimDisk.make()
    const body: Body<void> = (opened) =>
      Effect.gen(function* () {
        const { database, maintenance } = opened
        yield* filled(opened, count)
        for (let index = 0; index < 240; index++) {
          yield* database.set(`new${index}`, valueOf(index), { durability: "os" })
        }
        assert.isAbove((yield* maintenance.stats).memtableBytes, 480_000)
        fill(device)
        yield* refusesSets(opened, "new")
        for (let index = 0; index < 1000; index++) yield* database.remove(keyOf(index))
        assert.isAtMost(yield* millisUntilSet(opened, "new"), 15_000)
        assert.strictEqual(yield* database.count(), count - 1000 + 240 + 1)
      })
    simulate(using(device, body, { ...ballastOptions, arenaBytes: 512 * 1024 }), { stepsMax: 5_000_000 })
  })

  it.each([
    { what: "log", operation: undefined, file: "" },
    { what: "table", operation: "create", file: "table-" },
    { what: "manifest", operation: "closeAppend", file: "table-" }
  ])("pays for a flush, whose $what finds the disk full", ({ file, operation }) => {
    const moment: { device: SimDisk.SimDisk | undefined } = { device: undefined }
    const device = SimDisk.make({
      onOperation: (_, call, path) => {
        if (call !== operation || !path.includes(file) || moment.device === undefined) return
        fill(moment.device)
        moment.device = undefined
      }
    })
    run(device, (opened) =>
      Effect.gen(function* () {
        const { database, maintenance } = opened
        yield* filled(opened, count)
        yield* database.set("new", valueOf(0), { durability: "os" })
        if (operation === undefined) fill(device)
        else moment.device = device
        yield* maintenance.flush
        assert.deepStrictEqual(ballastsOn(device), [])
        assert.strictEqual((yield* maintenance.stats).memtableBytes, 0, "nobody was told")
        yield* refusesSets(opened, "newer")
        yield* database.remove("new")
        assert.strictEqual(yield* database.count(), count)
      })
    )
  })

  it("is found again by an open, which makes room for itself and for removals, and for no set", () => {
    const closed = SimDisk.make()
    run(closed, (opened) => Effect.andThen(filled(opened, count), opened.database.set("last", "1")))
    assert.lengthOf(ballastsOn(closed), 1, "a database that is closed keeps it")
    for (const seed of [1, 2, 3, 4, 5]) {
      const device = SimDisk.make({ image: visibleImage(closed), capacityBytes: closed.files.bytes })
      const body: Body<void> = (opened) =>
        Effect.gen(function* () {
          yield* refusesSets(opened, "new")
          assert.deepStrictEqual(ballastsOn(device), [])
          for (let index = 0; index < 300; index++) yield* opened.database.remove(keyOf(index))
          assert.strictEqual(yield* opened.database.count(), count + 1 - 300)
        })
      run(device, body, seed)
    }
  })
})

describe("the ballast", () => {
  it("is none below its limit, or where none is wanted", () => {
    for (const options of [{ ballastLiveBytesMin: 64 * 1024 * 1024 }, { ballastBytesMax: 0 }]) {
      const device = SimDisk.make()
      const body: Body<void> = (opened) =>
        Effect.gen(function* () {
          yield* filled(opened, 200)
          yield* Effect.sleep("1 minute")
          assert.deepStrictEqual((yield* opened.maintenance.stats).ballast, { bytes: 0, inUse: false })
        })
      simulate(using(device, body, { ...ballastOptions, ballastLiveBytesMin: 1024, ...options }))
      assert.isFalse(device.log.some(({ path }) => path.includes("ballast-")))
    }
  })

  it("goes when the data goes", () => {
    const device = SimDisk.make()
    run(device, (opened) =>
      Effect.gen(function* () {
        yield* filled(opened, count)
        assert.lengthOf(ballastsOn(device), 1)
        yield* opened.database.removeRange({ from: "" })
        yield* Effect.sleep("1 minute")
        assert.deepStrictEqual(ballastsOn(device), [])
        assert.deepStrictEqual((yield* opened.maintenance.stats).ballast, { bytes: 0, inUse: false })
      })
    )
  })

  it("is taken over by the next open, which need not make it again", () => {
    const device = SimDisk.make()
    run(device, (opened) => filled(opened, count))
    const before = ballastsOn(device)
    const calls = device.log.length
    run(device, (opened) =>
      Effect.gen(function* () {
        assert.strictEqual((yield* opened.maintenance.stats).ballast.bytes, before[0])
        yield* Effect.sleep("1 minute")
      })
    )
    assert.isFalse(device.log.slice(calls).some(({ path }) => path.includes("ballast-")))
    fill(device)
    run(device, (opened) => opened.database.remove(keyOf(0)))
    assert.deepStrictEqual(ballastsOn(device), [])
  })

  it("is removed by an open that meets a full disk where there seemed to be room: the next one succeeds", () => {
    const device = SimDisk.make()
    run(device, (opened) => Effect.andThen(filled(opened, count), opened.database.set("last", "1")))
    const isLog = (operation: string, path: string) => operation === "append" && path.includes("log-")
    device.addFault({ code: "EDQUOT", match: isLog })
    assert.throws(() => run(device, ({ database }) => database.count()), /EDQUOT/)
    assert.deepStrictEqual(ballastsOn(device), [])
    assert.strictEqual(
      run(device, ({ database }) => database.count()),
      count + 1
    )
  })

  it("is not made by a reader, and not removed", () => {
    const device = SimDisk.make()
    run(device, (opened) => filled(opened, count))
    const before = visibleImage(device)
    const reading: Body<number> = ({ database }) => Effect.andThen(Effect.sleep("1 minute"), database.count())
    assert.strictEqual(simulate(using(device, reading, { ...ballastOptions, readOnly: true })), count)
    const after = visibleImage(device)
    assert.deepStrictEqual([...after.keys()], [...before.keys()])
    for (const [path, bytes] of before) assert.isTrue(Buffer.from(bytes).equals(after.get(path)!), path)
  })

  it("does not get smaller by compression, and is synced", () => {
    const device = SimDisk.make()
    run(device, (opened) => filled(opened, count))
    const [path, bytes] = [...visibleImage(device)].find(([name]) => name.includes("ballast-"))!
    assert.isAtLeast(deflateRawSync(bytes).length, bytes.length, path)
    const calls = device.log.filter((call) => call.path === path).map(({ operation }) => operation)
    assert.deepStrictEqual(calls, ["create", "append", "sync", "closeAppend"])
  })

  for (const operation of ["create", "append", "sync", "closeAppend", "remove", "freeBytes"] as const) {
    it(`loses nothing by an error of its ${operation}`, () => {
      const device = SimDisk.make()
      const strikes = (of: string, path: string) =>
        of === operation && (operation === "freeBytes" || path.includes("ballast-"))
      run(device, (opened) =>
        Effect.gen(function* () {
          const { database, maintenance } = opened
          device.addFault({ code: "EIO", match: strikes, sticky: true })
          yield* filled(opened, count)
          yield* Effect.sleep("1 minute")
          yield* database.removeRange({ from: keyOf(0), to: keyOf(500) })
          yield* maintenance.compact()
          yield* Effect.sleep("10 seconds")
          fill(device)
          yield* refusesSets(opened, "new")
          device.setCapacity(2 ** 40)
          yield* Effect.sleep("30 seconds")
          yield* database.set("new", "1")
          yield* maintenance.compact()
          yield* Effect.sleep("30 seconds")
          assert.isBelow(device.log.filter(({ path }) => path.includes("ballast-")).length, 100, "it is not hasty")
          device.clearFaults()
          yield* Effect.sleep("30 seconds")
          assert.strictEqual((yield* maintenance.stats).state, "healthy")
          assert.lengthOf(ballastsOn(device), 1)
          assert.strictEqual(yield* database.count(), count - 500 + 1)
        })
      )
      assert.deepStrictEqual(device.openHandles(), [])
      assert.strictEqual(
        run(device, ({ database }) => database.count()),
        count - 500 + 1
      )
    })
  }
})
