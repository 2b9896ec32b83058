// The value files that a commit brings along, from when they are written until the commit has an outcome.
//
//   finished → held here → the commit enters → held by the memtable's slot too → let go here
//
// A file that is let go here and is nobody else's is removed: its commit failed before it entered, was interrupted, or
// its transaction was discarded. From the step in which the commit enters, the slot has it. It loses it again only when
// the commit definitely failed (commitQueue.ts), never when its frame may be in the log.
import * as Effect from "effect/Effect"
import type { ValueFile } from "../../services/ValueLog.ts"
import type { ValueSource } from "./valueReads.ts"
import type { LiveView, Slot } from "./view.ts"

export class CommitValues implements ValueSource {
  private readonly live: LiveView
  private readonly held = new Map<ValueFile, () => void>()

  constructor(live: LiveView) {
    this.live = live
  }

  get files(): ReadonlyArray<ValueFile> {
    return [...this.held.keys()]
  }

  add(file: ValueFile): void {
    this.held.set(file, this.live.pinValue(file))
  }

  /** The file with the values of this logical id. */
  valueFile(id: number): ValueFile | undefined {
    for (const file of this.held.keys()) if (file.meta.sections.some((section) => section.id === id)) return file
    return undefined
  }

  /** The commit enters the slot's memtable, in this step. Returns the files. */
  enter(slot: Slot): ReadonlyArray<ValueFile> {
    const { files } = this
    for (const file of files) this.live.addDirect(slot, file)
    return files
  }

  /** What the other holds is held here. */
  takeOver(other: CommitValues): void {
    for (const [file, release] of other.held) this.held.set(file, release)
    other.held.clear()
  }

  release(): void {
    for (const release of this.held.values()) release()
    this.held.clear()
  }
}

/** For files that are wanted only if the body hands them on. */
export const withValues = <A, E, R>(
  live: LiveView,
  body: (values: CommitValues) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.acquireUseRelease(
    Effect.sync(() => new CommitValues(live)),
    body,
    (values) => Effect.sync(() => values.release())
  )
