// Transactions: a moment, the writes of the body, and what it read. Commit checks the reads against what was written
// since, and enters, in one step.
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type {
  Bounds,
  Bytes,
  Commit,
  Isolation,
  ManualTransaction,
  Reader,
  SetOptions,
  Transaction,
  TransactionOptions
} from "../../services/Database.ts"
import { Closed, type DatabaseError, fail, invalid, ReadOnly } from "../../services/DatabaseError.ts"
import type { Durability } from "../../services/Options.ts"
import type { Moment, ReadSet } from "../../services/Oracle.ts"
import { commitHeaderBytes } from "../format/commit.ts"
import type { RecordFields } from "../format/record.ts"
import { ReadTracker } from "../structure/readTracker.ts"
import { type WriteBuffer, WriteBuffers } from "../structure/writeBuffer.ts"
import { attempt } from "./attempt.ts"
import type { Check, Committer } from "./committer.ts"
import type { CommitValues } from "./commitValues.ts"
import type { DirectValues } from "./directValues.ts"
import { PointReads } from "./pointReads.ts"
import type { Reading, ReadParts } from "./readContext.ts"
import { makeReader } from "./reader.ts"
import {
  BufferedRequest,
  checkedDurability,
  type Limits,
  removeFields,
  removeRangeFields,
  setWrite,
  type Write
} from "./requests.ts"
import { planValues, requestOf, separate } from "./separatedValues.ts"
import { receive, receivedFields, streamSource } from "./streamedValue.ts"
import { type Steps, TransactionHandle } from "./transactionHandle.ts"

export interface TransactionParts {
  readonly reads: ReadParts
  readonly limits: Limits
  readonly direct: DirectValues
  readonly committer: Committer | undefined
  /** Throws once the database is closed. */
  readonly check: () => void
}

interface Settings {
  readonly isolation: Isolation
  readonly durability: Durability
  readonly readOnly: boolean
}

/** The same before the defaults. */
type Given = { readonly [K in keyof Settings]?: Settings[K] | undefined }

/** Five more tries, 0.25 ms to 20 ms apart. */
export const defaultRetry: Schedule.Schedule<unknown> = Schedule.min([
  Schedule.exponential("250 micros"),
  Schedule.spaced("20 millis")
]).pipe(Schedule.jittered, Schedule.upTo({ times: 5 }))

export class Transactions {
  private readonly parts: TransactionParts
  private readonly buffers: WriteBuffers

  constructor(parts: TransactionParts) {
    this.parts = parts
    this.buffers = new WriteBuffers(parts.limits.options.transactionBytesMax)
  }

  run<A, E, R>(
    body: (transaction: Transaction) => Effect.Effect<A, E, R>,
    options: TransactionOptions
  ): Effect.Effect<A, E | DatabaseError, R> {
    const once = this.once(body, options)
    const isConflict = (error: E | DatabaseError) => this.parts.committer?.isOwnConflict(error) === true
    return Effect.catchIf(once, isConflict, (error) => {
      // What has failed is the first try of the schedule, which is not made before: it costs as much as a transaction.
      let tried = false
      const next = Effect.suspend(() => {
        if (tried) return once
        tried = true
        return Effect.fail(error)
      })
      return Effect.retry(
        Effect.tapError(next, (failure) => this.untilResolved(failure)),
        { schedule: options.retry ?? defaultRetry, while: isConflict } as {
          schedule: Schedule.Schedule<unknown, E | DatabaseError>
          while: (failure: E | DatabaseError) => boolean
        }
      )
    })
  }

  begin(options: Given): Effect.Effect<ManualTransaction, DatabaseError, Scope.Scope> {
    const open = attempt(() => Effect.succeed(this.open(options)))
    return Effect.map(
      Effect.acquireRelease(open, (running) => Effect.sync(() => running.discard())),
      (running) => new TransactionHandle(running)
    )
  }

  /** Opened in the step in which its end is provided for: one frame instead of the three of `acquireUseRelease`. */
  private once<A, E, R>(
    body: (transaction: Transaction) => Effect.Effect<A, E, R>,
    options: TransactionOptions
  ): Effect.Effect<A, E | DatabaseError, R> {
    return Effect.suspend(() => {
      let opened: Running | undefined
      const open = attempt(() => Effect.succeed((opened = this.open(options))))
      const work = Effect.flatMap(open, (running) =>
        Effect.flatMap(body(new TransactionHandle(running)), (result) => Effect.as(running.commit(), result))
      )
      return Effect.onExitPrimitive(work, () => {
        opened?.discard()
        return undefined
      })
    })
  }

  private settings(given: Given): Settings {
    const { options } = this.parts.limits
    return {
      isolation: checkedIsolation(given.isolation),
      durability: checkedDurability(given.durability) ?? options.durability,
      readOnly: given.readOnly === true || options.readOnly
    }
  }

  private open(given: Given): Running {
    this.parts.check()
    return new Running(this.parts, this.buffers, this.settings(given))
  }

  /** Running again while the other commit is in flight would conflict again. */
  private untilResolved(error: unknown): Effect.Effect<void> {
    const { committer } = this.parts
    return committer?.isOwnConflict(error) === true && error.reason._tag === "Conflict"
      ? committer.awaitResolved(error.reason.sequence)
      : Effect.void
  }
}

const checkedIsolation = (isolation: Isolation = "serializable"): Isolation => {
  if (isolation === "serializable" || isolation === "snapshot") return isolation
  throw invalid(`isolation is "serializable" or "snapshot", not ${String(isolation)}`)
}

/** Its methods are no closures, for the reason of `LocalOracle`'s moments: half of its memory outlived it. */
class Running implements Steps, Reading {
  private readonly parts: TransactionParts
  private readonly buffers: WriteBuffers
  private readonly settings: Settings
  readonly moment: Moment
  readonly writes: WriteBuffer
  readonly tracker: ReadTracker | undefined
  /** Files of its values. */
  readonly direct: CommitValues
  private pointsMade: PointReads | undefined = undefined
  private readerMade: Reader | undefined = undefined
  private ended: string | undefined = undefined
  /** Its commit is under way: what holds it open is given back at the commit's end. */
  private entered = false
  private released = false

  constructor(parts: TransactionParts, buffers: WriteBuffers, settings: Settings) {
    this.parts = parts
    this.buffers = buffers
    this.settings = settings
    const { isolation, readOnly } = settings
    this.writes = buffers.take()
    const { transactionBytesMax } = parts.limits.options
    this.tracker = readOnly || isolation === "snapshot" ? undefined : new ReadTracker(transactionBytesMax)
    const { oracle } = parts.reads
    if (!readOnly && !oracle.learning()) parts.committer?.queue.learnInFlight()
    this.moment = oracle.open(!readOnly)
    this.direct = parts.direct.newValues()
  }

  sequence(): number {
    return this.moment.sequence
  }

  nowMillis(): number {
    return this.moment.nowMillis
  }

  get points(): PointReads {
    return (this.pointsMade ??= new PointReads(this.parts.reads, this))
  }

  get reader(): Reader {
    return (this.readerMade ??= makeReader(this.parts.reads, this))
  }

  set(key: Bytes, value: Bytes, options?: SetOptions): Effect.Effect<void, DatabaseError> {
    return this.write(() => setWrite(this.parts.limits, key, { value, options }))
  }

  remove(key: Bytes): Effect.Effect<void, DatabaseError> {
    return this.write(() => ({ fields: removeFields(key), value: undefined }))
  }

  removeRange(bounds: Bounds): Effect.Effect<void, DatabaseError> {
    return this.write(() => {
      const fields = removeRangeFields(bounds)
      return fields && { fields, value: undefined }
    })
  }

  check(): void {
    this.parts.check()
    if (this.ended !== undefined) throw fail(new Closed({ message: this.ended }))
  }

  private end(why: string): void {
    this.ended ??= why
    if (this.released) return
    this.released = true
    this.moment.release()
    this.direct.release()
    this.buffers.giveBack(this.writes)
  }

  /** Nothing, once it commits: its value files are those of a commit that may be under way. */
  discard(): void {
    if (!this.entered) this.end("the transaction was discarded")
  }

  private checkWritable(): void {
    this.check()
    if (this.settings.readOnly) throw fail(new ReadOnly({ message: "the transaction was begun as read-only" }))
  }

  private write(make: () => Write | undefined): Effect.Effect<void, DatabaseError> {
    return attempt(() => {
      this.checkWritable()
      const write = make()
      if (write === undefined) return Effect.void
      const { fields, value } = write
      if (value === undefined) return this.add(fields)
      // Files of a transaction that ends meanwhile are not its own any more, and go.
      return this.parts.direct.withValues((values) =>
        Effect.flatMap(this.parts.direct.write([{ fields, value }], values), ([record]) =>
          this.addWith(record!, values)
        )
      )
    })
  }

  setStream<E, R>(
    key: Bytes,
    stream: Stream.Stream<Uint8Array, E, R>,
    options?: SetOptions
  ): Effect.Effect<void, E | DatabaseError, R> {
    return attempt(() => {
      this.checkWritable()
      const { direct, limits } = this.parts
      const source = streamSource(limits, key, { stream, options })
      return direct.withValues((values) =>
        Effect.flatMap(receive(direct, source, values), (received) =>
          attempt(() => this.addWith(receivedFields(limits, key, { received, options }), values))
        )
      )
    })
  }

  private add(fields: RecordFields): Effect.Effect<void, DatabaseError> {
    if (this.writes.add(fields)) return Effect.void
    const { transactionBytesMax } = this.parts.limits.options
    throw invalid(`the transaction's writes need more than transactionBytesMax (${transactionBytesMax}); split it`)
  }

  private addWith(fields: RecordFields, values: CommitValues): Effect.Effect<void, DatabaseError> {
    return attempt(() => {
      this.check()
      const added = this.add(fields)
      this.direct.takeOver(values)
      return added
    })
  }

  commit(): Effect.Effect<Commit, DatabaseError> {
    return attempt(() => {
      this.check()
      const { committer } = this.parts
      if (this.writes.isEmpty || committer === undefined) {
        // What it read is one moment of the database: that is where it stands in the order of commits.
        this.end("the transaction was committed")
        return Effect.succeed({ sequence: this.moment.sequence, commitMillis: this.moment.nowMillis })
      }
      const { moment } = this
      const check: Check = { reads: this.reads(), since: moment.since, moment }
      this.ended = "the transaction was committed"
      const entering = attempt(() => {
        // Between these two steps it may have been discarded, by whoever interrupted it or by another fiber.
        if (this.released) throw fail(new Closed({ message: "the transaction was discarded" }))
        this.entered = true
        return this.enter(committer, check)
      })
      return Effect.onExitPrimitive(entering, () => {
        this.end("the transaction was committed")
        return undefined
      })
    })
  }

  /** The commit of what it wrote, with values in a file if no memtable could hold them all. */
  private enter(committer: Committer, check: Check): Effect.Effect<Commit, DatabaseError> {
    const { durability } = this.settings
    const { direct: values, writes } = this
    const { direct, limits } = this.parts
    const room = limits.options.arenaBytes - commitHeaderBytes
    const request = new BufferedRequest(writes, values)
    if (request.recordBytes <= room) return committer.commitNow(request, durability, check)
    const planned = planValues(
      writes.records().map((fields) => ({ fields, value: undefined })),
      room
    )
    return Effect.flatMap(separate(direct, planned, values), (records) =>
      committer.commitNow(requestOf(records, values), durability, check)
    )
  }

  /** What must not have been written by others: what it read, or under snapshot isolation what it writes. */
  private reads(): ReadSet {
    if (this.tracker !== undefined) return this.tracker
    const keys: Array<Uint8Array> = []
    this.writes.forEachKey((bytes, start, end) => keys.push(bytes.subarray(start, end)))
    const ranges = this.writes.removed.map((span) => ({ ...span, fromExclusive: false, toInclusive: false }))
    return { keys, ranges }
  }
}
