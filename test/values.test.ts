// Large values, as users meet them: every size comes back whole by every way of reading, the thresholds are where the
// options say.
import { spawn } from "node:child_process"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as SimDisk from "../src/layers/SimDisk.ts"
import type { DatabaseError } from "../src/services/DatabaseError.ts"
import * as Options from "../src/services/Options.ts"
import { bundleWorker } from "../scripts/bundleWorker.ts"
import { bundle } from "./support/bundle.ts"
import { directory, type Opened } from "./support/opened.ts"
import { numbered, simulate, textOf, using } from "./support/scenario.ts"
import type { ChildResult, ChildTask } from "./support/valueChild.ts"
import {
  longValue,
  onValues,
  piecesOf,
  separatedOptions,
  valueFilesOf,
  valueOptions,
  withValues
} from "./support/valueKit.ts"
import { seenByAll } from "./support/valueReads.ts"

const kibibyte = 1024
const mebibyte = 1024 * kibibyte
const root = mkdtempSync(join(tmpdir(), "strata-values-"))
const programs = join(root, "support")
beforeAll(() =>
  Promise.all([bundle(programs, [new URL("./support/valueChild.ts", import.meta.url)]), bundleWorker(root)])
)
afterAll(() => rmSync(root, { recursive: true, force: true }))

let directories = 0
const runChild = (task: Omit<ChildTask, "directory">): Promise<ChildResult & { readonly directory: string }> =>
  new Promise((resolve, reject) => {
    const directory = join(root, String(directories++))
    const run = spawn(process.execPath, [join(programs, "valueChild.js"), JSON.stringify({ ...task, directory })])
    let out = ""
    let errors = ""
    run.stdout.on("data", (chunk) => (out += chunk))
    run.stderr.on("data", (chunk) => (errors += chunk))
    run.on("close", (code) => {
      if (code === 0) resolve({ ...(JSON.parse(out) as ChildResult), directory })
      else reject(new Error(`${JSON.stringify(task)} ended with ${code}: ${errors}`))
    })
  })

const filesIn = (directory: string, kind: string) =>
  readdirSync(directory).filter((name) => name.startsWith(`${kind}-`))

describe("a value of every size comes back whole", () => {
  const sizes = [0, 1, 1023, 1024, 1025, 64 * kibibyte, mebibyte]

  for (const bytes of sizes) {
    it(`${bytes} B, set and streamed, before a flush, after it and after the next opening`, () => {
      const device = SimDisk.make()
      const value = Uint8Array.from({ length: bytes }, (_, index) => (index * 31 + (index >>> 9)) & 255)
      const check: (opened: Opened) => Effect.Effect<void, DatabaseError> = ({ database }) =>
        Effect.forEach(["set", "streamed", "transacted"], (key) => seenByAll(database, key, value), { discard: true })
      simulate(
        using(
          device,
          (opened) =>
            Effect.gen(function* () {
              const { database, maintenance } = opened
              yield* database.set("set", value)
              yield* database.setStream("streamed", piecesOf(value, [1, 70_000, 333]))
              yield* database.transaction((tx) =>
                Effect.andThen(tx.set("transacted", value), seenByAll(tx, "transacted", value))
              )
              yield* check(opened)
              yield* maintenance.flush
              yield* check(opened)
              assert.deepStrictEqual((yield* maintenance.verify).damage, [])
            }),
          {}
        )
      )
      simulate(using(device, (opened) => check(opened), {}))
    })
  }

  const mib = (bytes: number): number => Math.round(bytes / mebibyte)

  /** What a child took beyond what it had when the database was open. */
  const shown = ({ openBytes, readBytes, reopenedBytes, verifiedBytes, writtenBytes }: ChildResult): string => {
    const above = (bytes: number) => `${mib(bytes - openBytes)} MiB`
    const later = `read ${above(readBytes)}, opened again ${above(reopenedBytes)}, verified ${above(verifiedBytes)}`
    return `above the ${mib(openBytes)} MiB of the open database: written ${above(writtenBytes)}, ${later}`
  }

  /** The first run that stays below the limit, or the last: on a busy machine garbage is collected late. */
  const within = async (task: Parameters<typeof runChild>[0], limit: (result: ChildResult) => number) => {
    for (let left = 2; ; left--) {
      const result = await runChild(task)
      console.log(`${task.count ?? 1} of ${task.bytes} B ${task.what}, ${shown(result)}`)
      const over = mib(limit(result) - result.openBytes)
      if (over <= 0 || left === 0) return over
    }
  }

  for (const mebibytes of [64, 256]) {
    const bytes = mebibytes * mebibyte
    it(`${mebibytes} MiB, whole: to write it takes no second copy`, async () => {
      // The caller's own is one.
      const over = await within({ what: "whole", bytes }, ({ writtenBytes }) => writtenBytes - bytes - 128 * mebibyte)
      assert.isAtMost(over, 0)
    }, 300_000)

    it(`${mebibytes} MiB in pieces: it is nowhere whole in memory`, async () => {
      const over = await within({ what: "streamed", bytes }, ({ verifiedBytes }) => verifiedBytes - 192 * mebibyte)
      assert.isAtMost(over, 0)
    }, 300_000)
  }

  it("one byte more than 256 MiB is Invalid, and leaves no file", async () => {
    const { directory } = await runChild({ what: "tooLong", bytes: 256 * mebibyte + 1 })
    assert.deepStrictEqual(filesIn(directory, "value"), [])
  }, 300_000)

  it("a thousand of 1 MiB at once: the whole process stays within the default budget and 128 MiB", async () => {
    const { arenaBytes, arenaCount, cacheBytes } = Options.defaults
    const limitBytes = arenaBytes * arenaCount + cacheBytes + 128 * mebibyte
    const task = { what: "concurrent", bytes: mebibyte, count: 1000 } as const
    const over = await within(task, ({ openBytes, writtenBytes }) => writtenBytes + openBytes - limitBytes)
    assert.isAtMost(over, 0)
  }, 300_000)
})

const sizesOf = (device: SimDisk.SimDisk) =>
  device.files.list(directory).flatMap(({ bytes, name }) => (name.startsWith("value-") ? [bytes] : []))

describe("a value file is made", () => {
  for (const valueThreshold of [0, 1, 16]) {
    it(
      `at a flush, for what is longer than a threshold of ${valueThreshold}`,
      onValues(
        ({ database, maintenance }, device) =>
          Effect.gen(function* () {
            yield* database.set("at", longValue("at", valueThreshold))
            yield* maintenance.flush
            assert.deepStrictEqual(valueFilesOf(device), [])
            yield* database.set("over", longValue("over", valueThreshold + 1))
            assert.deepStrictEqual(valueFilesOf(device), [])
            yield* maintenance.flush
            assert.lengthOf(valueFilesOf(device), 1)
            for (const [key, bytes] of [["at", valueThreshold] as const, ["over", valueThreshold + 1] as const]) {
              assert.strictEqual(textOf(yield* database.get(key)), longValue(key, bytes))
            }
          }),
        withValues({ valueThreshold }, separatedOptions)
      )
    )
  }

  it(
    "before the commit, for what has directValueBytesMin",
    onValues(
      ({ database, maintenance }, device) =>
        Effect.gen(function* () {
          yield* database.set("below", longValue("below", 63))
          assert.deepStrictEqual(valueFilesOf(device), [])
          yield* database.set("at", longValue("at", 64))
          assert.lengthOf(valueFilesOf(device), 1)
          yield* database.transaction((tx) => tx.set("transacted", longValue("transacted", 64)))
          assert.lengthOf(valueFilesOf(device), 2)
          yield* maintenance.flush
          assert.strictEqual(textOf(yield* database.get("at")), longValue("at", 64))
          assert.strictEqual(textOf(yield* database.get("transacted")), longValue("transacted", 64))
        }),
      valueOptions
    )
  )

  it(
    "before the commit, for what is streamed and has directValueBytesMin, in whatever pieces",
    onValues(
      ({ database }, device) =>
        Effect.gen(function* () {
          const streamed = (bytes: number) => piecesOf(new Uint8Array(bytes).fill(97), [1, 20])
          for (const bytes of [0, 1, 63, 64, 5000]) {
            const before = valueFilesOf(device).length
            yield* database.setStream("a", streamed(bytes))
            assert.strictEqual(textOf(yield* database.get("a")), "a".repeat(bytes))
            if (bytes >= 64) assert.strictEqual(valueFilesOf(device).length, before + 1, `${bytes} bytes`)
          }
        }),
      valueOptions
    )
  )

  it(
    "before the commit, for the largest of one that is too large for a memtable, and it is whole or not there",
    onValues(({ database, maintenance }, device) =>
      Effect.gen(function* () {
        const sizes = [1000, 10, 1020, 5, 1023, 700]
        yield* database.write(
          sizes.map((bytes, index) => ({ type: "set", key: `k${index}`, value: longValue(`v${index}`, bytes) }))
        )
        assert.isNotEmpty(valueFilesOf(device))
        yield* maintenance.flush
        for (const [index, bytes] of sizes.entries()) {
          assert.strictEqual(textOf(yield* database.get(`k${index}`)), longValue(`v${index}`, bytes))
        }
      })
    )
  )

  it(
    "of at most valueFileBytesMax, and a longer value has one of its own",
    onValues(
      ({ database, maintenance }, device) =>
        Effect.gen(function* () {
          const keys = numbered(60)
          for (const key of keys) yield* database.set(key, longValue(key, 100))
          yield* database.set("long", longValue("long", 3000))
          yield* maintenance.flush
          const sizes = sizesOf(device).sort((a, b) => a - b)
          assert.isAbove(sizes.length, 8)
          assert.isAbove(sizes.at(-1)!, 3000)
          assert.isBelow(sizes.at(-1)!, 3500)
          assert.isAtMost(sizes.at(-2)!, 1024)
        }),
      withValues({ directValueBytesMin: 64 * 1024 }, { ...separatedOptions, arenaBytes: 64 * 1024 })
    )
  )
})
