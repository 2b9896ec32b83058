import { assert, describe, it } from "@effect/vitest"
import type { TableMeta } from "../../../src/internal/format/tableMeta.ts"
import { checkTables, workOf } from "../../support/jobCheck.ts"
import { MemoryFiles } from "../../support/jobDriver.ts"
import { type Held, type Plan, randomPlan, setupOf, tableOf } from "../../support/jobPlan.ts"
import { numbered } from "../../support/tables.ts"
import { latin1 } from "../format/entries.ts"
import { manySeeds } from "../format/support.ts"

const simpleWork = {
  memtables: [],
  runs: [],
  from: undefined,
  to: undefined,
  level: 1,
  snapshots: [5000],
  nowMillis: 0,
  deeper: [],
  grandparents: [],
  tableBytesMax: 2 ** 20
}

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

const longRun = (files: MemoryFiles, count: number) => {
  const points = numbered(count, 40)
  const { bytes, meta } = tableOf({ points, removals: [] }, { number: 1, blockBytes: 4096 })
  files.files.set(1, bytes)
  return { ...simpleWork, runs: [[meta]] }
}

describe("a job", () => {
  it("pauses after each 512 versions, whether they are kept or not", () => {
    for (const snapshots of [[0], [5000]]) {
      const files = new MemoryFiles()
      const work = longRun(files, 20_000)
      const removal = { from: latin1("key"), to: latin1("kez"), sequence: snapshots[0]! }
      const memtable = { bytes: new Uint8Array(0), versions: new Uint32Array(0), rangeRemovals: [removal] }
      files.run({ ...work, memtables: [memtable], snapshots }, setupOf({ blockBytes: 4096 }))
      const pauses = files.requests.filter((tag) => tag === "Pause").length
      assert.isAtLeast(pauses, Math.floor(20_000 / 512))
      assert.isBelow(pauses, 100)
    }
  })

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
