// What there is to read at one moment: memtables and tables, newest first. A view is an immutable value; freezing a
// memtable or installing a table makes a new one. A read that is not suspended uses the current view without holding
// it. One that waits for a block pins its view, and an arena is given back to the pool only when its memtable is in a
// table and no pinned view names it.
import type { MemtableHandle, MemtableService } from "../../services/Memtable.ts"
import type { Table } from "../../services/SsTable.ts"

/** A memtable and where it is in its life. */
export interface Slot {
  readonly memtable: MemtableHandle
  /** The log segment that its first commit is in; set when the log has switched to it. */
  segment: number
  /** Commits that entered the arena and are neither visible nor abandoned. */
  unresolved: number
  /** The log has left its segments: they are sealed and synced. */
  sealed: boolean
  commitMillisMax: number
  /** Views that name it and are pinned or current. */
  holders: number
}

export interface View {
  readonly slots: ReadonlyArray<Slot>
  readonly memtables: ReadonlyArray<MemtableHandle>
  readonly tables: ReadonlyArray<Table>
  pins: number
}

const newSlot = (memtable: MemtableHandle): Slot => ({
  memtable,
  segment: 0,
  unresolved: 0,
  sealed: false,
  commitMillisMax: 0,
  holders: 0
})

export class LiveView {
  current: View
  /** Called when an arena came back to the pool. */
  onRelease: () => void = () => {}
  private readonly pool: MemtableService

  constructor(pool: MemtableService, first: MemtableHandle) {
    this.pool = pool
    this.current = this.hold({ slots: [newSlot(first)], tables: [] })
  }

  get active(): Slot {
    return this.current.slots[0]!
  }

  /** The oldest memtable: the one whose segments the log keeps longest, and the next to be flushed. */
  get oldest(): Slot {
    return this.current.slots.at(-1)!
  }

  /** The memtable after this one. */
  newerThan(slot: Slot): Slot | undefined {
    const index = this.current.slots.indexOf(slot)
    return index > 0 ? this.current.slots[index - 1] : undefined
  }

  /** Gives new writes a memtable of their own. False if the pool is empty. */
  freeze(): boolean {
    const memtable = this.pool.acquireUnsafe()
    if (memtable === undefined) return false
    this.add(memtable)
    return true
  }

  add(memtable: MemtableHandle): void {
    this.replace({ slots: [newSlot(memtable), ...this.current.slots], tables: this.current.tables })
  }

  /** Shows the tables found at the start, newest first. */
  start(tables: ReadonlyArray<Table>): void {
    this.replace({ slots: this.current.slots, tables })
  }

  /** Puts a table in the place of the memtable that it was made of (or, without one, under all memtables). */
  install(table: Table | undefined, flushed: Slot | undefined): void {
    this.replace({
      slots: this.current.slots.filter((slot) => slot !== flushed),
      tables: table === undefined ? this.current.tables : [table, ...this.current.tables]
    })
  }

  pin(): View {
    this.current.pins += 1
    return this.current
  }

  unpin(view: View): void {
    view.pins -= 1
    if (view.pins === 0) this.drop(view)
  }

  private hold(parts: { readonly slots: ReadonlyArray<Slot>; readonly tables: ReadonlyArray<Table> }): View {
    for (const slot of parts.slots) slot.holders += 1
    return { ...parts, memtables: parts.slots.map((slot) => slot.memtable), pins: 1 }
  }

  private replace(parts: { readonly slots: ReadonlyArray<Slot>; readonly tables: ReadonlyArray<Table> }): void {
    const before = this.current
    this.current = this.hold(parts)
    this.unpin(before)
  }

  private drop(view: View): void {
    let released = false
    for (const slot of view.slots) {
      slot.holders -= 1
      if (slot.holders > 0) continue
      this.pool.releaseUnsafe(slot.memtable)
      released = true
    }
    if (released) this.onRelease()
  }
}
