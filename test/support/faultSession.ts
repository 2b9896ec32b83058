// The workload that faults strike: sessions of steps, each of which ends as it may and reads nothing wrong.
import { assert } from "@effect/vitest"
import { Cause, Effect, Exit, Option } from "effect"
import type { Bounds, Range } from "../../src/services/Database.ts"
import { CommitOutcomeUnknown, DatabaseError, type Reason } from "../../src/services/DatabaseError.ts"
import type { Durability } from "../../src/services/Options.ts"
import { type Ledger, markOf, type Submitted } from "./faultLedger.ts"
import { bytes, hex, inRange, lastOf, type ModelWrite, type Now, toModelEntry } from "./model.ts"
import { contentsOf, type Opened, type OpenOptions, smallOptions } from "./opened.ts"
import { type Dice, randomBounds, randomKey, randomLongValue, toOperation, writeIn } from "./randomPlan.ts"
import { piecesOf, streamed } from "./valueKit.ts"

/** The marks of commits are below all else that bounds over them cover. */
const besideMarks = (bounds: Bounds): Bounds =>
  inRange([{ key: markOf(1) }], bounds).length === 0 ? bounds : { ...bounds, from: bytes("22"), fromExclusive: false }

/** What a step may fail with: the disk's fault, or its consequence. `Corruption` of a sound file would be a lie. */
export const blames: ReadonlySet<Reason["_tag"]> = new Set([
  "DiskFull",
  "Io",
  "Poisoned",
  "CommitOutcomeUnknown",
  "Closed"
])

/** Virtual time that a step may take: many times what any retry waits. */
const patienceMillis = 60_000

/** How the disk is at the moment. */
export interface Weather {
  /** No fault is to come: the disk works, and did not always perhaps. */
  readonly isOver: () => boolean
  /** Since the session began, nothing failed after which the outcome of a write is not known. */
  readonly isSound: () => boolean
  /** What a step may fail with. Default: the disk's fault, or its consequence. */
  readonly blames?: ReadonlySet<Reason["_tag"]> | undefined
  /** Virtual time that a step may take. */
  readonly patienceMillis?: number | undefined
  /** If some of what is written expires: it needs the time. */
  readonly time?: SessionTime | undefined
}

/** The time of a session. */
export interface SessionTime {
  /** When an entry that is written now expires; `undefined`: never. */
  readonly expiry: () => number | undefined
  /** Asked before something is read: says afterwards what is known of the reader's `now`. */
  readonly reading: () => () => Now
}

/** The steps of one session, each checked. */
export class Session {
  readonly failures: Array<string> = []
  readonly opened: Opened
  private readonly ledger: Ledger
  private readonly dice: Dice
  private readonly weather: Weather

  constructor(opened: Opened, options: { readonly ledger: Ledger; readonly dice: Dice; readonly weather: Weather }) {
    this.opened = opened
    this.ledger = options.ledger
    this.dice = options.dice
    this.weather = options.weather
  }

  /** Runs a step to its end. `undefined` if it failed as it may. */
  step<A>(name: string, effect: Effect.Effect<A, DatabaseError>): Effect.Effect<A | undefined> {
    return Effect.map(attempted(name, effect, this.weather), (ended) => {
      if (ended._tag === "Success") return ended.value
      this.failures.push(`${name}: ${ended.error.reason._tag}`)
      return undefined
    })
  }

  /** A step that only reads: when the fault is over, it succeeds. */
  read<A>(name: string, effect: Effect.Effect<A, DatabaseError>, check: (value: A) => void): Effect.Effect<void> {
    return Effect.suspend(() => {
      const before = this.failures.length
      const mustSucceed = this.weather.isOver()
      return Effect.map(this.step(name, effect), (value) => {
        if (this.failures.length === before) check(value as A)
        else if (mustSucceed) throw new Error(`${this.failures.at(-1)}, though the disk works again`)
      })
    })
  }

  /** `values`: as long as files of values need them. */
  writes(count: number, longest: number | "values"): ReadonlyArray<ModelWrite> {
    return Array.from({ length: count }, () => {
      if (this.dice.chance(10)) return { removed: besideMarks(randomBounds(this.dice)) }
      const key = randomKey(this.dice)
      if (this.dice.chance(20)) return { key, value: undefined }
      const expiresAt = this.weather.time?.expiry()
      if (longest === "values") return { key, value: randomLongValue(this.dice), expiresAt }
      return {
        key,
        expiresAt,
        value: this.dice.below(256).toString(16).padStart(2, "0").repeat(this.dice.below(longest))
      }
    })
  }

  write(durability: Durability, count: number, longest: number | "values" = 40): Effect.Effect<void> {
    return Effect.suspend(() => {
      const writes = this.writes(count, longest)
      const commit = this.ledger.submit(writes, durability)
      return this.commit(commit, this.opened.database.write(commit.writes.map(toOperation), { durability }))
    })
  }

  /** Reads, writes over what it read, reads that, and commits. */
  readonly transact: Effect.Effect<void> = this.transactWith(30)

  transactWith(longest: number | "values"): Effect.Effect<void> {
    return Effect.suspend(() => this.transactOnce(longest))
  }

  private transactOnce(longest: number | "values"): Effect.Effect<void> {
    const key = randomKey(this.dice)
    // It says what it reads of its own, which would depend on when it began.
    const writes = this.writes(3, longest).map((write) =>
      "removed" in write ? write : { ...write, expiresAt: undefined }
    )
    const commit = this.ledger.submit(writes, "disk")
    const body = Effect.scoped(
      Effect.gen({ self: this as Session }, function* (this: Session) {
        const transaction = yield* this.opened.database.begin()
        yield* transaction.get(bytes(key))
        yield* transaction.count({ prefix: bytes("61") })
        for (const write of commit.writes) yield* writeIn(transaction, write)
        const own = lastOf(writes, key)
        const value = yield* transaction.get(bytes(key))
        if (own !== undefined) assert.strictEqual(value && hex(value), own.value, "a transaction reads its own writes")
        return yield* transaction.commit
      })
    )
    return this.commit(commit, body)
  }

  /** One value in pieces: that of the commit's mark. */
  readonly stream: Effect.Effect<void> = Effect.suspend(() => {
    const { database } = this.opened
    const value = randomLongValue(this.dice)
    const commit = this.ledger.submit([], "disk", value)
    const key = bytes(markOf(commit.id))
    // What the commit was is asked for; if that fails, nobody was told.
    const sequence = Effect.mapError(
      Effect.map(database.getEntry(key), (entry) => ({ sequence: entry!.sequence })),
      (cause) => new DatabaseError({ reason: new CommitOutcomeUnknown({ message: "not told", cause }) })
    )
    return this.commit(commit, Effect.andThen(database.setStream(key, piecesOf(bytes(value), [7, 60])), sequence))
  })

  readonly getStream: Effect.Effect<void> = Effect.suspend(() => {
    const key = randomKey(this.dice)
    return this.read(`getStream ${key}`, streamed(this.opened.database, bytes(key)), (value) => {
      const allowed = this.ledger.valuesOf(key)
      if (allowed !== undefined) assert.include(allowed, value && hex(value), `getStream ${key}`)
    })
  })

  readonly collect: Effect.Effect<void> = Effect.suspend(() =>
    Effect.asVoid(this.step("collect", this.opened.maintenance.collectValues({ garbageRatioMin: 0 })))
  )

  readonly compact: Effect.Effect<void> = Effect.suspend(() =>
    Effect.asVoid(this.step("compact", this.opened.maintenance.compact()))
  )

  readonly get: Effect.Effect<void> = Effect.suspend(() => {
    const key = randomKey(this.dice)
    return this.read(`get ${key}`, this.opened.database.get(bytes(key)), (value) => {
      const allowed = this.ledger.valuesOf(key)
      if (allowed !== undefined) assert.include(allowed, value && hex(value), `get ${key}`)
    })
  })

  /** Everything that is visible is exactly what was acknowledged. */
  readonly scan: Effect.Effect<void> = Effect.suspend(() => {
    const told = this.weather.time?.reading()
    const isWriter = !this.opened.database.options.readOnly
    return this.read("scan", contentsOf(this.opened.database), (found) =>
      this.ledger.judge(found, "live", { isWriter, now: told?.() })
    )
  })

  /** Walks there and back. */
  cursor(range: Range): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { database } = this.opened
      const { time } = this.weather
      const walk = Effect.scoped(
        Effect.gen(function* () {
          // At one time, if there is something that expires.
          const reader = time === undefined ? database : yield* database.snapshot
          const all = inRange(yield* contentsOf(reader), range)
          const cursor = yield* reader.cursor(range)
          for (const entry of all) {
            assert.isTrue(yield* cursor.next)
            assert.deepStrictEqual(cursor.entry && toModelEntry(cursor.entry), entry)
          }
          assert.isFalse(yield* cursor.next)
          for (const entry of [...all].reverse()) {
            assert.isTrue(yield* cursor.previous)
            assert.deepStrictEqual(cursor.entry && toModelEntry(cursor.entry), entry)
          }
        })
      )
      return this.read("cursor", walk, () => {})
    })
  }

  /** All that is acknowledged so far is durable when one of these returns. */
  barrier(kind: "sync" | "flush"): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { database, maintenance } = this.opened
      const before = this.ledger.lastSequence
      const effect = kind === "sync" ? database.sync : Effect.as(maintenance.flush, before)
      return Effect.map(this.step(kind, effect), (sequence) => {
        if (sequence === undefined) return
        assert.isAtLeast(sequence, before, "sync returns the sequence up to which all is durable")
        this.ledger.synced(sequence)
      })
    })
  }

  readonly verify: Effect.Effect<void> = Effect.suspend(() => {
    const mustBeClean = this.weather.isOver()
    return Effect.map(this.step("verify", this.opened.maintenance.verify), (report) => {
      if (mustBeClean) assert.deepStrictEqual(report?.damage, [])
    })
  })

  /** After a fault that is over and poisoned nothing, writing goes on by itself. */
  readonly probe: Effect.Effect<void> = Effect.suspend(() => {
    const before = this.failures.length
    const mustSucceed = this.weather.isOver() && this.weather.isSound()
    return Effect.sleep("3 seconds").pipe(
      Effect.andThen(this.write("disk", 1)),
      Effect.tap(() =>
        Effect.sync(() => {
          if (!mustSucceed || this.failures.length === before) return
          throw new Error(`${this.failures.at(-1)}, though the disk works again`)
        })
      )
    )
  })

  private commit(
    commit: Submitted,
    effect: Effect.Effect<{ readonly sequence: number; readonly commitMillis?: number }, DatabaseError>
  ): Effect.Effect<void> {
    const name = `commit ${commit.id} (${commit.durability})`
    return Effect.map(attempted(name, effect, this.weather), (ended) => {
      if (ended._tag === "Success") {
        this.ledger.acknowledge(commit, ended.value.sequence, ended.value.commitMillis)
        return
      }
      commit.state = ended.error.reason._tag === "CommitOutcomeUnknown" ? "unknown" : "failed"
      this.failures.push(`${name}: ${ended.error.reason._tag}`)
    })
  }
}

type Ended<A> =
  | { readonly _tag: "Success"; readonly value: A }
  | { readonly _tag: "Failure"; readonly error: DatabaseError }

/** Dies unless the effect succeeds, or fails with a reason that it may. */
export const attempted = <A>(
  name: string,
  effect: Effect.Effect<A, DatabaseError>,
  weather: Pick<Weather, "blames" | "patienceMillis"> = {}
): Effect.Effect<Ended<A>> => {
  const patience = weather.patienceMillis ?? patienceMillis
  return Effect.flatMap(Effect.exit(Effect.timeoutOption(effect, patience)), (exit): Effect.Effect<Ended<A>> => {
    if (Exit.isSuccess(exit)) {
      if (Option.isSome(exit.value)) return Effect.succeed({ _tag: "Success", value: exit.value.value })
      return Effect.die(new Error(`${name} waits for more than ${patience} ms`))
    }
    const error = Cause.squash(exit.cause)
    const [reason] = exit.cause.reasons
    if (exit.cause.reasons.length !== 1 || reason?._tag !== "Fail" || !(error instanceof DatabaseError)) {
      return Effect.die(new Error(`${name} ended with a defect: ${Cause.pretty(exit.cause)}`, { cause: error }))
    }
    if (!(weather.blames ?? blames).has(error.reason._tag))
      return Effect.die(new Error(`${name} failed with ${error.message}`, { cause: error }))
    return Effect.succeed({ _tag: "Failure", error })
  })
}

/** What one session does between its opening and its close. */
export type Script = (session: Session) => Effect.Effect<void>

export const each = (...steps: ReadonlyArray<Effect.Effect<void>>): Effect.Effect<void> =>
  Effect.forEach(steps, (step) => step, { discard: true })

/** Sessions one after another, and what the database is opened with to judge what is left of them. */
export interface Workload {
  readonly judgeOptions: OpenOptions
  readonly scripts: ReadonlyArray<{ readonly options: OpenOptions; readonly script: Script }>
  /** Whether this call is one to strike; `all` strikes every one. */
  readonly strikes: (call: { readonly index: number; readonly operation: string; readonly path: string }) => boolean
}

/** The same, with files that are sealed or compressed. */
export const sealedWorkload = (
  workload: Workload,
  given: Pick<OpenOptions, "encryption" | "compression">
): Workload => ({
  ...workload,
  judgeOptions: { ...workload.judgeOptions, ...given },
  scripts: workload.scripts.map(({ options, script }) => ({ options: { ...options, ...given }, script }))
})

const scripts: Workload["scripts"] = [
  {
    options: smallOptions,
    script: (session) =>
      each(
        session.write("disk", 2),
        session.write("os", 3),
        session.write("buffered", 2),
        session.get,
        session.transact,
        session.barrier("sync"),
        session.write("os", 4, 200),
        session.write("disk", 4, 250),
        session.scan,
        session.write("buffered", 3, 250),
        session.write("disk", 3, 250),
        session.barrier("flush"),
        session.get,
        session.scan,
        session.write("disk", 1),
        Effect.sleep("200 millis"),
        session.cursor({}),
        session.transact,
        session.probe
      )
  },
  {
    options: smallOptions,
    script: (session) =>
      each(
        session.scan,
        session.write("buffered", 2, 100),
        Effect.all(
          [
            session.write("disk", 3, 100),
            session.write("os", 2, 200),
            session.write("buffered", 2, 100),
            Effect.andThen(session.write("os", 4, 250), session.write("disk", 4, 250)),
            session.write("disk", 2, 250)
          ],
          { concurrency: "unbounded", discard: true }
        ),
        session.get,
        session.cursor({ reverse: true }),
        session.write("disk", 3, 200),
        session.write("os", 3, 200),
        session.barrier("flush"),
        session.verify,
        session.write("disk", 5, 100),
        session.write("os", 2, 100),
        session.write("buffered", 1, 20),
        session.scan,
        session.probe
      )
  },
  {
    options: { ...smallOptions, flushOnCloseBytesMin: 1024 * 1024, manifestBytesMax: 1024 * 1024, cacheBytes: 4096 },
    script: (session) =>
      each(
        session.write("os", 2),
        session.get,
        session.write("disk", 1),
        session.cursor({}),
        session.scan,
        session.probe
      )
  },
  {
    options: { ...smallOptions, readOnly: true },
    script: (session) => each(session.scan, session.get, session.verify)
  }
]

/** The canonical workload: every kind of call that an open database makes of its disk. */
export const canonical: Workload = { judgeOptions: smallOptions, scripts, strikes: () => true }
