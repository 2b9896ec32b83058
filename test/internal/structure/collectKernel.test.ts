import { assert, describe, it } from "@effect/vitest"
import type { ValueFileMeta } from "../../../src/internal/format/valueFileMeta.ts"
import { FileDamage } from "../../../src/internal/structure/fileDamage.ts"
import type { CollectWork, JobWork } from "../../../src/internal/structure/jobWork.ts"
import { byPlace, namedBy, randomCollect, survivors } from "../../support/collectPlan.ts"
import { MemoryFiles } from "../../support/jobDriver.ts"
import { fileOf, memtableOf, setupOf } from "../../support/jobPlan.ts"
import { SeparatedValues } from "../../support/separatedValues.ts"
import { numbered } from "../../support/tables.ts"
import { type Plain, plain } from "../format/entries.ts"
import { type Dice, manySeeds } from "../format/support.ts"

const flushed = (files: MemoryFiles, points: ReadonlyArray<Plain>, given: Partial<JobWork> = {}) =>
  files.perform(
    {
      memtables: [memtableOf({ points, removals: [] })],
      runs: [],
      from: undefined,
      to: undefined,
      level: 0,
      snapshots: [],
      nowMillis: 0,
      deeper: [],
      grandparents: [],
      tableBytesMax: 300,
      values: { threshold: 0, fileBytesMax: 10_000 },
      ...given
    },
    setupOf()
  )

const valuesIn = (files: MemoryFiles, metas: ReadonlyArray<ValueFileMeta>) =>
  new SeparatedValues(metas, (number) => files.files.get(number)!)

/** Collects, and sees that exactly what the job's tables name is left. */
const collect = (files: MemoryFiles, work: CollectWork): ReadonlyArray<ValueFileMeta> => {
  const before = valuesIn(files, work.files).all()
  const { tables, valueFiles } = files.perform(work, setupOf())
  assert.deepStrictEqual(tables, [])
  const named = namedBy(work.tables.map((meta) => files.held(meta)))
  const left = valuesIn(files, valueFiles).all()
  assert.deepStrictEqual([...left].sort(byPlace), survivors(before, named))
  for (const { bytes, number, sections } of valueFiles) {
    assert.isAbove(number, Math.max(...work.files.map((file) => file.number)))
    assert.isTrue(sections.length === 1 || bytes <= work.fileBytesMax, `${sections.length} sections in ${bytes} bytes`)
  }
  return valueFiles
}

const randomPoints = (dice: Dice): Array<Plain> =>
  numbered(1 + dice.below(60)).map((point, index) => ({
    ...point,
    value: `${index}`.repeat(1 + dice.below(dice.pick([1, 30, 400, 3000])))
  }))

/** Every second of the entries' tables. */
const halfDead = (files: MemoryFiles, points: ReadonlyArray<Plain>): CollectWork => {
  const { tables, valueFiles } = flushed(files, points)
  return {
    _tag: "Collect",
    files: valueFiles,
    tables: tables.filter((_, index) => index % 2 === 0),
    fileBytesMax: 2 ** 20
  }
}

const damageOf = (run: () => unknown): FileDamage => {
  try {
    run()
  } catch (error) {
    if (error instanceof FileDamage) return error
    throw error
  }
  throw new Error("nothing was found to be damaged")
}

describe("collecting value files", () => {
  it("keeps exactly what the tables name, under the same ids and indexes", () => {
    let shared = 0
    let files = 0
    manySeeds(300, (dice) => {
      const memory = new MemoryFiles()
      const fileBytesMax = dice.pick([1, 1000, 5000])
      const made = flushed(memory, randomPoints(dice), { values: { threshold: 0, fileBytesMax } })
      const work = randomCollect(dice, made, dice.pick([1, 3000, 20_000, 2 ** 20]))
      const first = collect(memory, work)
      files += first.length
      shared += first.filter(({ sections }) => sections.length > 1).length
      // And again, of what it has made, with fewer tables.
      const tables = work.tables.filter(() => dice.chance(0.5))
      if (first.length > 0) collect(memory, { ...work, files: first, tables })
    })
    assert.isAbove(files, 300)
    assert.isAbove(shared, 50)
  })

  it("leaves nothing of a file without live values, and makes none where nothing lives", () => {
    const files = new MemoryFiles()
    const work = halfDead(files, numbered(200, 300))
    assert.deepStrictEqual(collect(files, { ...work, tables: [] }), [])
    const one = work.tables.slice(0, 1)
    assert.lengthOf(collect(files, { ...work, tables: one }), 1)
    assert.deepStrictEqual(files.perform({ ...work, files: [] }, setupOf()).valueFiles, [])
  })

  it("puts small files together, up to the limit, and never divides a section", () => {
    const files = new MemoryFiles()
    const work = halfDead(files, numbered(400, 300))
    assert.isAbove(work.files.length, 10)
    assert.lengthOf(collect(files, work), 1)
    const some = collect(files, { ...work, fileBytesMax: 20_000 })
    assert.isAbove(some.length, 2)
    assert.isBelow(some.length, work.files.length)
    for (const { sections } of some.slice(0, -1)) assert.isAbove(sections.length, 1)
    assert.lengthOf(collect(files, { ...work, fileBytesMax: 1 }), work.files.length)
  })

  it("reads neighbours together, and what is far away from them alone", () => {
    const files = new MemoryFiles()
    const points = numbered(300, 10_000)
    const { tables, valueFiles } = flushed(files, points, {
      values: { threshold: 0, fileBytesMax: 2 ** 30 },
      tableBytesMax: 1
    })
    const readBytes = (count: (index: number) => boolean) => {
      files.reads.length = 0
      const work = { _tag: "Collect", files: valueFiles, fileBytesMax: 2 ** 30 } as const
      collect(files, { ...work, tables: tables.filter((_, index) => count(index)) })
      return files.reads.filter(({ file, length }) => file.number === valueFiles[0]!.number && length > 5000)
    }
    const all = readBytes(() => true)
    assert.isBelow(all.length, 6)
    const dense = readBytes((index) => index % 3 > 0)
    assert.isBelow(dense.length, 6)
    const sparse = readBytes((index) => index % 50 === 0)
    assert.isBelow(
      sparse.reduce((sum, { length }) => sum + length, 0),
      100_000
    )
  })

  it("copies in slices of 64 KiB, a long value a few pieces at a time", () => {
    const files = new MemoryFiles()
    const long = plain("long", { value: "v".repeat(5 * 1024 * 1024), sequence: 3 })
    const { tables, valueFiles } = flushed(files, [...numbered(200, 10_000), long], {
      values: { threshold: 0, fileBytesMax: 2 ** 30 }
    })
    files.requests.length = 0
    files.reads.length = 0
    collect(files, { _tag: "Collect", files: valueFiles, tables, fileBytesMax: 2 ** 30 })
    assert.isAtLeast(files.requests.filter((tag) => tag === "Pause").length, 20 + 30)
    for (const { length } of files.reads) assert.isAtMost(length, 1024 * 1024)
  })

  it("closes each table before it opens the next one, and each new file when it was read back", () => {
    const files = new MemoryFiles()
    const work = halfDead(files, numbered(400, 300))
    assert.isAbove(work.tables.length, work.files.length)
    files.opened.clear()
    files.openedMax = 0
    assert.isAbove(collect(files, { ...work, fileBytesMax: 1 }).length, 10)
    assert.deepStrictEqual(
      [...files.opened],
      work.files.map(({ number }) => number)
    )
    assert.strictEqual(files.openedMax, work.files.length + 1)
  })

  it("carries no damage on: whatever byte of a live value or of its index is wrong, it fails", () => {
    const points = numbered(40, 300)
    const sound = new MemoryFiles()
    const work = halfDead(sound, points)
    const whole = { ...work, tables: flushed(sound, points).tables.slice(0, 0) }
    assert.lengthOf(whole.tables, 0)
    const [file] = work.files
    const bytes = sound.files.get(file!.number)!
    let refused = 0
    for (let at = 0; at < bytes.length; at += 13) {
      const files = new MemoryFiles()
      for (const [number, content] of sound.files) files.files.set(number, content.slice())
      files.files.get(file!.number)![at]! ^= 4
      try {
        const { valueFiles } = files.perform(work, setupOf({ files: [fileOf(5000), fileOf(5001)] }))
        const named = namedBy(work.tables.map((meta) => files.held(meta)))
        const left = valuesIn(files, valueFiles).all()
        assert.deepStrictEqual([...left].sort(byPlace), survivors(valuesIn(sound, work.files).all(), named))
      } catch (error) {
        if (!(error instanceof FileDamage)) throw error
        assert.deepStrictEqual(error.file, { kind: "value", number: file!.number })
        assert.isAtMost(error.error.offset, Math.max(at, 92))
        refused += 1
      }
    }
    assert.isAbove(refused, bytes.length / 13 / 3)
  })

  it("fails for a value that a table names and no index has", () => {
    const files = new MemoryFiles()
    const points = numbered(100, 300)
    const made = flushed(files, points, { values: { threshold: 0, fileBytesMax: 2 ** 20 } })
    const work = { _tag: "Collect", files: made.valueFiles, tables: [], fileBytesMax: 2 ** 20 } as const
    for (const named of [made.tables.slice(0, 3), made.tables.slice(3, 6), made.tables.slice(-3)]) {
      const others = made.tables.filter((meta) => !named.includes(meta))
      const left = collect(files, { ...work, tables: others })
      const { error, file } = damageOf(() => files.perform({ ...work, files: left, tables: named }, setupOf()))
      assert.deepStrictEqual(file, { kind: "value", number: left[0]!.number })
      assert.match(error.message, /which a table names, is not in the index/)
    }
  })
})
