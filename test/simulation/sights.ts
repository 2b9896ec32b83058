// What a run comes across: rare situations are reached by what is observed of it, never by what the plan intended.
//
// The calls of the device tell in which step of a protocol the power fails, spans which jobs run; counters, recovery
// reports, errors and the order of commits tell the rest.
import type { Reason } from "../../src/services/DatabaseError.ts"
import type { RecoveryReport } from "../../src/services/Database.ts"
import type { Counters, Stats } from "../../src/services/Maintenance.ts"
import type { Situation } from "../campaigns/situations.ts"
import { type JobName, RunningJobs } from "./jobs.ts"
import { kindOf, type Op } from "./plan.ts"

export type Reach = (situation: Situation) => void

interface Written {
  isSynced: boolean
  isNamed: boolean
}

/** The state of the files of one device, as far as protocols care. */
export class Sights {
  readonly reach: Reach
  private readonly files = new Map<string, Written>()
  private readonly running = new Map<string, number>()
  private logsUnsynced = false
  private manifestUnsynced = false
  private directoryUnsynced = new Set<string>()
  private removedUnsynced = false
  private stage: "opening" | "open" | "closing" = "opening"
  private isNew = false
  private lastFault: string | undefined
  readonly jobs = new RunningJobs((name) => this.done(name))

  constructor(reach: Reach) {
    this.reach = reach
  }

  begin(isNew: boolean): void {
    this.stage = "opening"
    this.isNew = isNew
    this.running.clear()
    this.jobs.clear()
  }

  private done(name: string): void {
    const other = ({ "Compaction.run": "Collection.run", "Collection.run": "Compaction.run" } as const)[name]
    if (other !== undefined && this.jobs.runs(other)) this.reach("a collection racing a compaction")
  }

  opened(recovery: RecoveryReport): void {
    this.stage = "open"
    recoveryReached(recovery, this.reach)
  }

  closing(): void {
    this.stage = "closing"
  }

  begins(op: Op["op"]): () => void {
    this.running.set(op, (this.running.get(op) ?? 0) + 1)
    return () => this.running.set(op, this.running.get(op)! - 1)
  }

  interrupted(op: Op["op"]): void {
    if (op === "transaction") this.reach("an interrupted transaction")
    if (op === "write" || op === "stream") this.reach("an interrupted commit")
    if (op === "compact" || op === "collect" || op === "flush") this.reach("interrupted maintenance")
    if (op === "rotateData" || op === "rotateMaster") this.reach("an interrupted rotation of keys")
    if (op === "checkpoint") this.reach("an interrupted checkpoint")
  }

  /** Something was read while these counters went from one to the other. */
  across(what: "a cursor" | "a scan" | "a snapshot" | "a transaction", before: Counters, after: Counters): void {
    for (const [job, name] of [
      ["flushes", "a flush"],
      ["compactions", "a compaction"],
      ["collections", "a collection"]
    ] as const) {
      if (after[job] > before[job]) this.reach(`${what} across ${name}` as Situation)
    }
  }

  failed(name: string, reason: Reason): void {
    if (reason._tag === "Poisoned") this.reach("the database is poisoned")
    if (reason._tag === "CommitOutcomeUnknown") this.reach("a commit whose outcome is unknown")
    if (reason._tag === "DiskFull") this.reach("a disk that is full")
    if (name === "read" || name === "snapshot") this.reach("a read that the disk fails")
    if (/compact|collect|flush/.test(name)) this.reach("maintenance that the disk fails")
    if (name.startsWith("rotate")) this.reach("a rotation of keys that the disk fails")
  }

  call(operation: string, path: string, code: string | undefined): void {
    const kind = kindOf(path)
    if (code !== undefined && code !== "ENOENT") return this.faulted(operation, kind)
    if (operation === "create") {
      this.files.set(path, { isSynced: false, isNamed: false })
      this.directoryUnsynced.add(kind)
    } else if (operation === "append") {
      if (kind === "log") this.logsUnsynced = true
      if (kind === "manifest") this.manifestUnsynced = true
    } else if (operation === "sync") {
      const file = this.files.get(path)
      if (file !== undefined) file.isSynced = true
      if (kind === "log") this.logsUnsynced = false
      if (kind === "manifest") this.manifestWritten()
    } else if (operation === "syncDirectory") {
      this.directoryUnsynced.clear()
      this.removedUnsynced = false
    } else if (operation === "remove") {
      this.files.delete(path)
      this.removedUnsynced = true
    }
  }

  private manifestWritten(): void {
    this.manifestUnsynced = false
    for (const file of this.files.values()) if (file.isSynced) file.isNamed = true
  }

  private faulted(operation: string, kind: string): void {
    this.lastFault = `${operation} ${kind}`
    if (operation === "sync" || operation === "syncDirectory") {
      if (kind === "log") this.reach("a sync of the log that fails")
      if (kind === "manifest" || kind === "current") this.reach("a sync of the manifest that fails")
      if (kind === "table" || kind === "value") this.reach("a sync of a table that fails")
      if (operation === "syncDirectory") this.reach("a sync of the directory that fails")
    }
    if (operation === "append" && kind === "log") this.reach("an append to the log that fails")
    if (operation === "append" && (kind === "manifest" || kind === "current")) {
      this.reach("an append to the manifest that fails")
    }
    if (operation === "remove") this.reach("a removal of a file that fails")
    if (operation === "create") this.reach("a creation of a file that fails")
    if (operation === "read" || operation === "open") this.reach("a file that cannot be read for a while")
  }

  /** A commit is acknowledged as durable after a fault of this device. */
  durable(): void {
    if (this.lastFault !== undefined) this.reach("writing that goes on after a fault")
    if (this.lastFault === "append log") this.reach("writing that goes on after a torn append")
    this.lastFault = undefined
  }

  /** The situations that a power cut now meets. */
  atCut(operation: string, path: string): ReadonlyArray<Situation> {
    const found: Array<Situation> = []
    const kind = kindOf(path)
    const count = (of: string, test: (file: Written) => boolean): number => {
      let matching = 0
      for (const [name, file] of this.files) if (kindOf(name) === of && test(file)) matching += 1
      return matching
    }
    const tablesUnsynced = count("table", ({ isSynced }) => !isSynced)
    if (tablesUnsynced > 0) found.push("a crash between a table's creation and its sync")
    if (tablesUnsynced > 1) found.push("a crash while two tables are written")
    if (count("table", ({ isNamed, isSynced }) => isSynced && !isNamed) > 0) {
      found.push("a crash between a table's sync and the manifest's")
    }
    if (count("value", ({ isSynced }) => !isSynced) > 0)
      found.push("a crash between a value file's creation and its sync")
    if (count("value", ({ isNamed, isSynced }) => isSynced && !isNamed) > 0) {
      found.push("a crash between a value file's sync and the manifest's")
    }
    if (this.manifestUnsynced) found.push("a crash between the manifest's append and its sync")
    if (count("manifest", ({ isSynced }) => !isSynced) > 0) found.push("a crash while a new manifest is written")
    if (count("current", ({ isSynced }) => !isSynced) > 0)
      found.push("a crash between a marker's creation and its sync")
    if (kind === "current" && operation === "sync") found.push("a crash between a marker's sync and the directory's")
    if (this.directoryUnsynced.has("log")) found.push("a crash between a log's creation and the directory's sync")
    if (this.directoryUnsynced.has("table")) found.push("a crash between a table's creation and the directory's sync")
    if (this.directoryUnsynced.has("keyring"))
      found.push("a crash between a keyring's creation and the directory's sync")
    if (this.logsUnsynced) found.push("a crash while the log has bytes that are not synced")
    if (this.removedUnsynced) found.push("a crash while removals of files are not durable")
    if (kind === "ballast") found.push("a crash at a call about the ballast")
    if (this.stage === "closing") found.push("a crash while the database is closed")
    if (this.stage === "opening")
      found.push(this.isNew ? "a crash while the database is created" : "a crash while it is opened")
    for (const [job, situation] of jobsUnderWay) if (this.jobs.runs(job)) found.push(situation)
    if (this.jobs.runs("Compaction.run") && this.jobs.runs("Collection.run")) {
      found.push("a crash inside a collection and a compaction")
    }
    for (const [op, situation] of underWay) if ((this.running.get(op) ?? 0) > 0) found.push(situation)
    return found
  }

  /** Of a session that was closed. */
  counted(stats: Stats): void {
    const { counters, levels } = stats
    for (const [name, situation] of counted) if (counters[name] > 0) this.reach(situation)
    if (counters.groups < counters.commits) this.reach("commits that share a sync")
    if (levels.filter(({ tables }) => tables > 0).length > 2) this.reach("tables at three levels")
    if (stats.memtables > 2) this.reach("two memtables that wait for their flush")
    if ((stats.encryption?.generations.length ?? 0) > 1) this.reach("files of two data keys")
    if (stats.valueFiles.garbageBytes > 0) this.reach("garbage in value files")
  }
}

export const recoveryReached = (recovery: RecoveryReport, reach: Reach): void => {
  if (recovery.created) return reach("an image without a database")
  if (recovery.segments > 1) reach("recovery of several log segments")
  if (recovery.tailDropped !== undefined) reach("a torn tail of the log")
}

const jobsUnderWay: ReadonlyArray<readonly [JobName, Situation]> = [
  ["Flush.run", "a crash inside a flush"],
  ["Compaction.run", "a crash inside a compaction"],
  ["Collection.run", "a crash inside a collection of values"]
]

const underWay: ReadonlyArray<readonly [Op["op"], Situation]> = [
  ["checkpoint", "a crash inside a checkpoint"],
  ["stream", "a crash inside a stream of a value"],
  ["snapshot", "a crash while a snapshot is open"],
  ["sync", "a crash inside a sync"],
  ["rotateMaster", "a crash inside a rotation of the master key"],
  ["rotateData", "a crash inside a rotation of the data key"]
]

const counted: ReadonlyArray<readonly [keyof Counters, Situation]> = [
  ["stallMillisMemory", "a stall for memory"],
  ["stallMillisLevel0", "a stall at level 0 that is released"],
  ["stallMillisSequences", "a stall for sequences"],
  ["stallMillisCommits", "a stall for commits"],
  ["moves", "a table that moves without being read"],
  ["drops", "a table that is dropped without being read"],
  ["collections", "a collection of values"],
  ["reclaimedBytes", "space of values that comes back"],
  ["masterKeyRotations", "a master key that is rotated"],
  ["dataKeysForgotten", "a data key that is forgotten"],
  ["cacheEvictions", "a block that leaves the cache"],
  ["compactionFailures", "a compaction that fails"],
  ["collectionFailures", "a collection that fails"],
  ["keyRotationFailures", "a rotation of keys that fails"],
  ["jobsFailed", "a job that fails"]
]
