// What is left of a checkpoint that a power cut, an error of the disk or an interruption stops: all of it, or no
// database; and the source as it was.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import * as MemoryDisk from "../src/layers/MemoryDisk.ts"
import * as SimDisk from "../src/layers/SimDisk.ts"
import type { FaultRule, SimOperation } from "../src/layers/SimFaults.ts"
import * as SimScheduler from "../src/layers/SimScheduler.ts"
import type { DatabaseError } from "../src/services/DatabaseError.ts"
import type { Checkpoint } from "../src/services/Maintenance.ts"
import type { OptionsInput } from "../src/services/Options.ts"
import {
  copyOn,
  errorOf,
  foundIn,
  namesInCopy,
  openThere,
  prepare,
  sourceOn,
  target,
  withCheckpoint
} from "./support/checkpointRun.ts"
import { contentsOf, open, quiet, smallOptions } from "./support/opened.ts"
import { allKept, crashOf, cuttingDisk, distinct, reasonOf, simulate, using } from "./support/scenario.ts"
import { valueOptions } from "./support/valueKit.ts"

/** The second has its values in files, some of several values and some of one. */
const kinds = [
  ["of tables", smallOptions],
  ["of tables and value files", { ...valueOptions, directValueBytesMin: 41 }]
] as const

describe.each(kinds)("a power cut, %s", (_, options) => {
  it("at any call of a checkpoint leaves the whole of it or no database, and the source as it was", () => {
    const { cuts, device, state } = cuttingDisk()
    state.on = false
    const before = simulate(
      using(
        device,
        (opened) =>
          Effect.gen(function* () {
            yield* prepare(opened)
            const before = yield* foundIn(opened)
            state.on = true
            yield* opened.maintenance.checkpoint(target)
            state.promised = 1
            yield* opened.database.set("k0", "changed")
            state.on = false
            return before
          }),
        options
      )
    )
    let whole = 0
    const images = distinct(cuts)
    for (const { image, promised, where } of images) {
      const copy = copyOn(image)
      if (copy !== undefined) assert.deepStrictEqual(copy, before, where)
      else assert.strictEqual(promised, 0, `a checkpoint that was made is lost: ${where}`)
      if (copy !== undefined) whole += 1
      const { entries } = sourceOn(image)
      assert.deepStrictEqual(
        entries.filter(({ key }) => key !== "6b30"),
        before.entries.filter(({ key }) => key !== "6b30"),
        where
      )
    }
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

interface Struck {
  readonly log: ReadonlyArray<SimDisk.OperationRecord>
  /** The calls of the checkpoint. */
  readonly first: number
  readonly last: number
  readonly exit: Exit.Exit<Checkpoint, DatabaseError>
}

/** A checkpoint with a fault at one of its calls, judged in all ways in which a crash could come during its end. */
const struckAt = (rule: FaultRule | undefined, isMine: (path: string) => boolean, options: OptionsInput): Struck => {
  const { cuts, device, state } = cuttingDisk()
  state.on = false
  const { before, exit, first, last } = simulate(
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const opened = yield* Scope.provide(open(device.layer, options), scope)
      yield* prepare(opened)
      yield* opened.maintenance.flush
      const before = yield* foundIn(opened)
      const first = device.log.length
      if (rule !== undefined) device.addFault(rule)
      state.on = rule !== undefined
      const exit = yield* Effect.exit(opened.maintenance.checkpoint(target))
      state.on = false
      const last = device.log.length
      device.clearFaults()
      assert.deepStrictEqual(yield* foundIn(opened), before, "the source reads on")
      yield* opened.database.set("on", "1")
      assert.strictEqual((yield* opened.maintenance.stats).state, "healthy")
      yield* Scope.close(scope, Exit.void)
      return { before, exit, first, last }
    })
  )
  assert.deepStrictEqual(device.openHandles(), [])
  const image = crashOf(device, allKept)
  const source = sourceOn(image).entries.filter(({ key }) => key !== "6f6e")
  assert.deepStrictEqual(source, before.entries)
  if (Exit.isSuccess(exit)) assert.deepStrictEqual(copyOn(image), before)
  else
    assert.isFalse(
      namesInCopy(device).some((name) => name.endsWith(".mark")),
      namesInCopy(device).join()
    )
  const images = distinct(cuts.filter(({ path }) => isMine(path)))
  for (const { image: cut, where } of images) {
    const found = copyOn(cut)
    if (found !== undefined) assert.deepStrictEqual(found, before, where)
  }
  return { log: device.log, first, last, exit }
}

const codes = ["EIO", "ENOSPC", "EMFILE", "EACCES", "EROFS"] as const

const variantsOf = (operation: SimOperation): ReadonlyArray<Partial<FaultRule>> => {
  if (operation === "append") return [0, 20, Number.POSITIVE_INFINITY].map((bytesAccepted) => ({ bytesAccepted }))
  if (operation !== "sync" && operation !== "syncDirectory") return [{}]
  return (["dropped", "reverted", "written"] as const).map((syncModel) => ({ syncModel }))
}

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
          const { exit } = struckAt({ ...variant, at: index, code }, (at) => at.startsWith("/copies"), options)
          if (Exit.isSuccess(exit)) continue
          failed += 1
          assert.include(["Io", "DiskFull"], errorOf(exit).reason._tag)
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
    let interrupted = 0
    for (let at = clean.first; at < clean.last; at++) {
      let fiber: Fiber.Fiber<unknown, unknown> | undefined
      const device = SimDisk.make({
        onOperation: (index) => {
          if (index === at) fiber!.interruptUnsafe()
        }
      })
      const program = Effect.scoped(
        Effect.gen(function* () {
          const opened = yield* open(device.layer, options)
          yield* prepare(opened)
          yield* opened.maintenance.flush
          const before = yield* foundIn(opened)
          fiber = yield* Effect.forkChild(opened.maintenance.checkpoint(target))
          const exit = yield* Fiber.await(fiber)
          return { before, exit }
        })
      )
      const exit = SimScheduler.run(quiet(program), { seed: 1, yieldProbability: 0 })
      if (Exit.isFailure(exit)) throw new Error(`call ${at}: ${String(exit.cause)}`)
      const { before, exit: ended } = exit.value
      assert.deepStrictEqual(device.openHandles(), [])
      if (Exit.isSuccess(ended)) {
        assert.deepStrictEqual(copyOn(crashOf(device, allKept)), before)
        continue
      }
      assert.isTrue(Exit.hasInterrupts(ended), `call ${at}`)
      interrupted += 1
      assert.deepStrictEqual(namesInCopy(device), [], `call ${at}`)
    }
    assert.isAbove(interrupted, 10)
  })
})
