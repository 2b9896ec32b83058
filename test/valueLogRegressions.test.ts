// Failures that value logs of other engines had, each by its name: what happened there, played on ours. Files that
// nobody owns, or that are not what they were, are in test/valueLogFiles.test.ts.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import * as SimDisk from "../src/layers/SimDisk.ts"
import { type Opened, visibleImage } from "./support/opened.ts"
import { range, start } from "./support/regressionKit.ts"
import {
  allKept,
  crashOf,
  cuttingDisk,
  distinct,
  type Image,
  nothingKept,
  reasonOf,
  simulate,
  stateOf,
  using
} from "./support/scenario.ts"
import { piecesOf, separatedOptions, valueOptions } from "./support/valueKit.ts"
import { keys, modes, setAll, soundState, stateAt, tidy, value } from "./support/valueLog.ts"

/** One value of four in each file: a collection that is asked for has work, and one that comes by itself has none. */
const some = keys.filter((_, index) => index % 4 === 1)
const changed = { ...stateAt(0), ...Object.fromEntries(some.map((key) => [key, value(key, 1)])) }

describe("value-log collection resurrects a removed key", () => {
  const steps = {
    flush: ({ maintenance }: Opened) => maintenance.flush,
    compact: ({ maintenance }: Opened) => maintenance.compact(),
    collect: ({ maintenance }: Opened) => Effect.asVoid(maintenance.collectValues({ garbageRatioMin: 0 }))
  }
  const names = ["flush", "compact", "collect"] as const
  const orders = names.flatMap((a) => names.flatMap((b) => names.map((c) => [a, b, c])))

  for (const [mode, options] of modes) {
    it(`in any order of flush, compaction and collection after the removal (${mode})`, () => {
      for (const order of orders) {
        const device = SimDisk.make()
        const kept = keys.filter((_, index) => index % 3 === 2)
        const expected = Object.fromEntries(kept.map((key) => [key, value(key)]))
        simulate(
          using(
            device,
            (opened) =>
              Effect.gen(function* () {
                yield* setAll(opened)
                yield* opened.maintenance.flush
                for (const [index, key] of keys.entries()) {
                  if (index % 3 === 0) yield* opened.database.remove(key)
                  if (index % 3 === 1) yield* opened.database.removeRange({ prefix: key })
                }
                for (const name of order) {
                  yield* steps[name](opened)
                  assert.deepStrictEqual(yield* stateOf(opened.database), expected, `${order.join()}, after ${name}`)
                }
              }),
            options
          )
        )
        for (const outcome of [nothingKept, allKept])
          assert.deepStrictEqual(soundState(crashOf(device, outcome), order.join()), expected, order.join())
      }
    })
  }

  it("not when it races with compaction, with a crash at each step", () => {
    let judged = 0
    for (const seed of range(1, 4)) {
      const { cuts, device, state } = cuttingDisk()
      state.on = false
      const removed = keys.filter((_, index) => index % 2 === 0)
      const rest = keys.filter((_, index) => index % 2 === 1)
      simulate(
        using(
          device,
          (opened) =>
            Effect.gen(function* () {
              const { database, maintenance } = opened
              yield* setAll(opened, 0)
              yield* maintenance.flush
              yield* setAll(opened, 1, rest)
              yield* maintenance.flush
              state.on = true
              const remove = Effect.forEach(removed, (key) =>
                Effect.andThen(
                  database.remove(key),
                  Effect.sync(() => (state.promised += 1))
                )
              )
              const collect = maintenance.collectValues({ garbageRatioMin: 0 })
              yield* Effect.all([collect, maintenance.compact(), remove, collect], { concurrency: "unbounded" })
              yield* tidy(opened)
              state.on = false
              assert.deepStrictEqual(Object.keys(yield* stateOf(database)), rest)
            }),
          separatedOptions
        ),
        { seed }
      )
      const images = distinct(cuts).filter((_, index) => index % 2 === seed % 2)
      for (const { image, promised, where } of images) {
        const found = soundState(image, `seed ${seed}, ${where}`)
        for (const [index, key] of removed.entries()) {
          if (index < promised) assert.isUndefined(found[key], `seed ${seed}, ${where}: ${key} is back`)
          else if (found[key] !== undefined) assert.strictEqual(found[key], value(key, 0), where)
        }
        for (const key of rest) assert.strictEqual(found[key], value(key, 1), `seed ${seed}, ${where}`)
      }
      judged += images.length
    }
    console.log(`images of collections racing with compactions: ${judged}`)
    assert.isAbove(judged, 250)
  }, 300_000)
})

describe("value files deleted after a failed manifest sync", () => {
  for (const syncModel of ["dropped", "reverted", "written"] as const) {
    it(`edit still visible after restart (${syncModel})`, () => {
      const device = SimDisk.make()
      const failedAt = simulate(
        using(
          device,
          (opened) =>
            Effect.gen(function* () {
              yield* setAll(opened, 0)
              yield* opened.maintenance.flush
              yield* setAll(opened, 1, some)
              yield* opened.maintenance.flush
              yield* opened.maintenance.compact()
              device.addFault({
                code: "EIO",
                syncModel,
                match: (operation, path) => operation === "sync" && path.includes("manifest-")
              })
              const reason = yield* reasonOf(opened.maintenance.collectValues({ garbageRatioMin: 0 }))
              assert.strictEqual(reason._tag, "Poisoned")
              assert.deepStrictEqual(yield* stateOf(opened.database), changed, "reads go on")
              return device.log.findLastIndex(({ code }) => code === "EIO")
            }),
          separatedOptions
        )
      )
      assert.isAbove(failedAt, 0)
      const removed = device.log.slice(failedAt).filter(({ operation }) => operation === "remove")
      assert.deepStrictEqual(removed, [])
      for (const outcome of [nothingKept, allKept]) {
        assert.deepStrictEqual(soundState(crashOf(device, outcome), outcome.name), changed)
      }
      // The next process sees the edit, which is not on disk, and removes what it finds needless; then the power fails.
      const after = simulate(
        using(device, ({ database }) => Effect.map(stateOf(database), () => crashOf(device, nothingKept)))
      )
      assert.deepStrictEqual(soundState(after, "after the next process"), changed)
    })
  }
})

describe("missing directory sync", () => {
  for (const [mode, options] of modes) {
    it(`of a value file: its name is durable with the commit or the table that names it (${mode})`, () => {
      const names = { ...allKept, names: "none" } as const
      const body = (device: SimDisk.SimDisk) =>
        simulate(
          using(
            device,
            (opened) =>
              Effect.gen(function* () {
                const images: Array<Image> = []
                yield* setAll(opened)
                images.push(crashOf(device, names))
                yield* opened.maintenance.flush
                images.push(crashOf(device, names))
                yield* setAll(opened, 0, keys.slice(0, 6))
                yield* tidy(opened)
                images.push(crashOf(device, names))
                return images
              }),
            options
          )
        )
      for (const [index, image] of body(SimDisk.make()).entries())
        assert.deepStrictEqual(soundState(image, `image ${index}`), stateAt(0))
      const without = body(SimDisk.make({ ignoresSync: (operation) => operation === "syncDirectory" }))
      for (const image of without)
        assert.deepStrictEqual([...image.keys()], [], "without the syncs of directories this test would fail")
    })
  }
})

describe("a commit names a value that is not on the disk", () => {
  it("whenever the power fails, what is there is a prefix of the commits, each with its value", () => {
    const { cuts, device, state } = cuttingDisk()
    simulate(
      using(
        device,
        (opened) =>
          Effect.gen(function* () {
            const { database } = opened
            for (const [index, key] of keys.slice(0, 6).entries()) {
              if (index % 2 === 0) yield* database.set(key, value(key))
              else yield* database.setStream(key, piecesOf(new TextEncoder().encode(value(key)), [7, 60]))
              state.promised = index + 1
            }
            state.on = false
          }),
        valueOptions
      )
    )
    const images = distinct(cuts)
    assert.isAbove(images.length, 100)
    for (const { image, promised, where } of images) {
      const found = soundState(image, where)
      const expected = keys.slice(0, Object.keys(found).length).map((key) => [key, value(key)])
      assert.deepStrictEqual(found, Object.fromEntries(expected), where)
      assert.isAtLeast(expected.length, promised, where)
    }
  })

  it("a killed process is followed by others, and none removes the value of a commit that is only in the log", () => {
    let image: Image = new Map()
    for (const [index, key] of keys.slice(0, 5).entries()) {
      const device = SimDisk.make({ image })
      // It is killed before it flushes: the image is taken while the database is open.
      image = simulate(
        using(
          device,
          ({ database }) =>
            Effect.gen(function* () {
              assert.deepStrictEqual(Object.keys(yield* stateOf(database)), keys.slice(0, index))
              yield* database.set(key, value(key))
              return visibleImage(device)
            }),
          { ...valueOptions, arenaBytes: 64 * 1024 }
        )
      )
    }
    const expected = Object.fromEntries(keys.slice(0, 5).map((key) => [key, value(key)]))
    assert.deepStrictEqual(soundState(image, "at the end"), expected)
  })
})

describe("a collection that does not end", () => {
  const prepared = Effect.fnUntraced(function* (opened: Opened) {
    yield* setAll(opened, 0)
    yield* opened.maintenance.flush
    yield* setAll(opened, 1, some)
    yield* opened.maintenance.flush
    yield* opened.maintenance.compact()
  })
  it("since it is interrupted at any of its calls leaves all values and no file beside", () => {
    for (let calls = 0; ; calls++) {
      let left = Infinity
      let interrupt = () => {}
      const device = SimDisk.make({
        onOperation: () => {
          if (left-- === 0) interrupt()
        }
      })
      const ended = simulate(
        using(
          device,
          (opened) =>
            Effect.gen(function* () {
              yield* prepared(opened)
              left = calls
              const fiber = yield* start(opened.maintenance.collectValues({ garbageRatioMin: 0 }))
              interrupt = () => fiber.interruptUnsafe()
              const exit = yield* Fiber.await(fiber)
              assert.deepStrictEqual(yield* stateOf(opened.database), changed)
              yield* Effect.sleep("10 seconds")
              yield* tidy(opened)
              assert.deepStrictEqual((yield* opened.maintenance.verify).damage, [])
              assert.deepStrictEqual(yield* stateOf(opened.database), changed)
              return Exit.isSuccess(exit)
            }),
          separatedOptions
        ),
        { yieldProbability: 0 }
      )
      assert.deepStrictEqual(device.openHandles(), [])
      assert.deepStrictEqual(soundState(crashOf(device, allKept), `${calls} calls`), changed)
      if (ended) {
        assert.isAbove(calls, 20)
        break
      }
    }
  })

  for (const code of ["ENOSPC", "EIO"] as const) {
    it(`since the disk refuses its file (${code}) leaves all values, and another does its work`, () => {
      for (const operation of ["create", "append", "sync"] as const) {
        const device = SimDisk.make()
        simulate(
          using(
            device,
            (opened) =>
              Effect.gen(function* () {
                yield* prepared(opened)
                device.addFault({ code, match: (called, path) => called === operation && path.includes("/value-") })
                yield* Effect.exit(opened.maintenance.collectValues({ garbageRatioMin: 0 }))
                assert.isTrue(
                  device.log.some((one) => one.code === code),
                  operation
                )
                assert.deepStrictEqual(yield* stateOf(opened.database), changed)
                yield* Effect.sleep("30 seconds")
                yield* tidy(opened)
                assert.deepStrictEqual(yield* stateOf(opened.database), changed)
                assert.deepStrictEqual((yield* opened.maintenance.verify).damage, [])
              }),
            separatedOptions
          )
        )
      }
    })
  }
})
