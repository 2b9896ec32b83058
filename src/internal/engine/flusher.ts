// Frozen memtables become tables, oldest first: write the table, publish it together with the first segment that is
// still needed, show it to readers in the memtable's place, and only then give back the arena and remove the segments.
// A failure leaves all as it was, and is tried again.
//
// The value files that commits of the memtable brought along are published in the same edit, if the table names any of
// their values. Otherwise all that they hold was overwritten or removed since: they go with the memtable.
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { Closed, type DatabaseError, fail } from "../../services/DatabaseError.ts"
import type { TableMeta, ValueFileMeta } from "../../services/Manifest.ts"
import type { OracleService } from "../../services/Oracle.ts"
import type { SsTableService, Table } from "../../services/SsTable.ts"
import type { ValueFile, ValueLogService } from "../../services/ValueLog.ts"
import type { WalService } from "../../services/Wal.ts"
import type { Committer } from "./committer.ts"
import { type FlushingParts, MemtableFlush } from "./memtableFlush.ts"
import type { LiveView, Slot } from "./view.ts"

export interface FlushParts extends FlushingParts {
  readonly live: LiveView
  readonly oracle: OracleService
  readonly tables: SsTableService
  readonly values: ValueLogService
  readonly wal: WalService
  readonly committer: Committer
  /** Called when a table was made of a memtable. */
  readonly flushed: () => void
  /** Called when its segments were removed, too. */
  readonly logRemoved: () => void
}

/** From 10 ms to a second between tries, for as long as the database is open. */
const retrySchedule = Schedule.min([Schedule.exponential("10 millis"), Schedule.spaced("1 second")])

/** Nobody is told of a worker that died with a flush, for it is replaced; from so many in a row on it is a failure. */
const deathsTold = 3

/** What is written and not yet published: kept for the next try. */
interface Written {
  readonly slot: Slot
  readonly meta: TableMeta | undefined
  readonly table: Table | undefined
  /** Made of values that were in the memtable. */
  readonly valueFiles: ReadonlyArray<ValueFileMeta>
  /** What the table names, those files among it. */
  readonly named: ReadonlyArray<ValueFile>
  /** What has expired by then was taken to be removed. */
  readonly nowMillis: number
}

export class Flusher {
  readonly counters = { flushes: 0, flushedBytes: 0, flushedValueBytes: 0 }
  /** Why the last try failed, until one succeeds. */
  failing: DatabaseError | undefined = undefined
  /** Workers that died with a flush, one after the other. */
  private deaths = 0
  private running = false
  private stopped = false
  private written: Written | undefined = undefined
  private readonly parts: FlushParts
  private readonly memtables: MemtableFlush

  constructor(parts: FlushParts) {
    this.parts = parts
    this.memtables = new MemtableFlush(parts)
  }

  /** Run in a fiber of the database's scope. */
  readonly loop: Effect.Effect<never> = Effect.suspend(() =>
    Effect.forever(
      Effect.suspend(() => {
        const slot = this.ready()
        return slot === undefined ? this.parts.committer.sealed.wait : this.flushRetrying(slot)
      })
    )
  )

  /** Completes when the memtables that were frozen at the call are in tables, or with the reason why they are not. */
  readonly settled: Effect.Effect<void, DatabaseError> = Effect.suspend(() => this.until(this.parts.live.active))

  /** No flush begins any more; completes when none runs. Whoever waits for one fails `Closed`. */
  readonly stop: Effect.Effect<void> = Effect.suspend(() => {
    const { flushed } = this.parts.committer
    if (!this.stopped) {
      this.stopped = true
      flushed.wakeAll()
    }
    return this.running ? Effect.flatMap(flushed.waitFrom(flushed.turn), () => this.stop) : Effect.void
  })

  private until(active: Slot): Effect.Effect<void, DatabaseError> {
    return Effect.suspend(() => {
      const { committer, live } = this.parts
      const { oldest } = live
      if (oldest === active || !live.current.slots.includes(active)) return Effect.void
      const error =
        this.failing ??
        (oldest.sealed && !committer.isPoisoned ? undefined : committer.trouble) ??
        (this.stopped ? closed() : undefined)
      if (error !== undefined) return Effect.fail(error)
      return Effect.flatMap(committer.flushed.waitFrom(committer.flushed.turn), () => this.until(active))
    })
  }

  private ready(): Slot | undefined {
    const { committer, live } = this.parts
    const slot = live.oldest
    const mayFlush = !this.stopped && committer.refusal?.reason._tag !== "Poisoned"
    const isReady = mayFlush && slot !== live.active && slot.sealed && slot.unresolved === 0
    this.running = isReady
    return isReady ? slot : undefined
  }

  private flushRetrying(slot: Slot): Effect.Effect<void> {
    return this.flush(slot).pipe(
      Effect.tapError((error) => Effect.suspend(() => this.failed(error))),
      Effect.retry({ schedule: retrySchedule, while: (error) => !this.stopped && isPassing(error) }),
      Effect.catch((error) => Effect.sync(() => this.ended(error))),
      Effect.ensuring(
        Effect.sync(() => {
          this.running = false
          this.parts.committer.flushed.wakeAll()
        })
      )
    )
  }

  private failed(error: DatabaseError): Effect.Effect<void> {
    this.deaths = error.reason._tag === "JobFailed" ? this.deaths + 1 : 0
    // Also where it was not published, as its data key had been forgotten: it is made again.
    if (this.deaths > 0) this.written = undefined
    if (this.deaths > 0 && this.deaths < deathsTold) {
      return Effect.logWarning(`Strata: a flush is tried again: ${error.message}`)
    }
    const first = this.failing === undefined
    this.failing = error
    this.parts.committer.admission.flushRefused = error
    this.parts.committer.admission.wake()
    this.parts.committer.flushed.wakeAll()
    return first ? Effect.logWarning(`Strata: a flush failed and will be tried again: ${error.message}`) : Effect.void
  }

  private ended(error: DatabaseError): void {
    if (!isPassing(error)) this.parts.committer.poison(error)
  }

  private flush(slot: Slot): Effect.Effect<void, DatabaseError> {
    return Effect.suspend(() => {
      const kept = this.written?.slot === slot ? this.written : undefined
      const keep = (written: Written) => {
        this.written = written
      }
      return Effect.flatMap(
        flushSlot({ ...this.parts, memtables: this.memtables }, slot, { kept, keep }),
        ({ bytes, segment, valueBytes }) => {
          this.written = undefined
          this.counters.flushes += 1
          this.counters.flushedBytes += bytes
          this.counters.flushedValueBytes += valueBytes
          this.failing = undefined
          this.parts.committer.admission.flushRefused = undefined
          this.parts.flushed()
          this.deaths = 0
          return Effect.andThen(this.parts.wal.removeBelow(segment), Effect.sync(this.parts.logRemoved))
        }
      )
    })
  }
}

interface SlotParts extends FlushParts {
  readonly memtables: MemtableFlush
}

const flushSlot = Effect.fn("Flush.run")(function* (
  parts: SlotParts,
  slot: Slot,
  memory: { readonly kept: Written | undefined; readonly keep: (written: Written) => void }
) {
  const { live, manifest, wal } = parts
  const { segment } = live.newerThan(slot)!
  const written = memory.kept ?? (yield* writeSlot(parts, slot))
  const { meta, named, nowMillis, table, valueFiles } = written
  memory.keep(written)
  yield* manifest.publish({
    ...(meta === undefined ? {} : { addTables: [meta] }),
    ...(named.length === 0 ? {} : { addValueFiles: named.map((file) => file.meta) }),
    logNumberMin: segment,
    commitMillisMax: Math.max(slot.commitMillisMax, nowMillis),
    lsnDurable: wal.syncedLsn()
  })
  live.install(table, slot, { addValues: named })
  const valueBytes = valueFiles.reduce((sum, { bytes }) => sum + bytes, 0)
  return { bytes: valueBytes + (meta?.bytes ?? 0), valueBytes, segment }
})

const writeSlot = Effect.fnUntraced(function* (parts: SlotParts, slot: Slot) {
  const { memtables, oracle, tables, values } = parts
  const horizon = oracle.horizon()
  const { table: meta, valueFiles } = yield* memtables.run(slot.memtable, horizon, [])
  const table = meta === undefined ? undefined : tables.handle(meta)
  const named = [...valueFiles.map((file) => values.handle(file)), ...directFilesOf(slot, meta)]
  return { slot, meta, table, valueFiles, named, nowMillis: horizon.nowMillis } satisfies Written
})

/** Of the files that the memtable's commits brought along, those that the table names. */
export const directFilesOf = ({ values }: Slot, table: TableMeta | undefined): ReadonlyArray<ValueFile> => {
  if (values.length === 0 || table === undefined) return []
  const ids = new Set(table.valueRefs.map(({ file }) => file))
  return values.filter(({ meta }) => meta.sections.some(({ id }) => ids.has(id)))
}

const closed = (): DatabaseError => fail(new Closed({ message: "the database was closed before the flush had ended" }))

/** Worth another try: the disk may have room, or handles, later, and a worker that died is replaced. */
const isPassing = ({ reason }: DatabaseError): boolean =>
  reason._tag === "DiskFull" || reason._tag === "Io" || reason._tag === "JobFailed"
