// One workload over three sessions on a simulated disk, and what it must keep to whatever call of the disk fails.
//
// The workload is the same for a seed up to the call that fails, so a clean run tells which calls there are. Each of
// its steps succeeds or fails with a `DatabaseError` that blames the disk; nothing else ends it, and nothing waits for
// ever. What is read agrees with the ledger. At the end the disk works again, and what it holds is opened: as it is (a
// killed process), and after a power cut that kept nothing or all of what was not synced.
import { createHash } from "node:crypto"
import { assert } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Layer, Logger, Option, Scope, Stream } from "effect"
import * as LsmDatabase from "../../src/layers/LsmDatabase.ts"
import * as MemoryDisk from "../../src/layers/MemoryDisk.ts"
import * as NoEncryption from "../../src/layers/NoEncryption.ts"
import * as SimDisk from "../../src/layers/SimDisk.ts"
import type { FaultRule, SimOperation } from "../../src/layers/SimFaults.ts"
import * as SimScheduler from "../../src/layers/SimScheduler.ts"
import { SeededRandom } from "../../src/internal/structure/random.ts"
import { outcomes } from "../../src/internal/structure/simulatedFiles.ts"
import { Database, type DatabaseService, type Range } from "../../src/services/Database.ts"
import { DatabaseError, type Reason } from "../../src/services/DatabaseError.ts"
import type { Disk } from "../../src/services/Disk.ts"
import { Maintenance, type MaintenanceService } from "../../src/services/Maintenance.ts"
import type { Durability, OptionsInput } from "../../src/services/Options.ts"
import { Ledger, type Submitted, type Survival } from "./faultLedger.ts"
import { bytes, hex, inRange, type ModelWrite, toModelEntry } from "./model.ts"
import { Dice, randomKey, toOperation } from "./randomPlan.ts"

export const directory = "/db"

export interface Opened {
  readonly database: DatabaseService
  readonly maintenance: MaintenanceService
}

/** Small enough that a short run rotates, flushes, rewrites the manifest and reserves sequences. */
export const smallOptions: OptionsInput = {
  arenaBytes: 2048,
  arenaCount: 2,
  valueBytesMax: 1024,
  blockBytes: 1024,
  cacheBytes: 0,
  flushOnCloseBytesMin: 0,
  manifestBytesMax: 256,
  sequencesReserved: 16,
  flushBytes: 256
}

export const open = (
  disk: Layer.Layer<Disk>,
  options: OptionsInput
): Effect.Effect<Opened, DatabaseError, Scope.Scope> =>
  Effect.map(
    Layer.build(
      Layer.fresh(LsmDatabase.layerWith({ ...options, directory }).pipe(Layer.provide([disk, NoEncryption.layer])))
    ),
    (context) => ({ database: Context.get(context, Database), maintenance: Context.get(context, Maintenance) })
  )

export const quiet = Effect.provide(Logger.layer([]))

export const contentsOf = (database: DatabaseService) =>
  Effect.map(Stream.runCollect(database.scan()), (entries) => Array.from(entries, toModelEntry))

/** What the process that comes next sees. */
export const visibleImage = (device: SimDisk.SimDisk): Map<string, Uint8Array> => {
  const image = new Map<string, Uint8Array>()
  try {
    for (const { kind, name } of device.files.list(directory)) {
      if (kind !== "file") continue
      const path = `${directory}/${name}`
      const file = device.files.file(path)
      image.set(path, file.content.view(0, file.visibleSize).slice())
    }
  } catch {
    // The directory was not made yet.
  }
  return image
}

/** What a step may fail with: the disk's fault, or its consequence. `Corruption` of a sound file would be a lie. */
const blames: ReadonlySet<Reason["_tag"]> = new Set(["DiskFull", "Io", "Poisoned", "CommitOutcomeUnknown", "Closed"])

/** Virtual time that a step may take: many times what any retry waits. */
const patience = "60 seconds"

/** How the disk is at the moment. */
export interface Weather {
  /** No fault is to come: the disk works, and did not always perhaps. */
  readonly isOver: () => boolean
  /** Since the session began, nothing failed after which the outcome of a write is not known. */
  readonly isSound: () => boolean
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
    return Effect.map(attempted(name, effect), (ended) => {
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

  writes(count: number, longest: number): ReadonlyArray<ModelWrite> {
    return Array.from({ length: count }, () => {
      const key = randomKey(this.dice)
      if (this.dice.chance(20)) return { key, value: undefined }
      return { key, value: this.dice.below(256).toString(16).padStart(2, "0").repeat(this.dice.below(longest)) }
    })
  }

  write(durability: Durability, count: number, longest = 40): Effect.Effect<void> {
    return Effect.suspend(() => {
      const writes = this.writes(count, longest)
      const commit = this.ledger.submit(writes, durability)
      return this.commit(commit, this.opened.database.write(commit.writes.map(toOperation), { durability }))
    })
  }

  /** Reads, writes over what it read, reads that, and commits. */
  readonly transact: Effect.Effect<void> = Effect.suspend(() => {
    const writes = this.writes(3, 30)
    const commit = this.ledger.submit(writes, "disk")
    const body = Effect.scoped(
      Effect.gen({ self: this as Session }, function* (this: Session) {
        const transaction = yield* this.opened.database.begin()
        yield* transaction.get(bytes(writes[0]!.key))
        yield* transaction.count({ prefix: bytes("61") })
        for (const write of commit.writes) {
          const operation = toOperation(write)
          yield* operation.type === "remove"
            ? transaction.remove(operation.key)
            : transaction.set(operation.key, operation.value)
        }
        const last = writes.at(-1)!
        const value = yield* transaction.get(bytes(last.key))
        assert.strictEqual(value && hex(value), last.value, "a transaction reads its own writes")
        return yield* transaction.commit
      })
    )
    return this.commit(commit, body)
  })

  readonly get: Effect.Effect<void> = Effect.suspend(() => {
    const key = randomKey(this.dice)
    return this.read(`get ${key}`, this.opened.database.get(bytes(key)), (value) => {
      const allowed = this.ledger.valuesOf(key)
      if (allowed !== undefined) assert.include(allowed, value && hex(value), `get ${key}`)
    })
  })

  /** Everything that is visible is exactly what was acknowledged. */
  readonly scan: Effect.Effect<void> = Effect.suspend(() =>
    this.read("scan", contentsOf(this.opened.database), (found) =>
      this.ledger.judge(found, "live", !this.opened.database.options.readOnly)
    )
  )

  /** Walks there and back. */
  cursor(range: Range): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { database } = this.opened
      const walk = Effect.scoped(
        Effect.gen(function* () {
          const all = inRange(yield* contentsOf(database), range)
          const cursor = yield* database.cursor(range)
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
    effect: Effect.Effect<{ readonly sequence: number }, DatabaseError>
  ): Effect.Effect<void> {
    const name = `commit ${commit.id} (${commit.durability})`
    return Effect.map(attempted(name, effect), (ended) => {
      if (ended._tag === "Success") {
        this.ledger.acknowledge(commit, ended.value.sequence)
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
export const attempted = <A>(name: string, effect: Effect.Effect<A, DatabaseError>): Effect.Effect<Ended<A>> =>
  Effect.flatMap(Effect.exit(Effect.timeoutOption(effect, patience)), (exit): Effect.Effect<Ended<A>> => {
    if (Exit.isSuccess(exit)) {
      if (Option.isSome(exit.value)) return Effect.succeed({ _tag: "Success", value: exit.value.value })
      return Effect.die(new Error(`${name} waits for more than ${patience}`))
    }
    const error = Cause.squash(exit.cause)
    const [reason] = exit.cause.reasons
    if (exit.cause.reasons.length !== 1 || reason?._tag !== "Fail" || !(error instanceof DatabaseError)) {
      return Effect.die(new Error(`${name} ended with a defect: ${Cause.pretty(exit.cause)}`, { cause: error }))
    }
    if (!blames.has(error.reason._tag))
      return Effect.die(new Error(`${name} failed with ${error.message}`, { cause: error }))
    return Effect.succeed({ _tag: "Failure", error })
  })

/** What one session does between its opening and its close. */
export type Script = (session: Session) => Effect.Effect<void>

const each = (...steps: ReadonlyArray<Effect.Effect<void>>): Effect.Effect<void> =>
  Effect.forEach(steps, (step) => step, { discard: true })

/** The canonical workload: every kind of call that an open database makes of its disk. */
export const scripts: ReadonlyArray<{ readonly options: OptionsInput; readonly script: Script }> = [
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

/** A disk that somebody may open next, and what must be on it. */
interface Left {
  readonly image: ReadonlyMap<string, Uint8Array>
  readonly ledger: Ledger
  readonly survival: Survival
  readonly where: string
}

const judged = new Set<string>()

/** Whether the same files were judged by the same ledger before: most faults change nothing of what is left. */
const isKnown = ({ image, ledger, survival }: Left): boolean => {
  const hash = createHash("sha1").update(survival).update(ledger.key)
  for (const path of [...image.keys()].sort())
    hash.update(`${path} ${image.get(path)!.length} `).update(image.get(path)!)
  const key = hash.digest("base64")
  if (judged.has(key)) return true
  judged.add(key)
  return false
}

/** Opens what a crash left, as the next process would, and as the one after that. */
const reopen = (left: Left, seed: number): void => {
  if (isKnown(left)) return
  const { image, ledger, survival, where } = left
  const { layer } = MemoryDisk.fromImage(image)
  const program = Effect.gen(function* () {
    yield* Effect.scoped(
      Effect.gen(function* () {
        const { database, maintenance } = yield* open(layer, { ...smallOptions, arenaBytes: 4096 })
        ledger.judge(yield* contentsOf(database), survival)
        assert.deepStrictEqual((yield* maintenance.verify).damage, [])
        const { told } = ledger
        const commit = ledger.submit([], "disk")
        const { sequence } = yield* database.write(commit.writes.map(toOperation))
        assert.isAbove(sequence, told, "a sequence names two commits")
        ledger.acknowledge(commit, sequence)
      })
    )
    const again = yield* Effect.scoped(
      Effect.flatMap(open(layer, smallOptions), ({ database }) => contentsOf(database))
    )
    ledger.judge(again, "closed")
  })
  const exit = SimScheduler.run(quiet(program), { seed, stepsMax: 100_000 })
  if (Exit.isFailure(exit)) throw new Error(`opened ${where}, after a ${survival}`, { cause: Cause.squash(exit.cause) })
}

const kept = outcomes.filter(({ data, names, size }) => data === names && size === (data === "none" ? "old" : "new"))

/**
 * What is on the disk now, in the ways a crash could leave it. `isSound`: what was given to the system is still there.
 */
export const leftBehind = (
  device: SimDisk.SimDisk,
  ledger: Ledger,
  now: { readonly where: string; readonly isSound: boolean }
): ReadonlyArray<Left> => {
  const { isSound, where } = now
  const random = new SeededRandom(1)
  return [
    { image: visibleImage(device), ledger: ledger.copy(), survival: isSound ? "processCrash" : "powerCut", where },
    ...kept.map((outcome) => ({
      image: device.files.crash(outcome, random),
      ledger: ledger.copy(),
      survival: "powerCut" as const,
      where: `${where}, ${outcome.name}`
    }))
  ]
}

const isOutcomeUnknown = (rule: FaultRule | undefined, operation: SimOperation): boolean =>
  operation === "sync" ||
  operation === "syncDirectory" ||
  operation === "closeAppend" ||
  (operation === "append" && rule?.bytesAccepted === Number.POSITIVE_INFINITY)

export interface FaultRun {
  readonly log: ReadonlyArray<SimDisk.OperationRecord>
  readonly failures: ReadonlyArray<string>
  readonly steps: number
}

/** The calls of the log from the index on that failed, and left in doubt what they had done. */
const doubtful = (log: ReadonlyArray<SimDisk.OperationRecord>, rule: FaultRule | undefined, from: number) =>
  log.slice(from).some(({ code, operation }) => isFault(code) && isOutcomeUnknown(rule, operation))

// `ENOENT` is what the engine asks for when it looks whether a directory exists.
const isFault = (code: string | undefined): boolean => code !== undefined && code !== "ENOENT"

/** A failed sync is not repeated on its file, and after a failed sync of the manifest nothing is removed. */
const checkLog = (log: ReadonlyArray<SimDisk.OperationRecord>, sessions: ReadonlyArray<number>): void => {
  const failedSyncs = new Set<string>()
  /** Files that were given up before they were whole: nothing can name them. */
  const unborn = new Set<string>()
  let manifestFailed = false
  for (const { code, index, operation, path } of log) {
    if (sessions.includes(index)) manifestFailed = false
    if (operation === "append" && code !== undefined && !/manifest-|current-/.test(path)) unborn.add(path)
    if (operation === "create" && code === undefined) failedSyncs.delete(path)
    if (operation === "sync") {
      assert.isFalse(failedSyncs.has(path), `call ${index}: a second sync of ${path}`)
      if (code !== undefined) failedSyncs.add(path)
      if (code !== undefined && /manifest-|current-/.test(path)) manifestFailed = true
    }
    if (operation === "remove" && !unborn.has(path))
      assert.isFalse(manifestFailed, `call ${index}: ${path} is removed after a failed sync`)
  }
}

/** Runs the workload with the fault, and judges every state that could be found afterwards. */
export const faultRun = (seed: number, rule: FaultRule | undefined): FaultRun => {
  const dice = new Dice(seed)
  const ledger = new Ledger()
  const device = SimDisk.make({ faults: rule === undefined ? [] : [rule] })
  const sessions: Array<number> = []
  const failures: Array<string> = []
  const left: Array<Left> = []
  const struck = () => device.log.some(({ code }) => isFault(code))
  const isSound = () => !doubtful(device.log, rule, sessions.at(-1)!)
  const weather: Weather = { isOver: () => rule === undefined || (rule.sticky !== true && struck()), isSound }
  const runSession = Effect.fnUntraced(function* (number: number, { options, script }: (typeof scripts)[number]) {
    sessions.push(device.log.length)
    const [wasStruck, mustOpen] = [struck(), weather.isOver()]
    const scope = yield* Scope.make()
    const opened = yield* attempted(`open ${number}`, Scope.provide(open(device.layer, options), scope))
    if (opened._tag === "Success") {
      const session = new Session(opened.value, { ledger, dice, weather })
      yield* script(session)
      failures.push(...session.failures)
    } else if (mustOpen) throw new Error(`open ${number} failed, though the disk works again`, { cause: opened.error })
    else failures.push(`open ${number}: ${opened.error.reason._tag}`)
    const where = `at the end of session ${number}`
    if (!wasStruck && struck()) left.push(...leftBehind(device, ledger, { where, isSound: isSound() }))
    yield* Scope.close(scope, Exit.void)
    // What failed before the session was opened does not count, but what failed when it was closed does.
    const hasFailed = device.log.slice(sessions.at(-1)).some(({ code }) => isFault(code))
    ledger.reopened(!isSound() ? "powerCut" : hasFailed ? "processCrash" : "closed")
  })
  const program = Effect.forEach(scripts, (script, index) => runSession(index + 1, script), { discard: true })
  const { exit, steps } = SimScheduler.runTraced(quiet(program), { seed, stepsMax: 100_000 })
  if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
  assert.deepStrictEqual(device.openHandles(), [], "handles left open")
  checkLog(device.log, sessions)
  device.clearFaults()
  left.push(...leftBehind(device, ledger, { where: "at the end", isSound: !doubtful(device.log, rule, 0) }))
  for (const one of left) reopen(one, seed)
  return { log: device.log, failures, steps }
}
