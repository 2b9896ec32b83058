// Opening: from what is on disk to a view that can be read, and for a writer to a log that can be written.
//
//   1  see that the tables and value files which the manifest names are there
//   2  replay the log into memtables, and find the value files that its commits name; a memtable more than the pool
//      holds becomes a table at once
//   3  a writer re-persists all of it before it takes writes: each memtable as the first group of a new segment, and
//      the full ones become tables later, as ever. After a failed sync the page cache may show what is not on disk, so
//      what was replayed counts for nothing until it is written again
//   4  begin a new epoch: one manifest edit makes the new files live and the old segments dead
//   5  only then remove what is dead
//
// A crash before 4 leaves the old files, which are opened again with the same result; the new ones have the next epoch
// and are ignored.
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { RecoveryReport } from "../../services/Database.ts"
import { Corruption, type DatabaseError, fail, Unsupported } from "../../services/DatabaseError.ts"
import type { JobsService } from "../../services/Jobs.ts"
import type { ManifestService, TableMeta, ValueFileMeta } from "../../services/Manifest.ts"
import type { MemtableService } from "../../services/Memtable.ts"
import type { OptionsShape } from "../../services/Options.ts"
import type { OracleService } from "../../services/Oracle.ts"
import type { SsTableService } from "../../services/SsTable.ts"
import type { ValueLogService } from "../../services/ValueLog.ts"
import type { ReplayReport, WalService } from "../../services/Wal.ts"
import { commitHeaderBytes, CommitReader } from "../format/commit.ts"
import { FormatError } from "../format/formatError.ts"
import { Kind, RecordView } from "../format/record.ts"
import { readHandle, type ValueHandle } from "../format/valueHandle.ts"
import { attempt } from "./attempt.ts"
import { directFilesOf } from "./flusher.ts"
import { MemtableFlush } from "./memtableFlush.ts"
import { LiveView, type Slot } from "./view.ts"

export interface RecoveryParts {
  readonly options: OptionsShape
  readonly manifest: ManifestService
  readonly wal: WalService
  readonly jobs: JobsService
  readonly tables: SsTableService
  readonly values: ValueLogService
  readonly memtables: MemtableService
  readonly oracle: OracleService
}

/** Puts replayed commits into the memtables of a view. */
class Replayer {
  readonly live: LiveView
  readonly flushed: Array<TableMeta> = []
  readonly flushedValues: Array<ValueFileMeta> = []
  commits = 0
  lastSequence: number
  commitMillisMax: number
  private readonly parts: RecoveryParts
  private readonly flush: MemtableFlush
  private readonly reader = new CommitReader()
  private readonly record = new RecordView()
  /** The reader's commit has no room yet. */
  private waiting = false
  /** Logical value files that are known, and those of commits that were not looked at. */
  private readonly files: Set<number>
  private readonly unread: Array<{ slot: Slot; file: number; fileTag: number | undefined }> = []

  constructor(parts: RecoveryParts, live: LiveView) {
    const state = parts.manifest.state()
    this.parts = parts
    this.flush = new MemtableFlush(parts)
    this.live = live
    this.commitMillisMax = state.commitMillisMax
    this.files = new Set(state.valueFiles.flatMap(({ sections }) => sections.map(({ id }) => id)))
    this.lastSequence = state.tables.reduce((last, table) => Math.max(last, table.sequenceMax), 0)
  }

  readonly take = (payload: Uint8Array): Effect.Effect<void, DatabaseError> =>
    Effect.suspend(() => {
      this.reader.reset(payload)
      return this.takeCommits()
    })

  private takeCommits(): Effect.Effect<void, DatabaseError> {
    return attempt(() => {
      try {
        while (this.waiting || this.reader.next()) {
          this.waiting = !this.enter()
          if (this.waiting) {
            return Effect.flatMap(Effect.andThen(this.findFiles, this.makeRoom()), () => this.takeCommits())
          }
        }
        return this.findFiles
      } catch (error) {
        if (!(error instanceof FormatError)) throw error
        return Effect.fail(damaged(error, this.parts.manifest.directory))
      }
    })
  }

  /** Copies the reader's commit into the active memtable. False if it does not fit. */
  private enter(): boolean {
    const { reader, record } = this
    const { memtable } = this.live.active
    const { arena } = memtable
    const offset = arena.reserve(reader.end - reader.start)
    if (offset < 0) return false
    if (reader.sequence <= this.lastSequence) {
      throw new FormatError(`commit ${reader.sequence} follows commit ${this.lastSequence}`, reader.start)
    }
    arena.bytes.set(reader.bytes.subarray(reader.start, reader.end), offset)
    for (let at = reader.start + commitHeaderBytes; reader.nextRecord(record); at = record.end) {
      memtable.put(offset + at - reader.start, reader.sequence)
      if (record.kind === Kind.valueHandle) this.note(readHandle(reader.bytes, record.valueStart, record.valueEnd))
    }
    this.commits += 1
    this.lastSequence = reader.sequence
    this.live.active.commitMillisMax = Math.max(this.live.active.commitMillisMax, reader.commitMillis)
    this.commitMillisMax = Math.max(this.commitMillisMax, reader.commitMillis)
    return true
  }

  private note({ file, fileTag }: ValueHandle): void {
    if (this.files.has(file)) return
    this.files.add(file)
    this.unread.push({ slot: this.live.active, file, fileTag })
  }

  /** The value files that the commits brought along: each is there, or the log is damaged. */
  private readonly findFiles: Effect.Effect<void, DatabaseError> = Effect.suspend(() =>
    Effect.forEach(
      this.unread.splice(0),
      ({ file, fileTag, slot }) =>
        Effect.map(this.parts.values.find(file, fileTag), (found) => this.live.addDirect(slot, found)),
      { discard: true }
    )
  )

  /**
   * A fresh memtable in front: from the pool, or beyond it for a reader, who cannot flush, and for a commit of a time
   * with larger arenas.
   */
  private makeRoom(): Effect.Effect<void, DatabaseError> {
    const { memtables, options } = this.parts
    const bytes = this.reader.end - this.reader.start
    if (options.readOnly || bytes > memtables.arenaBytes) {
      this.live.add(memtables.extraUnsafe(Math.max(bytes, memtables.arenaBytes)))
      return Effect.void
    }
    if (this.live.freeze()) return Effect.void
    return Effect.flatMap(this.flushOldest, () => this.makeRoom())
  }

  private readonly flushOldest: Effect.Effect<void, DatabaseError> = Effect.suspend(() => {
    const slot = this.live.oldest
    const { manifest, tables, values } = this.parts
    // Nobody reads yet: only the newest versions are wanted.
    const horizon = { snapshots: [this.lastSequence], nowMillis: 0 }
    const written = this.flush.run(slot.memtable, horizon, this.flushed).pipe(
      // A worker that died is replaced; one that dies with every try is a failure of the open.
      Effect.retry({ times: 2, while: ({ reason }) => reason._tag === "JobFailed" })
    )
    const sealed = Effect.andThen(manifest.encryption.persist(manifest.allocateFileNumber), written)
    return Effect.map(sealed, ({ table, valueFiles }) => {
      const addValues = [...valueFiles.map((file) => values.handle(file)), ...directFilesOf(slot, table)]
      for (const { meta } of addValues) this.flushedValues.push(meta)
      if (table !== undefined) this.flushed.push(table)
      this.live.install(table === undefined ? undefined : tables.handle(table), slot, { addValues })
    })
  })
}

const damaged = (error: FormatError, file: string): DatabaseError =>
  fail(
    error.unsupported
      ? new Unsupported({ message: `the log holds what this version does not know: ${error.message}` })
      : new Corruption({ message: `a commit in the log: ${error.message}`, file, offset: error.offset })
  )

export interface Recovered {
  readonly live: LiveView
  readonly report: RecoveryReport
}

export const recover = Effect.fn("Database.open")(function* (parts: RecoveryParts) {
  const { manifest, memtables, oracle, options, tables, values, wal } = parts
  const startedMillis = yield* Clock.currentTimeMillis
  const state = manifest.state()
  const live = new LiveView(memtables, memtables.acquireUnsafe()!)
  live.start(yield* tables.attach(state.tables), yield* values.attach(state.valueFiles))
  const replayer = new Replayer(parts, live)
  const replay = yield* wal.replay(replayer.take)
  const lastSequence = Math.max(replayer.lastSequence, state.cleanShutdown?.lastSequence ?? 0)
  // After a crash, sequences that were given out may be lost with their commits. They must not name others: go on above
  // the reservation.
  const sequence = state.cleanShutdown === undefined ? Math.max(lastSequence, state.sequencesReserved) : lastSequence
  const { commitMillisMax } = replayer
  let filesRemoved = 0
  if (options.readOnly) {
    oracle.start({ sequence: lastSequence, reserved: lastSequence, commitMillisMax })
  } else {
    const reserved = sequence + options.sequencesReserved
    yield* persist(parts, replayer, { reserved })
    filesRemoved = yield* manifest.removeOrphans(isLive(live, manifest.state().valueFiles))
    oracle.start({ sequence, reserved, commitMillisMax })
  }
  const millis = Math.max(0, (yield* Clock.currentTimeMillis) - startedMillis)
  const report: RecoveryReport = {
    created: !manifest.exists,
    clean: !manifest.exists || state.cleanShutdown !== undefined,
    segments: replay.segments,
    commits: replayer.commits,
    bytes: replay.bytes,
    tailDropped: replay.tailDropped,
    filesRemoved,
    millis
  }
  yield* logReport(report, replay)
  return { live, report } satisfies Recovered
})

/** Steps 3 and 4. */
const persist = Effect.fnUntraced(function* (
  parts: RecoveryParts,
  replayer: Replayer,
  next: { readonly reserved: number }
) {
  const { manifest, wal } = parts
  const { live } = replayer
  const [oldest, ...newer] = [...live.current.slots].reverse()
  // A keyring that was found after a crash may not be durable: nothing is sealed by it before it is.
  yield* manifest.encryption.persist(manifest.allocateFileNumber)
  yield* wal.start(contentOf(oldest!))
  oldest!.segment = wal.segment()
  for (const slot of newer) {
    yield* wal.switchSegment
    const content = contentOf(slot)
    if (content.length > 0) yield* wal.append(content)
    slot.segment = wal.segment()
  }
  yield* wal.sync
  for (const slot of live.current.slots) slot.sealed = slot !== live.active
  yield* manifest.begin({
    addTables: replayer.flushed,
    addValueFiles: replayer.flushedValues,
    logNumberMin: live.oldest.segment,
    sequencesReserved: next.reserved,
    commitMillisMax: replayer.commitMillisMax,
    lsnDurable: wal.syncedLsn()
  })
})

/** As a group of the log. */
const contentOf = ({ memtable }: Slot): ReadonlyArray<Uint8Array> => {
  const { bytes, used } = memtable.arena
  return used === 0 ? [] : [bytes.subarray(0, used)]
}

const isLive = (live: LiveView, valueFiles: ReadonlyArray<ValueFileMeta>) => {
  const { segment } = live.oldest
  const tables = new Set(live.tables.map(({ meta }) => meta.number))
  const values = new Set(valueFiles.map(({ number }) => number))
  // Named by commits that were replayed.
  for (const slot of live.current.slots) for (const { meta } of slot.values) values.add(meta.number)
  // No ballast: who has it says so (ballast.ts).
  return (kind: "log" | "table" | "value" | "ballast", number: number): boolean => {
    if (kind === "log") return number >= segment
    return kind !== "ballast" && (kind === "table" ? tables : values).has(number)
  }
}

const logReport = (report: RecoveryReport, replay: ReplayReport): Effect.Effect<void> => {
  const { tailDropped } = report
  if (tailDropped !== undefined) {
    return Effect.logWarning(
      `Strata: recovered ${report.commits} commits; dropped ${tailDropped.bytes} bytes at the log's end ` +
        `(${tailDropped.file}:${tailDropped.offset}, after LSN ${replay.lastLsn}): ${tailDropped.reason}`
    )
  }
  if (report.clean) return Effect.logDebug(`Strata: opened, ${report.commits} commits replayed`)
  return Effect.logInfo(
    `Strata: recovered ${report.commits} commits from ${report.segments} segments ` +
      `(${report.bytes} bytes) in ${report.millis} ms`
  )
}
