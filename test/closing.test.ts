// A database that is closed while it flushes, compacts and collects, at any call of the disk: no file is left that its
// state does not name, no handle stays open, and nothing is lost.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import * as MemoryDisk from "../src/layers/MemoryDisk.ts"
import * as SimDisk from "../src/layers/SimDisk.ts"
import * as SimScheduler from "../src/layers/SimScheduler.ts"
import type { OptionsInput } from "../src/services/Options.ts"
import { contentsOf, directory, open, type Opened, quiet, smallOptions, visibleImage } from "./support/opened.ts"
import { assertNoOrphans } from "./support/orphans.ts"
import { simulate } from "./support/scenario.ts"

const inTables = { ...smallOptions, level0TablesMin: 2, baseLevelBytes: 1024, levelRatio: 2, tableBytesMax: 1024 }
/** Every value moves, two or three to a file. */
const inValueFiles = { ...inTables, valueThreshold: 50, valueFileBytesMax: 600 }

/** Overlapping tables, merged as they come, and all of them in the end. Value files are left with a part of theirs. */
const work = ({ database, maintenance }: Opened) =>
  Effect.gen(function* () {
    for (let round = 0; round < 3; round++) {
      for (let key = 0; key < 6; key += 1 + round) yield* database.set(`k${key}`, `${round}`.repeat(100))
      yield* maintenance.flush
    }
    yield* maintenance.compact()
    yield* maintenance.collectValues({ garbageRatioMin: 0 })
  })

/** The work, ended with its scope at this call of the disk; the number of calls. */
const closedAt = (at: number, { options, seed }: { readonly options: OptionsInput; readonly seed: number }): number => {
  let fiber: Fiber.Fiber<unknown, unknown> | undefined
  const device = SimDisk.make({
    onOperation: (index) => {
      if (index === at) fiber!.interruptUnsafe()
    }
  })
  const program = Effect.gen(function* () {
    fiber = yield* Effect.forkChild(Effect.scoped(Effect.flatMap(open(device.layer, options), work)))
    yield* Fiber.await(fiber)
  })
  const exit = SimScheduler.run(quiet(program), { seed })
  assert.isTrue(Exit.isSuccess(exit))
  const place = `call ${at}, seed ${seed}`
  assert.deepStrictEqual(device.openHandles(), [], place)
  const { disk, layer } = MemoryDisk.fromImage(visibleImage(device))
  try {
    simulate(assertNoOrphans({ disk, directory, logSegments: undefined }))
  } catch (cause) {
    throw new Error(place, { cause })
  }
  simulate(Effect.flatMap(open(layer, options), ({ database }) => contentsOf(database)))
  return device.log.length
}

describe("a close", () => {
  it.each([
    { name: "a flush or a compaction", options: inTables, schedules: 6 },
    { name: "a flush that moves values, or a collection of them", options: inValueFiles, schedules: 2 }
  ])(
    "at any call of $name leaves no handle and no file that no state names",
    ({ options, schedules }) => {
      const first = SimDisk.make()
      simulate(Effect.scoped(open(first.layer, options)))
      let closes = 0
      for (let seed = 1; seed <= schedules; seed++) {
        const last = closedAt(-1, { options, seed })
        for (let at = first.log.length; at < last; at++) closedAt(at, { options, seed })
        closes += last - first.log.length
      }
      console.log(`closes: ${closes}`)
      assert.isAbove(closes, 500)
    },
    600_000
  )
})
