import { assert, describe, it } from "@effect/vitest"
import type { TableMeta } from "../../../src/internal/format/tableMeta.ts"
import type { JobWork } from "../../../src/internal/structure/jobWork.ts"
import { checkTables, textOf, workOf } from "../../support/jobCheck.ts"
import { MemoryFiles } from "../../support/jobDriver.ts"
import { fileOf, type Held, type Plan, randomPlan, setupOf, tableOf } from "../../support/jobPlan.ts"
import { numbered } from "../../support/tables.ts"
import { latin1, plain } from "../format/entries.ts"
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
  tableBytesMax: 2 ** 20,
  values: undefined
}

/** The tables of the plan's job; or of two jobs, one for the keys up to `cut` and one for those behind it. */
const runPlan = (plan: Plan, cut?: string) => {
  const files = new MemoryFiles()
  let number = 0
  const place = (held: Held): TableMeta => {
    number += 1
    const { bytes, meta } = tableOf(held, { number, blockBytes: plan.blockBytes })
    files.files.set(number, bytes)
    return meta
  }
  const work = workOf(plan, place)
  const setup = setupOf({ blockBytes: plan.blockBytes })
  const end = cut === undefined ? undefined : latin1(`${cut}\0`)
  const metas =
    end === undefined
      ? files.run(work, setup)
      : [...files.run({ ...work, to: end }, setup), ...files.run({ ...work, from: end }, setup)]
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

const grandparent = (smallest: string, largest: string, bytes: number) => ({
  smallest: latin1(smallest),
  largest: latin1(largest),
  bytes
})

const bounds = (metas: ReadonlyArray<TableMeta>) =>
  metas.map(({ largest, smallest }) => [textOf(smallest), textOf(largest)])

/** Runs a job over one run of one table. */
const runOne = (held: Held, given: Partial<JobWork>) => {
  const files = new MemoryFiles()
  const { bytes, meta } = tableOf(held, { number: 1 })
  files.files.set(1, bytes)
  const metas = files.run({ ...simpleWork, runs: [[meta]], ...given }, setupOf())
  return { metas, held: metas.map((one) => files.held(one)) }
}

describe("a job cuts its tables", () => {
  const points = ["a", "b", "c", "d", "e", "f"].map((key) => plain(key))

  it("behind the grandparent with which they overlap too much", () => {
    const grandparents = [
      grandparent("0", "a", 900),
      grandparent("b", "bb", 600),
      grandparent("c", "cc", 500),
      grandparent("d", "d", 1),
      grandparent("dd", "e", 1000)
    ]
    const { metas } = runOne({ points, removals: [] }, { tableBytesMax: 100, grandparents })
    // Every table is over its size with its first block; what is left is asked with room for all.
    assert.isAbove(metas.length, 1)
    const wide = runOne({ points, removals: [] }, { tableBytesMax: 140, grandparents })
    assert.deepStrictEqual(bounds(wide.metas), [
      ["a", "b"],
      ["c", "e"],
      ["f", "f"]
    ])
  })

  it("also where only a range removal reaches over them", () => {
    const removal = { from: "a", to: "z", sequence: 9 }
    const grandparents = ["b", "d", "f", "h", "y"].map((key) => grandparent(key, `${key}k`, 700))
    const given = { tableBytesMax: 100, grandparents, deeper: [grandparent("0", "zz", 1)] }
    const { held, metas } = runOne({ points: [], removals: [removal] }, given)
    assert.deepStrictEqual(bounds(metas), [
      ["a", "dk"],
      ["dk\0", "hk"],
      ["hk\0", "z"]
    ])
    const pieces = held.flatMap(({ removals }) => removals)
    assert.deepStrictEqual(
      pieces.map(({ from, to }) => [from, to]),
      [
        ["a", "dk\0"],
        ["dk\0", "hk\0"],
        ["hk\0", "z"]
      ]
    )
  })

  it("and keeps of a range removal that all see only what deeper tables lie under", () => {
    const removal = { from: "a", to: "z", sequence: 9 }
    const grandparents = ["b", "d", "f", "h", "y"].map((key) => grandparent(key, `${key}k`, 700))
    const deeper = [grandparent("e", "g", 1)]
    const { metas } = runOne({ points: [], removals: [removal] }, { tableBytesMax: 100, grandparents, deeper })
    assert.deepStrictEqual(bounds(metas), [["dk\0", "hk"]])
    assert.deepStrictEqual(runOne({ points: [], removals: [removal] }, {}).metas, [])
  })

  it("and asks for more files when it has used up those it was given", () => {
    const files = new MemoryFiles()
    const work = longRun(files, 3000)
    const metas = files.run({ ...work, tableBytesMax: 16 * 1024 }, setupOf({ files: [fileOf(500), fileOf(501)] }))
    assert.deepStrictEqual(
      metas.slice(0, 3).map(({ number }) => number),
      [500, 501, 1001]
    )
    assert.strictEqual(files.requests.filter((tag) => tag === "Files").length, metas.length - 2)
  })
})

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

  it("in slices, cut behind a key, makes what it makes in one, and the slices' tables have no common key", () => {
    manySeeds(400, (dice) => {
      const plan = randomPlan(dice)
      runPlan({ ...plan, span: { from: undefined, to: undefined } }, dice.pick(plan.keys))
    })
  })
})
