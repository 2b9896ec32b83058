// How much of the value files of a view is live.
import type { ValueFileStats } from "../../services/Maintenance.ts"
import { ValueReferences } from "../structure/valueReferences.ts"
import type { LiveView } from "./view.ts"

/**
 * What there is, and how much of it the tables name. Files of commits that are in memtables alone count as live: what
 * of them was overwritten is not known before the flush.
 */
export const valueStatsOf = ({ current, tables, valueFiles }: LiveView): ValueFileStats => {
  const references = new ValueReferences()
  references.learn(tables)
  const stats = { files: 0, bytes: 0, values: 0, liveValues: 0, liveBytes: 0, garbageBytes: 0 }
  for (const { meta } of valueFiles) {
    const { file, liveBytes, liveCount, valueBytes, valueCount } = references.of(meta)
    stats.files += 1
    stats.bytes += file.bytes
    stats.values += valueCount
    stats.liveValues += liveCount
    stats.liveBytes += liveBytes
    stats.garbageBytes += valueBytes - liveBytes
  }
  for (const { meta } of current.slots.flatMap(({ values }) => values)) {
    const { valueBytes, valueCount } = references.of(meta)
    stats.files += 1
    stats.bytes += meta.bytes
    stats.values += valueCount
    stats.liveValues += valueCount
    stats.liveBytes += valueBytes
  }
  return stats
}
