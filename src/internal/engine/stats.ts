// A look inside: the numbers of all parts in one value, put together when somebody asks. The parts count; this adds up.
import type { BlockCacheService } from "../../services/BlockCache.ts"
import type { RecoveryReport } from "../../services/Database.ts"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import type {
  Amplification,
  Counters,
  EncryptionStats,
  JobStats,
  LevelStats,
  StallStats,
  Stats,
  ValueFileStats
} from "../../services/Maintenance.ts"
import type { ManifestService, TableMeta } from "../../services/Manifest.ts"
import type { OracleService } from "../../services/Oracle.ts"
import type { WalService } from "../../services/Wal.ts"
import { liveBytes } from "../structure/liveEstimate.ts"
import type { Ballast } from "./ballast.ts"
import type { Committer } from "./committer.ts"
import type { Flusher } from "./flusher.ts"
import { valueStatsOf } from "./valueStats.ts"
import type { LiveView } from "./view.ts"

/** What compaction counts. */
export interface CompactionCounters {
  readonly compactions: number
  readonly compactedBytes: number
  readonly moves: number
  readonly drops: number
  readonly compactionFailures: number
}

/** What collections of value files count. */
export interface CollectionCounters {
  readonly collections: number
  readonly collectedBytes: number
  readonly reclaimedBytes: number
  readonly collectionFailures: number
}

/** What rotations of keys count. */
export interface RotationCounters {
  readonly dataKeyRotations: number
  readonly dataKeysForgotten: number
  readonly masterKeyRotations: number
  readonly keyRotationFailures: number
}

/** Where the numbers come from. What is a function is called when somebody looks. */
export interface StatsParts {
  readonly live: LiveView
  readonly oracle: OracleService
  readonly cache: BlockCacheService
  readonly wal: WalService
  readonly manifest: ManifestService
  readonly committer: Committer
  readonly ballast: Ballast
  readonly flusher: Flusher
  readonly recovery: RecoveryReport
  /** Of a reader, which has no log of its own, what it read. */
  readonly log: () => { readonly segments: number; readonly bytes: number }
  readonly tables: () => ReadonlyArray<{ readonly meta: TableMeta }>
  readonly openFiles: () => number
  readonly jobs: () => JobStats
  readonly compaction: () => CompactionCounters
  readonly collection: () => CollectionCounters
  readonly rotation: () => RotationCounters
  readonly encryption: () => EncryptionStats | undefined
  /** Of value files that were written before their commits. */
  readonly directBytes: () => number
  /** What each level should hold at most, from what each holds; `undefined` or infinite without a target. */
  readonly targets: (levelBytes: ReadonlyArray<number>) => ReadonlyArray<number | undefined>
  /** Why something is refused or fails, the gravest first. */
  readonly troubles: () => ReadonlyArray<DatabaseError | undefined>
}

export class EngineStats {
  private readonly parts: StatsParts

  constructor(parts: StatsParts) {
    this.parts = parts
  }

  readonly counters = (): Counters => {
    const { cache, collection, committer, compaction, directBytes, flusher, jobs, manifest, recovery, rotation, wal } =
      this.parts
    const { stallMillisOf } = committer.admission
    const { bytesWritten, syncs } = wal.stats()
    const { bytes, evictions, hits, misses } = cache.stats()
    const job = jobs()
    const valueBytes = flusher.counters.flushedValueBytes + collection().collectedBytes
    return {
      commits: committer.queue.commits,
      ...committer.counters,
      ...committer.admission.counters,
      stallMillisMemory: stallMillisOf.memory,
      stallMillisLevel0: stallMillisOf.level0,
      stallMillisSequences: stallMillisOf.sequences,
      stallMillisCommits: stallMillisOf.commits,
      ...flusher.counters,
      ...compaction(),
      ...collection(),
      ...rotation(),
      syncs,
      jobsDone: job.done,
      jobsFailed: job.failed,
      workersReplaced: job.replaced,
      userBytes: committer.queue.userBytes,
      logBytesWritten: bytesWritten,
      manifestBytesWritten: manifest.bytesWritten(),
      // A job of a flush or a collection writes value files with its tables, or alone.
      tableBytesWritten: job.bytesWritten - valueBytes,
      valueBytesWritten: valueBytes + directBytes(),
      tableBytesRead: job.bytesRead,
      cacheHits: hits,
      cacheMisses: misses,
      cacheEvictions: evictions,
      cacheBytes: bytes,
      recoveredCommits: recovery.commits,
      recoveryMillis: recovery.millis
    }
  }

  readonly all = (): Stats => {
    const { ballast, cache, encryption, jobs, live, log, manifest, openFiles, oracle, tables, troubles } = this.parts
    const { slots } = live.current
    const counters = this.counters()
    const levels = this.levels()
    const valueFiles = valueStatsOf(live)
    const sum = (pick: (level: LevelStats) => number) => levels.reduce((total, level) => total + pick(level), 0)
    const { bytes, segments } = log()
    const { budget, ...cached } = cache.stats()
    return {
      state: troubles().find((trouble) => trouble !== undefined)?.message ?? "healthy",
      sequence: oracle.visible(),
      levels,
      tables: tables().length,
      tableBytes: sum((level) => level.bytes),
      entries: sum((level) => level.entries),
      removals: sum((level) => level.removals),
      valueFiles,
      logBytes: bytes,
      logSegments: segments,
      manifestBytes: manifest.bytes(),
      memtables: slots.length,
      memtableBytes: slots.reduce((total, slot) => total + slot.memtable.arena.used, 0),
      ballast: { bytes: ballast.bytes, inUse: ballast.reserve !== undefined },
      openFiles: openFiles(),
      amplification: amplificationOf({ counters, levels, valueFiles, live: liveBytes(tables()) }),
      stalls: stallsOf(counters),
      cache: { ...cached, budgetBytes: budget },
      jobs: jobs(),
      snapshots: { open: oracle.stats().moments, oldestCommitsAgo: oracle.visible() - oracle.watermark() },
      encryption: encryption(),
      counters
    }
  }

  /** Those that hold tables, ascending. */
  private levels(): ReadonlyArray<LevelStats> {
    const byLevel: Array<LevelStats> = []
    for (const { meta } of this.parts.tables()) {
      const before = byLevel[meta.level]
      byLevel[meta.level] = {
        level: meta.level,
        tables: (before?.tables ?? 0) + 1,
        bytes: (before?.bytes ?? 0) + meta.bytes,
        entries: (before?.entries ?? 0) + meta.entryCount,
        removals: (before?.removals ?? 0) + meta.removeCount,
        targetBytes: undefined
      }
    }
    const targets = this.parts.targets(Array.from(byLevel, (level) => level?.bytes ?? 0))
    return byLevel.flatMap((level) => {
      const target = level.level === 0 ? undefined : targets[level.level]
      return [{ ...level, targetBytes: target === Infinity ? undefined : target }]
    })
  }
}

interface Sizes {
  readonly counters: Counters
  readonly levels: ReadonlyArray<LevelStats>
  readonly valueFiles: ValueFileStats
  /** Of tables. */
  readonly live: number
}

const amplificationOf = ({ counters, levels, live, valueFiles }: Sizes): Amplification => {
  const { logBytesWritten, manifestBytesWritten, tableBytesWritten, userBytes, valueBytesWritten } = counters
  const written = logBytesWritten + manifestBytesWritten + tableBytesWritten + valueBytesWritten
  const bytes = levels.reduce((sum, level) => sum + level.bytes, valueFiles.bytes)
  const { garbageBytes, liveBytes: liveValues } = valueFiles
  // Without its garbage a value file would be smaller in proportion.
  const liveShare = liveValues + garbageBytes === 0 ? 0 : liveValues / (liveValues + garbageBytes)
  const liveAll = live + valueFiles.bytes * liveShare
  return {
    write: userBytes === 0 ? 0 : written / userBytes,
    space: liveAll === 0 ? 1 : bytes / liveAll,
    read: levels.reduce((sum, { level, tables }) => sum + (level === 0 ? tables : 1), 0)
  }
}

const stallsOf = (counters: Counters): StallStats => ({
  count: counters.stalls,
  millis: counters.stallMillis,
  millisOf: {
    memory: counters.stallMillisMemory,
    level0: counters.stallMillisLevel0,
    sequences: counters.stallMillisSequences,
    commits: counters.stallMillisCommits
  },
  slowed: counters.slowed,
  slowedMillis: counters.slowedMillis
})
