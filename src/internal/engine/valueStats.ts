// How much of the value files of a view is live.
import type { ValueFileStats } from "../../services/Maintenance.ts"
import { ValueReferences } from "../structure/valueReferences.ts"
import type { LiveView } from "./view.ts"

/** What there is, and how much of it the tables name. */
export const valueStatsOf = ({ tables, valueFiles }: LiveView): ValueFileStats => {
  const references = new ValueReferences()
  references.learn(tables)
  const stats = { files: 0, bytes: 0, values: 0, liveValues: 0, liveBytes: 0, garbageBytes: 0 }
  for (const { meta } of valueFiles) {
    const { file, liveBytes, liveCount, valueBytes } = references.of(meta)
    stats.files += 1
    stats.bytes += file.bytes
    stats.values += file.sections.reduce((sum, { count }) => sum + count, 0)
    stats.liveValues += liveCount
    stats.liveBytes += liveBytes
    stats.garbageBytes += valueBytes - liveBytes
  }
  return stats
}
