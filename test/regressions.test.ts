// What a review with simulated faults broke, and must stay mended. Each script is the shortest that showed it, run for
// the seeds that did; waiting for ever and spinning are failures too.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import type { Durability } from "../src/services/Options.ts"
import {
  fill,
  forSeeds,
  keyAt,
  keysOf,
  onLog,
  outcomeOf,
  range,
  read,
  readingOptions,
  type Script,
  type SeedsOptions,
  start,
  startAndInterrupt,
  tableFilesOf,
  tableOfMany
} from "./support/regressionKit.ts"
import { textOf } from "./support/scenario.ts"

const regression = (name: string, script: Script, options?: SeedsOptions) => it(name, forSeeds(script, options))

describe("a commit that does not happen", () => {
  regression("that was withdrawn does not conflict with later transactions", ({ open }) =>
    Effect.gen(function* () {
      const { database } = yield* open()
      yield* database.set("k", "0")
      yield* startAndInterrupt(database.set("k", "1"))
      yield* Effect.sleep("1 second")
      assert.strictEqual(yield* read(database, "k"), "0")
      const rewrite = database.transaction((tx) => Effect.andThen(tx.get("k"), tx.set("k", "2")))
      assert.strictEqual(yield* outcomeOf(rewrite), "ok")
      assert.strictEqual(yield* read(database, "k"), "2")
    })
  )

  regression("for want of space does not conflict with later transactions", ({ device, open }) =>
    Effect.gen(function* () {
      const { database } = yield* open()
      yield* database.set("k", "0")
      device.addFault({ code: "ENOSPC", match: onLog("append") })
      assert.strictEqual(yield* outcomeOf(database.set("k", "1")), "DiskFull")
      yield* Effect.sleep("1 second")
      const rewrite = database.transaction((tx) => Effect.andThen(tx.get("k"), tx.set("k", "2")))
      assert.strictEqual(yield* outcomeOf(rewrite), "ok")
      assert.strictEqual(yield* read(database, "k"), "2")
    })
  )

  for (const idle of ["0 seconds", "1 second"] as const) {
    regression(
      `lets a transaction that waits for it go on when it is withdrawn, ${idle} after the last commit`,
      ({ open }) =>
        Effect.gen(function* () {
          const { database } = yield* open()
          yield* database.set("k", "0")
          yield* Effect.sleep(idle)
          let other: Fiber.Fiber<void, unknown> | undefined
          const rewrite = database.transaction((tx) =>
            Effect.gen(function* () {
              yield* tx.get("k")
              yield* tx.set("k", "2")
              other ??= yield* start(database.set("k", "1"))
            })
          )
          const transaction = yield* start(outcomeOf(rewrite))
          yield* Fiber.interrupt(other!)
          assert.strictEqual(yield* Fiber.join(transaction), "ok")
          assert.strictEqual(yield* read(database, "k"), "2")
        })
    )
  }

  regression("leaves its place in the queue to the next", ({ open }) =>
    Effect.gen(function* () {
      const { database } = yield* open({ commitsPendingMax: 1 })
      const first = yield* start(database.set("k", "1"))
      const second = yield* start(outcomeOf(database.set("k", "2")))
      yield* Fiber.interrupt(first)
      assert.strictEqual(yield* Fiber.join(second), "ok")
      assert.strictEqual(yield* read(database, "k"), "2")
    })
  )

  regression(
    "since an os commit is interrupted before its group is written, does not stop the log",
    ({ open }) =>
      Effect.gen(function* () {
        const { database } = yield* open()
        for (const value of ["1", "2", "3"]) yield* startAndInterrupt(database.set("k", value, { durability: "os" }))
        yield* Effect.sleep("1 second")
        assert.strictEqual(yield* outcomeOf(database.set("z", "1")), "ok")
      }),
    { seeds: range(1, 60), yieldProbability: 0.1 }
  )

  regression("for a durability that does not exist is Invalid, not less durable", ({ open }) =>
    Effect.gen(function* () {
      const { database } = yield* open()
      const durability = "Disk" as Durability
      assert.strictEqual(yield* outcomeOf(database.set("k", "1", { durability })), "Invalid")
      assert.isUndefined(yield* read(database, "k"))
    })
  )
})

describe("a full disk", () => {
  regression("at a change of segments refuses writes, and takes them again when there is space", ({ device, open }) =>
    Effect.gen(function* () {
      const { database, maintenance } = yield* open()
      yield* database.set("k", "0")
      fill(device)
      const flush = yield* start(outcomeOf(maintenance.flush))
      yield* Effect.sleep("500 millis")
      assert.strictEqual(yield* outcomeOf(database.set("a", "b")), "DiskFull")
      assert.strictEqual(yield* Fiber.join(flush), "DiskFull")
      device.clearFaults()
      yield* Effect.sleep("1 second")
      assert.strictEqual(yield* outcomeOf(database.set("k", "1")), "ok")
      assert.strictEqual(yield* outcomeOf(database.sync), "ok")
      assert.strictEqual(yield* outcomeOf(database.set("k", "2", { durability: "os" })), "ok")
      assert.strictEqual(yield* outcomeOf(database.set("k", "3")), "ok")
    })
  )

  for (const clears of [false, true]) {
    regression(
      `does not keep the database from closing, ${clears ? "if there is space soon" : "if it stays full"}`,
      ({ device, open, openClosable }) =>
        Effect.gen(function* () {
          const { close, database } = yield* openClosable({ flushOnCloseBytesMin: 0 })
          yield* database.set("k", "0")
          fill(device)
          const closing = yield* start(outcomeOf(close))
          yield* Effect.sleep("1 second")
          if (clears) device.clearFaults()
          assert.strictEqual(yield* Fiber.join(closing), "ok")
          device.clearFaults()
          assert.deepStrictEqual(device.openHandles(), [])
          assert.strictEqual(yield* read((yield* open()).database, "k"), "0")
        })
    )
  }

  regression("under the manifest alone leaves at most one table that is not published", ({ device, open }) =>
    Effect.gen(function* () {
      const { database, maintenance } = yield* open()
      yield* database.set("a", "1")
      device.addFault({
        code: "ENOSPC",
        sticky: true,
        match: (operation, path) => (operation === "append" || operation === "create") && /manifest|current/.test(path)
      })
      assert.strictEqual(yield* outcomeOf(maintenance.flush), "DiskFull")
      yield* Effect.sleep("30 seconds")
      assert.isAtMost(tableFilesOf(device).length, 1)
      device.clearFaults()
      yield* Effect.sleep("3 seconds")
      assert.strictEqual(yield* outcomeOf(maintenance.flush), "ok")
      assert.strictEqual(tableFilesOf(device).length, 1)
      assert.strictEqual(yield* read(database, "a"), "1")
      assert.deepStrictEqual((yield* maintenance.verify).damage, [])
    })
  )
})

describe("a log that is poisoned", () => {
  regression("by the sync at a change of segments fails the flush", ({ device, open }) =>
    Effect.gen(function* () {
      const { database, maintenance } = yield* open()
      yield* database.set("k", "0")
      device.addFault({ code: "EIO", match: onLog("sync") })
      assert.strictEqual(yield* outcomeOf(maintenance.flush), "Poisoned")
    })
  )

  regression("during a flush refuses writes at once, and does not spin", ({ device, open }) =>
    Effect.gen(function* () {
      const { database, maintenance } = yield* open()
      yield* database.set("k", "0")
      device.addFault({ code: "EIO", match: onLog("sync") })
      yield* start(outcomeOf(maintenance.flush))
      yield* Effect.sleep("1 second")
      assert.strictEqual(yield* outcomeOf(database.set("k", "1")), "Poisoned")
      assert.strictEqual(yield* read(database, "k"), "0")
    })
  )

  regression("by a commit refuses a flush, and does not spin", ({ device, open }) =>
    Effect.gen(function* () {
      const { database, maintenance } = yield* open()
      yield* database.set("k", "0")
      device.addFault({ code: "EIO", match: onLog("sync") })
      assert.strictEqual(yield* outcomeOf(database.set("k", "1")), "CommitOutcomeUnknown")
      assert.strictEqual(yield* outcomeOf(maintenance.flush), "Poisoned")
      yield* Effect.sleep("1 second")
    })
  )
})

describe("a close", () => {
  regression("ends a flush that is under way", ({ openClosable }) =>
    Effect.gen(function* () {
      const { close, database, maintenance } = yield* openClosable()
      yield* database.set("k", "0")
      const flush = yield* start(outcomeOf(maintenance.flush))
      assert.strictEqual(yield* outcomeOf(close), "ok")
      assert.include(["ok", "Closed"], yield* Fiber.join(flush))
    })
  )

  regression(
    "while an append is in flight leaves a log that opens, with a prefix of the commits, and answers the one in flight",
    ({ device, open, seed }) =>
      Effect.gen(function* () {
        const inFlight = yield* Effect.scoped(
          Effect.gen(function* () {
            const { database } = yield* open()
            yield* database.set("a", "1")
            const bytesAccepted = seed % 2 === 0 ? 7 : 0
            device.addFault({ code: "ENOSPC", sticky: true, bytesAccepted, match: onLog("append") })
            for (const key of ["b0", "b1", "b2", "b3", "b4"]) yield* database.set(key, "1", { durability: "buffered" })
            // About when the refused append is tried again.
            yield* Effect.sleep(95 + (seed % 40))
            const last = yield* start(outcomeOf(database.set("c", "1")))
            if (seed % 3 === 0) yield* Effect.yieldNow
            if (seed % 5 < 3) device.clearFaults()
            return last
          })
        )
        device.clearFaults()
        const ended = inFlight.pollUnsafe()
        const outcome = ended?._tag === "Success" ? ended.value : ended === undefined ? "waits" : "interrupted"
        assert.include(["ok", "DiskFull", "Closed"], outcome)
        const found = yield* keysOf((yield* open()).database)
        assert.deepStrictEqual(found, ["a", "b0", "b1", "b2", "b3", "b4", "c"].slice(0, found.length))
        assert.include(found, "a", "was durable before the disk was full")
        assert.strictEqual(found.includes("c"), outcome === "ok")
      }),
    { seeds: [...range(1, 57), 174, 241, 360], yieldProbability: 0.05 }
  )

  regression(
    "tries a buffered commit once more that a full disk refused before",
    ({ device, open, openClosable, seed }) =>
      Effect.gen(function* () {
        const { close, database } = yield* openClosable()
        yield* database.set("a", "1")
        device.addFault({ code: "ENOSPC", sticky: true, match: onLog("append") })
        yield* database.set("b", "1", { durability: "buffered" })
        yield* Effect.sleep("60 millis")
        // There is space again before the next try by the clock.
        device.clearFaults()
        yield* Effect.sleep(49 + (seed % 4))
        for (let turn = 0; turn < seed % 7; turn += 1) yield* Effect.yieldNow
        yield* close
        assert.deepStrictEqual(yield* keysOf((yield* open()).database), ["a", "b"])
      }),
    { seeds: range(1, 40), yieldProbability: 0.05 }
  )
})

describe("a cursor", () => {
  regression("beside a scan has a range of its own: what either read conflicts", ({ open }) =>
    Effect.gen(function* () {
      const { database } = yield* open({ arenaBytes: 4 * 1024 * 1024, valueBytesMax: 1024 * 1024 })
      // More than a chunk of the scan each.
      const value = new Uint8Array(300 * 1024)
      for (const key of ["a", "b", "c", "d"]) yield* database.set(key, value)
      const transaction = yield* database.begin()
      const cursor = yield* transaction.cursor()
      yield* Stream.runForEach(Stream.take(transaction.scan(), 2), ({ key }) =>
        Effect.gen(function* () {
          if (textOf(key) !== "a") return
          yield* cursor.seek("a")
          for (const expected of ["b", "c", "d"]) {
            yield* cursor.next
            assert.strictEqual(keyAt(cursor), expected)
          }
        })
      )
      yield* database.set("cc", "between what the cursor read")
      yield* transaction.set("result", "1")
      assert.strictEqual(yield* outcomeOf(transaction.commit), "Conflict")
    })
  )

  regression(
    "whose move failed skips nothing when it is tried again",
    ({ device, open }) =>
      Effect.gen(function* () {
        const opened = yield* open(readingOptions)
        const keys = yield* tableOfMany(opened)
        for (const failing of range(1, 12)) {
          const cursor = yield* opened.database.cursor()
          let reads = 0
          device.addFault({ code: "EIO", match: (operation) => operation === "read" && ++reads === failing })
          const seen: Array<string | undefined> = []
          const outcomes: Array<string> = []
          while (seen.at(-1) !== keys.at(-1)) {
            const outcome = yield* outcomeOf(cursor.next)
            if (outcome === "ok") seen.push(keyAt(cursor))
            else outcomes.push(outcome)
          }
          assert.deepStrictEqual(outcomes, ["Io"], `read ${failing} fails`)
          assert.deepStrictEqual<ReadonlyArray<unknown>>(seen, keys, `read ${failing} fails`)
        }
      }),
    { seeds: range(1, 2) }
  )

  for (const reverse of [false, true]) {
    regression(
      `whose move was interrupted skips nothing when it is tried again${reverse ? ", downwards" : ""}`,
      ({ open, seed }) =>
        Effect.gen(function* () {
          const opened = yield* open(readingOptions)
          const keys = yield* tableOfMany(opened)
          const cursor = yield* opened.database.cursor({ reverse })
          const seen: Array<string | undefined> = []
          // Two of three moves are interrupted where they wait for the disk, if they do.
          for (let turn = seed; seen.length < keys.length; turn += 1) {
            if (turn % 3 === 0) assert.isTrue(yield* cursor.next)
            else if ((yield* startAndInterrupt(cursor.next)) === undefined) continue
            seen.push(keyAt(cursor))
          }
          assert.deepStrictEqual<ReadonlyArray<unknown>>(seen, reverse ? [...keys].reverse() : keys)
        })
    )
  }

  regression("that did not find a key goes on with the one after it", ({ open }) =>
    Effect.gen(function* () {
      const { database } = yield* open()
      for (const key of ["a", "c", "e"]) yield* database.set(key, key)
      const cursor = yield* database.cursor()
      assert.isFalse(yield* cursor.seekExact("b"))
      assert.isTrue(yield* cursor.next)
      assert.strictEqual(keyAt(cursor), "c")
    })
  )

  regression("whose seek failed stays where it was, and what it read conflicts", ({ device, open }) =>
    Effect.gen(function* () {
      const { database, maintenance } = yield* open(readingOptions)
      for (const key of ["b", "d", "x", "y", "z"]) yield* database.set(key, "v".repeat(60))
      yield* maintenance.flush
      const transaction = yield* database.begin()
      const cursor = yield* transaction.cursor()
      yield* cursor.seek("b")
      device.addFault({ code: "EIO", match: (operation) => operation === "read" })
      assert.strictEqual(yield* outcomeOf(cursor.seek("x")), "Io")
      yield* cursor.next
      assert.strictEqual(keyAt(cursor), "d")
      yield* database.set("c", "between what the cursor read")
      yield* transaction.set("result", "1")
      assert.strictEqual(yield* outcomeOf(transaction.commit), "Conflict")
    })
  )
})

describe("a database opened to read only", () => {
  regression("verifies the log too, and refuses to flush it", ({ open, openClosable }) =>
    Effect.gen(function* () {
      const writer = yield* openClosable()
      yield* writer.database.set("a", "1")
      yield* writer.close
      const { maintenance } = yield* open({ readOnly: true })
      const { bytes, damage, files } = yield* maintenance.verify
      assert.strictEqual(files, 2, "the manifest and a segment")
      assert.isAbove(bytes, 0)
      assert.deepStrictEqual(damage, [])
      assert.strictEqual(yield* outcomeOf(maintenance.flush), "ReadOnly")
    })
  )
})
