// Clients that meet each other: each runs transactions of a few lists and of ranges that keys are put into and removed
// from, and says what it saw. Which ones, dice decide.
import { Cause, Effect, Exit, Fiber, Schedule, Stream } from "effect"
import type { DatabaseService, Isolation, ManualTransaction, Operation as Write } from "../../src/services/Database.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import type { MaintenanceService } from "../../src/services/Maintenance.ts"
import type { Durability } from "../../src/services/Options.ts"
import type { Dice } from "../support/randomPlan.ts"
import type { Recorder } from "./events.ts"
import { only, type Operation, prefixed, type Span } from "./history.ts"
import { encodeList, idOf, keyOf, markerOf, markers, memberOf, Recorded, RecordedTransaction } from "./recorded.ts"

export interface Load {
  readonly recorder: Recorder
  /** `undefined`: each transaction chooses. */
  readonly isolation: Isolation | undefined
  readonly lists: number
  readonly groups: number
  readonly clients: number
  /** Until so many transactions that wrote or read have committed, or so many were tried. */
  readonly committedEnough: number
  readonly triedMax: number
}

interface Parts {
  readonly database: DatabaseService
  readonly maintenance: MaintenanceService
}

const durabilities: ReadonlyArray<Durability> = ["disk", "disk", "os", "buffered"]

/** What the disk refused: definitely not done, and it may be had later. */
const isRefused = ({ reason }: DatabaseError): boolean => reason._tag === "DiskFull" || reason._tag === "Io"

/** Nothing is written any more until the database is opened again. */
const isOver = ({ reason }: DatabaseError): boolean =>
  reason._tag === "Poisoned" || reason._tag === "CommitOutcomeUnknown"

/** The lists and the members, without the markers. */
export const lists = prefixed("l/")
export const members = prefixed("m/")

export class Client {
  private readonly parts: Parts
  private readonly load: Load
  private readonly dice: Dice
  private readonly session: number

  constructor(
    parts: Parts,
    { dice, load, session }: { readonly load: Load; readonly dice: Dice; readonly session: number }
  ) {
    this.parts = parts
    this.load = load
    this.dice = dice
    this.session = session
  }

  /** Goes on where the disk refuses; once the engine is poisoned, it is over for all. */
  readonly one: Effect.Effect<void, DatabaseError> = Effect.suspend(() =>
    Effect.catch(this.turn(), (error) => {
      if (isRefused(error)) return Effect.sleep(1 + this.dice.below(5))
      if (!isOver(error)) return Effect.fail(error)
      this.load.recorder.isOver = true
      return Effect.void
    })
  )

  private turn(): Effect.Effect<void, DatabaseError> {
    const turn = this.dice.below(100)
    if (turn < 60) return this.transact()
    if (turn < 70) return this.retried()
    if (turn < 82) return this.look()
    if (turn < 92) return this.writeBlindly()
    if (turn < 96) return this.abandon()
    if (turn < 98) return this.sync()
    return Effect.sleep(this.dice.below(20))
  }

  private list(): string {
    return `l/${this.dice.below(this.load.lists).toString(36).padStart(2, "0")}`
  }

  private group(): number {
    return this.dice.below(this.load.groups)
  }

  private groupSpan(): Span {
    return prefixed(`m/${this.group()}/`)
  }

  /** Some lists that are next to each other, or all. */
  private listSpan(): Span {
    if (this.dice.chance(20)) return lists
    const [from, to] = [this.list(), this.list()].sort()
    return { from: from!, to: only(to!).to }
  }

  private level(): Isolation {
    return this.load.isolation ?? this.dice.pick(["serializable", "snapshot"] as const)
  }

  private pause(): Effect.Effect<void> {
    const turn = this.dice.below(10)
    if (turn < 4) return Effect.void
    if (turn < 9) return Effect.yieldNow
    return Effect.sleep(this.dice.below(this.dice.chance(20) ? 60 : 8))
  }

  private readonly steps: ReadonlyArray<(transaction: RecordedTransaction) => Effect.Effect<unknown, DatabaseError>> = [
    (transaction) => transaction.append(this.list()),
    (transaction) => transaction.append(this.list()),
    (transaction) => transaction.append(this.list()),
    (transaction) => Effect.andThen(transaction.read(this.list()), transaction.append(this.list())),
    (transaction) => transaction.read(this.list()),
    (transaction) => this.readAll(transaction),
    (transaction) => transaction.scan(this.listSpan()),
    (transaction) => transaction.members(this.groupSpan()),
    (transaction) => Effect.andThen(transaction.count(this.groupSpan()), transaction.insert(this.group())),
    (transaction) => Effect.andThen(transaction.members(this.groupSpan()), transaction.insert(this.group())),
    (transaction) => transaction.insert(this.group()),
    (transaction) => {
      const span = this.groupSpan()
      return this.dice.chance(50)
        ? Effect.andThen(transaction.members(span), transaction.remove(span))
        : transaction.remove(span)
    },
    (transaction) =>
      this.dice.chance(40) ? transaction.remove(this.listSpan()) : transaction.remove(only(this.list()))
  ]

  /** More keys than a transaction may remember one by one. */
  private readAll(transaction: RecordedTransaction): Effect.Effect<void, DatabaseError> {
    const keys = Array.from({ length: 32 }, () => this.list())
    return Effect.forEach(keys, (key) => transaction.read(key), { discard: true })
  }

  private readonly body = (transaction: RecordedTransaction): Effect.Effect<void, DatabaseError> =>
    Effect.forEach(
      Array.from({ length: 1 + this.dice.below(4) }, () => this.dice.pick(this.steps)),
      (step) => Effect.andThen(step(transaction), this.pause()),
      { discard: true }
    )

  private begin(level: Isolation): number {
    const id = this.load.recorder.newId()
    this.load.recorder.emit({ type: "begin", id, session: this.session, level })
    return id
  }

  /** Begins by hand, and commits; now and then it is interrupted meanwhile. */
  private transact(): Effect.Effect<void, DatabaseError> {
    return Effect.scoped(
      Effect.gen({ self: this as Client }, function* (this: Client) {
        const [isolation, durability] = [this.level(), this.dice.pick(durabilities)]
        const id = this.begin(isolation)
        const transaction = yield* this.parts.database.begin({ isolation, durability })
        const recorded = this.recorded(transaction)
        yield* this.body(recorded)
        const { operations } = recorded
        if (operations.some(({ type }) => type === "append" || type === "remove")) yield* recorded.mark(id)
        const snapshot = transaction.sequence
        this.load.recorder.emit({ type: "submit", id, operations, durability, snapshot })
        yield* this.dice.chance(5) ? this.interrupted(transaction, id) : this.committed(transaction.commit, id)
      })
    )
  }

  /** By the database, which runs it again when it conflicts: each time a transaction of its own. */
  private retried(): Effect.Effect<void, DatabaseError> {
    return Effect.suspend(() => {
      const isolation = this.level()
      const { recorder } = this.load
      let id = 0
      // The next one may begin as soon as this one is submitted.
      let next = this.begin(isolation)
      const run = this.parts.database.transaction(
        (transaction) =>
          Effect.gen({ self: this as Client }, function* (this: Client) {
            if (id > 0) recorder.emit({ type: "end", id, outcome: "aborted" })
            id = next
            const recorded = this.recorded(transaction)
            yield* this.body(recorded)
            yield* recorded.mark(id)
            // Without a write of its own there is nobody to be found.
            yield* recorded.append(this.list())
            const { operations } = recorded
            recorder.emit({ type: "submit", id, operations, durability: "disk", snapshot: transaction.sequence })
            next = this.begin(isolation)
          }),
        { isolation, durability: "disk", retry: Schedule.recurs(3) }
      )
      const end = (outcome: "committed" | "aborted") => Effect.sync(() => recorder.emit({ type: "end", id, outcome }))
      return Effect.matchEffect(run, {
        onSuccess: () => end("committed"),
        onFailure: (error) => {
          if (isConflict(error)) return end("aborted")
          return isUnknown(error) ? Effect.fail(error) : Effect.andThen(end("aborted"), Effect.fail(error))
        }
      })
    })
  }

  /** Only reads, for longer: by a snapshot or by a transaction, which commits, and never conflicts. */
  private look(): Effect.Effect<void, DatabaseError> {
    return Effect.scoped(
      Effect.gen({ self: this as Client }, function* (this: Client) {
        const { database } = this.parts
        const id = this.begin("serializable")
        const transaction = this.dice.chance(50)
          ? undefined
          : yield* database.begin({ readOnly: this.dice.chance(50), isolation: this.load.isolation })
        const reader = transaction ?? (yield* database.snapshot)
        const recorded = new Recorded(reader, this.dice)
        for (let count = 1 + this.dice.below(5); count > 0; count--) {
          const what = this.dice.below(4)
          if (what === 0) yield* recorded.read(this.list())
          else if (what === 1) yield* recorded.scan(this.listSpan())
          else if (what === 2) yield* recorded.members(this.groupSpan())
          else yield* recorded.count(members)
          yield* this.dice.chance(20) ? Effect.sleep(this.dice.below(60)) : this.pause()
        }
        const { operations } = recorded
        const snapshot = reader.sequence
        this.load.recorder.emit({ type: "submit", id, operations, durability: "disk", snapshot })
        // A conflict here would end the history.
        if (transaction !== undefined) yield* transaction.commit
        this.load.recorder.emit({ type: "end", id, outcome: "committed" })
      })
    )
  }

  /** Reads nothing, and cannot conflict. */
  private writeBlindly(): Effect.Effect<void, DatabaseError> {
    return Effect.suspend(() => {
      const { database } = this.parts
      const { recorder } = this.load
      const id = recorder.newId()
      recorder.emit({ type: "begin", id, session: this.session, level: "serializable" })
      const operations: Array<Operation> = []
      const writes: Array<Write> = [{ type: "set", key: markerOf(id), value: "" }]
      for (let count = 1 + this.dice.below(3); count > 0; count--) {
        if (this.dice.chance(60)) {
          const element = recorder.newId()
          const key = memberOf(this.group(), element)
          operations.push({ type: "append", key, element })
          writes.push({ type: "set", key, value: encodeList([element], this.dice) })
        } else {
          const span = this.dice.chance(70) ? this.groupSpan() : this.listSpan()
          operations.push({ type: "remove", span })
          writes.push({ type: "removeRange", ...span })
        }
      }
      const durability = this.dice.pick(durabilities)
      recorder.emit({ type: "submit", id, operations, durability })
      return this.committed(database.write(writes, { durability }), id)
    })
  }

  private abandon(): Effect.Effect<void, DatabaseError> {
    return Effect.scoped(
      Effect.gen({ self: this as Client }, function* (this: Client) {
        const id = this.begin("serializable")
        const transaction = yield* this.parts.database.begin({ isolation: this.level() })
        const recorded = this.recorded(transaction)
        yield* this.body(recorded)
        const { operations } = recorded
        this.load.recorder.emit({ type: "submit", id, operations, durability: "disk" })
        this.load.recorder.emit({ type: "end", id, outcome: "aborted" })
        if (this.dice.chance(50)) yield* transaction.discard
      })
    )
  }

  private sync(): Effect.Effect<void, DatabaseError> {
    const { recorder } = this.load
    return Effect.map(this.parts.database.sync, (sequence) => recorder.emit({ type: "synced", sequence }))
  }

  private recorded(transaction: ConstructorParameters<typeof RecordedTransaction>[0]): RecordedTransaction {
    return new RecordedTransaction(transaction, { dice: this.dice, recorder: this.load.recorder })
  }

  private committed(
    commit: Effect.Effect<{ readonly sequence: number }, DatabaseError>,
    id: number
  ): Effect.Effect<void, DatabaseError> {
    const { recorder } = this.load
    return Effect.matchEffect(commit, {
      onSuccess: ({ sequence }) =>
        Effect.sync(() => recorder.emit({ type: "end", id, outcome: "committed", sequence })),
      onFailure: (error) => {
        if (!isUnknown(error)) recorder.emit({ type: "end", id, outcome: "aborted" })
        return isConflict(error) ? Effect.void : Effect.fail(error)
      }
    })
  }

  /** It commits, or not; nobody is told. */
  private interrupted(transaction: ManualTransaction, id: number): Effect.Effect<void, DatabaseError> {
    return Effect.gen({ self: this as Client }, function* (this: Client) {
      const fiber = yield* Effect.forkChild(this.committed(transaction.commit, id))
      yield* this.pause()
      yield* Fiber.interrupt(fiber)
      const exit = yield* Fiber.await(fiber)
      if (Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)) yield* Effect.failCause(exit.cause)
    })
  }
}

/** All other failures say that the commit was not made. */
const isUnknown = ({ reason }: DatabaseError): boolean => reason._tag === "CommitOutcomeUnknown"

const isConflict = (error: DatabaseError): boolean => error.reason._tag === "Conflict"

/** Flushes, compacts and collects while the others work. */
const maintain = ({ maintenance }: Parts, dice: Dice): Effect.Effect<never, DatabaseError> => {
  const jobs = [
    Effect.void,
    maintenance.flush,
    maintenance.compact(),
    maintenance.compact(members),
    Effect.asVoid(maintenance.collectValues({ garbageRatioMin: 0.1 }))
  ]
  const one = Effect.suspend(() => dice.pick(jobs))
  const tried = Effect.catch(one, (error) => (isRefused(error) || isOver(error) ? Effect.void : Effect.fail(error)))
  return Effect.forever(
    Effect.andThen(
      tried,
      Effect.suspend(() => Effect.sleep(1 + dice.below(20)))
    )
  )
}

/** All clients until there is enough, with maintenance beside them. */
export const work = Effect.fnUntraced(function* (
  parts: Parts,
  { dice, load }: { readonly load: Load; readonly dice: (client: number) => Dice }
) {
  const { clients, committedEnough, recorder, triedMax } = load
  const isEnough = () =>
    recorder.isOver || recorder.committed >= committedEnough || recorder.committed + recorder.aborted >= triedMax
  const client = (session: number) => {
    const { one } = new Client(parts, { load, dice: dice(session), session })
    return Effect.whileLoop({ while: () => !isEnough(), body: () => one, step: () => {} })
  }
  const all = Effect.forEach(
    Array.from({ length: clients }, (_, session) => session),
    client,
    {
      concurrency: "unbounded",
      discard: true
    }
  )
  yield* Effect.raceFirst(all, maintain(parts, dice(clients)))
})

/** The markers that are there, as a timeline wants them. */
export const foundIn = (database: DatabaseService): Effect.Effect<ReadonlyMap<number, number>, DatabaseError> =>
  Effect.map(
    Stream.runCollect(database.scan(markers)),
    (entries) => new Map(Array.from(entries, ({ key, sequence }) => [idOf(keyOf(key)), sequence]))
  )

/** Everything, as operations of one that only reads. */
export const contentsOf = (database: DatabaseService, dice: Dice) =>
  Effect.scoped(
    Effect.gen(function* () {
      const recorded = new Recorded(yield* database.snapshot, dice)
      yield* recorded.whole(lists)
      yield* recorded.whole(members)
      return recorded.operations
    })
  )
