// A log that takes more memtables than the pool has: recovery makes tables of the first ones before it goes on.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import * as SimDisk from "../src/layers/SimDisk.ts"
import type { OptionsInput } from "../src/services/Options.ts"
import { smallOptions, visibleImage } from "./support/opened.ts"
import { type Body, closedAfter, type Image, numbered, pathsOf, simulate, stateOf, using } from "./support/scenario.ts"
import { longValue, separatedOptions } from "./support/valueKit.ts"

/** One memtable takes all, and it is never flushed. */
const large: OptionsInput = { arenaBytes: 64 * 1024, flushOnCloseBytesMin: 1024 * 1024 }

const inLog = (body: Body<unknown>, options: OptionsInput): Image => closedAfter(body, { ...options, ...large })

const keys = numbered(100)
const setAll: Body<void> = ({ database }) =>
  Effect.forEach(keys, (key) => database.set(key, longValue(key, 60)), { discard: true })

const opened = (device: SimDisk.SimDisk, options: OptionsInput) =>
  simulate(using(device, ({ database }) => stateOf(database), options))

describe("a recovery", () => {
  it.each([
    ["values in tables", smallOptions, 0],
    ["values in files", separatedOptions, 1]
  ] as const)("of more than the memtables hold loses nothing: %s", (_, options, valueFilesMin) => {
    const image = inLog(setAll, options)
    assert.deepStrictEqual([pathsOf(image, "table").length, pathsOf(image, "value").length], [0, 0])
    const device = SimDisk.make({ image })
    const state = opened(device, { ...options, flushOnCloseBytesMin: 1024 * 1024 })
    assert.deepStrictEqual(state, Object.fromEntries(keys.map((key) => [key, longValue(key, 60)])))
    const after = visibleImage(device)
    assert.isAbove(pathsOf(after, "table").length, 1)
    assert.isAtLeast(pathsOf(after, "value").length, valueFilesMin)
  })

  it("of memtables of which nothing is left makes no tables of them", () => {
    const removeAll: Body<void> = ({ database }) =>
      Effect.forEach([...keys, ...keys], (key) => database.remove(key), { discard: true })
    const device = SimDisk.make({ image: inLog(removeAll, smallOptions) })
    assert.deepStrictEqual(opened(device, { ...smallOptions, flushOnCloseBytesMin: 1024 * 1024 }), {})
    assert.deepStrictEqual(pathsOf(visibleImage(device), "table"), [])
  })

  it("that cannot write such a table fails, and the next one does it", () => {
    const device = SimDisk.make({ image: inLog(setAll, smallOptions) })
    device.addFault({ code: "EIO", match: (operation, path) => operation === "append" && path.includes("/table-") })
    const exit = simulate(Effect.exit(using(device, () => Effect.void)))
    assert.isTrue(Exit.isFailure(exit))
    device.clearFaults()
    assert.lengthOf(Object.keys(opened(device, smallOptions)), keys.length)
  })
})
