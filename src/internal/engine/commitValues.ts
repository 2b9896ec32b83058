// The value files that a commit brings along, from when they are written until the commit has an outcome.
//
//   finished → held here → the commit enters → held by the memtable's slot too → let go here
//
// A file that is let go here and is nobody else's is removed: its commit failed before it entered, was interrupted, or
// its transaction was discarded. From the step in which the commit enters, the slot has it. It loses it again only when
// the commit definitely failed (commitQueue.ts), never when its frame may be in the log.
import type { ValueFile } from "../../services/ValueLog.ts"
import type { ValueSource } from "./valueReads.ts"
import type { LiveView, Slot } from "./view.ts"

export class CommitValues implements ValueSource {
  private readonly live: LiveView
  private held: Map<ValueFile, () => void> | undefined = undefined
  private readonly holding: Set<CommitValues>

  /** `holding`: all that hold a file are in it. */
  constructor(live: LiveView, holding: Set<CommitValues>) {
    this.live = live
    this.holding = holding
  }

  get files(): ReadonlyArray<ValueFile> {
    return this.held === undefined ? none : [...this.held.keys()]
  }

  add(file: ValueFile): void {
    this.hold(file, this.live.pinValue(file))
  }

  /** The file with the values of this logical id. */
  valueFile(id: number): ValueFile | undefined {
    return this.files.find(({ meta }) => meta.sections.some((section) => section.id === id))
  }

  /** The commit enters the slot's memtable, in this step. Returns the files. */
  enter(slot: Slot): ReadonlyArray<ValueFile> {
    const { files } = this
    for (const file of files) this.live.addDirect(slot, file)
    return files
  }

  /** What the other holds is held here. */
  takeOver(other: CommitValues): void {
    for (const [file, release] of other.held ?? []) this.hold(file, release)
    other.forget()
  }

  release(): void {
    const { held } = this
    if (held === undefined) return
    for (const release of held.values()) release()
    this.forget()
  }

  private hold(file: ValueFile, release: () => void): void {
    this.held ??= new Map()
    this.held.set(file, release)
    this.holding.add(this)
  }

  private forget(): void {
    this.held = undefined
    this.holding.delete(this)
  }
}

const none: ReadonlyArray<ValueFile> = []
