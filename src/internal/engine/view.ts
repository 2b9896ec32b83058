// What there is to read at one moment: memtables, newest first, tables in runs, and the files of separated values. A
// view is an immutable value; freezing a memtable or replacing files makes a new one. A read that is not suspended uses
// the current view without holding it. One that waits for a block pins its view: an arena is given back to the pool
// only when its memtable is in a table and no pinned view names it, and a file is obsolete only when nothing that is
// current or pinned names it.
//
// A value file is found by the id of a section. While its commits are in a memtable alone, the memtable's slot has it;
// the flush makes it one of the live files, in one step. A collection puts another file with the same ids in its place:
// whoever looks an id up in a later view finds the value there.
import type { MemtableHandle, MemtableService } from "../../services/Memtable.ts"
import type { Table } from "../../services/SsTable.ts"
import type { ValueFile } from "../../services/ValueLog.ts"
import { type Run, runsOf } from "../structure/levels.ts"
import { Holdings } from "./holdings.ts"

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
  /** Files that its commits wrote before they entered, and that are not in the manifest yet. */
  values: ReadonlyArray<ValueFile>
}

/** The files of one version, shared by the views in which only memtables changed. */
interface LiveFiles {
  /** In no particular order. */
  readonly tables: ReadonlyArray<Table>
  readonly runs: ReadonlyArray<Run<Table>>
  readonly valueFiles: ReadonlyArray<ValueFile>
  /** By logical id. */
  readonly values: ReadonlyMap<number, ValueFile>
  /** Views that have it and are pinned or current. */
  holders: number
}

/** What changes of the value files. A collection's output has another number and the same logical ids. */
export interface ValueChange {
  readonly addValues?: ReadonlyArray<ValueFile> | undefined
  /** By the numbers of their files. */
  readonly removeValues?: ReadonlySet<number> | undefined
}

/** Files that are held, until they are released. */
export interface PinnedFiles {
  readonly tables: ReadonlyArray<Table>
  readonly valueFiles: ReadonlyArray<ValueFile>
  /** By logical id. */
  readonly values: ReadonlyMap<number, ValueFile>
  readonly release: () => void
}

interface Change {
  readonly slots?: ReadonlyArray<Slot>
  readonly files?: LiveFiles
}

export class View {
  readonly slots: ReadonlyArray<Slot>
  readonly memtables: ReadonlyArray<MemtableHandle>
  readonly runs: ReadonlyArray<Run<Table>>
  readonly files: LiveFiles
  pins = 1

  constructor(slots: ReadonlyArray<Slot>, files: LiveFiles) {
    this.slots = slots
    this.memtables = slots.map(({ memtable }) => memtable)
    this.runs = files.runs
    this.files = files
  }

  /** The file with the values of this logical id. */
  valueFile(id: number): ValueFile | undefined {
    const file = this.files.values.get(id)
    if (file !== undefined) return file
    for (const { values } of this.slots) {
      for (const direct of values) if (direct.meta.sections.some((section) => section.id === id)) return direct
    }
    return undefined
  }
}

const newSlot = (memtable: MemtableHandle): Slot => ({
  memtable,
  segment: 0,
  unresolved: 0,
  sealed: false,
  commitMillisMax: 0,
  holders: 0,
  values: []
})

export class LiveView {
  current: View
  /** Called when an arena came back to the pool. */
  onRelease: () => void = () => {}
  /** Called with each table that nothing can read any more. */
  onObsolete: (table: Table) => void = () => {}
  /** Called with each value file that nothing can read any more. */
  onObsoleteValue: (file: ValueFile) => void = () => {}
  private readonly pool: MemtableService
  /** In how many of the versions that are held each table is. */
  private readonly heldTables = new Holdings<Table>((table) => this.onObsolete(table))
  /** The same for value files, and the slots and readers that hold one. */
  private readonly heldValues = new Holdings<ValueFile>((file) => this.onObsoleteValue(file))

  constructor(pool: MemtableService, first: MemtableHandle) {
    this.pool = pool
    this.current = this.hold([newSlot(first)], this.filesOf([], []))
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

  /** In no particular order; without those of commits that are in memtables alone. */
  get valueFiles(): ReadonlyArray<ValueFile> {
    return this.current.files.valueFiles
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

  /** Shows the files found at the start. */
  start(tables: ReadonlyArray<Table>, valueFiles: ReadonlyArray<ValueFile>): void {
    this.replace({ files: this.filesOf(tables, valueFiles) })
  }

  /**
   * Puts a table in the place of the memtable that it was made of (or, without one, under all memtables), together with
   * the value files that it names. They may be the slot's own, which are gone with it if they are not among them.
   */
  install(table: Table | undefined, flushed: Slot | undefined, values: ValueChange = {}): void {
    const slots = this.current.slots.filter((slot) => slot !== flushed)
    const tables = table === undefined ? this.tables : [...this.tables, table]
    this.replace({ slots, ...this.changed(tables, values) })
  }

  /** Puts tables in the place of others, which hold the same for every reader. By their numbers; one may be in both. */
  replaceTables(
    change: { readonly remove: ReadonlySet<number>; readonly add: ReadonlyArray<Table> } & ValueChange
  ): void {
    const kept = this.tables.filter(({ meta }) => !change.remove.has(meta.number))
    this.replace(this.changed([...kept, ...change.add], change))
  }

  /** Puts value files in the place of others that hold the same live values, or are not referred to any more. */
  replaceValues(change: ValueChange): void {
    this.replace(this.changed(this.tables, change))
  }

  /** A commit of this slot names values of the file, which is not in the manifest yet. */
  addDirect(slot: Slot, file: ValueFile): void {
    slot.values = [...slot.values, file]
    this.heldValues.hold(file)
  }

  /** The commit did not happen after all. */
  removeDirect(slot: Slot, file: ValueFile): void {
    if (!slot.values.includes(file)) return
    slot.values = slot.values.filter((other) => other !== file)
    this.heldValues.release(file)
  }

  pin(): View {
    this.current.pins += 1
    return this.current
  }

  unpin(view: View): void {
    view.pins -= 1
    if (view.pins === 0) this.drop(view)
  }

  /** Holds the files of now, but no memtable: for as long as it takes, and writers do not wait for it. */
  pinTables(): PinnedFiles {
    const { files } = this.current
    const { tables, valueFiles, values } = files
    files.holders += 1
    return { tables, valueFiles, values, release: once(() => this.dropFiles(files)) }
  }

  /** Whether somebody holds the file of this number: a version, a slot, or a reader. */
  isHeld(kind: "table" | "value", number: number): boolean {
    for (const { meta } of (kind === "table" ? this.heldTables : this.heldValues).all) {
      if (meta.number === number) return true
    }
    return false
  }

  /** Holds one value file, which something holds at this moment. Returns how to release it. */
  pinValue(file: ValueFile): () => void {
    this.heldValues.hold(file)
    return once(() => this.heldValues.release(file))
  }

  private changed(tables: ReadonlyArray<Table>, { addValues = [], removeValues }: ValueChange): Change {
    const before = this.current.files
    if (addValues.length === 0 && (removeValues === undefined || removeValues.size === 0)) {
      return tables === before.tables ? {} : { files: this.filesOf(tables, before.valueFiles, before.values) }
    }
    const kept = before.valueFiles.filter(({ meta }) => removeValues?.has(meta.number) !== true)
    return { files: this.filesOf(tables, [...kept, ...addValues]) }
  }

  private filesOf(
    tables: ReadonlyArray<Table>,
    valueFiles: ReadonlyArray<ValueFile>,
    values: ReadonlyMap<number, ValueFile> = byId(valueFiles)
  ): LiveFiles {
    for (const table of tables) this.heldTables.hold(table)
    for (const file of valueFiles) this.heldValues.hold(file)
    return { tables, runs: runsOf(tables), valueFiles, values, holders: 0 }
  }

  private hold(slots: ReadonlyArray<Slot>, files: LiveFiles): View {
    for (const slot of slots) slot.holders += 1
    files.holders += 1
    return new View(slots, files)
  }

  private replace({ files, slots }: Change): void {
    const before = this.current
    this.current = this.hold(slots ?? before.slots, files ?? before.files)
    this.unpin(before)
  }

  private drop({ files, slots }: View): void {
    let released = false
    for (const slot of slots) {
      slot.holders -= 1
      if (slot.holders > 0) continue
      this.pool.releaseUnsafe(slot.memtable)
      for (const file of slot.values) this.heldValues.release(file)
      slot.values = []
      released = true
    }
    this.dropFiles(files)
    if (released) this.onRelease()
  }

  private dropFiles(files: LiveFiles): void {
    files.holders -= 1
    if (files.holders > 0) return
    for (const table of files.tables) this.heldTables.release(table)
    for (const file of files.valueFiles) this.heldValues.release(file)
  }
}

const byId = (files: ReadonlyArray<ValueFile>): ReadonlyMap<number, ValueFile> =>
  new Map(files.flatMap((file) => file.meta.sections.map(({ id }) => [id, file] as const)))

const once = (release: () => void): (() => void) => {
  let held = true
  return () => {
    if (held) release()
    held = false
  }
}
