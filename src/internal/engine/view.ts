// What there is to read at one moment: memtables, newest first, and tables in runs. A view is an immutable value;
// freezing a memtable or replacing tables makes a new one. A read that is not suspended uses the current view without
// holding it. One that waits for a block pins its view: an arena is given back to the pool only when its memtable is in
// a table and no pinned view names it, and a table is obsolete only when no view that is current or pinned names it.
import type { MemtableHandle, MemtableService } from "../../services/Memtable.ts"
import type { Table } from "../../services/SsTable.ts"
import { type Run, runsOf } from "../structure/levels.ts"

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
  readonly runs: ReadonlyArray<Run<Table>>
  readonly files: LiveFiles
  pins: number
}

/** The tables of one version, shared by the views in which only memtables changed. */
interface LiveFiles {
  /** In no particular order. */
  readonly tables: ReadonlyArray<Table>
  readonly runs: ReadonlyArray<Run<Table>>
  /** Views that have it and are pinned or current. */
  holders: number
}

interface Change {
  readonly slots?: ReadonlyArray<Slot>
  readonly tables?: ReadonlyArray<Table>
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
  /** Called with each table that nothing can read any more. */
  onObsolete: (table: Table) => void = () => {}
  private readonly pool: MemtableService
  /** In how many of the versions that are held each table is. */
  private readonly versions = new Map<Table, number>()

  constructor(pool: MemtableService, first: MemtableHandle) {
    this.pool = pool
    this.current = this.hold([newSlot(first)], this.filesOf([]))
  }

  get active(): Slot {
    return this.current.slots[0]!
  }

  /** The oldest memtable: the one whose segments the log keeps longest, and the next to be flushed. */
  get oldest(): Slot {
    return this.current.slots.at(-1)!
  }

  /** In no particular order. */
  get tables(): ReadonlyArray<Table> {
    return this.current.files.tables
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
    this.replace({ slots: [newSlot(memtable), ...this.current.slots] })
  }

  /** Shows the tables found at the start. */
  start(tables: ReadonlyArray<Table>): void {
    this.replace({ tables })
  }

  /** Puts a table in the place of the memtable that it was made of (or, without one, under all memtables). */
  install(table: Table | undefined, flushed: Slot | undefined): void {
    this.replace({
      slots: this.current.slots.filter((slot) => slot !== flushed),
      ...(table === undefined ? {} : { tables: [...this.tables, table] })
    })
  }

  /** Puts tables in the place of others, which hold the same for every reader. By their numbers; one may be in both. */
  replaceTables(change: { readonly remove: ReadonlySet<number>; readonly add: ReadonlyArray<Table> }): void {
    const kept = this.tables.filter(({ meta }) => !change.remove.has(meta.number))
    this.replace({ tables: [...kept, ...change.add] })
  }

  pin(): View {
    this.current.pins += 1
    return this.current
  }

  unpin(view: View): void {
    view.pins -= 1
    if (view.pins === 0) this.drop(view)
  }

  /** Holds the tables of now, but no memtable: for as long as it takes, and writers do not wait for it. */
  pinTables(): { readonly tables: ReadonlyArray<Table>; readonly release: () => void } {
    const { files } = this.current
    files.holders += 1
    let held = true
    return {
      tables: files.tables,
      release: () => {
        if (!held) return
        held = false
        this.dropFiles(files)
      }
    }
  }

  private filesOf(tables: ReadonlyArray<Table>): LiveFiles {
    for (const table of tables) this.versions.set(table, (this.versions.get(table) ?? 0) + 1)
    return { tables, runs: runsOf(tables), holders: 0 }
  }

  private hold(slots: ReadonlyArray<Slot>, files: LiveFiles): View {
    for (const slot of slots) slot.holders += 1
    files.holders += 1
    return { slots, memtables: slots.map((slot) => slot.memtable), runs: files.runs, files, pins: 1 }
  }

  private replace({ slots, tables }: Change): void {
    const before = this.current
    this.current = this.hold(slots ?? before.slots, tables === undefined ? before.files : this.filesOf(tables))
    this.unpin(before)
  }

  private drop({ files, slots }: View): void {
    let released = false
    for (const slot of slots) {
      slot.holders -= 1
      if (slot.holders > 0) continue
      this.pool.releaseUnsafe(slot.memtable)
      released = true
    }
    this.dropFiles(files)
    if (released) this.onRelease()
  }

  private dropFiles(files: LiveFiles): void {
    files.holders -= 1
    if (files.holders > 0) return
    for (const table of files.tables) {
      const versions = this.versions.get(table)! - 1
      if (versions > 0) {
        this.versions.set(table, versions)
      } else {
        this.versions.delete(table)
        this.onObsolete(table)
      }
    }
  }
}
