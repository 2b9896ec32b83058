// What is left of a checkpoint that a power cut, an error of the disk or an interruption stops: all of it, or no
// database; and the source as it was.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import * as MemoryDisk from "../src/layers/MemoryDisk.ts"
import * as SimDisk from "../src/layers/SimDisk.ts"
import { foundIn, namesInCopy, openThere, prepare, target, withCheckpoint } from "./support/checkpointRun.ts"
import {
  codes,
  cutCheckpoint,
  interruptedAt,
  judgeCut,
  strikeCheckpoint,
  struckAt,
  variantsOf
} from "./support/checkpointStrikes.ts"
import { contentsOf, smallOptions } from "./support/opened.ts"
import { allKept, crashOf, cuttingDisk, distinct, reasonOf, simulate, using } from "./support/scenario.ts"
import { valueOptions } from "./support/valueKit.ts"

/** The second has its values in files, some of several values and some of one. */
const kinds = [
  ["of tables", smallOptions],
  ["of tables and value files", { ...valueOptions, directValueBytesMin: 41 }]
] as const

describe.each(kinds)("a power cut, %s", (_, options) => {
  it("at any call of a checkpoint leaves the whole of it or no database, and the source as it was", () => {
    const { before, images } = cutCheckpoint(options)
    const whole = images.filter((cut) => judgeCut(cut, before)).length
    console.log(`images: ${images.length}, of which ${whole} hold the checkpoint`)
    assert.isAbove(whole, 10)
    assert.isAbove(images.length - whole, 100)
  })

  it("at any call of the first opening for writing leaves the checkpoint as it was", () => {
    const { before, device: made } = withCheckpoint(options)
    const { cuts, device, state } = cuttingDisk(crashOf(made, allKept))
    simulate(
      Effect.scoped(Effect.flatMap(openThere(device.layer, target), () => Effect.sync(() => (state.on = false))))
    )
    const images = distinct(cuts)
    assert.isAbove(images.length, 20)
    for (const { image, where } of images) {
      const { layer } = MemoryDisk.fromImage(image)
      const found = simulate(Effect.flatMap(openThere(layer, target), ({ database }) => contentsOf(database)))
      assert.deepStrictEqual(found, before.entries, where)
    }
  })
})

describe.each(kinds)("an error of the disk, %s", (_, options) => {
  it("at any call of a checkpoint is a typed error, leaves no database in part and the source unharmed", () => {
    const clean = struckAt(undefined, () => false, options)
    assert.isTrue(Exit.isSuccess(clean.exit))
    const calls = clean.log.slice(clean.first, clean.last)
    assert.isAbove(calls.length, 20)
    let failed = 0
    for (const { index, operation, path } of calls) {
      for (const [turn, variant] of variantsOf(operation).entries()) {
        const code = codes[(index + turn) % codes.length]!
        const name = `${operation} ${path} ${code} ${JSON.stringify(variant)}`
        try {
          if (strikeCheckpoint({ ...variant, at: index, code }, options)) failed += 1
        } catch (error) {
          throw new Error(name, { cause: error })
        }
      }
    }
    console.log(`calls: ${calls.length}, failed: ${failed}`)
    assert.isAbove(failed, calls.length)
  })

  it("for good leaves no marker, and a checkpoint elsewhere is made as soon as the disk works", () => {
    const device = SimDisk.make()
    simulate(
      using(device, (opened) =>
        Effect.gen(function* () {
          yield* prepare(opened)
          yield* opened.maintenance.flush
          const before = yield* foundIn(opened)
          device.addFault({
            code: "EIO",
            sticky: true,
            match: (call, path) => call === "sync" && path.startsWith(target)
          })
          assert.strictEqual((yield* reasonOf(opened.maintenance.checkpoint(target)))._tag, "Io")
          assert.deepStrictEqual(namesInCopy(device), [])
          device.clearFaults()
          yield* opened.maintenance.checkpoint(target)
          assert.deepStrictEqual(yield* Effect.scoped(Effect.flatMap(openThere(device.layer, target), foundIn)), before)
        })
      )
    )
  })
})

describe.each(kinds)("an interruption, %s", (_, options) => {
  it("at any call of a checkpoint leaves it whole or an empty directory", () => {
    const clean = struckAt(undefined, () => false, options)
    const calls = Array.from({ length: clean.last - clean.first }, (_, index) => clean.first + index)
    const interrupted = calls.filter((at) => interruptedAt(at, options)).length
    assert.isAbove(interrupted, 10)
  })
})
