// Checkpoints on a simulated disk, and the judgement of what a power cut, a fault or an interruption leaves of one: the
// whole of it, or no database; and the source as it was. Neither keeps a file that its state does not name.
import { assert } from "@effect/vitest"
import { Cause, Effect, Exit, type Layer } from "effect"
import * as MemoryDisk from "../../src/layers/MemoryDisk.ts"
import * as SimDisk from "../../src/layers/SimDisk.ts"
import * as SimScheduler from "../../src/layers/SimScheduler.ts"
import { DatabaseError } from "../../src/services/DatabaseError.ts"
import type { Disk } from "../../src/services/Disk.ts"
import type { OptionsInput } from "../../src/services/Options.ts"
import { bytes, type ModelEntry } from "./model.ts"
import { contentsOf, directory, open, type Opened, quiet, smallOptions } from "./opened.ts"
import { noOrphansSettled } from "./orphans.ts"
import { type Image, simulate, using } from "./scenario.ts"

export const target = "/copies/one"

/** What the judge writes. */
const written = "7e7e7e7e"

/** What a database holds, at the sequence at which it stands. */
export interface Found {
  readonly sequence: number
  readonly entries: ReadonlyArray<ModelEntry>
}

export const foundIn = ({ database }: Opened): Effect.Effect<Found, DatabaseError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { sequence } = yield* database.snapshot
      return { sequence, entries: yield* contentsOf(database) }
    })
  )

/** Opens what is there, and nothing is made. */
export const openThere = (disk: Layer.Layer<Disk>, at: string, options: OptionsInput = smallOptions) =>
  open(disk, { ...options, create: false }, at)

/** Of what failed, and with nothing but a `DatabaseError`. */
export const errorOf = (exit: Exit.Failure<unknown, DatabaseError>): DatabaseError => {
  const { reasons } = exit.cause
  const error = Cause.squash(exit.cause)
  assert.isTrue(reasons.length === 1 && reasons[0]!._tag === "Fail", Cause.pretty(exit.cause))
  assert.instanceOf(error, DatabaseError)
  return error
}

/**
 * What the next process finds in the copy's directory, `undefined` if that is no database. One that opens must be
 * sound, take writes, and hold them with the rest when it is opened again.
 */
export const copyOn = (image: Image): Found | undefined => {
  const { disk, layer } = MemoryDisk.fromImage(image)
  const first = Effect.scoped(
    Effect.gen(function* () {
      const opened = yield* openThere(layer, target)
      yield* noOrphansSettled(disk, { ...opened, directory: target })
      const found = yield* foundIn(opened)
      assert.isTrue(opened.database.recovery.clean)
      assert.deepStrictEqual((yield* opened.maintenance.verify).damage, [])
      const { sequence } = yield* opened.database.write([{ type: "set", key: bytes(written), value: "1" }])
      assert.strictEqual(sequence, found.sequence + 1)
      return found
    })
  )
  const exit = SimScheduler.run(quiet(first), { seed: 1 })
  if (Exit.isSuccess(exit)) {
    const again = simulate(Effect.flatMap(openThere(layer, target), ({ database }) => contentsOf(database)))
    assert.deepStrictEqual(
      again.filter(({ key }) => key !== written),
      exit.value.entries
    )
    return exit.value
  }
  assert.match(errorOf(exit).message, /no database at|no valid marker/)
  return undefined
}

/** What the next process finds in the source, which must be sound. */
export const sourceOn = (image: Image): Found => {
  const { disk, layer } = MemoryDisk.fromImage(image)
  return simulate(
    Effect.gen(function* () {
      const opened = yield* openThere(layer, directory)
      // The log names the values of commits that are in no table: after this none is.
      yield* opened.maintenance.flush
      yield* noOrphansSettled(disk, { ...opened, directory })
      assert.deepStrictEqual((yield* opened.maintenance.verify).damage, [])
      return yield* foundIn(opened)
    })
  )
}

/** What is in the copy's directory, as far as the living see. */
export const namesInCopy = (device: SimDisk.SimDisk): ReadonlyArray<string> => {
  try {
    return device.files.list(target).map(({ name }) => name)
  } catch {
    return []
  }
}

/** Some tables, one of which removes and overwrites what is in others, and commits that no table has yet. */
export const prepare = ({ database, maintenance }: Opened) =>
  Effect.gen(function* () {
    for (let round = 0; round < 3; round++) {
      for (let key = 0; key < 6; key++) {
        if ((key + round) % 4 === 3) yield* database.remove(`k${key}`)
        else yield* database.set(`k${key}`, `${round}`.repeat(40 + (key % 2)))
      }
      if (round === 1) yield* database.removeRange({ from: "k2", to: "k4" })
      if (round < 2) yield* maintenance.flush
    }
  })

/** A database with a checkpoint, and the disk on which both are. */
export const withCheckpoint = (options: OptionsInput = smallOptions) => {
  const device = SimDisk.make()
  return simulate(
    using(
      device,
      (opened) =>
        Effect.gen(function* () {
          yield* prepare(opened)
          const before = yield* foundIn(opened)
          const made = yield* opened.maintenance.checkpoint(target)
          return { device, before, made }
        }),
      options
    )
  )
}
