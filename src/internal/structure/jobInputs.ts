// The tables that a job reads, opened one after the other: their indexes, for reading them in order, and their range
// removals, which must be known before the first version is judged. Tables beyond the job's span are left alone.
import { assert } from "../format/formatError.ts"
import type { Sealer } from "../format/sealer.ts"
import type { TableMeta } from "../format/tableMeta.ts"
import { inTable } from "./fileDamage.ts"
import type { JobAnswer, JobFile, JobRequest } from "./jobRequest.ts"
import { compareKeys } from "./keyRange.ts"
import type { RangeRemoval } from "../format/table.ts"
import type { RunTable } from "./runVersions.ts"
import { TableOpening } from "./tableOpening.ts"
import type { KeySpan } from "./versionSource.ts"

const mayHold = ({ largest, smallest }: TableMeta, { from, to }: KeySpan): boolean =>
  (from === undefined || compareKeys(largest, from) >= 0) && (to === undefined || compareKeys(smallest, to) < 0)

export const tableFile = ({ number }: TableMeta): JobFile => ({ kind: "table", number })

export class JobInputs {
  /** Open when nothing is asked for any more. */
  readonly runs: ReadonlyArray<Array<RunTable>>
  readonly removals: Array<RangeRemoval> = []
  private readonly databaseId: Uint8Array
  private readonly waiting: Array<{ readonly meta: TableMeta; readonly run: Array<RunTable> }> = []
  private opening: TableOpening | undefined
  /** A slice is over after each table. */
  private rested = true

  constructor(options: {
    readonly runs: ReadonlyArray<ReadonlyArray<TableMeta>>
    readonly span: KeySpan
    readonly databaseId: Uint8Array
  }) {
    this.databaseId = options.databaseId
    this.runs = options.runs.map((tables) => {
      const run: Array<RunTable> = []
      for (const meta of tables) if (mayHold(meta, options.span)) this.waiting.push({ meta, run })
      return run
    })
    this.waiting.reverse()
  }

  next(): JobRequest | undefined {
    const waiting = this.waiting.at(-1)
    if (waiting === undefined) return undefined
    const { meta, run } = waiting
    if (this.opening === undefined) return this.rested ? { _tag: "Open", file: tableFile(meta) } : { _tag: "Pause" }
    const { opening } = this
    const asked = inTable(meta.number, () => opening.next())
    if (asked === undefined) {
      const parts = opening.opened
      run.push({ meta, parts })
      for (const removal of parts.rangeRemovals) this.removals.push(removal)
      this.waiting.pop()
      this.opening = undefined
      this.rested = false
      return this.next()
    }
    if (asked._tag === "Sealer") return asked
    return { _tag: "Read", file: tableFile(meta), offset: asked.offset, length: asked.length }
  }

  feed(answer: JobAnswer): void {
    const { meta } = this.waiting.at(-1)!
    if (!this.rested) {
      this.rested = true
      return
    }
    if (this.opening === undefined) {
      const fileBytes = answer
      assert(typeof fileBytes === "number", "the size of a file was asked for")
      const { databaseId } = this
      const parts = { withFilter: false, withPartitions: true }
      this.opening = inTable(meta.number, () => new TableOpening({ meta, fileBytes, databaseId, ...parts }))
    } else {
      const { opening } = this
      inTable(meta.number, () => opening.feed(answer as Uint8Array | Sealer))
    }
  }
}
