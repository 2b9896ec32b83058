// A run of several tables as a source of a merge: it stands in one of its tables at a time and walks on into the next
// where that one ends. Tables that a walk does not reach are not opened, and those whose versions are all too new for
// the reader are passed over.
//
// The ends of neighbours may be equal (the end of a range removal counts as a key of its table), so a search that finds
// nothing in the table where it began goes on, for the same target, in the next one.
import { runRemovals, type SourceRemovals } from "./coverage.ts"
import { emptyEntry, type EntryView, type Request, type TableLike } from "./entry.ts"
import { firstEndingAt, lastBeginningAt } from "./levels.ts"
import type { Source, Target } from "./source.ts"
import { TableSource } from "./tableSource.ts"

const nowhere = -1
const noEntry = emptyEntry()

export class RunSource implements Source {
  valid = false
  entry: EntryView = noEntry
  readonly removals: SourceRemovals | undefined
  private readonly tables: ReadonlyArray<TableLike>
  private readonly sequence: number
  /** Of the table that it stands in; none beyond the ends. */
  private source: TableSource | undefined = undefined
  private position = nowhere
  private forward = true
  /** Where the move that is under way goes to; `undefined` for the next key, or an end. */
  private target: Target | undefined = undefined
  private moving = false

  /** Tables without common keys, ascending. */
  constructor(tables: ReadonlyArray<TableLike>, sequence: number) {
    this.tables = tables
    this.sequence = sequence
    this.removals = runRemovals(tables, sequence)
  }

  seek(target: Target): void {
    const { end, forward, key, start } = target
    this.begin(forward, target)
    this.enter(forward ? firstEndingAt(this.tables, key, start, end) : lastBeginningAt(this.tables, key, start, end))
  }

  seekEnd(forward: boolean): void {
    this.begin(forward, undefined)
    this.enter(forward ? 0 : this.tables.length - 1)
  }

  move(forward: boolean): void {
    this.begin(forward, undefined)
    this.source!.move(forward)
  }

  resume(): Request | undefined {
    while (this.moving) {
      const { source } = this
      if (source === undefined) {
        this.finish(false)
        break
      }
      const needed = source.resume()
      if (needed !== undefined) return needed
      if (source.valid) this.finish(true)
      else this.enter(this.position + (this.forward ? 1 : -1))
    }
    return undefined
  }

  private begin(forward: boolean, target: Target | undefined): void {
    this.forward = forward
    this.target = target
    this.moving = true
  }

  private finish(valid: boolean): void {
    this.valid = valid
    this.moving = false
    this.target = undefined
  }

  /** Goes on in the table at the position, or the next one in the direction that the reader can see anything of. */
  private enter(position: number): void {
    const { forward, sequence, tables } = this
    let at = position
    while (at >= 0 && at < tables.length && tables[at]!.meta.sequenceMin > sequence) at += forward ? 1 : -1
    const table = tables[at]
    if (table === undefined) {
      this.source = undefined
      this.position = nowhere
      return
    }
    // A search that begins where the last one ended uses what it holds of the table.
    if (this.source === undefined || at !== this.position) {
      this.source = new TableSource(table, sequence)
      this.entry = this.source.entry
      this.position = at
    }
    if (this.target === undefined) this.source.seekEnd(forward)
    else this.source.seek(this.target)
  }
}
