import { assert, describe, it } from "@effect/vitest"
import type { TableMeta } from "../../../src/internal/format/tableMeta.ts"
import type { JobWork } from "../../../src/internal/structure/jobWork.ts"
import { stripeOf } from "../../../src/internal/structure/removalStripes.ts"
import { MemoryFiles } from "../../support/jobDriver.ts"
import {
  byKey,
  type Held,
  keptPoints,
  memtableOf,
  type Plan,
  type PlainRemoval,
  randomPlan,
  readAt,
  setupOf,
  sourcesOf,
  spanOf,
  tableOf
} from "../../support/jobPlan.ts"
import { manySeeds } from "../format/support.ts"

const text = (key: Uint8Array): string => Buffer.from(key).toString("latin1")

/** The plan's inputs as files, and the job. */
const prepared = (plan: Plan) => {
  const files = new MemoryFiles()
  let number = 0
  const place = (held: Held): TableMeta => {
    number += 1
    const { bytes, meta } = tableOf(held, { number, blockBytes: plan.blockBytes })
    files.files.set(number, bytes)
    return meta
  }
  const deeper = plan.deeper.map(place)
  const work: JobWork = {
    ...spanOf(plan),
    memtables: plan.memtables.map(memtableOf),
    runs: plan.runs.map((run) => run.map(place)),
    level: 2,
    snapshots: plan.snapshots,
    nowMillis: plan.nowMillis,
    deeper,
    grandparents: deeper,
    tableBytesMax: plan.tableBytesMax
  }
  const isDeeper = (key: string) =>
    deeper.some(({ largest, smallest }) => text(smallest) <= key && key <= text(largest))
  return { files, work, isDeeper }
}

const coveredBy = (removals: ReadonlyArray<PlainRemoval>, key: string, of: (sequence: number) => boolean): number =>
  removals
    .filter(({ from, sequence, to }) => from <= key && key < to && of(sequence))
    .reduce((newest, { sequence }) => Math.max(newest, sequence), 0)

/** Ascending, without common keys, each within its bounds. */
const checkOrder = (metas: ReadonlyArray<TableMeta>, held: ReadonlyArray<Held>) => {
  for (const [index, meta] of metas.entries()) {
    const next = metas[index + 1]
    if (next !== undefined) assert.isBelow(Buffer.compare(meta.largest, next.smallest), 0, "tables have a common key")
    const { points, removals } = held[index]!
    assert.isAbove(points.length + removals.length, 0)
    assert.deepStrictEqual([...points].sort(byKey), points)
    assert.strictEqual(meta.entryCount, points.length + removals.length)
    assert.strictEqual(meta.level, 2)
  }
}

const inSpan = ({ span: { from, to } }: Plan, key: string): boolean =>
  (from === undefined || key >= from) && (to === undefined || key < to)

const checkPlan = (plan: Plan) => {
  const { files, isDeeper, work } = prepared(plan)
  const metas = files.run(work, setupOf({ blockBytes: plan.blockBytes }))
  const held = metas.map((meta) => files.held(meta))
  checkOrder(metas, held)
  const sources = sourcesOf(plan)
  const expected = keptPoints(sources, { ...plan, ...plan.span }, isDeeper)
  assert.deepStrictEqual(
    held.flatMap(({ points }) => points),
    expected
  )
  const { snapshots } = plan
  const [before, after] = [sources.flatMap(({ removals }) => removals), held.flatMap(({ removals }) => removals)]
  for (const { from, to } of after) {
    assert.isTrue(plan.span.from === undefined || from >= plan.span.from)
    assert.isTrue(plan.span.to === undefined || to <= plan.span.to)
  }
  const last = snapshots.at(-1) ?? 0
  const readers = [
    ...new Set([...snapshots, last, plan.sequenceMax, ...Array.from({ length: 12 }, (_, at) => last + at)])
  ]
  for (const key of plan.keys.filter((name) => inSpan(plan, name))) {
    for (const sequence of readers) {
      for (const nowMillis of [plan.nowMillis, plan.nowMillis + 30]) {
        const reader = { sequence, nowMillis }
        const was = readAt([...sources, ...plan.deeper], key, reader)
        assert.strictEqual(readAt([...held, ...plan.deeper], key, reader), was, `${JSON.stringify(key)} at ${sequence}`)
      }
    }
    for (let stripe = isDeeper(key) ? 0 : 1; stripe <= snapshots.length; stripe++) {
      const isIn = (sequence: number) => stripeOf(snapshots, sequence) === stripe
      assert.strictEqual(coveredBy(after, key, isIn), coveredBy(before, key, isIn), `removals of ${stripe} at ${key}`)
    }
  }
  return { metas, held }
}

describe("a job", () => {
  it("keeps exactly what its snapshots see, and every reader finds what it found before", () => {
    let tables = 0
    let onlyRemovals = 0
    manySeeds(1500, (dice) => {
      const { held } = checkPlan(randomPlan(dice))
      tables += held.length
      onlyRemovals += held.filter(({ points }) => points.length === 0).length
    })
    assert.isAbove(tables, 1500)
    assert.isAbove(onlyRemovals, 50)
  })
})
