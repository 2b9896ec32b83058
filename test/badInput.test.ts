// What users do wrong: each is a typed error with a word about the remedy, and changes nothing.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import { crc32 } from "node:zlib"
import * as MemoryDisk from "../src/layers/MemoryDisk.ts"
import * as SimDisk from "../src/layers/SimDisk.ts"
import type { Bounds, Operation, Range } from "../src/services/Database.ts"
import type { DatabaseError, Reason } from "../src/services/DatabaseError.ts"
import * as Options from "../src/services/Options.ts"
import { directory, open, smallOptions, visibleImage } from "./support/opened.ts"
import {
  contentsAfter,
  type Image,
  pathsOf,
  reasonOf,
  simulate,
  stateOf,
  using,
  withFiles
} from "./support/scenario.ts"

/** Opening these files fails so, and leaves them as they are. */
const refused = (image: Image, options: Options.OptionsInput = smallOptions): Reason => {
  const disk = MemoryDisk.fromImage(image)
  const reason = simulate(reasonOf(using(disk, () => Effect.void, options)))
  assert.deepStrictEqual(disk.image(), new Map(image), "a refused opening touches nothing")
  return reason
}

const assertReason = (reason: Reason, tag: Reason["_tag"], ...words: ReadonlyArray<string>): void => {
  assert.strictEqual(reason._tag, tag, reason.message)
  for (const word of words) assert.include(reason.message, word)
}

const imageOf = (...keys: ReadonlyArray<string>): Image => {
  const device = SimDisk.make()
  simulate(using(device, ({ database }) => Effect.forEach(keys, (key) => database.set(key, "1"), { discard: true })))
  return visibleImage(device)
}

describe("arguments", () => {
  const large = new Uint8Array(2000)
  const manyKeys = Array.from({ length: 50 }, (_, index) => `k${index}`)
  const set = (key: string | Uint8Array, value: string | Uint8Array = "1"): Operation => ({ type: "set", key, value })
  const writes: ReadonlyArray<readonly [name: string, operations: ReadonlyArray<Operation>, word: string]> = [
    ["an empty key", [set("")], "1 to 65,535"],
    ["an empty key that is bytes", [set(new Uint8Array(0))], "1 to 65,535"],
    ["a key over 65,535 bytes", [set(new Uint8Array(65_536))], "65,535"],
    ["a key over 65,535 bytes as UTF-8", [set("ä".repeat(32_768))], "65,535"],
    ["a key with a lone surrogate", [set("a\ud800")], "surrogate"],
    ["a value over the limit", [set("a", large)], "valueBytesMax"],
    ["a value with a lone surrogate", [set("a", "\udfff")], "surrogate"],
    ["a commit over the limit", manyKeys.map((key) => set(key, new Uint8Array(50))), "arenaBytes"],
    ["a good operation beside a bad one", [set("a"), set("")], "1 to 65,535"],
    ["an operation of no type", [{ type: "put", key: "a", value: "1" } as unknown as Operation], "put"],
    ["a key that is no bytes", [{ type: "remove", key: 7 as unknown as string }], "Uint8Array"],
    ["both kinds of expiry", [{ ...set("a"), ttlMillis: 1, expiresAt: 2 } as Operation], "not both"],
    ["a ttl of 0", [{ ...set("a"), ttlMillis: 0 } as Operation], "above 0"],
    ["a ttl that is no whole number", [{ ...set("a"), ttlMillis: 1.5 } as Operation], "whole numbers"],
    ["a ttl that is no number", [{ ...set("a"), ttlMillis: Number.NaN } as Operation], "whole numbers"],
    ["an expiry before time", [{ ...set("a"), expiresAt: -5 } as Operation], "above 0"],
    ["user meta over a byte", [{ ...set("a"), userMeta: 256 } as Operation], "255"]
  ]
  for (const [name, operations, word] of writes) {
    it(`${name} is Invalid and writes nothing`, () => {
      const state = simulate(
        using(SimDisk.make(), ({ database }) =>
          Effect.gen(function* () {
            yield* database.set("kept", "1")
            assertReason(yield* reasonOf(database.write(operations)), "Invalid", word)
            assertReason(yield* reasonOf(database.write(operations, { durability: "buffered" })), "Invalid", word)
            return yield* stateOf(database)
          })
        )
      )
      assert.deepStrictEqual(state, { kept: "1" })
    })
  }

  it("a transaction over its limit is Invalid, and the rest of it can be committed", () => {
    simulate(
      using(
        SimDisk.make(),
        ({ database }) =>
          Effect.gen(function* () {
            const transaction = yield* database.begin()
            yield* transaction.set("a", "1")
            const fill = Effect.forEach(
              Array.from({ length: 10 }, (_, index) => `b${index}`),
              (key) => transaction.set(key, new Uint8Array(900))
            )
            const outcome = yield* reasonOf(Effect.andThen(fill, transaction.commit))
            assertReason(outcome, "Invalid")
            assert.deepStrictEqual(yield* stateOf(database), {})
            yield* database.set("a", "2")
          }),
        { ...smallOptions, transactionBytesMax: 2048 }
      )
    )
  })

  const ranges: ReadonlyArray<readonly [name: string, range: Range, word: string]> = [
    ["an inverted range", { from: "b", to: "a" }, "inverted"],
    ["an inverted range in reverse", { from: "b", to: "a", reverse: true }, "inverted"],
    ["a negative limit", { limit: -1 }, "limit"],
    ["a limit that is no whole number", { limit: 1.5 }, "limit"],
    ["an end over the longest key", { to: new Uint8Array(65_536) }, "65,535"],
    ["a prefix with a lone surrogate", { prefix: "\ud800" }, "surrogate"]
  ]
  for (const [name, range, word] of ranges) {
    it(`${name} is Invalid, however it is read`, () => {
      simulate(
        using(SimDisk.make(), ({ database }) =>
          Effect.gen(function* () {
            assertReason(yield* reasonOf(Stream.runCollect(database.scan(range))), "Invalid", word)
            assertReason(yield* reasonOf(Stream.runCollect(database.keys(range))), "Invalid", word)
            assertReason(yield* reasonOf(database.count(range)), "Invalid", word)
            assertReason(yield* reasonOf(database.removeRange(range)), "Invalid")
            assertReason(yield* reasonOf(database.cursor(range)), "Invalid", word)
          })
        )
      )
    })
  }

  const bounds: ReadonlyArray<readonly [name: string, bounds: unknown, word: string]> = [
    ["what only narrows a read", { prefix: "a", limit: 5 }, "limit"],
    ["a suffix", { suffix: "a" }, "suffix"],
    ["a misspelt bound", { form: "a" }, "form"],
    ["a prefix alone", "a", "{ prefix }"],
    ["bytes alone", new Uint8Array(1), "{ prefix }"],
    ["nothing", undefined, "{ prefix }"]
  ]
  for (const [name, given, word] of bounds) {
    it(`${name} as the bounds of a removal is Invalid and removes nothing`, () => {
      const state = simulate(
        using(SimDisk.make(), ({ database }) =>
          Effect.gen(function* () {
            yield* database.set("a", "1")
            assertReason(yield* reasonOf(database.removeRange(given as Bounds)), "Invalid", word)
            const transaction = yield* database.begin()
            assertReason(yield* reasonOf(transaction.removeRange(given as Bounds)), "Invalid", word)
            yield* transaction.commit
            return yield* stateOf(database)
          })
        )
      )
      assert.deepStrictEqual(state, { a: "1" })
    })
  }

  it("an unknown option, or one outside its limits, is Invalid and names it", () => {
    assertReason(refused(new Map(), { arenaByte: 1 } as Options.OptionsInput), "Invalid", "arenaByte", "arenaBytes")
    assertReason(refused(new Map(), { arenaBytes: 1 }), "Invalid", "arenaBytes")
    assertReason(refused(new Map(), { durability: "maybe" as "disk" }), "Invalid", "durability")
    const both = { arenaBytes: 1, synchronousReads: "yes" as unknown as boolean }
    assertReason(refused(new Map(), both), "Invalid", "arenaBytes", "synchronousReads")
  })

  it("the defaults, which are not checked when they are not given, are within the limits", () => {
    assert.deepStrictEqual(Effect.runSync(Options.make(Options.defaults)), Options.defaults)
  })
})

describe("directories", () => {
  const bytes = (text: string) => new TextEncoder().encode(text)

  it("a directory that is a file", () => {
    assertReason(refused(new Map([[directory, bytes("a file")]])), "Invalid", "is a file")
    assertReason(refused(new Map([[directory, bytes("a file")]]), { readOnly: true }), "Invalid", "is a file")
  })

  it("one that holds foreign files, and none of ours", () => {
    const image = new Map([[`${directory}/thesis.txt`, bytes("four years")]])
    assertReason(refused(image), "Invalid", "thesis.txt", "empty directory")
  })

  it("one without a database, when none may be created", () => {
    assertReason(refused(new Map(), { create: false }), "Invalid", "create: true")
    assertReason(refused(new Map(), { readOnly: true }), "Invalid", "no database")
  })

  for (const operation of ["makeDirectory", "create", "lock"] as const) {
    it(`one that may not be written to (${operation})`, () => {
      const device = SimDisk.make()
      device.addFault({ code: "EACCES", sticky: true, match: (called) => called === operation })
      const reason = simulate(reasonOf(using(device, () => Effect.void)))
      assertReason(reason, "Io", "EACCES")
      assert.deepStrictEqual(device.openHandles(), [])
      device.clearFaults()
      assert.deepStrictEqual(simulate(using(device, ({ database }) => stateOf(database))), {})
    })
  }

  it("one that may only be read can be opened to be read", () => {
    const device = SimDisk.make({ image: imageOf("a") })
    const writing = new Set(["makeDirectory", "create", "lock", "remove", "linkNew", "append"])
    device.addFault({ code: "EROFS", sticky: true, match: (called) => writing.has(called) })
    assertReason(simulate(reasonOf(using(device, () => Effect.void))), "Io", "EROFS")
    const state = simulate(
      using(
        device,
        ({ database, maintenance }) =>
          Effect.gen(function* () {
            assertReason(yield* reasonOf(database.set("b", "1")), "ReadOnly")
            assertReason(yield* reasonOf(database.removeRange({ prefix: "b" })), "ReadOnly")
            assertReason(yield* reasonOf(maintenance.flush), "ReadOnly")
            const transaction = yield* database.begin()
            assertReason(yield* reasonOf(transaction.set("b", "1")), "ReadOnly")
            assertReason(yield* reasonOf(transaction.removeRange({ to: "b" })), "ReadOnly")
            assert.deepStrictEqual((yield* maintenance.verify).damage, [])
            return yield* stateOf(database)
          }),
        { ...smallOptions, readOnly: true }
      )
    )
    assert.deepStrictEqual(state, { a: "1" })
  })

  it("files of a newer format version", () => {
    const image = imageOf("a", "b")
    for (const kind of ["current", "manifest"]) {
      const path = pathsOf(image, kind).at(-1)!
      const newer = image.get(path)!.slice()
      newer[8] = 1
      new DataView(newer.buffer).setUint32(92, crc32(newer.subarray(0, 92)), true)
      assertReason(refused(withFiles(image, { [path]: newer })), "Unsupported", "newer")
    }
  })

  it("one that is open elsewhere", () => {
    const device = SimDisk.make()
    simulate(
      using(device, ({ database }) =>
        Effect.gen(function* () {
          yield* database.set("a", "1")
          for (const readOnly of [false, true]) {
            const reason = yield* reasonOf(Effect.scoped(open(device.layer, { ...smallOptions, readOnly })))
            assertReason(reason, "Locked", directory)
            assert.isTrue(reason.isRetryable)
          }
          yield* database.set("b", "1")
        })
      )
    )
    assert.deepStrictEqual(simulate(using(device, ({ database }) => stateOf(database))), { a: "1", b: "1" })
  })
})

describe("use after the end", () => {
  const closed = <A>(effect: Effect.Effect<A, DatabaseError, Scope.Scope>) =>
    Effect.map(reasonOf(Effect.scoped(effect)), (reason) => assertReason(reason, "Closed"))

  it("a database, snapshot, transaction or cursor is Closed after its scope", () => {
    simulate(
      Effect.gen(function* () {
        const device = SimDisk.make()
        const outer = yield* Scope.make()
        const { database, maintenance } = yield* Scope.provide(open(device.layer, smallOptions), outer)
        for (const key of ["a", "b", "c"]) yield* database.set(key, "1")
        const inner = yield* Scope.make()
        const snapshot = yield* Scope.provide(database.snapshot, inner)
        const transaction = yield* Scope.provide(database.begin(), inner)
        const cursor = yield* Scope.provide(database.cursor(), inner)
        assert.isTrue(yield* cursor.next)
        yield* transaction.set("d", "1")
        yield* Scope.close(inner, Exit.void)
        for (const reader of [snapshot, transaction]) {
          yield* closed(reader.get("a"))
          yield* closed(reader.getMany(["a"]))
          yield* closed(reader.has("a"))
          yield* closed(Stream.runCollect(reader.scan()))
          yield* closed(reader.count())
          yield* closed(reader.cursor())
          assert.throws(() => reader.getUnsafe("a"), /Closed/)
        }
        yield* closed(transaction.set("a", "2"))
        yield* closed(transaction.remove("a"))
        yield* closed(transaction.commit)
        yield* closed(cursor.next)
        yield* closed(cursor.previous)
        yield* closed(cursor.seek("a"))
        yield* transaction.discard
        assert.deepStrictEqual(yield* stateOf(database), { a: "1", b: "1", c: "1" })
        yield* Scope.close(outer, Exit.void)
        yield* closed(database.get("a"))
        yield* closed(database.set("a", "2"))
        yield* closed(database.write([]))
        yield* closed(database.remove("a"))
        yield* closed(database.sync)
        yield* closed(database.snapshot)
        yield* closed(database.begin())
        yield* closed(database.cursor())
        yield* closed(database.count())
        yield* closed(Stream.runCollect(database.scan()))
        yield* closed(database.transaction(() => Effect.void))
        yield* closed(maintenance.flush)
        yield* closed(maintenance.verify)
        assert.throws(() => database.getUnsafe("a"), /Closed/)
        assert.deepStrictEqual(device.openHandles(), [])
        return device
      })
    )
  })

  for (const seed of Array.from({ length: 20 }, (_, index) => index + 1)) {
    it(`closing with work in flight loses nothing and hangs nowhere (seed ${seed})`, () => {
      const device = SimDisk.make()
      const acknowledged = new Set<string>()
      const reasons = new Set<string>()
      const program = Effect.gen(function* () {
        const scope = yield* Scope.make()
        const { database, maintenance } = yield* Scope.provide(open(device.layer, smallOptions), scope)
        const note = (name: string, effect: Effect.Effect<unknown, DatabaseError>) =>
          Effect.match(effect, {
            onFailure: ({ reason }) => void reasons.add(reason._tag),
            onSuccess: () => void acknowledged.add(name)
          })
        const writers = Array.from({ length: 40 }, (_, index) => {
          const name = `key${index}`
          const durability = (["disk", "os", "buffered"] as const)[index % 3]!
          return note(name, database.set(name, "v".repeat(100), { durability }))
        })
        const readers = [
          note("scan", Stream.runDrain(database.scan())),
          note("flush", maintenance.flush),
          note("verify", maintenance.verify),
          note("sync", database.sync),
          note(
            "transaction",
            database.transaction((tx) => Effect.andThen(tx.get("key1"), tx.set("tx", "1")))
          )
        ]
        const fibers = yield* Effect.forEach([...writers, ...readers], (one) => Effect.forkChild(one))
        for (let turn = 0; turn < seed * 3; turn++) yield* Effect.yieldNow
        yield* Scope.close(scope, Exit.void)
        yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber))
      })
      simulate(program, { seed })
      for (const reason of reasons) assert.include(["Closed", "Conflict"], reason)
      assert.deepStrictEqual(device.openHandles(), [])
      const found = new Set(Object.keys(contentsAfter(visibleImage(device))))
      for (const name of acknowledged) if (name.startsWith("key")) assert.isTrue(found.has(name), `${name} is lost`)
      if (acknowledged.has("transaction")) assert.isTrue(found.has("tx"))
    })
  }

  it("a layer that fails to build leaves nothing open", () => {
    const device = SimDisk.make({ image: withFiles(imageOf("a"), {}) })
    for (const at of [2, 4, 6, 8, 10, 12, 14]) {
      const from = device.log.length
      device.addFault({ code: "EIO", at: from + at })
      simulate(Effect.exit(Effect.scoped(Layer.build(Layer.effectDiscard(open(device.layer, smallOptions))))))
      device.clearFaults()
      assert.deepStrictEqual(device.openHandles(), [])
    }
  })
})
