import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { SeededRandom } from "../../src/internal/structure/random.ts"
import { outcomes } from "../../src/internal/structure/simulatedFiles.ts"
import * as MemoryDisk from "../../src/layers/MemoryDisk.ts"
import * as SimDisk from "../../src/layers/SimDisk.ts"
import type { SimOperation } from "../../src/layers/SimFaults.ts"
import { run } from "../../src/layers/SimScheduler.ts"
import { codeOf, diskSuite, readFile, text, writeFile } from "../suites/diskSuite.ts"

const onDirectory = (options: SimDisk.SimDiskOptions = {}) =>
  Effect.gen(function* () {
    const sim = SimDisk.make(options)
    yield* sim.disk.makeDirectory("/db")
    yield* sim.disk.syncDirectory("/")
    return sim
  })

/** The outcome in which nothing survives but what was made durable. */
const afterPowerCut = (sim: SimDisk.SimDisk) => () =>
  MemoryDisk.fromImage(sim.files.crash(outcomes[0]!, new SeededRandom(1))).disk

for (const synchronousReads of [false, true]) {
  diskSuite(
    synchronousReads ? "SimDisk, synchronous reads" : "SimDisk",
    Effect.map(onDirectory({ synchronousReads }), (sim) => ({
      disk: sim.disk,
      directory: "/db",
      afterPowerCut: afterPowerCut(sim)
    }))
  )
}

describe("SimDisk", () => {
  it.effect("counts its calls and tells of each one after it", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const sim = yield* onDirectory({
        onOperation: (index, operation, path) => seen.push(`${index} ${operation} ${path}`)
      })
      yield* writeFile(sim.disk, "/db/a", "a")
      assert.deepStrictEqual(seen, [
        "0 makeDirectory /db",
        "1 syncDirectory /",
        "2 create /db/a",
        "3 append /db/a",
        "4 sync /db/a",
        "5 closeAppend /db/a"
      ])
      assert.strictEqual(yield* codeOf(sim.disk.open("/db/no")), "ENOENT")
      assert.deepStrictEqual(sim.log.at(-1), { index: 6, operation: "open", path: "/db/no", code: "ENOENT" })
    })
  )

  it.effect("a fault strikes once at its call, a sticky one from then on", () =>
    Effect.gen(function* () {
      const sim = yield* onDirectory({
        faults: [
          { at: 2, code: "EIO" },
          { at: 5, code: "EROFS", sticky: true }
        ]
      })
      const list = codeOf(sim.disk.list("/db"))
      const codes = [yield* list, yield* list, yield* list, yield* list, yield* list]
      assert.deepStrictEqual(codes, ["EIO", "success", "success", "EROFS", "EROFS"])
      sim.clearFaults()
      assert.strictEqual(yield* list, "success")
    })
  )

  it.effect("a fault that matches strikes the first call it accepts", () =>
    Effect.gen(function* () {
      const match = (operation: SimOperation, path: string) => operation === "read" && path.endsWith("b")
      const sim = yield* onDirectory({ faults: [{ match, code: "EIO" }] })
      yield* writeFile(sim.disk, "/db/a", "a")
      yield* writeFile(sim.disk, "/db/b", "b")
      assert.strictEqual(yield* readFile(sim.disk, "/db/a"), "a")
      const error = yield* Effect.flip(readFile(sim.disk, "/db/b"))
      assert.deepInclude(error, { operation: "read", file: "/db/b", offset: 0, code: "EIO" })
      assert.strictEqual(yield* readFile(sim.disk, "/db/b"), "b")
    })
  )

  it.effect("1. append writes all the bytes or fails and says how many it wrote", () =>
    Effect.gen(function* () {
      const sim = yield* onDirectory()
      const file = yield* sim.disk.create("/db/a")
      sim.addFault({ at: sim.log.length, code: "EIO", bytesAccepted: 5 })
      const error = yield* Effect.flip(file.append([text("abc"), text("defg")]))
      assert.deepInclude(error, { operation: "append", code: "EIO", bytesAccepted: 5 })
      assert.strictEqual(file.size(), 5)
      assert.strictEqual(yield* readFile(sim.disk, "/db/a"), "abcde")
    })
  )

  it.effect("a full disk takes what fits, and goes on when there is space again", () =>
    Effect.gen(function* () {
      const sim = yield* onDirectory({ capacityBytes: 10 })
      yield* writeFile(sim.disk, "/db/old", "123456")
      const file = yield* sim.disk.create("/db/a")
      const error = yield* Effect.flip(file.append([text("abcdef")]))
      assert.deepInclude(error, { code: "ENOSPC", bytesAccepted: 4 })
      assert.strictEqual(yield* sim.disk.freeBytes("/db"), 0)
      yield* sim.disk.remove("/db/old")
      yield* file.append([text("ef")])
      assert.strictEqual(yield* readFile(sim.disk, "/db/a"), "abcdef")
      assert.strictEqual(yield* sim.disk.freeBytes("/db"), 4)
    })
  )

  for (const [syncModel, readable, durable] of [
    ["dropped", "old new", "old"],
    ["reverted", "old", "old"],
    ["written", "old new", "old new"]
  ] as const) {
    it.effect(
      `3. a failed sync (${syncModel}) leaves "${readable}" readable, "${durable}" durable, no second sync`,
      () =>
        Effect.gen(function* () {
          const sim = yield* onDirectory()
          const file = yield* sim.disk.create("/db/a")
          yield* sim.disk.syncDirectory("/db")
          yield* file.append([text("old")])
          yield* file.sync
          yield* file.append([text(" new")])
          sim.addFault({ at: sim.log.length, code: "EIO", syncModel })
          assert.strictEqual(yield* codeOf(file.sync), "EIO")
          assert.strictEqual(yield* codeOf(file.sync), "EIO")
          assert.strictEqual(yield* codeOf(file.append([text("x")])), "EIO")
          assert.strictEqual(yield* readFile(sim.disk, "/db/a"), readable)
          assert.strictEqual(yield* readFile(afterPowerCut(sim)(), "/db/a"), durable)
        })
    )
  }

  it.effect("a device that ignores sync loses what it said it had", () =>
    Effect.gen(function* () {
      const sim = yield* onDirectory({ ignoresSync: (operation) => operation === "sync" })
      yield* writeFile(sim.disk, "/db/a", "gone")
      yield* sim.disk.syncDirectory("/db")
      assert.strictEqual(yield* readFile(afterPowerCut(sim)(), "/db/a"), "")
    })
  )

  it.effect("the ledger names the handles nobody closed", () =>
    Effect.gen(function* () {
      const sim = yield* onDirectory()
      const file = yield* sim.disk.create("/db/a")
      const read = yield* sim.disk.open("/db/a")
      assert.deepStrictEqual(sim.openHandles(), [
        { kind: "append", path: "/db/a", index: 2 },
        { kind: "read", path: "/db/a", index: 3 }
      ])
      yield* file.close
      yield* read.close
      assert.deepStrictEqual(sim.openHandles(), [])
    })
  )

  it("no call completes inline: another fiber may run before and after it", () => {
    const sim = SimDisk.make()
    const order: Array<string> = []
    const program = Effect.gen(function* () {
      const other = yield* Effect.forkChild(
        Effect.gen(function* () {
          for (const name of ["x", "y", "z"]) {
            order.push(name)
            yield* Effect.yieldNow
          }
        })
      )
      order.push("call")
      yield* sim.disk.list("/").pipe(Effect.tap(() => Effect.sync(() => order.push("done"))))
      yield* Fiber.join(other)
    })
    run(program, { seed: 1, choices: [], yieldProbability: 0 })
    assert.deepStrictEqual(order, ["call", "x", "y", "done", "z"])
  })

  it("an image of a crash at every call opens as a disk", () => {
    let images = 0
    const sim: SimDisk.SimDisk = SimDisk.make({
      onOperation: (index) => {
        for (const outcome of outcomes) {
          const image = sim.files.crash(outcome, new SeededRandom(index))
          const { disk } = MemoryDisk.fromImage(image)
          for (const path of image.keys()) Effect.runSync(readFile(disk, path))
          images += 1
        }
      }
    })
    run(
      Effect.gen(function* () {
        yield* sim.disk.makeDirectory("/db")
        yield* writeFile(sim.disk, "/db/a", "a".repeat(10_000))
        yield* sim.disk.syncDirectory("/")
      }),
      { seed: 1 }
    )
    assert.strictEqual(images, 6 * outcomes.length)
  })
})
