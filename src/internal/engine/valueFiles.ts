// The value files of a view, each once: the view knows them by their sections, and a file may have several.
import type { ValueFileStats } from "../../services/Maintenance.ts"
import type { ValueFileMeta } from "../../services/Manifest.ts"
import type { Table } from "../../services/SsTable.ts"
import type { ValueFile } from "../../services/ValueLog.ts"
import { ValueReferences } from "../structure/valueReferences.ts"

export interface ValueView {
  readonly tables: ReadonlyArray<Table>
  /** By logical id. */
  readonly values: ReadonlyMap<number, ValueFile>
}

export const valueFilesOf = ({ values }: Pick<ValueView, "values">): ReadonlyArray<ValueFileMeta> =>
  [...new Set(values.values())].map(({ meta }) => meta)

/** What there is, and how much of it the tables name. */
export const valueStatsOf = (view: ValueView): ValueFileStats => {
  const references = new ValueReferences()
  references.learn(view.tables)
  const stats = { files: 0, bytes: 0, values: 0, liveValues: 0, liveBytes: 0, garbageBytes: 0 }
  for (const file of valueFilesOf(view)) {
    const { liveBytes, liveCount, valueBytes } = references.of(file)
    stats.files += 1
    stats.bytes += file.bytes
    stats.values += file.sections.reduce((sum, { count }) => sum + count, 0)
    stats.liveValues += liveCount
    stats.liveBytes += liveBytes
    stats.garbageBytes += valueBytes - liveBytes
  }
  return stats
}
