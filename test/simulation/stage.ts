// What the actors of one session do: every operation of a plan, run against the open database and written down.
//
// An operation succeeds, or fails with a reason that it may have: a transaction a conflict, anything what a fault of
// the disk brings about, once one has struck. Everything else ends the run, as does one that waits for too long.
import { Cause, Effect, Exit, Fiber, Option, type Scope } from "effect"
import type { Commit, ManualTransaction, Reader } from "../../src/services/Database.ts"
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
import { type Op, type PlanWrite, type Read, type Step, toBounds, toModelWrite, toValue } from "./plan.ts"
import type { Sights } from "./sights.ts"
import { type Asked, type AskedLive, type Committed, type Conflicted, highestIn, type Reading } from "./readings.ts"
import type { RunClock, Span } from "./times.ts"

/** Virtual time that an operation may take: many times what any retry waits. */
const patience = "20 minutes"

type TransactionOp = Extract<Op, { readonly op: "transaction" }>

/** Calls of the session's device that have failed so far: any, of those that change its files, of those that read. */
export interface Struck {
  any: boolean
  writing: boolean
  reading: boolean
}

/** A copy that was made, which holds what there was at its sequence. */
export interface Copy {
  readonly directory: string
  readonly sequence: number
}

type Answered = Effect.Effect<void, DatabaseError, Scope.Scope>

/** Asks one reader; what it has answered. `own`: what the transaction had written before. */
type Asks = ((question: Read, own?: ReadonlyArray<ModelWrite>) => Answered) & { readonly reading: Reading }

export class Stage {
  readonly opened: Opened
  readonly history: History
  readonly keys: Keys
  readonly sights: Sights
  readonly struck: Struck
  readonly note: (line: string) => void
  readonly live: Array<AskedLive> = []
  /** Of snapshots and transactions. */
  readonly readings: Array<Reading> = []
  readonly committed: Array<Committed> = []
  readonly conflicts: Array<Conflicted> = []
  readonly copies: Array<Copy>
  private readonly clock: RunClock
  private copyCount = 0

  constructor(
    opened: Opened,
    given: Pick<Stage, "history" | "keys" | "sights" | "struck" | "note" | "copies"> & { readonly clock: RunClock }
  ) {
    this.opened = opened
    this.history = given.history
    this.keys = given.keys
    this.sights = given.sights
    this.struck = given.struck
    this.note = given.note
    this.copies = given.copies
    this.clock = given.clock
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
  private during(op: Op): Answered {
    return Effect.suspend(() => {
      const end = this.sights.begins(op.op)
      return Effect.ensuring(this.run(op), Effect.sync(end))
    })
  }

  private run(op: Op): Answered {
    const { database, maintenance } = this.opened
    switch (op.op) {
      case "write": {
        const commit = this.history.submit(this.toModel(op.writes), op.durability)
        return this.commit(commit, database.write(commit.writes.map(toOperation), { durability: op.durability }))
      }
      case "stream":
        return this.stream(op)
      case "transaction":
        return this.transaction(op)
      case "snapshot":
        return this.snapshot(op)
      case "read":
        return this.read(op.ask)
      case "sync":
        return Effect.map(database.sync, (sequence) => {
          this.note(`synced ${sequence}`)
          this.history.synced(sequence)
        })
      case "flush": {
        const { told } = this.history
        return Effect.map(maintenance.flush, () => this.history.synced(told))
      }
      case "compact":
        return maintenance.compact(op.range && toBounds(op.range))
      case "collect":
        return Effect.map(maintenance.collectValues({ garbageRatioMin: op.garbageRatioMin }), ({ bytes, files }) =>
          this.note(`collected ${files} files, ${bytes} bytes`)
        )
      case "checkpoint":
        return this.checkpoint()
      case "verify":
        return Effect.map(maintenance.verify, ({ damage }) => {
          // No fault of a plan changes bytes, but what cannot be read is damage too.
          if (damage.length > 0 && !this.struck.reading) throw new Error(`verify: ${JSON.stringify(damage)}`)
        })
      case "rotateMaster":
        return this.keys.rotating((to) => maintenance.rotateMasterKey(masterKey(to)))
      case "rotateData":
        return Effect.map(maintenance.rotateDataKey({ full: op.full }), ({ generation }) =>
          this.keys.dataRotated(generation, op.full)
        )
      case "stats":
        return Effect.map(maintenance.stats, (stats) => this.note(JSON.stringify(stats)))
      case "sleep":
        return Effect.sleep(op.millis)
    }
  }

  private toModel(writes: ReadonlyArray<PlanWrite>): ReadonlyArray<ModelWrite> {
    return writes.map((write) => toModelWrite(write, this.clock.now))
  }

  /** The least that it can be for a reader that begins now. */
  private get now(): number {
    return Math.max(this.clock.now, this.history.millis)
  }

  private since(from: number): Span {
    return { from, to: Math.max(from, this.clock.highest) }
  }

  private get counters(): Effect.Effect<Counters> {
    return Effect.map(this.opened.maintenance.stats, ({ counters }) => counters)
  }

  private read(question: Read): Answered {
    return Effect.gen({ self: this as Stage }, function* (this: Stage) {
      const { now } = this
      const at = this.history.told
      const before = yield* this.counters
      const asked = this.asked({ ask: question, answer: yield* ask(this.opened.database, question) })
      this.history.saw(highestIn(asked.answer))
      if ("range" in question) {
        this.sights.across(question.read === "cursor" ? "a cursor" : "a scan", before, yield* this.counters)
      }
      if (!this.history.isFrozen) this.live.push({ ...asked, at, time: this.since(now) })
    })
  }

  private snapshot(op: Extract<Op, { readonly op: "snapshot" }>): Answered {
    return Effect.gen({ self: this as Stage }, function* (this: Stage) {
      const { now } = this
      const reader = yield* this.opened.database.snapshot
      const asks = yield* this.reader("a snapshot", reader, now)
      for (const step of op.steps) yield* "sleep" in step ? Effect.sleep(step.sleep) : asks(step)
    })
  }

  /** Asks a snapshot or a transaction, which was opened when it was `now` at the least. */
  private reader(
    what: "a snapshot" | "a transaction",
    reader: Reader & { readonly sequence: number },
    now: number
  ): Effect.Effect<Asks> {
    const reading: Reading = { at: reader.sequence, time: this.since(now), asked: [] }
    this.note(`${what} at ${reader.sequence}`)
    this.history.saw(reader.sequence)
    if (!this.history.isFrozen) this.readings.push(reading)
    return Effect.map(this.counters, (opened) => {
      const asks = (question: Read, own?: ReadonlyArray<ModelWrite>) =>
        Effect.flatMap(this.counters, (before) =>
          Effect.map(ask(reader, question), (answer) => {
            const asked = this.asked({ ask: question, answer, own })
            // What went on before the question was answered all the same.
            this.sights.across(what, opened, before)
            if (!this.history.isFrozen) reading.asked.push(asked)
          })
        )
      return Object.assign(asks, { reading })
    })
  }

  private asked(asked: Omit<Asked, "submitted">): Asked {
    this.note(`${JSON.stringify(asked.ask)} ${asked.answer}`)
    return { ...asked, submitted: this.history.commits.length }
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

  private transaction(op: TransactionOp): Answered {
    return Effect.gen({ self: this as Stage }, function* (this: Stage) {
      const { durability, isolation } = op
      const { now } = this
      const transaction = yield* this.opened.database.begin({ isolation, durability })
      const planned = this.toModel(op.steps.flatMap((step) => ("read" in step || "sleep" in step ? [] : [step])))
      const commit =
        op.ends === "discard" || planned.length === 0 ? undefined : this.history.submit(planned, durability)
      const writes = commit?.writes ?? planned
      const asks = yield* this.reader("a transaction", transaction, now)
      const body = this.transactionSteps(transaction, op.steps, { writes, asks })
      const ends = op.ends === "discard" ? Effect.as(transaction.discard, undefined) : transaction.commit
      const whole = this.orConflict(Effect.andThen(body, ends), { isolation, reading: asks.reading, writes })
      if (commit === undefined) return void (yield* whole)
      yield* this.commit(commit, whole as Effect.Effect<Commit, DatabaseError, Scope.Scope>)
      if (this.history.isFrozen) return
      this.committed.push({ sequence: commit.sequence, isolation, reading: asks.reading, writes })
    }).pipe(
      Effect.catch((error) => {
        if (error.reason._tag !== "Conflict") return Effect.fail(error)
        this.note("conflict")
        return Effect.void
      })
    )
  }

  /** Writes down what conflicts. A transaction that wrote nothing never does. */
  private orConflict<A>(
    whole: Effect.Effect<A, DatabaseError, Scope.Scope>,
    transaction: Omit<Conflicted, "submitted">
  ): Effect.Effect<A, DatabaseError, Scope.Scope> {
    return Effect.tapError(whole, (error) => {
      if (error.reason._tag !== "Conflict") return Effect.void
      if (transaction.writes.length === 0) return Effect.die(new Error("a conflict of a transaction without writes"))
      if (!this.history.isFrozen) this.conflicts.push({ ...transaction, submitted: this.history.commits.length })
      return Effect.void
    })
  }

  private transactionSteps(
    transaction: ManualTransaction,
    steps: ReadonlyArray<Step>,
    { asks, writes }: { readonly writes: ReadonlyArray<ModelWrite>; readonly asks: Asks }
  ): Answered {
    return Effect.gen({ self: this as Stage }, function* (this: Stage) {
      let written = 0
      for (const step of steps) {
        if ("sleep" in step) yield* Effect.sleep(step.sleep)
        else if ("read" in step) yield* asks(step, written === 0 ? undefined : writes.slice(0, written))
        else yield* writeIn(transaction, writes[written++]!)
      }
      for (const write of writes.slice(written)) yield* writeIn(transaction, write)
    })
  }

  private checkpoint(): Effect.Effect<void, DatabaseError> {
    this.copyCount += 1
    const directory = `/copy-${this.history.session}-${this.copyCount}`
    return Effect.map(this.opened.maintenance.checkpoint(directory), ({ sequence }) => {
      this.note(`copied ${sequence}`)
      if (this.history.isFrozen) return
      this.copies.push({ directory, sequence })
      this.history.onPromise()
    })
  }

  /** Writes down how the commit ended, interrupted too. */
  private commit<R>(
    commit: Submitted,
    effect: Effect.Effect<Pick<Commit, "sequence"> & Partial<Commit>, DatabaseError, R>
  ): Effect.Effect<void, DatabaseError, R> {
    return effect.pipe(
      Effect.onExit((exit) =>
        Effect.sync(() => {
          if (Exit.isSuccess(exit)) {
            this.note(`commit ${commit.id} is ${exit.value.sequence}`)
            this.history.acknowledge(commit, exit.value)
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
      if (!this.struck.any || !blames.has(error.reason._tag)) {
        return Effect.die(new Error(`${name} failed: ${error.message}`, { cause: error }))
      }
      this.note(`${name} ${error.message}`)
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
