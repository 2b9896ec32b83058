// Value files that are not what was written: a value whose bytes are not its own is never given out, what is wrong is
// named with its file and place, and the other values are read as before.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as MemoryDisk from "../src/layers/MemoryDisk.ts"
import { DatabaseError } from "../src/services/DatabaseError.ts"
import type { OptionsInput } from "../src/services/Options.ts"
import {
  closedAfter,
  flipped,
  type Image,
  numbered,
  pathsOf,
  simulate,
  textOf,
  using,
  withFiles
} from "./support/scenario.ts"
import { longValue, separatedOptions, streamed, valueOptions } from "./support/valueKit.ts"

const keys = numbered(9)
const value = (key: string): string => longValue(key, 30 + 10 * (Number(key.slice(-1)) % 5))

/** Two values of a file each, and two files of several. The last keys are in the log only, or a commit's own file. */
const closedWith = (options: OptionsInput): Image =>
  closedAfter(
    ({ database, maintenance }) =>
      Effect.gen(function* () {
        for (const [index, key] of keys.entries()) {
          if (index === 4 || index === 7) yield* maintenance.flush
          yield* database.set(key, value(key))
        }
      }),
    { ...options, flushOnCloseBytesMin: 1024 * 1024 }
  )

const modes = [
  ["separated", separatedOptions],
  ["direct", { ...valueOptions, directValueBytesMin: 40 }]
] as const

/** What became of reading each key: nothing, or what was said. */
interface Read {
  readonly key: string
  readonly value: string | undefined
  readonly error: DatabaseError | undefined
}

const readEach = (image: Image, options: OptionsInput) =>
  simulate(
    using(
      MemoryDisk.fromImage(image),
      ({ database, maintenance }) =>
        Effect.gen(function* () {
          const reads: Array<Read> = []
          for (const key of keys) {
            const [got, inPieces] = [
              yield* Effect.result(database.get(key)),
              yield* Effect.result(streamed(database, key))
            ]
            assert.strictEqual(got._tag, inPieces._tag, `${key}: get and getStream do not agree`)
            if (inPieces._tag === "Success") assert.strictEqual(textOf(inPieces.success), value(key), key)
            reads.push({
              key,
              value: got._tag === "Success" ? textOf(got.success) : undefined,
              error: got._tag === "Failure" ? got.failure : undefined
            })
          }
          assert.strictEqual(yield* database.count(), keys.length, "what reads no value needs no value file")
          assert.strictEqual(yield* Stream.runCount(database.keys()), keys.length)
          const scan = yield* Effect.result(Stream.runCollect(database.scan()))
          assert.strictEqual(
            scan._tag === "Failure",
            reads.some(({ error }) => error !== undefined),
            "a scan"
          )
          const lazy = yield* Stream.runCount(database.scanLazy())
          assert.strictEqual(lazy, keys.length)
          return { reads, damage: (yield* maintenance.verify).damage }
        }),
      { ...options, readOnly: true }
    )
  )

/** Fails unless each value is right, or its file is blamed at a place. Returns the keys that were not read. */
const judge = (reads: ReadonlyArray<Read>, damaged: { readonly path: string; readonly bytes: number }, where: string) =>
  reads.flatMap(({ error, key, value: found }) => {
    if (error === undefined) {
      assert.strictEqual(found, value(key), `${where}: ${key}`)
      return []
    }
    const { reason } = error
    assert.strictEqual(reason._tag, "Corruption", `${where}: ${key}: ${reason.message}`)
    if (reason._tag !== "Corruption") return [key]
    assert.strictEqual(reason.file, damaged.path, where)
    assert.isTrue(reason.offset >= 0 && reason.offset <= damaged.bytes, `${where}: offset ${reason.offset}`)
    return [key]
  })

/** The same, or why the database does not open: `undefined` unless it is for that file, and at a place in it. */
const readOrRefusal = (image: Image, options: OptionsInput, path: string) => {
  try {
    return readEach(image, options)
  } catch (error) {
    if (!(error instanceof DatabaseError) || error.reason._tag !== "Corruption") throw error
    assert.strictEqual(error.reason.file, path)
    return undefined
  }
}

/** Whether no table names it yet: a recovery has to open it, and is refused if it cannot. */
const isOfLog = (image: Image, path: string): boolean => {
  const numberOf = (name: string) => name.slice(-20, -4)
  return pathsOf(image, "table").every((table) => numberOf(table) < numberOf(path))
}

describe("a flipped bit in a value file", () => {
  for (const [mode, options] of modes) {
    it(`is found when its value is read, with file and place, and other values are read (${mode})`, () => {
      const image = closedWith(options)
      const values = pathsOf(image, "value")
      assert.isAbove(values.length, 1)
      for (const path of values) {
        const bytes = image.get(path)!
        const lost = new Map<string, number>()
        let noticed = 0
        for (let offset = 0; offset < bytes.length; offset++) {
          const damaged = withFiles(image, { [path]: flipped(bytes, offset, 1 << (offset % 8)) })
          const found = readOrRefusal(damaged, options, path)
          if (found === undefined) {
            assert.isTrue(isOfLog(image, path), `${path}:${offset} keeps the database from opening`)
            continue
          }
          const { damage, reads } = found
          const failed = judge(reads, { path, bytes: bytes.length }, `${path}:${offset}`)
          if (failed.length > 0) noticed += 1
          if (failed.length === 1) lost.set(failed[0]!, (lost.get(failed[0]!) ?? 0) + 1)
          assert.strictEqual(damage[0]?.file, path, `verify finds ${path}:${offset}`)
        }
        // Each byte of a value is such a bit's place, and costs no other value.
        const inFile = [...lost.keys()]
        for (const key of inFile) assert.isAtLeast(lost.get(key)!, value(key).length, `${path}: ${key}`)
        assert.isAtLeast(
          noticed,
          inFile.reduce((sum, key) => sum + value(key).length, 0)
        )
        assert.isNotEmpty(inFile, path)
      }
    }, 300_000)
  }

  it("in a file of several values costs one of them", () => {
    const image = closedWith(separatedOptions)
    const [path] = pathsOf(image, "value")
    const bytes = image.get(path!)!
    const { reads } = readEach(withFiles(image, { [path!]: flipped(bytes, 120) }), separatedOptions)
    assert.lengthOf(judge(reads, { path: path!, bytes: bytes.length }, "in the first value"), 1)
  })
})

describe("a value file", () => {
  for (const [mode, options] of modes) {
    it(`that is cut is found at the opening (${mode})`, () => {
      const image = closedWith(options)
      const [path] = pathsOf(image, "value")
      const bytes = image.get(path!)!
      for (let length = 0; length < bytes.length; length += length < bytes.length - 60 ? 7 : 1) {
        const cut = withFiles(image, { [path!]: bytes.slice(0, length) })
        assert.isUndefined(readOrRefusal(cut, options, path!), `${length} bytes`)
      }
    })

    it(`of which a part was overwritten with another part is found (${mode})`, () => {
      const image = closedWith(options)
      for (const path of pathsOf(image, "value")) {
        const bytes = image.get(path)!
        for (let offset = 92; offset + 64 <= bytes.length; offset += 16) {
          const moved = bytes.slice()
          moved.copyWithin(offset, Math.max(0, offset - 48), offset - 16)
          const found = readOrRefusal(withFiles(image, { [path]: moved }), options, path)
          if (found === undefined) assert.isTrue(isOfLog(image, path), `${path}:${offset}`)
          else judge(found.reads, { path, bytes: bytes.length }, `${path}:${offset}`)
        }
      }
    })
  }
})
