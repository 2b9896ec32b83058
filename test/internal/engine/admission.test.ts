// How long a writer is held up while compaction is behind.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Admission, type AdmissionParts } from "../../../src/internal/engine/admission.ts"
import * as SimClock from "../../../src/layers/SimClock.ts"
import * as SimScheduler from "../../../src/layers/SimScheduler.ts"
import { defaults } from "../../../src/services/Options.ts"

const year = 365 * 24 * 3_600_000

describe("a writer under pressure", () => {
  it("waits as long as its bytes take, however the wall clock is set meanwhile", () => {
    const parts = { options: defaults, freeze: () => true, unresolvedCount: () => 0 }
    const admission = new Admission(parts as unknown as AdmissionParts)
    admission.setPressure(0.5)
    const clock = new SimClock.SimClock()
    const waited: Array<number> = []
    const program = Effect.gen(function* () {
      for (const jump of [0, 10 * year, -10 * year, -year]) {
        clock.jump(jump)
        const before = clock.monotonicTimeNanosUnsafe()
        yield* admission.pace(160 * 1024)!
        waited.push(Math.round(Number(clock.monotonicTimeNanosUnsafe() - before) / 1e6))
      }
    })
    SimScheduler.run(program, { seed: 1, stepsMax: 10_000, clock })
    assert.deepStrictEqual(waited, [0, 10, 10, 10], "each for the bytes before it")
    assert.deepStrictEqual([admission.counters.slowed, Math.round(admission.counters.slowedMillis)], [3, 30])
  })
})
