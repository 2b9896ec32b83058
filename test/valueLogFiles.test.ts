// Failures that value logs of other engines had with their files: ones that nobody owns, that are gone, or that are
// others.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope, Stream } from "effect"
import * as MemoryDisk from "../src/layers/MemoryDisk.ts"
import * as SimDisk from "../src/layers/SimDisk.ts"
import type { DatabaseError } from "../src/services/DatabaseError.ts"
import { contentsOf, directory, type Opened, open, visibleImage } from "./support/opened.ts"
import { onLog, start, startAndInterrupt } from "./support/regressionKit.ts"
import {
  allKept,
  contentsAfter,
  crashOf,
  type Image,
  nothingKept,
  pathsOf,
  reasonOf,
  refusalOf,
  simulate,
  stateOf,
  textOf,
  using,
  withFiles
} from "./support/scenario.ts"
import { onValues, piecesOf, separatedOptions, valueFilesOf, valueOptions } from "./support/valueKit.ts"
import { keys, setAll, soundState, stateAt, tidy, value } from "./support/valueLog.ts"

describe("a commit that does not happen leaves its value files", () => {
  const leavesNothing = (
    name: string,
    body: (opened: Opened, device: SimDisk.SimDisk) => Effect.Effect<void, DatabaseError, Scope.Scope>
  ) =>
    it(
      name,
      onValues(
        (opened, device) =>
          Effect.gen(function* () {
            yield* opened.database.set("kept", value("kept"))
            const before = valueFilesOf(device)
            assert.lengthOf(before, 1)
            yield* body(opened, device)
            device.clearFaults()
            yield* Effect.sleep("60 seconds")
            assert.deepStrictEqual(valueFilesOf(device), before)
            assert.deepStrictEqual(yield* stateOf(opened.database), { kept: value("kept") })
            assert.deepStrictEqual(soundState(visibleImage(device), "killed"), { kept: value("kept") })
          }),
        { ...valueOptions, flushOnCloseBytesMin: 1024 * 1024 }
      )
    )

  leavesNothing("for want of space in the log", ({ database }, device) =>
    Effect.gen(function* () {
      device.addFault({ code: "ENOSPC", match: onLog("append") })
      assert.strictEqual((yield* reasonOf(database.set("a", value("a"))))._tag, "DiskFull")
    })
  )

  for (const operation of ["create", "append"] as const) {
    leavesNothing(`for want of space for the value (${operation})`, ({ database }, device) =>
      Effect.gen(function* () {
        device.addFault({ code: "ENOSPC", match: (called, path) => called === operation && path.includes("/value-") })
        assert.strictEqual((yield* reasonOf(database.set("a", value("a"))))._tag, "DiskFull")
      })
    )
  }

  leavesNothing("since another operation of it is Invalid", ({ database }) =>
    Effect.gen(function* () {
      const write = database.write([
        { type: "set", key: "a", value: value("a") },
        { type: "set", key: "", value: "" }
      ])
      assert.strictEqual((yield* reasonOf(write))._tag, "Invalid")
    })
  )

  leavesNothing("since it is interrupted while its value is written", ({ database }) =>
    Effect.gen(function* () {
      yield* startAndInterrupt(database.set("a", value("a")))
    })
  )

  leavesNothing("since it is interrupted while its stream has more to give", ({ database }) =>
    Effect.gen(function* () {
      const endless = Stream.concat(piecesOf(new Uint8Array(10_000), [1000]), Stream.never)
      const fiber = yield* start(database.setStream("a", endless))
      yield* Effect.sleep("1 second")
      yield* Fiber.interrupt(fiber)
      const scope = yield* Scope.make()
      const transaction = yield* Scope.provide(database.begin(), scope)
      const other = yield* start(transaction.setStream("b", endless))
      yield* Effect.sleep("1 second")
      yield* Fiber.interrupt(other)
      yield* Scope.close(scope, Exit.void)
    })
  )

  leavesNothing("since its transaction fails, is discarded or is closed", ({ database }) =>
    Effect.gen(function* () {
      yield* Effect.exit(database.transaction((tx) => Effect.andThen(tx.set("a", value("a")), Effect.fail("no"))))
      const discarded = yield* database.begin()
      yield* discarded.set("b", value("b"))
      yield* discarded.discard
      const scope = yield* Scope.make()
      const closed = yield* Scope.provide(database.begin(), scope)
      yield* closed.set("c", value("c"))
      yield* closed.set("c", value("c", 1))
      yield* Scope.close(scope, Exit.void)
    })
  )

  leavesNothing("since its transaction conflicts", ({ database }) =>
    Effect.gen(function* () {
      const first = yield* database.begin()
      yield* first.get("a")
      yield* first.set("b", value("b"))
      yield* database.set("a", "1")
      assert.strictEqual((yield* reasonOf(first.commit))._tag, "Conflict")
      yield* database.remove("a")
    })
  )

  leavesNothing("since the stream of its value fails or is too long", ({ database }) =>
    Effect.gen(function* () {
      const failing = Stream.concat(piecesOf(new Uint8Array(1000), [100]), Stream.fail("no"))
      assert.isTrue(Exit.isFailure(yield* Effect.exit(database.setStream("a", failing))))
      const tooLong = piecesOf(new Uint8Array(256 * 1024 + 1), [10_000])
      assert.strictEqual((yield* reasonOf(database.setStream("a", tooLong)))._tag, "Invalid")
    })
  )

  it("a commit of unknown outcome keeps its value: it may be found", () => {
    for (const syncModel of ["dropped", "reverted", "written"] as const) {
      const device = SimDisk.make()
      simulate(
        using(
          device,
          ({ database }) =>
            Effect.gen(function* () {
              yield* database.set("kept", value("kept"))
              device.addFault({ code: "EIO", syncModel, match: onLog("sync") })
              assert.strictEqual((yield* reasonOf(database.set("a", value("a"))))._tag, "CommitOutcomeUnknown")
            }),
          valueOptions
        )
      )
      for (const image of [visibleImage(device), crashOf(device, nothingKept), crashOf(device, allKept)]) {
        const found = soundState(image, syncModel)
        assert.strictEqual(found.kept, value("kept"))
        if ("a" in found) assert.strictEqual(found.a, value("a"))
      }
    }
  })
})

describe("the directory", () => {
  const closed = (): Image => {
    const device = SimDisk.make()
    simulate(using(device, (opened) => Effect.andThen(setAll(opened), opened.maintenance.flush), separatedOptions))
    return visibleImage(device)
  }

  it("foreign files (`._value-`, `.val` of other names) in it", () => {
    const foreign = ["._value-0000000000000001.val", "value-1.val", "value-0000000000000001.val.bak", "VALUE-1.VAL"]
    const bytes = new TextEncoder().encode("not yours")
    const beside = Object.fromEntries(foreign.map((name) => [`${directory}/${name}`, bytes]))
    const disk = MemoryDisk.fromImage(withFiles(closed(), beside))
    simulate(using(disk, (opened) => tidy(opened), separatedOptions))
    for (const name of foreign) assert.deepStrictEqual(disk.image().get(`${directory}/${name}`), bytes, name)
  })

  it("a value file that nobody names in it is removed at the next opening", () => {
    const image = closed()
    const [path] = pathsOf(image, "value")
    const orphans = [`${directory}/value-0000000000ffff01.val`, `${directory}/value-0000000000ffff02.val`]
    const beside = withFiles(image, { [orphans[0]!]: image.get(path!)!, [orphans[1]!]: new Uint8Array(0) })
    const disk = MemoryDisk.fromImage(beside)
    simulate(using(disk, () => Effect.void, separatedOptions))
    assert.deepStrictEqual(pathsOf(disk.image(), "value"), pathsOf(image, "value"))
  })

  it("a value file referenced that is empty, cut, gone or another one", () => {
    const image = closed()
    const values = pathsOf(image, "value")
    assert.isAbove(values.length, 1)
    const [path, other] = values as [string, string]
    const bytes = image.get(path)!
    const cut = [0, 91, 92, 150, bytes.length - 40, bytes.length - 1].map((length) => bytes.slice(0, length))
    for (const damaged of [...cut, undefined, image.get(other)!]) {
      const reason = refusalOf(withFiles(image, { [path]: damaged }), separatedOptions)
      assert.strictEqual(reason?._tag, "Corruption", `${damaged?.length} bytes`)
      assert.include(reason?.message, path.slice(directory.length + 1))
    }
  })

  it("a number of a value file used twice", () => {
    const device = SimDisk.make()
    for (let round = 0; round < 6; round++) {
      simulate(
        using(
          device,
          (opened) =>
            Effect.gen(function* () {
              yield* setAll(opened, round)
              yield* tidy(opened)
            }),
          round % 2 === 0 ? valueOptions : separatedOptions
        )
      )
    }
    const created = device.log.flatMap(({ code, operation, path }) =>
      operation === "create" && code === undefined && path.includes("/value-") ? [path] : []
    )
    assert.isAbove(created.length, 20)
    assert.strictEqual(new Set(created).size, created.length)
    assert.deepStrictEqual(contentsAfter(visibleImage(device), separatedOptions), stateAt(5))
  })

  it("a checkpoint without its value files", () => {
    const device = SimDisk.make()
    simulate(
      using(
        device,
        (opened) =>
          Effect.gen(function* () {
            yield* setAll(opened, 0, keys.slice(0, 6))
            yield* opened.maintenance.flush
            yield* setAll(opened, 0)
            yield* opened.maintenance.checkpoint("/copies/one")
            yield* setAll(opened, 1)
            yield* tidy(opened)
          }),
        valueOptions
      )
    )
    const copy = new Map([...crashOf(device, allKept)].filter(([path]) => path.startsWith("/copies")))
    const found = simulate(
      Effect.flatMap(
        open(MemoryDisk.fromImage(copy).layer, { ...valueOptions, create: false }, "/copies/one"),
        ({ database, maintenance }) =>
          Effect.gen(function* () {
            assert.deepStrictEqual((yield* maintenance.verify).damage, [])
            return (yield* contentsOf(database)).length === keys.length ? yield* stateOf(database) : {}
          })
      )
    )
    assert.deepStrictEqual(found, stateAt(0))
    assert.strictEqual(textOf(new TextEncoder().encode(found["key000"])), value("key000"))
  })
})
