// The tables that a job reads, opened one after the other: their indexes, for reading them in order, and their range
// removals, which must be known before the first version is judged. Tables beyond the job's span are left alone.
import type { RangeRemoval } from "../format/table.ts"
import type { TableMeta } from "../format/tableMeta.ts"
import { FileOpenings, type FileToOpen } from "./fileOpenings.ts"
import { compareKeys } from "./keyRange.ts"
import type { RunTable } from "./runVersions.ts"
import { TableOpening } from "./tableOpening.ts"
import type { KeySpan } from "./versionSource.ts"

const mayHold = ({ largest, smallest }: TableMeta, { from, to }: KeySpan): boolean =>
  (from === undefined || compareKeys(largest, from) >= 0) && (to === undefined || compareKeys(smallest, to) < 0)

export class JobInputs extends FileOpenings<TableOpening> {
  /** Open when nothing is asked for any more. */
  readonly runs: ReadonlyArray<ReadonlyArray<RunTable>>
  readonly removals: ReadonlyArray<RangeRemoval>

  constructor(options: {
    readonly runs: ReadonlyArray<ReadonlyArray<TableMeta>>
    readonly span: KeySpan
    readonly databaseId: Uint8Array
  }) {
    const { databaseId, span } = options
    const removals: Array<RangeRemoval> = []
    const files: Array<FileToOpen<TableOpening>> = []
    const runs = options.runs.map((tables) => {
      const run: Array<RunTable> = []
      for (const meta of tables.filter((table) => mayHold(table, span))) {
        files.push({
          file: { kind: "table", number: meta.number },
          begin: (fileBytes) =>
            new TableOpening({ meta, fileBytes, databaseId, withFilter: false, withPartitions: true }),
          opened: ({ opened: parts }) => {
            run.push({ meta, parts })
            for (const removal of parts.rangeRemovals) removals.push(removal)
          }
        })
      }
      return run
    })
    super(files)
    this.runs = runs
    this.removals = removals
  }
}
