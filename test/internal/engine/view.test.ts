import { assert, describe, it } from "@effect/vitest"
import { LiveView } from "../../../src/internal/engine/view.ts"
import type { MemtableHandle, MemtableService } from "../../../src/services/Memtable.ts"
import type { Table } from "../../../src/services/SsTable.ts"
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
  return { view, obsolete, released }
}

const table = (number: number, level: number, key = "61"): Table =>
  ({ meta: { number, level, smallest: bytes(key), largest: bytes(key), sequenceMax: number } }) as unknown as Table

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
