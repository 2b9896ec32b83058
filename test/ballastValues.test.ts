// Promise 7 for values in value files: the ballast pays for their flush and their collection, removals of them give
// their space back, and what a commit writes before it enters takes no room that is not its own.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import * as SimDisk from "../src/layers/SimDisk.ts"
import type { SimOperation } from "../src/layers/SimFaults.ts"
import {
  ballastsOn,
  fill,
  filled,
  keyOf,
  millisUntilSet,
  refusesSets,
  valueBallastOptions as options,
  valueOf
} from "./support/ballastRun.ts"
import type { Opened } from "./support/opened.ts"
import { noOrphansSettled } from "./support/orphans.ts"
import { type Body, crashOf, nothingKept, reasonOf, simulate, textOf, using } from "./support/scenario.ts"
import { valueFileBytes, valueFilesOf } from "./support/valueKit.ts"

const run = <A>(device: SimDisk.SimDisk, body: Body<A>, given = options, seed = 1): A =>
  simulate(using(device, body, given), { seed, stepsMax: 5_000_000 })

/** A disk that is full after the next such call, from when `isNext` is set. */
const fullAt = (operation: SimOperation, file: string) => {
  const moment = { isNext: false }
  const device: SimDisk.SimDisk = SimDisk.make({
    onOperation: (_, call, path) => {
      if (!moment.isNext || call !== operation || !path.includes(file)) return
      moment.isNext = false
      fill(device)
    }
  })
  return { device, moment }
}

/** Twenty kilobytes: it goes to a file of its own before its commit. */
const longOf = (index: number): string => valueOf(index).repeat(10)

const kinds = [
  { kind: "flushed with their memtable", value: valueOf, count: 1000 },
  { kind: "written before their commit", value: longOf, count: 100 }
]

/** A thousand values, of which every other is garbage. */
const halfRemoved = Effect.fnUntraced(function* (opened: Opened) {
  yield* filled(opened, 1000)
  for (let index = 0; index < 1000; index += 2) yield* opened.database.remove(keyOf(index), { durability: "os" })
  yield* opened.maintenance.compact()
})

describe("a full disk, with large values", () => {
  for (const { count, kind, value } of kinds) {
    it.each([1, 2, 3])(`takes their removal, until writing goes on: values ${kind} (seed %i)`, (seed) => {
      const device = SimDisk.make()
      const body: Body<void> = (opened) =>
        Effect.gen(function* () {
          const { database, maintenance } = opened
          yield* filled(opened, count, value)
          const before = yield* maintenance.stats
          assert.isAbove(before.valueFiles.bytes, 9 * before.tableBytes)
          const live = before.tableBytes + before.valueFiles.bytes
          assert.approximately(before.ballast.bytes, live / 16, live / 64, "value files count")
          fill(device)
          yield* refusesSets(opened, "new")
          assert.deepStrictEqual(ballastsOn(device), [])
          for (let index = 0; index < count; index++) {
            if (index % 3 > 0) yield* database.remove(keyOf(index))
          }
          assert.strictEqual(textOf(yield* database.get(keyOf(9))), value(9), "reads go on")
          yield* refusesSets(opened, "new")
          assert.isAtMost(yield* millisUntilSet(opened, "new"), 20_000)
          yield* Effect.sleep("1 minute")
          const after = yield* maintenance.stats
          assert.isBelow(after.valueFiles.bytes, before.valueFiles.bytes / 2)
          assert.strictEqual(after.state, "healthy")
          assert.lengthOf(ballastsOn(device), 1)
          assert.strictEqual(yield* database.count(), Math.ceil(count / 3) + 1)
          assert.strictEqual(textOf(yield* database.get(keyOf(9))), value(9))
          assert.deepStrictEqual((yield* maintenance.verify).damage, [])
        })
      run(device, body, options, seed)
      assert.deepStrictEqual(device.openHandles(), [])
    })
  }

  it("keeps of a value that finds no room nothing, and takes the removal after it", () => {
    const device = SimDisk.make()
    const left = run(device, (opened) =>
      Effect.gen(function* () {
        const { database } = opened
        yield* filled(opened, 100, longOf)
        const files = valueFilesOf(device)
        const ballasts = ballastsOn(device)
        fill(device)
        for (let tries = 0; tries < 3; tries++) {
          assert.strictEqual((yield* reasonOf(database.set(keyOf(3), longOf(4))))._tag, "DiskFull")
        }
        assert.deepStrictEqual(valueFilesOf(device), files)
        assert.deepStrictEqual(ballastsOn(device), ballasts, "it is not for values")
        yield* database.remove(keyOf(0))
        assert.deepStrictEqual(ballastsOn(device), [])
        assert.match((yield* reasonOf(database.set(keyOf(3), longOf(4)))).message, /only removals/)
        assert.strictEqual(textOf(yield* database.get(keyOf(3))), longOf(3))
        return crashOf(device, nothingKept)
      })
    )
    const after = run(SimDisk.make({ image: left }), ({ database }) =>
      Effect.all([database.count(), database.has(keyOf(0))])
    )
    assert.deepStrictEqual(after, [99, false], "what was acknowledged is durable")
  })

  it("refuses a value that is too long for what is free, and that one only", () => {
    const device = SimDisk.make()
    run(device, (opened) =>
      Effect.gen(function* () {
        const { database, maintenance } = opened
        yield* filled(opened, 100, longOf)
        const ballasts = ballastsOn(device)
        device.setCapacity(device.files.bytes + 500_000)
        const long = longOf(0).repeat(50)
        assert.strictEqual((yield* reasonOf(database.set("long", long)))._tag, "DiskFull")
        const streamed = Stream.fromIterable([Buffer.from(long)])
        assert.strictEqual((yield* reasonOf(database.setStream("long", streamed)))._tag, "DiskFull")
        yield* database.set("short", "1")
        yield* database.set("longer", longOf(1))
        assert.strictEqual((yield* maintenance.stats).state, "healthy")
        assert.deepStrictEqual(ballastsOn(device), ballasts)
      })
    )
  })

  it("gives up a value that is on its way when the ballast is needed", () => {
    const device = SimDisk.make()
    run(device, (opened) =>
      Effect.gen(function* () {
        const { database } = opened
        yield* filled(opened, 100, longOf)
        const files = valueFilesOf(device)
        const piece = new Uint8Array(600 * 1024).fill(7)
        const calls = { count: 0 }
        const pieces = Stream.mapEffect(Stream.make(1, 2, 3), (turn) => {
          if (turn < 2) return Effect.succeed(piece)
          assert.isAbove(valueFilesOf(device).length, files.length, "a part of it is written")
          fill(device)
          return Effect.map(refusesSets(opened, "new"), () => {
            calls.count = device.log.length
            return piece
          })
        })
        const reason = yield* reasonOf(database.setStream("long", pieces))
        assert.strictEqual(reason._tag, "DiskFull")
        assert.match(reason.message, /only removals/)
        const later = device.log.slice(calls.count).filter(({ path }) => path.includes("value-"))
        assert.notInclude(
          later.map(({ operation }) => operation),
          "append",
          "it does not take the room of removals"
        )
        assert.deepStrictEqual(valueFilesOf(device), files)
      })
    )
  })
})

describe("the ballast", () => {
  it("pays for a flush, whose value file finds the disk full", () => {
    const { device, moment } = fullAt("create", "value-")
    run(device, (opened) =>
      Effect.gen(function* () {
        const { database, maintenance } = opened
        yield* filled(opened, 1000)
        yield* database.set("new", valueOf(0), { durability: "os" })
        moment.isNext = true
        yield* maintenance.flush
        assert.isFalse(moment.isNext)
        assert.deepStrictEqual(ballastsOn(device), [])
        assert.strictEqual((yield* maintenance.stats).memtableBytes, 0, "nobody was told")
        yield* refusesSets(opened, "newer")
        yield* database.remove("new")
        assert.strictEqual(yield* database.count(), 1000)
      })
    )
  })

  it.each([
    { what: "new file", operation: "create", file: "value-" },
    { what: "edit", operation: "closeAppend", file: "value-" }
  ] as const)("pays for a collection, whose $what finds the disk full", ({ file, operation }) => {
    const { device, moment } = fullAt(operation, file)
    const body: Body<void> = (opened) =>
      Effect.gen(function* () {
        const { database, maintenance } = opened
        yield* halfRemoved(opened)
        moment.isNext = true
        const { bytes } = yield* maintenance.collectValues()
        assert.isFalse(moment.isNext)
        assert.strictEqual((yield* maintenance.stats).counters.collectionFailures, 0)
        assert.isAbove(bytes, 900_000)
        assert.deepStrictEqual((yield* maintenance.verify).damage, [])
        assert.strictEqual(yield* database.count(), 500)
        assert.isAtMost(yield* millisUntilSet(opened, "new"), 5000)
      })
    // What one collection writes has room where the ballast was.
    run(device, body, { ...options, valueFileBytesMax: 64 * 1024 })
  })

  it("does a collection by hand in smaller ones, where there is no room for a large one", () => {
    const { device, moment } = fullAt("create", "value-")
    run(device, (opened) =>
      Effect.gen(function* () {
        const { database, maintenance } = opened
        yield* halfRemoved(opened)
        moment.isNext = true
        const { bytes } = yield* maintenance.collectValues()
        assert.isAbove((yield* maintenance.stats).counters.collectionFailures, 0)
        assert.isAbove(bytes, 900_000)
        assert.strictEqual(yield* database.count(), 500)
      })
    )
  })

  it("pays for the edit that drops what nothing names", () => {
    const device = SimDisk.make()
    run(device, (opened) =>
      Effect.gen(function* () {
        const { database, maintenance } = opened
        yield* filled(opened, 100, longOf)
        yield* database.removeRange({ from: keyOf(0), to: keyOf(90) })
        yield* maintenance.flush
        fill(device)
        yield* Effect.sleep("30 seconds")
        assert.isBelow(valueFileBytes(device), 220_000)
        assert.isAtMost(yield* millisUntilSet(opened, "new"), 0)
        assert.strictEqual(yield* database.count(), 11)
      })
    )
  })

  it("has removals tried again while collections take what room there is, in vain", () => {
    const device = SimDisk.make()
    const body: Body<void> = (opened) =>
      Effect.gen(function* () {
        const { database, maintenance } = opened
        yield* filled(opened, 1000)
        yield* Effect.sleep("1 minute")
        assert.lengthOf(valueFilesOf(device), 1, "they were merged at rest")
        fill(device)
        yield* refusesSets(opened, "new")
        yield* database.remove(keyOf(0))
        yield* maintenance.compact()
        const again = Effect.andThen(
          Effect.ignore(maintenance.collectValues({ garbageRatioMin: 0 })),
          Effect.sleep("100 millis")
        )
        const collecting = yield* Effect.forkScoped(Effect.forever(again))
        for (let moment = 0; moment < 70; moment++) {
          for (let index = 0; index < 40; index++) yield* database.remove(keyOf(index), { durability: "os" })
          yield* Effect.sleep("100 millis")
        }
        yield* Fiber.interrupt(collecting)
        const reason = yield* reasonOf(maintenance.collectValues({ garbageRatioMin: 0 }))
        assert.strictEqual(reason._tag, "DiskFull", "there is no smaller one")
        assert.isAbove((yield* maintenance.stats).counters.collectionFailures, 2)
        assert.strictEqual(yield* database.count(), 960)
      })
    run(device, body, { ...options, valueFileBytesMax: 8 * 1024 * 1024 })
  })

  it("stays when a collection is too large for what is free, which collects what is not", () => {
    const device = SimDisk.make()
    // A file of a MiB, and small ones.
    const large = { ...options, valueFileBytesMax: 2 * 1024 * 1024, arenaBytes: 64 * 1024 }
    const body: Body<void> = (opened) =>
      Effect.gen(function* () {
        const { database, maintenance } = opened
        yield* filled(opened, 1000)
        const ballasts = ballastsOn(device)
        for (let index = 0; index < 1000; index += 3) yield* database.remove(keyOf(index), { durability: "os" })
        yield* maintenance.compact()
        device.setCapacity(device.files.bytes + 400_000)
        const before = valueFileBytes(device)
        yield* Effect.sleep("2 minutes")
        const { counters, state } = yield* maintenance.stats
        assert.isAbove(counters.collectionFailures, 0, "all together are more than is free")
        assert.isBelow(valueFileBytes(device), 0.75 * before)
        assert.strictEqual(state, "healthy")
        assert.deepStrictEqual(ballastsOn(device), ballasts)
        yield* database.set("new", "1")
      })
    run(device, body, large)
  })

  it("is no orphan, open or closed, and in no checkpoint", () => {
    const device = SimDisk.make()
    const body: Body<void> = (opened) =>
      Effect.gen(function* () {
        yield* filled(opened, 1000)
        assert.lengthOf(ballastsOn(device), 1)
        yield* noOrphansSettled(device.disk, { directory: "/db", maintenance: opened.maintenance })
        yield* opened.maintenance.checkpoint("/copy")
        const names = device.files.list("/copy").map(({ name }) => name)
        assert.isFalse(names.some((name) => name.startsWith("ballast-")))
      })
    run(device, body)
    assert.lengthOf(ballastsOn(device), 1)
  })
})
