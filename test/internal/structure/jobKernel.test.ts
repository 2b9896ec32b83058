import { assert, describe, it } from "@effect/vitest"
import type { TableMeta } from "../../../src/internal/format/tableMeta.ts"
import { checkTables, workOf } from "../../support/jobCheck.ts"
import { MemoryFiles } from "../../support/jobDriver.ts"
import { type Held, type Plan, randomPlan, setupOf, tableOf } from "../../support/jobPlan.ts"
import { manySeeds } from "../format/support.ts"

const runPlan = (plan: Plan) => {
  const files = new MemoryFiles()
  let number = 0
  const place = (held: Held): TableMeta => {
    number += 1
    const { bytes, meta } = tableOf(held, { number, blockBytes: plan.blockBytes })
    files.files.set(number, bytes)
    return meta
  }
  const work = workOf(plan, place)
  const metas = files.run(work, setupOf({ blockBytes: plan.blockBytes }))
  const held = metas.map((meta) => files.held(meta))
  checkTables(plan, work, { metas, held })
  return held
}

describe("a job", () => {
  it("keeps exactly what its snapshots see, and every reader finds what it found before", () => {
    let tables = 0
    let onlyRemovals = 0
    manySeeds(1500, (dice) => {
      const held = runPlan(randomPlan(dice))
      tables += held.length
      onlyRemovals += held.filter(({ points }) => points.length === 0).length
    })
    assert.isAbove(tables, 1500)
    assert.isAbove(onlyRemovals, 50)
  })
})
