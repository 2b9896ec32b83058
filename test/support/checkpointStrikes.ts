// Checkpoints that a power cut, an error of the disk or an interruption stops, each at one of the calls that a
// checkpoint makes of its disk, and the judgement of what is left.
import { assert } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import * as SimDisk from "../../src/layers/SimDisk.ts"
import type { FaultRule, SimOperation } from "../../src/layers/SimFaults.ts"
import * as SimScheduler from "../../src/layers/SimScheduler.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import type { Checkpoint } from "../../src/services/Maintenance.ts"
import type { OptionsInput } from "../../src/services/Options.ts"
import { copyOn, errorOf, foundIn, namesInCopy, prepare, sourceOn, target } from "./checkpointRun.ts"
import { open, quiet } from "./opened.ts"
import { allKept, type Cut, crashOf, cuttingDisk, distinct, simulate, using } from "./scenario.ts"

/** A checkpoint, and what power cuts after its calls leave, each image once. */
export const cutCheckpoint = (options: OptionsInput, seed = 1) => {
  const { cuts, device, state } = cuttingDisk()
  state.on = false
  const session = using(
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
  const before = simulate(session, { seed })
  return { before, images: distinct(cuts) }
}

/** Whether the image holds the checkpoint: all of it, or no database; and the source as it was. */
export const judgeCut = ({ image, promised, where }: Cut, before: ReturnType<typeof copyOn>): boolean => {
  const copy = copyOn(image)
  if (copy !== undefined) assert.deepStrictEqual(copy, before, where)
  else assert.strictEqual(promised, 0, `a checkpoint that was made is lost: ${where}`)
  const others = (found: ReturnType<typeof copyOn>) => found!.entries.filter(({ key }) => key !== "6b30")
  assert.deepStrictEqual(others(sourceOn(image)), others(before), where)
  return copy !== undefined
}

interface Struck {
  readonly log: ReadonlyArray<SimDisk.OperationRecord>
  /** The calls of the checkpoint. */
  readonly first: number
  readonly last: number
  readonly exit: Exit.Exit<Checkpoint, DatabaseError>
}

/** A checkpoint with a fault at one of its calls, judged in all ways in which a crash could come during its end. */
export const struckAt = (
  rule: FaultRule | undefined,
  isMine: (path: string) => boolean,
  options: OptionsInput
): Struck => {
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

export const codes = ["EIO", "ENOSPC", "EMFILE", "EACCES", "EROFS"] as const

/** What a failing call may have done. */
export const variantsOf = (operation: SimOperation): ReadonlyArray<Partial<FaultRule>> => {
  if (operation === "append") return [0, 20, Number.POSITIVE_INFINITY].map((bytesAccepted) => ({ bytesAccepted }))
  if (operation !== "sync" && operation !== "syncDirectory") return [{}]
  return (["dropped", "reverted", "written"] as const).map((syncModel) => ({ syncModel }))
}

/** A checkpoint with the fault; whether it failed, as it must say. */
export const strikeCheckpoint = (rule: FaultRule & { readonly at: number }, options: OptionsInput): boolean => {
  const { exit } = struckAt(rule, (at) => at.startsWith("/copies"), options)
  if (Exit.isSuccess(exit)) return false
  assert.include(["Io", "DiskFull"], errorOf(exit).reason._tag)
  return true
}

/** A checkpoint that is interrupted at the call; whether it was not made. */
export const interruptedAt = (at: number, options: OptionsInput): boolean => {
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
    return false
  }
  assert.isTrue(Exit.hasInterrupts(ended), `call ${at}`)
  assert.deepStrictEqual(namesInCopy(device), [], `call ${at}`)
  return true
}
