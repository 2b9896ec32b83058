import { assert, describe, it } from "@effect/vitest"
import { Kind } from "../../../src/internal/format/record.ts"
import type { TableMeta } from "../../../src/internal/format/tableMeta.ts"
import type { JobWork } from "../../../src/internal/structure/jobWork.ts"
import { checkTables, workOf } from "../../support/jobCheck.ts"
import { MemoryFiles } from "../../support/jobDriver.ts"
import { type Held, memtableOf, type Plan, randomPlan, setupOf, tableOf } from "../../support/jobPlan.ts"
import { checkSeparation, SeparatedValues } from "../../support/separatedValues.ts"
import { numbered } from "../../support/tables.ts"
import { type Plain, plain } from "../format/entries.ts"
import { type Dice, manySeeds } from "../format/support.ts"

const flushOf = (points: ReadonlyArray<Plain>, given: Partial<JobWork> = {}): JobWork => ({
  memtables: [memtableOf({ points, removals: [] })],
  runs: [],
  from: undefined,
  to: undefined,
  level: 0,
  snapshots: [],
  nowMillis: 0,
  deeper: [],
  grandparents: [],
  tableBytesMax: Number.MAX_SAFE_INTEGER,
  values: { threshold: 100, fileBytesMax: 1024 * 1024 },
  ...given
})

/** What is made of a memtable of the entries, and the entries that it holds when their values are read again. */
const separate = (points: ReadonlyArray<Plain>, given: Partial<JobWork> = {}) => {
  const files = new MemoryFiles()
  const work = flushOf(points, given)
  const { tables, valueFiles } = files.perform(work, setupOf())
  const held = tables.map((meta) => files.held(meta))
  if (work.values !== undefined) checkSeparation(work.values, { tables, valueFiles, held })
  const values = new SeparatedValues(valueFiles, (number) => files.files.get(number)!)
  const resolved = held.map(({ points, removals }) => ({
    points: points.map((point) => values.resolved(point)),
    removals
  }))
  return { files, held, resolved, tables, valueFiles }
}

const place =
  (files: MemoryFiles, plan: Plan) =>
  (held: Held): TableMeta => {
    const number = files.files.size + 1
    const { bytes, meta } = tableOf(held, { number, blockBytes: plan.blockBytes })
    files.files.set(number, bytes)
    return meta
  }

const randomValues = (dice: Dice) => ({
  threshold: dice.pick([0, 1, 2, 3, 29, 30, 99]),
  fileBytesMax: dice.pick([1, 500, 1000, 4000, 2 ** 20])
})

describe("a flush that separates values", () => {
  it("moves what is longer than the threshold, and leaves what is exactly that", () => {
    const points = [99, 100, 101].map((length) =>
      plain(`key-${String(length).padStart(3, "0")}`, { value: "v".repeat(length) })
    )
    const { held, resolved, valueFiles } = separate(points)
    assert.deepStrictEqual(
      held[0]!.points.map(({ kind }) => kind),
      [Kind.set, Kind.set, Kind.valueHandle]
    )
    assert.deepStrictEqual(resolved[0]!.points, points)
    assert.lengthOf(valueFiles, 1)
  })

  it("keeps sequence, expiry and user meta, and moves every version", () => {
    const value = "v".repeat(300)
    const points = [
      plain("a", { value, sequence: 9, expiresAt: 1234, userMeta: 7 }),
      plain("a", { value: `${value}!`, sequence: 8 }),
      plain("a", { kind: Kind.remove, sequence: 7 }),
      plain("a", { kind: Kind.merge, value, sequence: 6 }),
      plain("b", { value, userMeta: 255 })
    ]
    assert.deepStrictEqual(separate(points).resolved[0]!.points, points)
  })

  it("moves no value that goes: what is removed, expired or hidden", () => {
    const value = "v".repeat(300)
    const points = [
      plain("a", { value, sequence: 9, expiresAt: 50 }),
      plain("b", { kind: Kind.remove, sequence: 9 }),
      plain("b", { value, sequence: 8 })
    ]
    const { held, valueFiles } = separate(points, { snapshots: [10], nowMillis: 50, deeper: [tableFrom("a", "b")] })
    assert.deepStrictEqual(
      held[0]!.points.map(({ key, kind }) => [key, kind]),
      [
        ["a", Kind.remove],
        ["b", Kind.remove]
      ]
    )
    assert.deepStrictEqual(valueFiles, [])
  })

  it("makes no value file where nothing moves, and asks for files when it has used up its own", () => {
    assert.deepStrictEqual(separate(numbered(100)).valueFiles, [])
    const { files, valueFiles } = separate(numbered(100, 3000), { values: { threshold: 100, fileBytesMax: 20_000 } })
    assert.isAbove(valueFiles.length, 14)
    assert.strictEqual(files.requests.filter((tag) => tag === "Files").length, valueFiles.length + 1)
  })

  it("ends a file before it would be too long; a value that is longer has one of its own", () => {
    for (const fileBytesMax of [1, 5000, 10_000, 33_333]) {
      const lengths = [200, 9000, 200, 200, 20_000, 101, 4000, 40_000, 300, 300]
      const points = lengths.map((length, index) => plain(`key-${index}`, { value: `${index}`.repeat(length) }))
      const { resolved, valueFiles } = separate(points, { values: { threshold: 100, fileBytesMax } })
      assert.deepStrictEqual(resolved[0]!.points, points)
      assert.isAbove(valueFiles.length, 1)
    }
  })

  it("copies a long value in slices of 64 KiB, and short ones up to that", () => {
    const pausesOf = (points: ReadonlyArray<Plain>) => {
      const { files, resolved } = separate(points, { values: { threshold: 100, fileBytesMax: 2 ** 30 } })
      assert.deepStrictEqual(resolved[0]!.points, points)
      return files.requests.filter((tag) => tag === "Pause").length
    }
    assert.isAtLeast(pausesOf([plain("a", { value: "v".repeat(3 * 1024 * 1024) })]), 48 - 1)
    assert.isAtLeast(pausesOf(numbered(600, 5120)), 46)
  })

  it("appends at least 64 KiB at once, but for the end of a file", () => {
    const appended: Array<number> = []
    const files = new MemoryFiles()
    files.onAppend = ({ kind }, bytes) => void (kind === "value" && appended.push(bytes))
    const long = plain("long", { value: "v".repeat(1024 * 1024) })
    const { valueFiles } = files.perform(flushOf([...numbered(3000, 500), long]), setupOf())
    assert.isAbove(appended.length, 20)
    assert.isBelow(appended.length, 30)
    assert.isAtMost(appended.filter((bytes) => bytes < 64 * 1024).length, valueFiles.length)
  })

  it("of any sources makes what it makes without it", () => {
    let moved = 0
    manySeeds(600, (dice) => {
      const plan = randomPlan(dice)
      const files = new MemoryFiles()
      const values = randomValues(dice)
      const work = { ...workOf(plan, place(files, plan)), values }
      const made = files.perform(work, setupOf({ blockBytes: plan.blockBytes }))
      const held = made.tables.map((meta) => files.held(meta))
      checkSeparation(values, { ...made, held })
      const separated = new SeparatedValues(made.valueFiles, (number) => files.files.get(number)!)
      const resolved = held.map(({ points, removals }) => ({
        points: points.map((point) => separated.resolved(point)),
        removals
      }))
      checkTables(plan, work, { metas: made.tables, held: resolved })
      moved += made.valueFiles.length
    })
    assert.isAbove(moved, 500)
  })

  it("a later job passes handles on as they are", () => {
    const files = new MemoryFiles()
    const points = numbered(50, 300)
    const first = files.perform(flushOf(points), setupOf())
    const before = first.tables.map((meta) => files.held(meta))
    const work = { ...flushOf([], { runs: [first.tables], values: { threshold: 0, fileBytesMax: 2 ** 20 } }), level: 1 }
    const second = files.perform({ ...work, memtables: [] }, setupOf())
    assert.deepStrictEqual(second.valueFiles, [])
    assert.deepStrictEqual(
      second.tables.map((meta) => files.held(meta)),
      before
    )
    assert.deepStrictEqual(second.tables[0]!.valueRefs, first.tables[0]!.valueRefs)
  })
})

const tableFrom = (smallest: string, largest: string) => ({
  smallest: Buffer.from(smallest),
  largest: Buffer.from(largest)
})
