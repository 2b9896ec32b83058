// Whether a job's tables are what its plan says they must be.
import { assert } from "@effect/vitest"
import type { TableMeta } from "../../src/internal/format/tableMeta.ts"
import type { JobWork } from "../../src/internal/structure/jobWork.ts"
import { stripeOf } from "../../src/internal/structure/removalStripes.ts"
import {
  byKey,
  type Held,
  keptPoints,
  memtableOf,
  type Plan,
  type PlainRemoval,
  readAt,
  sourcesOf,
  spanOf
} from "./jobPlan.ts"

export const textOf = (key: Uint8Array): string => Buffer.from(key).toString("latin1")

/** The plan's job; `place` makes a table of the inputs. */
export const workOf = (plan: Plan, place: (held: Held) => TableMeta): JobWork => {
  const deeper = plan.deeper.map(place)
  return {
    ...spanOf(plan),
    memtables: plan.memtables.map(memtableOf),
    runs: plan.runs.map((run) => run.map(place)),
    level: 2,
    snapshots: plan.snapshots,
    nowMillis: plan.nowMillis,
    deeper,
    grandparents: deeper,
    tableBytesMax: plan.tableBytesMax,
    values: undefined
  }
}

const newestCovering = (
  removals: ReadonlyArray<PlainRemoval>,
  key: string,
  isIn: (sequence: number) => boolean
): number =>
  removals
    .filter(({ from, sequence, to }) => from <= key && key < to && isIn(sequence))
    .reduce((newest, { sequence }) => Math.max(newest, sequence), 0)

/** Ascending, without common keys, each within its bounds. */
const checkOrder = (work: JobWork, metas: ReadonlyArray<TableMeta>, held: ReadonlyArray<Held>) => {
  for (const [index, meta] of metas.entries()) {
    const next = metas[index + 1]
    if (next !== undefined) assert.isBelow(Buffer.compare(meta.largest, next.smallest), 0, "tables have a common key")
    const { points, removals } = held[index]!
    assert.isAbove(points.length + removals.length, 0, "a table holds nothing")
    assert.deepStrictEqual([...points].sort(byKey), points)
    assert.strictEqual(meta.entryCount, points.length + removals.length)
    assert.strictEqual(meta.level, work.level)
  }
}

const checkReaders = (plan: Plan, held: ReadonlyArray<Held>) => {
  const { nowMillis, sequenceMax, snapshots } = plan
  const sources = sourcesOf(plan)
  const last = snapshots.at(-1) ?? 0
  const later = Array.from({ length: 12 }, (_, index) => last + index)
  for (const key of plan.keys.filter((name) => isInSpan(plan, name))) {
    for (const sequence of new Set([...snapshots, ...later, Math.max(last, sequenceMax)])) {
      for (const now of [nowMillis, nowMillis + 30]) {
        const reader = { sequence, nowMillis: now }
        const expected = readAt([...sources, ...plan.deeper], key, reader)
        const found = readAt([...held, ...plan.deeper], key, reader)
        assert.strictEqual(found, expected, `${JSON.stringify(key)} at ${sequence}`)
      }
    }
  }
}

const isInSpan = ({ span: { from, to } }: Plan, key: string): boolean =>
  (from === undefined || key >= from) && (to === undefined || key < to)

/** Every key has in each stripe the newest removal that it had; in the oldest one, only where deeper tables are. */
const checkRemovals = (plan: Plan, held: ReadonlyArray<Held>, isDeeper: (key: string) => boolean) => {
  const { snapshots, span } = plan
  const before = sourcesOf(plan).flatMap(({ removals }) => removals)
  const after = held.flatMap(({ removals }) => removals)
  for (const { from, to } of after) {
    assert.isTrue(span.from === undefined || from >= span.from)
    assert.isTrue(span.to === undefined || to <= span.to)
  }
  for (const key of plan.keys.filter((name) => isInSpan(plan, name))) {
    for (let stripe = isDeeper(key) ? 0 : 1; stripe <= snapshots.length; stripe++) {
      const isIn = (sequence: number) => stripeOf(snapshots, sequence) === stripe
      assert.strictEqual(newestCovering(after, key, isIn), newestCovering(before, key, isIn), `${stripe} at ${key}`)
    }
  }
}

export const checkTables = (
  plan: Plan,
  work: JobWork,
  made: { readonly metas: ReadonlyArray<TableMeta>; readonly held: ReadonlyArray<Held> }
) => {
  const { held, metas } = made
  const isDeeper = (key: string) =>
    work.deeper.some(({ largest, smallest }) => textOf(smallest) <= key && key <= textOf(largest))
  checkOrder(work, metas, held)
  const expected = keptPoints(sourcesOf(plan), { ...plan, ...plan.span }, isDeeper)
  assert.deepStrictEqual(
    held.flatMap(({ points }) => points),
    expected
  )
  checkReaders(plan, held)
  checkRemovals(plan, held, isDeeper)
}
