// Group commit. One group is written at a time, by whoever finds the log idle: the committing fiber itself for an `os`
// commit (no hop between fibers; on its stack where the disk can, which spares a dozen effects), else the pump, a
// background fiber. All that arrives while a group is written forms the next, so a sync is shared by as many as wait
// for it.
//
// What ends a commit, exactly once each:
//   visible                the log has it, as durable as it asked
//   DiskFull, Io           the log refused it with bytes unwritten: it is not there, and later commits may succeed
//   CommitOutcomeUnknown   its bytes were accepted and then the disk failed: the engine is poisoned
//   Poisoned, Closed       it never reached the log
// Interrupted before its group is taken, it is withdrawn; later, it happens.
import * as Effect from "effect/Effect"
import type { Commit } from "../../services/Database.ts"
import { Conflict, DatabaseError, fail, Poisoned } from "../../services/DatabaseError.ts"
import type { Durability, OptionsShape } from "../../services/Options.ts"
import type { Moment, OracleService, ReadSet } from "../../services/Oracle.ts"
import type { WalService } from "../../services/Wal.ts"
import { commitHeaderBytes } from "../format/commit.ts"
import type { Ballast } from "./ballast.ts"
import { closedError, outcomeUnknown, poisoned, tooLarge } from "./commitErrors.ts"
import { CommitQueue, type CommitRequest, type Group, groupChunks, type Ticket } from "./commitQueue.ts"
import { Admission, type StallReason } from "./admission.ts"
import { Gate, WaitList } from "./gate.ts"
import type { LiveView, Slot } from "./view.ts"

/** A quiet log says after this long that all of it is durable, which lets recovery tell damage from a torn tail. */
const idleMillis = 50
/** A log that refused buffered bytes is offered them again this often. */
const refusedMillis = 100

export interface Parts {
  readonly options: OptionsShape
  readonly live: LiveView
  readonly oracle: OracleService
  readonly wal: WalService
  readonly ballast: Pick<Ballast, "reserve" | "roomForRemovals">
}

interface Thrown {
  readonly error: unknown
}

/** What a transaction read, and since when. */
export interface Check {
  readonly reads: ReadSet
  readonly since: number
  /** Released when nothing conflicts. Without other transactions, what this one writes is not learned then. */
  readonly moment: Moment
}

export class Committer {
  readonly queue: CommitQueue
  readonly admission: Admission
  readonly counters = { groups: 0, conflicts: 0 }
  /** Why no commit is taken any more: poisoned or closed. */
  refusal: DatabaseError | undefined = undefined
  /** Called when a group has ended. */
  onGroup: () => void = () => {}
  /** Called when it is poisoned, or the log refuses what it is given: whoever waits for more may wait in vain. */
  onTrouble: () => void = () => {}
  /** Woken when a memtable's segments are sealed. */
  readonly sealed = new Gate()
  /** Woken when a flush has ended, or cannot go on. */
  readonly flushed = new WaitList()
  private readonly parts: Parts
  private readonly pumpGate = new Gate()
  private readonly bufferedGate = new Gate()
  private readonly idleGate = new Gate()
  private readonly resolved = new WaitList()
  private readonly conflicts = new WeakSet<DatabaseError>()
  private logSlot: Slot
  private busy = false
  /** What is being written. */
  private writing: Group | undefined = undefined
  /** The time of buffered bytes has come. */
  private due = false
  /** Why the log refused the last group, until it takes one. */
  private refused: DatabaseError | undefined = undefined
  /** What removes is offered to the log again, since it took a group the last time. */
  private retrying = false
  /** A group that was written on a committer's stack, and what the log threw. The pump goes on with it. */
  private struck: (Thrown & { readonly group: Group }) | undefined = undefined

  constructor(parts: Parts) {
    this.parts = parts
    this.queue = new CommitQueue(parts.live, parts.oracle)
    this.admission = new Admission({
      ...parts,
      freeze: () => this.freeze(),
      unresolvedCount: () => this.queue.unresolvedCount
    })
    this.logSlot = parts.live.active
  }

  /** Begins at once: for use inside an effect that is already suspended. */
  commitNow(request: CommitRequest, durability: Durability, check?: Check): Effect.Effect<Commit, DatabaseError> {
    if (this.refusal !== undefined) return Effect.fail(this.refusal)
    const bytes = commitHeaderBytes + request.recordBytes
    if (bytes > this.parts.options.arenaBytes) return Effect.fail(tooLarge(bytes, this.parts.options.arenaBytes))
    const pause = this.admission.pace(bytes)
    if (pause === undefined) return this.admit(request, durability, check)
    return Effect.andThen(
      pause,
      Effect.suspend(() => this.admit(request, durability, check))
    )
  }

  /** The commit, when there is room for it. On the stack of whoever runs it. */
  private admit(request: CommitRequest, durability: Durability, check?: Check): Effect.Effect<Commit, DatabaseError> {
    if (this.refusal !== undefined) return Effect.fail(this.refusal)
    const { reserve } = this.parts.ballast
    if (reserve !== undefined && !request.removesOnly) return Effect.fail(reserve)
    const reason = this.admission.blockedBy(commitHeaderBytes + request.recordBytes)
    if (reason !== undefined) {
      const vain = this.vainly(reason)
      if (vain !== undefined) return Effect.fail(vain)
      const stalled = this.admission.stall(reason, this.admission.turn)
      return Effect.flatMap(stalled, () => this.admit(request, durability, check))
    }
    // From the conflict check to the assignment of the sequence nothing else runs.
    if (check !== undefined) {
      const sequence = this.parts.oracle.conflict(check.reads, check.since)
      if (sequence > 0) return Effect.fail(this.conflict(sequence))
      check.moment.release()
    }
    const ticket = this.queue.enter(request, durability)
    return ticket.state === "visible" ? this.buffered(ticket) : this.resolution(ticket)
  }

  /** Completes when all commits acknowledged so far are on disk. */
  readonly sync: Effect.Effect<number, DatabaseError> = Effect.suspend(() => {
    if (this.refusal !== undefined) return Effect.fail(this.refusal)
    const sequence = this.parts.oracle.visible()
    return Effect.as(this.resolution(this.queue.enterBarrier()), sequence)
  })

  /** Waits until the commit of this sequence, if it is in flight, is visible or abandoned. */
  awaitResolved(sequence: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.parts.oracle.visible() >= sequence || this.queue.unresolvedCount === 0) return Effect.void
      return Effect.flatMap(this.resolved.waitFrom(this.resolved.turn), () => this.awaitResolved(sequence))
    })
  }

  /** The background of commits: run each in a fiber of the database's scope. */
  readonly loops = (): ReadonlyArray<Effect.Effect<never>> => [
    Effect.forever(
      Effect.suspend(() => {
        if (this.struck !== undefined) return Effect.andThen(Effect.yieldNow, this.endStruck)
        return this.isUrgent() && !this.busy ? Effect.andThen(Effect.yieldNow, this.writeGroup) : this.pumpGate.wait
      })
    ),
    this.afterWake(
      this.bufferedGate,
      () => (this.refused === undefined ? this.parts.options.flushDelayMillis : refusedMillis),
      this.flushDue
    ),
    this.afterWake(this.idleGate, () => idleMillis, this.markIdle)
  ]

  /** Why the log does not move on to the next memtable, if it does not. */
  get trouble(): DatabaseError | undefined {
    return this.isPoisoned ? this.refusal : this.refused
  }

  /**
   * Gives new commits a memtable of their own, so that the present one can be flushed, and a log segment. False if the
   * pool is empty. One that holds nothing stays, unless it is its segment that is to be left.
   */
  freeze(leaves: "full" | "any" = "full"): boolean {
    if (this.isPoisoned) return false
    if (leaves === "full" && this.parts.live.active.memtable.arena.used === 0) return true
    if (!this.parts.live.freeze()) return false
    this.pumpGate.wake()
    return true
  }

  /** The ballast was given up: only what removes may have its room. */
  holdBack(error: DatabaseError): void {
    this.queue.keepRemovals(undefined, error)
    this.wakeEveryone()
  }

  poison(error: DatabaseError): void {
    if (this.refusal === undefined || this.refusal.reason._tag === "Closed") this.refusal = poisoned(error)
    this.queue.failAll(undefined, this.refusal, this.refusal)
    this.wakeEveryone()
  }

  /**
   * Takes no more commits, and completes when no group is being written and none waits: each was written, or refused
   * once more by a disk that had refused before.
   */
  readonly drain: Effect.Effect<void> = Effect.suspend(() => {
    this.refusal ??= closedError()
    this.admission.wake()
    this.refused = undefined
    return this.untilEmpty()
  })

  private untilEmpty(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.busy) return Effect.flatMap(this.resolved.waitFrom(this.resolved.turn), () => this.untilEmpty())
      if (this.isPoisoned || this.refused !== undefined) {
        const error = this.refused ?? this.refusal!
        this.queue.failAll(undefined, error, error)
        return Effect.void
      }
      if (this.queue.isEmpty && this.logSlot === this.parts.live.active) return Effect.void
      return Effect.flatMap(this.writeGroup, () => this.untilEmpty())
    })
  }

  /** Whether a commit to this database failed with it. Another one's conflict is not ended by running again here. */
  isOwnConflict(error: unknown): error is DatabaseError {
    return error instanceof DatabaseError && this.conflicts.has(error)
  }

  private conflict(sequence: number): DatabaseError {
    this.counters.conflicts += 1
    const message = `commit ${sequence} wrote what this transaction read; run it again`
    const error = fail(new Conflict({ message, sequence }))
    this.conflicts.add(error)
    return error
  }

  /** Why waiting would be in vain: the disk refuses what would make room. */
  private vainly(reason: StallReason): DatabaseError | undefined {
    const { compactionRefused, flushRefused } = this.admission
    if (reason === "level0") return compactionRefused
    return this.hasBacklog ? (this.refused ?? flushRefused) : flushRefused
  }

  private buffered(ticket: Ticket): Effect.Effect<Commit> {
    if (this.queue.visibleBytes >= this.parts.options.flushBytes && this.refused === undefined) this.pumpGate.wake()
    else this.bufferedGate.wake()
    return Effect.succeed({ sequence: ticket.sequence, commitMillis: ticket.commitMillis })
  }

  private resolution(ticket: Ticket): Effect.Effect<Commit, DatabaseError> {
    if (ticket.durability === "os" && this.writeNow()) return isResolved(ticket) ? outcome(ticket) : this.await(ticket)
    // Should this fiber be interrupted before it writes or waits, the timer finds the ticket.
    this.bufferedGate.wake()
    if (ticket.durability === "os" && !this.busy) {
      return Effect.flatMap(this.writeGroup, () => (isResolved(ticket) ? outcome(ticket) : this.await(ticket)))
    }
    this.pumpGate.wake()
    return this.await(ticket)
  }

  private await(ticket: Ticket): Effect.Effect<Commit, DatabaseError> {
    return Effect.callback<Commit, DatabaseError>((resume) => {
      if (isResolved(ticket)) {
        resume(outcome(ticket))
        return
      }
      ticket.onResolved = () => resume(outcome(ticket))
      return Effect.sync(() => {
        ticket.onResolved = undefined
        if (!this.queue.withdraw(ticket, closedError())) return
        this.resolved.wakeAll()
        this.admission.wake()
      })
    })
  }

  get isPoisoned(): boolean {
    return this.refusal?.reason._tag === "Poisoned"
  }

  /** Something waits for the log to take it, other than a commit. */
  private get hasBacklog(): boolean {
    return this.queue.visibleBytes > 0 || this.logSlot !== this.parts.live.active
  }

  private isUrgent(): boolean {
    if (this.isPoisoned) return false
    if (this.queue.unresolvedCount > 0) return true
    if (!this.hasBacklog) return false
    if (this.due) return true
    if (this.refused !== undefined) return false
    return this.logSlot !== this.parts.live.active || this.queue.visibleBytes >= this.parts.options.flushBytes
  }

  /**
   * Writes what waits for the memtable that the log is at, or moves the log on to the next memtable. Never fails. No
   * interruption comes between taking a group and its end.
   */
  private readonly writeGroup: Effect.Effect<void> = Effect.uninterruptible(
    Effect.suspend(() => {
      if (this.busy || this.isPoisoned) return Effect.void
      this.busy = true
      this.due = false
      return Effect.onExit(this.step(), (exit) => Effect.sync(() => this.stepped(exit._tag)))
    })
  )

  /** Writes what waits on the caller's stack. False if that cannot be, and nothing has happened. */
  private writeNow(): boolean {
    const { queue } = this
    if (this.busy || this.isPoisoned || queue.firstSlot !== this.logSlot || !queue.isOnePiece) return false
    let failure: Thrown | undefined
    try {
      const { bytes } = this.logSlot.memtable.arena
      if (!this.parts.wal.appendUnsafe(bytes, queue.firstOffset, queue.endOffset)) return false
    } catch (error) {
      failure = { error }
    }
    this.busy = true
    this.due = false
    const group = this.take()!
    failure ??= this.acceptedNow(group)
    if (failure === undefined) {
      this.stepped("Success")
    } else {
      // What is to be done now may wait for the disk, and must not be interrupted with this fiber.
      this.struck = { group, error: failure.error }
      this.pumpGate.wake()
    }
    return true
  }

  /** What it threw is a bug of ours, and not the committing fiber's: the pump ends the group with it. */
  private acceptedNow(group: Group): Thrown | undefined {
    try {
      this.accepted(group)
      return undefined
    } catch (error) {
      return { error }
    }
  }

  private readonly endStruck: Effect.Effect<void> = Effect.uninterruptible(
    Effect.suspend(() => {
      const { error, group } = this.struck!
      this.struck = undefined
      const ended = error instanceof DatabaseError ? this.failed(group, error) : Effect.die(error)
      return Effect.onExit(ended, (exit) => Effect.sync(() => this.stepped(exit._tag)))
    })
  )

  private take(): Group | undefined {
    this.writing = this.queue.take()
    if (this.writing !== undefined) this.counters.groups += 1
    return this.writing
  }

  private step(): Effect.Effect<void> {
    const slot = this.queue.firstSlot
    if (slot === undefined ? this.logSlot !== this.parts.live.active : slot !== this.logSlot)
      return this.switchSegment()
    const group = this.take()
    if (group === undefined) return Effect.void
    const append = group.bytes === 0 ? Effect.void : this.parts.wal.append(groupChunks(group))
    return Effect.matchEffect(append, {
      onFailure: (error) => this.failed(group, error),
      onSuccess: () => this.written(group)
    })
  }

  private accepted(group: Group): void {
    if (group.bytes > 0) {
      this.refused = undefined
      this.retrying = false
    }
    this.queue.written(group)
    // All of many who go on while this is busy commit in one group. One alone would wait for the pump, again and again,
    // and is told when the log is idle.
    if (group.needsSync || group.published > 1) this.queue.tell(group)
  }

  private written(group: Group): Effect.Effect<void> {
    this.accepted(group)
    if (!group.needsSync) return Effect.void
    return Effect.match(this.parts.wal.sync, {
      onFailure: (error) => this.end(group, outcomeUnknown(error)),
      onSuccess: () => {
        this.queue.synced(group)
        if (group.published > 1) this.queue.tell(group)
      }
    })
  }

  private failed(group: Group, error: DatabaseError): Effect.Effect<void> {
    const { _tag } = error.reason
    const isRetry = this.retrying
    const room = _tag === "DiskFull" ? this.parts.ballast.roomForRemovals(error, isRetry) : Effect.succeed(false)
    return Effect.map(room, (hasRoom) => {
      this.retrying = hasRoom
      if (this.isPoisoned) {
        this.queue.failAll(group, error, this.refusal!)
      } else if (hasRoom) {
        this.queue.keepRemovals(group, error)
      } else if (_tag === "DiskFull" || _tag === "Io") {
        this.refused = error
        this.queue.abandon(group, error)
        // Those behind it would be tried after what stays and is refused again: they are told now instead of never.
        this.queue.abandonWaiting(error)
      } else {
        this.end(group, error)
      }
    })
  }

  private end(group: Group | undefined, error: DatabaseError): void {
    this.refusal = poisoned(error)
    this.queue.failAll(group, error, this.refusal)
  }

  private switchSegment(): Effect.Effect<void> {
    const next = this.parts.live.newerThan(this.logSlot)!
    return Effect.match(this.parts.wal.switchSegment, {
      onFailure: (error) => {
        if (error.reason._tag !== "DiskFull" && error.reason._tag !== "Io") {
          this.refusal = poisoned(error)
          this.queue.failAll(undefined, error, this.refusal)
          return
        }
        this.refused = error
        this.queue.abandonWaiting(error)
      },
      onSuccess: () => {
        this.refused = undefined
        this.logSlot.sealed = true
        this.logSlot = next
        next.segment = this.parts.wal.segment()
        this.sealed.wake()
      }
    })
  }

  private stepped(exit: "Success" | "Failure"): void {
    const group = this.writing
    this.writing = undefined
    this.busy = false
    this.onGroup()
    // A bug of ours: nobody knows what of the group is in the log, and who waits for it is told so.
    if (exit === "Failure")
      this.end(group, outcomeUnknown(fail(new Poisoned({ message: "a defect in the commit path" }))))
    if (this.trouble !== undefined) this.wakeEveryone()
    this.resolved.wakeAll()
    this.admission.uncrowd()
    if (this.hasBacklog) this.bufferedGate.wake()
    else this.idleGate.wake()
    if (this.isUrgent()) this.pumpGate.wake()
    if (group !== undefined) this.queue.tell(group)
  }

  private wakeEveryone(): void {
    this.admission.wake()
    this.resolved.wakeAll()
    this.flushed.wakeAll()
    this.sealed.wake()
    this.onTrouble()
  }

  private afterWake(gate: Gate, millis: () => number, action: Effect.Effect<void>): Effect.Effect<never> {
    return Effect.forever(
      Effect.andThen(
        gate.wait,
        Effect.andThen(
          Effect.suspend(() => Effect.sleep(millis())),
          action
        )
      )
    )
  }

  private readonly flushDue: Effect.Effect<void> = Effect.sync(() => {
    if (!this.hasBacklog && this.queue.unresolvedCount === 0) return
    this.due = true
    this.pumpGate.wake()
  })

  private readonly markIdle: Effect.Effect<void> = Effect.uninterruptible(
    Effect.suspend(() => {
      if (this.busy || !this.queue.isEmpty || this.refusal !== undefined) return Effect.void
      this.busy = true
      // A mark that fails costs nothing that was promised: the next append meets the same disk and says so.
      return Effect.ensuring(
        Effect.ignore(this.parts.wal.mark),
        Effect.sync(() => {
          this.busy = false
          this.resolved.wakeAll()
          if (this.isUrgent()) this.pumpGate.wake()
        })
      )
    })
  )
}

const isResolved = (ticket: Ticket): boolean => ticket.state === "visible" || ticket.state === "failed"

const outcome = (ticket: Ticket): Effect.Effect<Commit, DatabaseError> =>
  ticket.state === "failed"
    ? Effect.fail(ticket.error!)
    : Effect.succeed({ sequence: ticket.sequence, commitMillis: ticket.commitMillis })
