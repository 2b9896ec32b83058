// Files that are not what was written: whatever is wrong with them is named, or it is harmless. Never a wrong value.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as MemoryDisk from "../src/layers/MemoryDisk.ts"
import * as SimDisk from "../src/layers/SimDisk.ts"
import type { Reason } from "../src/services/DatabaseError.ts"
import { type Opened, smallOptions } from "./support/opened.ts"
import {
  closedAfter,
  contentsAfter,
  flipped,
  type Image,
  numbered,
  pathsOf,
  reasonOf,
  refusalOf,
  simulate,
  textOf,
  using,
  withFiles
} from "./support/scenario.ts"

describe("damage", () => {
  const expected = Object.fromEntries(numbered(14).map((key) => [key, `${key}-value`]))
  // Some of it in a table, the rest in the log.
  const closed = () =>
    closedAfter(
      ({ database, maintenance }) =>
        Effect.gen(function* () {
          for (const [index, [key, value]] of Object.entries(expected).entries()) {
            if (index === 9) yield* maintenance.flush
            yield* database.set(key, value)
          }
        }),
      { ...smallOptions, flushOnCloseBytesMin: 1024 * 1024 }
    )
  const options = { ...smallOptions, readOnly: true }

  const judge = (image: Image, path: string, where: string): Reason | undefined => {
    const reason = refusalOf(image, options)
    if (reason === undefined) {
      assert.deepStrictEqual(contentsAfter(image, options), expected, where)
      return undefined
    }
    assert.include(["Corruption", "Unsupported"], reason._tag, `${where}: ${reason.message}`)
    assert.include(reason.message, path.slice(path.lastIndexOf("/") + 1), where)
    return reason
  }

  it("a flipped bit anywhere is named with its file, or harmless", () => {
    const image = closed()
    for (const [path, bytes] of image) {
      for (let offset = 0; offset < bytes.length; offset++) {
        judge(withFiles(image, { [path]: flipped(bytes, offset, 1 << (offset % 8)) }), path, `${path}:${offset}`)
      }
    }
  })

  it("a file of a closed database that is cut off or gone is named", () => {
    const image = closed()
    const log = pathsOf(image, "log").find((path) => image.get(path)!.length > 96)
    for (const path of [log!, ...pathsOf(image, "table"), ...pathsOf(image, "current")]) {
      const bytes = image.get(path)!
      for (let length = 0; length < bytes.length; length++) {
        const reason = judge(withFiles(image, { [path]: bytes.slice(0, length) }), path, `${path}, ${length} bytes`)
        assert.isDefined(reason, `${path}, ${length} bytes`)
      }
      if (path.includes("current-")) continue
      const gone = refusalOf(withFiles(image, { [path]: undefined }))
      assert.strictEqual(gone?._tag, "Corruption", path)
    }
  })

  it("damage in one table fails reads of its range, and the rest serves", () => {
    const groups = ["a", "m", "z"]
    const image = closedAfter(({ database, maintenance }) =>
      Effect.gen(function* () {
        for (const group of groups) {
          for (let index = 0; index < 5; index++) yield* database.set(`${group}${index}`, `${group}-value`)
          yield* maintenance.flush
        }
      })
    )
    const tables = pathsOf(image, "table")
    assert.lengthOf(tables, 3)
    const bytes = image.get(tables[1]!)!
    for (const [part, offset] of Object.entries({ header: 40, block: 100, footer: bytes.length - 10 })) {
      const damaged = withFiles(image, { [tables[1]!]: flipped(bytes, offset) })
      for (const device of [MemoryDisk.fromImage(damaged), SimDisk.make({ image: damaged })]) {
        const body = ({ database, maintenance }: Opened) =>
          Effect.gen(function* () {
            const refused = [
              yield* reasonOf(database.get("m1")),
              yield* reasonOf(Stream.runCollect(database.scan({ from: "a3", to: "z" }))),
              yield* reasonOf(database.count())
            ]
            for (const reason of refused) assert.deepInclude(reason, { _tag: "Corruption", file: tables[1] }, part)
            assert.strictEqual(textOf(yield* database.get("a1")), "a-value")
            assert.isUndefined(yield* database.get("n"))
            assert.strictEqual(yield* database.count({ prefix: "a" }), 5)
            assert.strictEqual(yield* database.count({ from: "z", reverse: true }), 5)
            assert.strictEqual(yield* database.count({ to: "m0" }), 5)
            // New writes shadow the damage.
            yield* database.set("m1", "new")
            assert.strictEqual(textOf(yield* database.get("m1")), "new")
            const { damage } = yield* maintenance.verify
            assert.strictEqual(damage[0]?.file, tables[1])
          })
        simulate(using(device, body))
      }
    }
  })

  it("a table with a bad checksum silently ignored at open", () => {
    const expected = Object.fromEntries(numbered(12).map((key) => [key, `${key}-value`]))
    const image = closedAfter(({ database, maintenance }) =>
      Effect.gen(function* () {
        for (const [key, value] of Object.entries(expected)) yield* database.set(key, value)
        yield* maintenance.flush
      })
    )
    const [table, ...others] = pathsOf(image, "table")
    assert.deepStrictEqual(others, [])
    const bytes = image.get(table!)!
    let noticed = 0
    for (let offset = 0; offset < bytes.length; offset++) {
      const damaged = withFiles(image, { [table!]: flipped(bytes, offset, 1 << (offset % 8)) })
      const reason = refusalOf(damaged)
      if (reason === undefined) {
        assert.deepStrictEqual(contentsAfter(damaged), expected, `byte ${offset}`)
        const { damage } = simulate(using(MemoryDisk.fromImage(damaged), ({ maintenance }) => maintenance.verify))
        assert.strictEqual(damage[0]?.file, table, `verify finds byte ${offset}`)
      } else {
        noticed += 1
        assert.include(["Corruption", "Unsupported"], reason._tag, `byte ${offset}: ${reason.message}`)
        assert.include(reason.message, table)
      }
    }
    assert.isAbove(noticed, bytes.length / 2)
  })
})
