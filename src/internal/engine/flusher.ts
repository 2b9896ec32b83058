// Frozen memtables become tables, oldest first: write the table, publish it together with the first segment that is
// still needed, show it to readers in the memtable's place, and only then give back the arena and remove the segments.
// A failure leaves all as it was, and is tried again.
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import type { ManifestService } from "../../services/Manifest.ts"
import type { OracleService } from "../../services/Oracle.ts"
import type { SsTableService } from "../../services/SsTable.ts"
import type { WalService } from "../../services/Wal.ts"
import { MemtableFlush } from "../structure/memtableFlush.ts"
import type { Committer } from "./committer.ts"
import { WaitList } from "./gate.ts"
import type { LiveView, Slot } from "./view.ts"

export interface FlushParts {
  readonly live: LiveView
  readonly oracle: OracleService
  readonly tables: SsTableService
  readonly manifest: ManifestService
  readonly wal: WalService
  readonly committer: Committer
}

/** From 10 ms to a second between tries, for as long as the database is open. */
const retrySchedule = Schedule.min([Schedule.exponential("10 millis"), Schedule.spaced("1 second")])

export class Flusher {
  readonly counters = { flushes: 0, flushedBytes: 0 }
  /** Why the last try failed, until one succeeds. */
  failing: DatabaseError | undefined = undefined
  private closing = false
  private readonly parts: FlushParts
  private readonly flushed = new WaitList()

  constructor(parts: FlushParts) {
    this.parts = parts
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

  /** The same for the oldest memtable alone. */
  readonly oldestSettled: Effect.Effect<void, DatabaseError> = Effect.suspend(() => {
    const { live } = this.parts
    return this.until(live.newerThan(live.oldest) ?? live.active)
  })

  /** No more tries after a failure. */
  stopRetrying(): void {
    this.closing = true
  }

  private until(active: Slot): Effect.Effect<void, DatabaseError> {
    return Effect.suspend(() => {
      const { committer, live } = this.parts
      if (live.oldest === active || !live.current.slots.includes(active)) return Effect.void
      const error = committer.refusal?.reason._tag === "Poisoned" ? committer.refusal : this.failing
      if (error !== undefined) return Effect.fail(error)
      return Effect.flatMap(this.flushed.waitFrom(this.flushed.turn), () => this.until(active))
    })
  }

  private ready(): Slot | undefined {
    const { live } = this.parts
    const slot = live.oldest
    return slot !== live.active && slot.sealed && slot.unresolved === 0 ? slot : undefined
  }

  private flushRetrying(slot: Slot): Effect.Effect<void> {
    return this.flush(slot).pipe(
      Effect.tapError((error) => Effect.suspend(() => this.failed(error))),
      Effect.retry({ schedule: retrySchedule, while: (error) => !this.closing && isPassing(error) }),
      Effect.catch((error) => Effect.sync(() => this.ended(error)))
    )
  }

  private failed(error: DatabaseError): Effect.Effect<void> {
    const first = this.failing === undefined
    this.failing = error
    this.parts.committer.flushEnded(error)
    this.flushed.wakeAll()
    return first ? Effect.logWarning(`Strata: a flush failed and will be tried again: ${error.message}`) : Effect.void
  }

  private ended(error: DatabaseError): void {
    if (!isPassing(error)) this.parts.committer.poison(error)
    this.flushed.wakeAll()
  }

  private flush(slot: Slot): Effect.Effect<void, DatabaseError> {
    return Effect.flatMap(flushSlot(this.parts, slot), ({ bytes, segment }) => {
      this.counters.flushes += 1
      this.counters.flushedBytes += bytes
      this.failing = undefined
      this.parts.committer.flushEnded(undefined)
      this.flushed.wakeAll()
      return this.parts.wal.removeBelow(segment)
    })
  }
}

const flushSlot = Effect.fn("Flush.run")(function* (parts: FlushParts, slot: Slot) {
  const { live, manifest, oracle, tables, wal } = parts
  const { segment } = live.newerThan(slot)!
  const meta = yield* tables.write(new MemtableFlush(slot.memtable, oracle.watermark()), 0)
  const table = meta === undefined ? undefined : yield* tables.open(meta)
  yield* manifest.publish({
    ...(meta === undefined ? {} : { addTables: [meta] }),
    logNumberMin: segment,
    commitMillisMax: slot.commitMillisMax,
    lsnDurable: wal.syncedLsn()
  })
  live.install(table, slot)
  return { bytes: meta?.bytes ?? 0, segment }
})

/** Worth another try: the disk may have room, or handles, later. */
const isPassing = (error: DatabaseError): boolean => error.reason._tag === "DiskFull" || error.reason._tag === "Io"
