import { assert, describe, it } from "@effect/vitest"
import { LiveView } from "../../../src/internal/engine/view.ts"
import type { MemtableHandle, MemtableService } from "../../../src/services/Memtable.ts"
import type { Table } from "../../../src/services/SsTable.ts"
import type { ValueFile } from "../../../src/services/ValueLog.ts"
import { bytes } from "../../support/model.ts"

const memtable = (): MemtableHandle => ({}) as MemtableHandle

const live = () => {
  const released: Array<MemtableHandle> = []
  const pool = {
    acquireUnsafe: memtable,
    releaseUnsafe: (one: MemtableHandle) => released.push(one)
  } as unknown as MemtableService
  const view = new LiveView(pool, memtable())
  const obsolete: Array<number> = []
  view.onObsolete = ({ meta }) => obsolete.push(meta.number)
  const obsoleteValues: Array<number> = []
  view.onObsoleteValue = ({ meta }) => obsoleteValues.push(meta.number)
  return { view, obsolete, obsoleteValues, released }
}

const table = (number: number, level: number, key = "61"): Table =>
  ({ meta: { number, level, smallest: bytes(key), largest: bytes(key), sequenceMax: number } }) as unknown as Table

/** With sections of these ids. */
const valueFile = (number: number, ...ids: ReadonlyArray<number>): ValueFile => {
  const sections = ids.map((id) => ({ id, count: 1, bytes: 1 }))
  return { meta: { number, sections } } as unknown as ValueFile
}

const shown = (view: LiveView) =>
  view.current.runs.map(({ level, tables }) => `${level}: ${tables.map(({ meta }) => meta.number).join(" ")}`)

const without = (...numbers: ReadonlyArray<number>) => new Set(numbers)

describe("the live view", () => {
  it("shows tables in runs: each of level 0 from the newest, then each level in the order of keys", () => {
    const { view } = live()
    view.start([table(7, 2, "62"), table(3, 0), table(4, 0), table(6, 2, "61"), table(5, 1)], [])
    view.install(table(8, 0), undefined)
    assert.deepStrictEqual(shown(view), ["0: 8", "0: 4", "0: 3", "1: 5", "2: 6 7"])
    view.replaceTables({ remove: without(4, 3, 5), add: [table(9, 1, "61"), table(10, 1, "62")] })
    assert.deepStrictEqual(shown(view), ["0: 8", "1: 9 10", "2: 6 7"])
  })

  it("knows which memtable came after one, and which files somebody holds", () => {
    const { view } = live()
    view.start([table(1, 0)], [valueFile(2, 2)])
    const first = view.active
    assert.isUndefined(view.newerThan(first))
    view.freeze()
    assert.strictEqual(view.newerThan(first), view.active)
    const pinned = view.pinTables()
    view.replaceTables({ remove: without(1), add: [table(3, 1)] })
    for (const number of [1, 3]) assert.isTrue(view.isHeld("table", number), `${number}`)
    assert.deepStrictEqual(
      [view.isHeld("table", 2), view.isHeld("value", 2), view.isHeld("value", 1)],
      [false, true, false]
    )
    pinned.release()
    assert.isFalse(view.isHeld("table", 1))
  })

  it("calls a table obsolete when no view that is current or pinned names it, once", () => {
    const { obsolete, view } = live()
    view.start([table(1, 0), table(2, 0)], [])
    const first = view.pin()
    // Shares its tables with the view before it.
    view.freeze()
    const second = view.pin()
    view.replaceTables({ remove: without(1, 2), add: [table(3, 1)] })
    const third = view.pin()
    view.replaceTables({ remove: without(3), add: [] })
    assert.deepStrictEqual(obsolete, [])
    view.unpin(first)
    assert.deepStrictEqual(obsolete, [])
    view.unpin(third)
    assert.deepStrictEqual(obsolete, [3])
    view.unpin(second)
    assert.deepStrictEqual(obsolete, [3, 1, 2])
    view.freeze()
    assert.deepStrictEqual(obsolete, [3, 1, 2])
  })

  it("keeps a table that only moves to another level", () => {
    const { obsolete, view } = live()
    const moved = table(1, 0)
    view.start([moved, table(2, 0)], [])
    view.replaceTables({ remove: without(1), add: [moved] })
    assert.deepStrictEqual(obsolete, [])
    view.replaceTables({ remove: without(1), add: [] })
    assert.deepStrictEqual(obsolete, [1])
  })

  it("gives a memtable back when its table is installed and no pinned view names it", () => {
    const { released, view } = live()
    const { oldest } = view
    const pinned = view.pin()
    view.freeze()
    view.install(table(1, 0), oldest)
    assert.deepStrictEqual(released, [])
    view.unpin(pinned)
    assert.deepStrictEqual(released, [oldest.memtable])
  })
})

describe("the live view's value files", () => {
  it("are found by the ids of their sections, in every view where they were", () => {
    const { obsoleteValues, view } = live()
    const [first, second] = [valueFile(5, 5), valueFile(6, 6)]
    view.start([], [first, second])
    const before = view.pin()
    const collected = valueFile(9, 5, 6)
    view.replaceValues({ addValues: [collected], removeValues: without(5, 6) })
    for (const id of [5, 6]) assert.strictEqual(view.current.valueFile(id), collected)
    assert.isUndefined(view.current.valueFile(9))
    assert.strictEqual(before.valueFile(5), first)
    assert.strictEqual(before.valueFile(6), second)
    assert.deepStrictEqual(obsoleteValues, [])
    view.unpin(before)
    assert.deepStrictEqual(obsoleteValues, [5, 6])
    assert.deepStrictEqual(view.valueFiles, [collected])
  })

  it("stay when only tables change, and go with them when both do", () => {
    const { obsoleteValues, view } = live()
    view.start([table(1, 0)], [valueFile(5, 5)])
    view.replaceTables({ remove: without(1), add: [table(2, 1)] })
    view.install(table(3, 0), undefined)
    view.freeze()
    assert.strictEqual(view.current.valueFile(5)?.meta.number, 5)
    const pinned = view.pinTables()
    view.replaceTables({ remove: without(2), add: [], removeValues: without(5) })
    assert.isUndefined(view.current.valueFile(5))
    assert.strictEqual(pinned.values.get(5)?.meta.number, 5)
    assert.deepStrictEqual(obsoleteValues, [])
    pinned.release()
    pinned.release()
    assert.deepStrictEqual(obsoleteValues, [5])
  })

  it("of a commit are its slot's, until the flush installs them", () => {
    const { obsoleteValues, view } = live()
    const slot = view.active
    const [named, needless, withdrawn] = [valueFile(5, 5), valueFile(6, 6), valueFile(7, 7)]
    for (const file of [named, needless, withdrawn]) view.addDirect(slot, file)
    view.removeDirect(slot, withdrawn)
    view.removeDirect(slot, withdrawn)
    assert.deepStrictEqual(obsoleteValues, [7])
    assert.isUndefined(view.current.valueFile(7))
    view.freeze()
    const before = view.pin()
    view.install(table(1, 0), slot, { addValues: [named] })
    assert.strictEqual(view.current.valueFile(5), named)
    assert.isUndefined(view.current.valueFile(6))
    assert.strictEqual(before.valueFile(6), needless)
    assert.deepStrictEqual(obsoleteValues, [7])
    view.unpin(before)
    assert.deepStrictEqual(obsoleteValues, [7, 6])
  })

  it("are held one by one, too", () => {
    const { obsoleteValues, view } = live()
    const file = valueFile(5, 5)
    view.start([], [file])
    const release = view.pinValue(file)
    view.replaceValues({ removeValues: without(5) })
    assert.deepStrictEqual(obsoleteValues, [])
    release()
    release()
    assert.deepStrictEqual(obsoleteValues, [5])
  })
})
