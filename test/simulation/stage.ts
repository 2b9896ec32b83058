// What the actors of one session do: every operation of a plan, run against the open database and written down.
//
// An operation succeeds, or fails with a reason that it may have: a transaction a conflict, anything what a fault of
// the disk brings about, if the plan has faults. Everything else ends the run, as does one that waits for too long.
import { Cause, Effect, Exit, Fiber, Option, type Scope } from "effect"
import type { Commit, ManualTransaction } from "../../src/services/Database.ts"
import { CommitOutcomeUnknown, DatabaseError } from "../../src/services/DatabaseError.ts"
import type { Counters } from "../../src/services/Maintenance.ts"
import { markOf } from "../support/faultLedger.ts"
import { blames } from "../support/faultSession.ts"
import { bytes, type ModelWrite } from "../support/model.ts"
import type { Opened } from "../support/opened.ts"
import { toOperation, writeIn } from "../support/randomPlan.ts"
import { masterKey } from "../support/simKeys.ts"
import { piecesOf } from "../support/valueKit.ts"
import { ask } from "./ask.ts"
import type { History, Submitted } from "./history.ts"
import type { Keys } from "./keys.ts"
import { type Op, type Read, type Step, toBounds, toModelWrite, toValue } from "./plan.ts"
import type { Sights } from "./sights.ts"
import type { Asked, Committed } from "./timeline.ts"

/** Virtual time that an operation may take: many times what any retry waits. */
const patience = "20 minutes"

/** A copy that was made, which holds what there was at its sequence. */
export interface Copy {
  readonly directory: string
  readonly sequence: number
}

export class Stage {
  readonly opened: Opened
  readonly history: History
  readonly keys: Keys
  readonly sights: Sights
  readonly hasFaults: boolean
  readonly note: (line: string) => void
  readonly live: Array<Asked> = []
  /** Of snapshots and transactions. */
  readonly fixed: Array<Asked> = []
  readonly committed: Array<Committed> = []
  readonly copies: Array<Copy>
  private copyCount = 0

  constructor(
    opened: Opened,
    given: Pick<Stage, "history" | "keys" | "sights" | "hasFaults" | "note"> & { readonly copies: Array<Copy> }
  ) {
    this.opened = opened
    this.history = given.history
    this.keys = given.keys
    this.sights = given.sights
    this.hasFaults = given.hasFaults
    this.note = given.note
    this.copies = given.copies
  }

  /** Runs the operations one after another. */
  actor(ops: ReadonlyArray<Op>): Effect.Effect<void> {
    return Effect.forEach(ops, (op) => this.act(op), { discard: true })
  }

  private act(op: Op): Effect.Effect<void> {
    const whole = this.attempted(op.op, Effect.scoped(this.during(op)))
    if (op.interruptAfter === undefined) return whole
    const { interruptAfter } = op
    return Effect.gen({ self: this as Stage }, function* (this: Stage) {
      const fiber = yield* Effect.forkChild(whole)
      for (let count = 0; count < interruptAfter; count++) yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      const exit = yield* Fiber.await(fiber)
      if (Exit.isSuccess(exit)) return
      if (!Cause.hasInterruptsOnly(exit.cause)) return yield* Effect.failCause(exit.cause)
      this.note(`${op.op} interrupted`)
      this.sights.interrupted(op.op)
    })
  }

  /** The operation, known to be under way. */
  private during(op: Op): Effect.Effect<void, DatabaseError, Scope.Scope> {
    return Effect.suspend(() => {
      const end = this.sights.begins(op.op)
      return Effect.ensuring(this.run(op), Effect.sync(end))
    })
  }

  private run(op: Op): Effect.Effect<void, DatabaseError, Scope.Scope> {
    const { database, maintenance } = this.opened
    switch (op.op) {
      case "write": {
        const commit = this.history.submit(op.writes.map(toModelWrite), op.durability)
        return this.commit(commit, database.write(commit.writes.map(toOperation), { durability: op.durability }))
      }
      case "stream":
        return this.stream(op)
      case "transaction":
        return this.transaction(op)
      case "snapshot":
        return Effect.flatMap(database.snapshot, (snapshot) =>
          this.across("a snapshot", this.steps(snapshot, op.steps))
        )
      case "read":
        return this.across(op.ask.read === "cursor" ? "a cursor" : "a scan", this.read(op.ask))
      case "sync":
        return Effect.map(database.sync, (sequence) => this.history.synced(sequence))
      case "flush": {
        const { told } = this.history
        return Effect.map(maintenance.flush, () => this.history.synced(told))
      }
      case "compact":
        return maintenance.compact(op.range && toBounds(op.range))
      case "collect":
        return Effect.asVoid(maintenance.collectValues({ garbageRatioMin: op.garbageRatioMin }))
      case "checkpoint":
        return this.checkpoint()
      case "verify":
        return Effect.map(maintenance.verify, ({ damage }) => {
          if (damage.length > 0 && !this.hasFaults) throw new Error(`verify: ${JSON.stringify(damage)}`)
        })
      case "rotateMaster":
        return this.keys.rotating((to) => maintenance.rotateMasterKey(masterKey(to)))
      case "rotateData":
        return Effect.map(maintenance.rotateDataKey({ full: op.full }), ({ generation }) =>
          this.keys.dataRotated(generation, op.full)
        )
      case "stats":
        return Effect.asVoid(maintenance.stats)
      case "sleep":
        return Effect.sleep(op.millis)
    }
  }

  /** Tells what went on in the background meanwhile. */
  private across<A, E, R>(what: string, effect: Effect.Effect<A, E, R>): Effect.Effect<void, E, R> {
    const counters: Effect.Effect<Counters> = Effect.map(this.opened.maintenance.stats, ({ counters }) => counters)
    return Effect.flatMap(counters, (before) =>
      Effect.andThen(
        effect,
        Effect.map(counters, (after) => this.sights.across(what, before, after))
      )
    )
  }

  private read(question: Read): Effect.Effect<void, DatabaseError, Scope.Scope> {
    const at = this.history.told
    return Effect.map(ask(this.opened.database, question), (answer) =>
      this.asked(this.live, { ask: question, answer, at })
    )
  }

  private steps(
    reader: Parameters<typeof ask>[0] & { readonly sequence: number },
    steps: ReadonlyArray<Read | { readonly sleep: number }>
  ): Effect.Effect<void, DatabaseError, Scope.Scope> {
    return Effect.forEach(
      steps,
      (step) => {
        if ("sleep" in step) return Effect.sleep(step.sleep)
        return Effect.map(ask(reader, step), (answer) =>
          this.asked(this.fixed, { ask: step, answer, at: reader.sequence })
        )
      },
      { discard: true }
    )
  }

  private asked(into: Array<Asked>, asked: Omit<Asked, "submitted">): Asked {
    const whole = { ...asked, submitted: this.history.commits.length }
    if (!this.history.isFrozen) into.push(whole)
    return whole
  }

  private stream(op: Extract<Op, { readonly op: "stream" }>): Effect.Effect<void, DatabaseError> {
    const { database } = this.opened
    const value = toValue(op.value)
    const commit = this.history.submit([], op.durability, value)
    const key = bytes(markOf(commit.id))
    const written = database.setStream(key, piecesOf(bytes(value), op.pieces), { durability: op.durability })
    // It is asked which commit it was; if that fails, nobody was told.
    const sequence = Effect.mapError(
      Effect.map(database.getEntry(key), (entry) => ({ sequence: entry!.sequence })),
      (cause) => new DatabaseError({ reason: new CommitOutcomeUnknown({ message: "not told", cause }) })
    )
    return this.commit(commit, Effect.andThen(written, sequence))
  }

  private transaction(
    op: Extract<Op, { readonly op: "transaction" }>
  ): Effect.Effect<void, DatabaseError, Scope.Scope> {
    return Effect.gen({ self: this as Stage }, function* (this: Stage) {
      const { durability, isolation } = op
      const transaction = yield* this.opened.database.begin({ isolation, durability })
      const planned = op.steps.flatMap((step) => ("read" in step || "sleep" in step ? [] : [toModelWrite(step)]))
      const commit =
        op.ends === "discard" || planned.length === 0 ? undefined : this.history.submit(planned, durability)
      const writes = commit?.writes ?? planned
      const asked: Array<Asked> = []
      const body = this.transactionSteps(transaction, op.steps, { writes, asked })
      const ends = op.ends === "discard" ? Effect.as(transaction.discard, undefined) : transaction.commit
      const whole = Effect.flatMap(this.across("a transaction", body), () => ends)
      if (commit === undefined) return void (yield* whole)
      yield* this.commit(commit, whole as Effect.Effect<Commit, DatabaseError, Scope.Scope>)
      if (this.history.isFrozen) return
      this.committed.push({ at: transaction.sequence, sequence: commit.sequence, isolation, asked, writes })
    }).pipe(
      Effect.catch((error) => {
        if (error.reason._tag !== "Conflict") return Effect.fail(error)
        this.note("conflict")
        this.sights.conflict(op)
        return Effect.void
      })
    )
  }

  private transactionSteps(
    transaction: ManualTransaction,
    steps: ReadonlyArray<Step>,
    into: { readonly writes: ReadonlyArray<ModelWrite>; readonly asked: Array<Asked> }
  ): Effect.Effect<void, DatabaseError, Scope.Scope> {
    return Effect.gen({ self: this as Stage }, function* (this: Stage) {
      let written = 0
      for (const step of steps) {
        if ("sleep" in step) yield* Effect.sleep(step.sleep)
        else if ("read" in step) {
          const own = written === 0 ? undefined : into.writes.slice(0, written)
          const answer = yield* ask(transaction, step)
          into.asked.push(this.asked(this.fixed, { ask: step, answer, at: transaction.sequence, own }))
        } else yield* writeIn(transaction, into.writes[written++]!)
      }
      for (const write of into.writes.slice(written)) yield* writeIn(transaction, write)
    })
  }

  private checkpoint(): Effect.Effect<void, DatabaseError> {
    this.copyCount += 1
    const directory = `/copy-${this.history.session}-${this.copyCount}`
    return Effect.map(this.opened.maintenance.checkpoint(directory), ({ sequence }) => {
      if (!this.history.isFrozen) this.copies.push({ directory, sequence })
    })
  }

  /** Writes down how the commit ended, interrupted too. */
  private commit<R>(
    commit: Submitted,
    effect: Effect.Effect<{ readonly sequence: number }, DatabaseError, R>
  ): Effect.Effect<void, DatabaseError, R> {
    return effect.pipe(
      Effect.onExit((exit) =>
        Effect.sync(() => {
          if (Exit.isSuccess(exit)) {
            this.history.acknowledge(commit, exit.value.sequence)
            if (commit.durability === "disk") this.sights.durable()
          } else this.history.gaveUp(commit, endOf(exit.cause))
        })
      ),
      Effect.asVoid
    )
  }

  private attempted(name: string, effect: Effect.Effect<void, DatabaseError>): Effect.Effect<void> {
    return Effect.flatMap(Effect.exit(Effect.timeoutOption(effect, patience)), (exit) => {
      if (Exit.isSuccess(exit)) {
        if (Option.isNone(exit.value)) return Effect.die(new Error(`${name} waits for more than ${patience}`))
        this.note(name)
        return Effect.void
      }
      if (Cause.hasInterruptsOnly(exit.cause)) return Effect.interrupt
      const error = Cause.squash(exit.cause)
      const [reason] = exit.cause.reasons
      const isTyped = exit.cause.reasons.length === 1 && reason?._tag === "Fail" && error instanceof DatabaseError
      if (!isTyped) return Effect.die(new Error(`${name}: ${Cause.pretty(exit.cause)}`, { cause: error }))
      if (error.reason._tag === "Invalid" && error.reason.message.startsWith("the commit needs")) {
        this.note(`${name} is too large`)
        this.sights.reach("a commit that no memtable takes")
        return Effect.void
      }
      if (!this.hasFaults || !blames.has(error.reason._tag)) {
        return Effect.die(new Error(`${name} failed: ${error.message}`, { cause: error }))
      }
      this.note(`${name} ${error.reason._tag}`)
      this.sights.failed(name, error.reason)
      return Effect.void
    })
  }
}

/** A commit that failed otherwise than by an answer of the database may be there. */
const endOf = (cause: Cause.Cause<DatabaseError>): "failed" | "unknown" => {
  const [reason] = cause.reasons
  if (cause.reasons.length !== 1 || reason?._tag !== "Fail") return "unknown"
  return reason.error.reason._tag === "CommitOutcomeUnknown" ? "unknown" : "failed"
}
