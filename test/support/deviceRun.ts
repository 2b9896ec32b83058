// A database over several sessions on a device that does not fail and is not what it should be: it loses or misplaces
// what it was given, forgets bits, takes its time, or somebody sets the clock. What it may do is the rules of a run,
// which are data.
//
//   1  what is read is what was written (a ledger knows), or the read fails with an error that the run may have
//   2  nothing ends in a defect, and nothing waits for ever
//   3  what is opened afterwards holds all that was acknowledged, as it was acknowledged, or says what is wrong
//   4  what has expired is gone, and nothing else, whatever the clock says later
//   5  only the end of the log may be gone without an error, if the device harmed that file: the opening tells of it,
//      and nobody can know more, for nothing that was written later says that it was there (RELIABILITY.md §3.3)
import { assert } from "@effect/vitest"
import { Cause, Effect, Exit, Scope } from "effect"
import * as SimDisk from "../../src/layers/SimDisk.ts"
import { SimClock } from "../../src/layers/SimClock.ts"
import type { DeviceRule } from "../../src/layers/SimFaults.ts"
import * as SimScheduler from "../../src/layers/SimScheduler.ts"
import type { Reason } from "../../src/services/DatabaseError.ts"
import type { OptionsInput } from "../../src/services/Options.ts"
import { Ledger, type Survival } from "./faultLedger.ts"
import { attempted, each, Session, type SessionTime, type Weather } from "./faultSession.ts"
import { contentsOf, open, type OpenOptions, quiet, visibleImage } from "./opened.ts"
import { Dice } from "./randomPlan.ts"
import { SimKeys } from "./simKeys.ts"

export interface DevicePlan {
  readonly seed: number
  readonly rules: ReadonlyArray<DeviceRule>
  /** What a step may fail with, once a rule has struck. Empty: nothing may fail. */
  readonly blames: ReadonlySet<Reason["_tag"]>
  readonly patienceMillis: number
  /** Whether writes are interrupted, after so many milliseconds at most. */
  readonly interruptedAfterMillis?: number | undefined
  readonly encrypted?: boolean
  /** Whether some of what is written expires, at once or in years. Default: nothing. */
  readonly expiring?: boolean
}

export interface DeviceRun {
  /** What the rules did, in all sessions. */
  readonly strikes: ReadonlyArray<SimDisk.Strike>
  /** What failed, or was found to be damaged or missing. */
  readonly noticed: ReadonlyArray<string>
  readonly log: ReadonlyArray<SimDisk.OperationRecord>
  /** All that was there at the end; `undefined` if it could not be opened or read. */
  readonly contents: ReadonlyArray<unknown> | undefined
}

const lifetimesMillis = [1, 5000, 100_000, 86_400_000, 5 * 365 * 86_400_000]

/** Knows the latest time that anybody was told. */
class WatchedClock extends SimClock {
  highestMillis = 0

  override currentTimeMillisUnsafe(): number {
    const millis = super.currentTimeMillisUnsafe()
    this.highestMillis = Math.max(this.highestMillis, millis)
    return millis
  }
}

const timeOf = ({ rules, seed }: DevicePlan, clock: WatchedClock): SessionTime => {
  // Dice of their own: what is written is the same where nothing expires.
  const dice = new Dice(seed + 2)
  // One that somebody sets back may have been ahead for a moment.
  const isSteady = !rules.some((rule) => "jumpMillis" in rule)
  return {
    expiry: () =>
      dice.chance(25) ? Math.max(1, clock.currentTimeMillisUnsafe() + dice.pick(lifetimesMillis)) : undefined,
    reading: () => {
      const leastMillis = isSteady ? clock.currentTimeMillisUnsafe() : 0
      return () => ({ leastMillis, mostMillis: clock.highestMillis })
    }
  }
}

type Ending = "close" | "kill" | "powerCut"

const survivals: Readonly<Record<Ending, Survival>> = { close: "closed", kill: "processCrash", powerCut: "powerCut" }

const optionsOf = (dice: Dice): OptionsInput => ({
  arenaBytes: dice.pick([1024, 2048]),
  arenaCount: dice.pick([2, 3]),
  valueBytesMax: 8192,
  valueThreshold: dice.pick([16, 40, 1024]),
  directValueBytesMin: dice.pick([64, 1024]),
  valueFileBytesMax: dice.pick([1024, 4096]),
  blockBytes: dice.pick([64, 256, 1024]),
  cacheBytes: dice.pick([0, 65_536]),
  openFilesMax: dice.pick([8, 512]),
  flushOnCloseBytesMin: dice.pick([0, 1024 * 1024]),
  manifestBytesMax: dice.pick([256, 4 * 1024 * 1024]),
  sequencesReserved: dice.pick([16, 1024]),
  flushBytes: dice.pick([64, 4096]),
  level0TablesMin: dice.pick([1, 2, 4]),
  baseLevelBytes: dice.pick([1024, 8192]),
  levelRatio: dice.pick([2, 10]),
  tableBytesMax: dice.pick([1024, 4096])
})

const readSteps = (session: Session, dice: Dice): Effect.Effect<void> =>
  dice.pick([session.get, session.get, session.getStream, session.scan, session.cursor({ reverse: dice.chance(50) })])

/** One of the steps that may run beside each other. */
const writeStep = (session: Session, dice: Dice, plan: DevicePlan): Effect.Effect<void> => {
  const turn = dice.below(20)
  if (turn === 0) return session.barrier("sync")
  if (turn < 3) return session.barrier("flush")
  if (turn === 3) return session.compact
  if (turn === 4) return session.collect
  if (turn < 7) return session.stream
  const durability = dice.pick(["disk", "disk", "os", "buffered"] as const)
  const write = session.write(durability, 1 + dice.below(5), dice.chance(30) ? "values" : 200)
  const { interruptedAfterMillis: most } = plan
  if (most === undefined || dice.chance(70)) return write
  return Effect.asVoid(Effect.timeoutOption(write, dice.below(most)))
}

const work = Effect.fnUntraced(function* (session: Session, dice: Dice, plan: DevicePlan) {
  for (let phase = 2 + dice.below(3); phase > 0; phase--) {
    const actors = Array.from({ length: 1 + dice.below(3) }, () => {
      const steps = Array.from({ length: 1 + dice.below(4) }, () => writeStep(session, dice, plan))
      return each(...steps)
    })
    yield* Effect.all(actors, { concurrency: "unbounded", discard: true })
    // What runs into its end after its writer was interrupted.
    if (plan.interruptedAfterMillis !== undefined) yield* Effect.sleep(plan.patienceMillis)
    yield* each(...Array.from({ length: 2 }, () => readSteps(session, dice)))
    if (dice.chance(40)) yield* session.transactWith(dice.chance(50) ? "values" : 30)
    if (dice.chance(30)) yield* session.verify
    if (dice.chance(30)) yield* Effect.sleep(dice.below(150_000))
  }
})

/** A run between its sessions. */
class Sessions {
  readonly ledger = new Ledger()
  readonly dice: Dice
  readonly clock = new WatchedClock()
  readonly noticed: Array<string> = []
  readonly strikes: Array<SimDisk.Strike> = []
  readonly log: Array<SimDisk.OperationRecord> = []
  readonly options: OpenOptions
  readonly plan: DevicePlan
  image: ReadonlyMap<string, Uint8Array> = new Map()
  contents: ReadonlyArray<unknown> | undefined
  private readonly blames: Weather["blames"]
  private readonly time: SessionTime | undefined

  constructor(plan: DevicePlan) {
    this.plan = plan
    this.dice = new Dice(plan.seed)
    const encryption = plan.encrypted === true ? new SimKeys(plan.seed).layer(1) : undefined
    this.options = { ...optionsOf(this.dice), encryption }
    this.blames = plan.blames
    this.time = plan.expiring === true ? timeOf(plan, this.clock) : undefined
  }

  /** False if nothing could be opened. Without rules: nothing is done but opening, judging and closing. */
  run(number: number, ending: Ending, rules?: ReadonlyArray<DeviceRule>): boolean {
    const { clock, dice, ledger } = this
    const device: SimDisk.SimDisk = SimDisk.make({
      image: this.image,
      faults: rules,
      clock,
      synchronousAppends: this.plan.seed % 2 === 1
    })
    const weather: Weather = {
      isOver: () => false,
      isSound: () => false,
      blames: this.blames,
      patienceMillis: this.plan.patienceMillis,
      time: this.time
    }
    const before = this.noticed.length
    const program = Effect.gen({ self: this as Sessions }, function* (this: Sessions) {
      const scope = yield* Scope.make()
      const opening = Scope.provide(open(device.layer, this.options), scope)
      const opened = yield* attempted(`open ${number}`, opening, weather)
      if (opened._tag === "Failure") {
        this.noticed.push(`open ${number}: ${opened.error.message}`)
        return false
      }
      const session = new Session(opened.value, { ledger, dice, weather })
      yield* this.judgeOpened(session)
      if (rules !== undefined) yield* work(session, dice, this.plan)
      const report = yield* session.step("verify", opened.value.maintenance.verify)
      for (const { file, message } of report?.damage ?? []) this.noticed.push(`verify: ${file}: ${message}`)
      this.noticed.push(...session.failures)
      if (ending === "close") yield* Scope.close(scope, Exit.void)
      return true
    })
    const { seed } = this.plan
    const exit = SimScheduler.run(quiet(program), { seed: seed + number, clock, stepsMax: 1_000_000 })
    this.strikes.push(...device.strikes)
    this.log.push(...device.log)
    if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
    if (this.strikes.length === 0) assert.deepStrictEqual(this.noticed, [], "a failure of a device that did nothing")
    if (!exit.value) return false
    if (ending === "close") assert.deepStrictEqual(device.openHandles(), [], "handles left open")
    this.image = ending === "powerCut" ? device.powerCut(dice.below(100), seed) : visibleImage(device)
    // What was acknowledged as less than durable may be gone after a failure, as after a power cut.
    ledger.reopened(this.noticed.length > before ? "powerCut" : survivals[ending])
    return true
  }

  /** The files that hold other bytes than they should. */
  private get harmed(): ReadonlySet<string> {
    const harming = this.strikes.filter(({ rule }) => "lie" in rule || "flip" in rule)
    return new Set(harming.map(({ path }) => nameOf(path)))
  }

  /** What was found, against all that was said so far. */
  private judgeOpened(session: Session): Effect.Effect<void> {
    return Effect.gen({ self: this as Sessions }, function* (this: Sessions) {
      const { database } = session.opened
      const tail = database.recovery.tailDropped
      const isHarmed = tail !== undefined && this.harmed.has(nameOf(tail.file))
      if (isHarmed) this.noticed.push(`the end of ${tail.file} is gone: ${tail.reason}`)
      const survival: Survival = isHarmed ? "lostTail" : "closed"
      const told = this.time?.reading()
      const found = yield* session.step("read all", contentsOf(database))
      this.contents = found
      if (found !== undefined) this.ledger.judge(found, survival, { now: told?.() })
    })
  }
}

const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1)

/** Runs the sessions, the rules of the plan spread over them, and opens what is left. */
export const deviceRun = (plan: DevicePlan): DeviceRun => {
  const sessions = new Sessions(plan)
  const { dice } = sessions
  const count = 1 + dice.below(3)
  const shares = Array.from({ length: count }, () => new Array<DeviceRule>())
  // Dice of their own, so that the run is the same up to the first rule that strikes, whatever the rules are.
  const ruleDice = new Dice(plan.seed + 1)
  for (const rule of plan.rules) ruleDice.pick(shares).push(rule)
  for (const [index, share] of shares.entries()) {
    const ending = dice.pick(["close", "close", "kill", "powerCut"] as const)
    if (!sessions.run(index + 1, ending, share)) return resultOf(sessions)
  }
  sessions.run(count + 1, "close")
  return resultOf(sessions)
}

const resultOf = ({ contents, log, noticed, strikes }: Sessions): DeviceRun => ({ contents, log, noticed, strikes })
