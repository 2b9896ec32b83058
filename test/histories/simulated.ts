// A history from one simulated database: 8 to 32 clients on a simulated disk, under a seeded scheduler and clock, with
// options so small that flushes, compactions and collections run between their steps. The database is opened one to
// four times; an opening ends when it is closed, at a power cut after any call of the device or right after anything
// was read, or with a failed sync and a power cut then. In some the disk is full at times, or refuses an append; in
// some the log's syncs take their time, so that much is in the log and not on the disk; every fifth or so is encrypted.
//
// The same seed gives the same history.
import { createHash } from "node:crypto"
import { Cause, Effect, Exit, type Layer, Random, type Scope } from "effect"
import * as Clock from "effect/Clock"
import { SeededRandom } from "../../src/internal/structure/random.ts"
import { outcomes } from "../../src/internal/structure/simulatedFiles.ts"
import { SimClock } from "../../src/layers/SimClock.ts"
import * as SimDisk from "../../src/layers/SimDisk.ts"
import { Deadlock, SimScheduler } from "../../src/layers/SimScheduler.ts"
import type { Isolation } from "../../src/services/Database.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import type { Disk } from "../../src/services/Disk.ts"
import type { Counters } from "../../src/services/Maintenance.ts"
import type { OptionsInput } from "../../src/services/Options.ts"
import { randomOptions } from "../support/crashRun.ts"
import { valueRunOptions } from "../support/crashValues.ts"
import { open, type Opened, type OpenOptions, quiet } from "../support/opened.ts"
import { Dice } from "../support/randomPlan.ts"
import { SimKeys } from "../support/simKeys.ts"
import { type Event, Recorder } from "./events.ts"
import { type Anomaly, check } from "./checker.ts"
import { Timeline } from "./timeline.ts"
import { failSync, fullAtTimes, refusingAtTimes, slowSyncs } from "./troubles.ts"
import { contentsOf, foundIn, type Load, work } from "./workload.ts"

/** The database under test; tests of the test break it. */
export type Open = (disk: Layer.Layer<Disk>, options: OpenOptions) => Effect.Effect<Opened, DatabaseError, Scope.Scope>

export interface SimulatedOptions {
  readonly seed: number
  /** Default: as the seed says, one of the two for all or for each transaction its own. */
  readonly isolation?: Isolation | undefined
  readonly committedEnough?: number | undefined
  readonly open?: Open | undefined
}

export interface Simulated {
  readonly timeline: Timeline
  /** What breaks a promise, in the history and in those that ended with lost commits. */
  readonly violations: ReadonlyArray<Anomaly>
  /** What is no violation only because snapshot isolation allows it. */
  readonly allowed: ReadonlyArray<Anomaly>
  readonly isolation: Isolation | undefined
  readonly encrypted: boolean
  readonly openings: number
  readonly cuts: number
  /** Of those, after a failed sync. */
  readonly failedSyncs: number
  /** Calls of the device that failed because it was full, and appends that failed for another reason. */
  readonly refused: { readonly full: number; readonly appends: number }
  readonly committed: number
  readonly aborted: number
  /** The sums of all openings that were closed. */
  readonly counters: Pick<Counters, CounterName>
  /** A hash of all events. */
  readonly trace: string
}

const counterNames = ["flushes", "compactions", "moves", "drops", "collections", "conflicts", "stalls"] as const
type CounterName = (typeof counterNames)[number]

const historyOptions = (dice: Dice): OptionsInput => ({
  ...randomOptions(dice),
  ...(dice.chance(60) ? valueRunOptions(dice) : { valueBytesMax: 8192 }),
  // Generations of some 20 and 60 keys, one that no removal fits into, and one that takes all.
  conflictBytesMax: dice.pick([1024, 4096, 16_384, 32 * 1024 * 1024]),
  // Reads of some 30 keys, or of all.
  transactionBytesMax: dice.pick([2048, 16 * 1024 * 1024])
})

const openingsMax = 20

/** How an opening ends before the last one, and how often. */
const endings = ["close", "close", "cut", "cut", "cut", "failedSync"] as const
type Ending = (typeof endings)[number]

/** Runs the effect until it ends, or until `stop` says so after a step; then nothing of it runs any more. */
const pump = <A, E>(
  effect: Effect.Effect<A, E>,
  { seed, stop }: { readonly seed: number; readonly stop: () => boolean }
): Exit.Exit<A, E> | undefined => {
  const scheduler = new SimScheduler({ seed, yieldProbability: 0.02 })
  const clock = new SimClock()
  const simulated = effect.pipe(Effect.provideService(Clock.Clock, clock), Random.withSeed(seed))
  const fiber = Effect.runFork(simulated, { scheduler })
  for (let exit = fiber.pollUnsafe(); exit === undefined; exit = fiber.pollUnsafe()) {
    if (stop()) return undefined
    if (scheduler.step() || clock.advance()) continue
    throw new Deadlock(scheduler.waiting(), { seed, steps: scheduler.steps })
  }
  return fiber.pollUnsafe()
}

class Run {
  readonly timeline = new Timeline()
  readonly counters = Object.fromEntries(counterNames.map((name) => [name, 0])) as Record<CounterName, number>
  readonly recorder: Recorder
  readonly isolation: Isolation | undefined
  openings = 0
  cuts = 0
  failedSyncs = 0
  readonly refused = { full: 0, appends: 0 }
  private readonly options: SimulatedOptions
  private readonly dice: Dice
  private readonly load: Omit<Load, "committedEnough">
  readonly encrypted: boolean
  private readonly isSlow: boolean
  private readonly databaseOptions: OpenOptions
  /** Of their own, so that a database that is broken for a test has the same history up to where it breaks. */
  private readonly asides: Dice
  private events: Array<Event> = []
  private wasCut = false
  private isCut = false
  private device: SimDisk.SimDisk = SimDisk.make()
  readonly trace = createHash("sha1")

  constructor(options: SimulatedOptions) {
    this.options = options
    const dice = new Dice(options.seed)
    this.dice = dice
    this.isolation = options.isolation ?? dice.pick(["serializable", "serializable", "snapshot", undefined])
    this.recorder = new Recorder(0, (event) => {
      // Nobody says anything after the power is cut.
      if (this.isCut) return
      this.events.push(event)
      if (event.type === "submit") this.watch("read")
    })
    const { isolation, recorder } = this
    const [lists, groups, clients] = [dice.pick([4, 8, 16, 32]), 1 + dice.below(4), 8 + dice.below(25)]
    this.load = { recorder, isolation, lists, groups, clients, triedMax: 4000 }
    this.asides = new Dice(options.seed * 13 + 5)
    this.encrypted = options.open === undefined && this.asides.chance(20)
    this.isSlow = this.asides.chance(40)
    const encryption = this.encrypted ? new SimKeys(options.seed).layer(1) : undefined
    this.databaseOptions = { ...historyOptions(dice), encryption }
  }

  /** All openings, and at last one that looks. */
  go(): void {
    const { committedEnough = 540 } = this.options
    const openings = 1 + this.dice.below(4)
    for (let opening = 1; opening < openings; opening++) {
      this.opening(Math.floor((committedEnough * opening) / openings), this.dice.pick(endings))
    }
    // More than one if the disk has failed.
    do this.opening(committedEnough, "close")
    while (this.recorder.committed < committedEnough && this.openings < openingsMax)
    this.look()
  }

  private opening(committedEnough: number, ending: Ending): void {
    const after = this.recorder.committed
    const from = after + 1 + this.dice.below(Math.max(1, committedEnough - after))
    let later = this.dice.below(30)
    let taken: ReadonlyMap<string, Uint8Array> | undefined = undefined
    let isOver = ending === "close"
    const moment = ending === "cut" && this.asides.chance(50) ? "read" : "call"
    this.watch = (at) => {
      if (at !== moment || isOver || this.recorder.committed < from || later-- > 0) return
      isOver = true
      if (ending === "cut") taken = this.cut()
      else failSync(this.device, this.dice)
    }
    const begin = this.openings === 0 ? 0 : this.device.log.length
    this.pump(
      this.use((opened) => this.session(opened, committedEnough)),
      () => taken !== undefined
    )
    let hasFailedSync = false
    for (const { code, operation } of this.device.log.slice(begin)) {
      if (code === "ENOSPC") this.refused.full += 1
      else if (code === "EIO" && operation === "append") this.refused.appends += 1
      else if (code === "EIO" && operation === "sync") hasFailedSync = true
    }
    this.watch = () => {}
    this.device.clearFaults()
    if (hasFailedSync) this.failedSyncs += 1
    // What it still had in memory is gone with it.
    if (hasFailedSync || this.recorder.isOver) taken ??= this.cut()
    this.recorder.isOver = false
    if (taken === undefined) return
    this.cuts += 1
    this.wasCut = true
    this.renew(taken)
  }

  private session(opened: Opened, committedEnough: number): Effect.Effect<void, DatabaseError> {
    return Effect.gen({ self: this as Run }, function* (this: Run) {
      yield* this.takeUp(opened)
      if (this.isSlow) slowSyncs(this.device)
      const seeds = this.dice.below(1e9)
      const dice = (client: number) => new Dice(seeds + client)
      const all = work(opened, { load: { ...this.load, committedEnough }, dice })
      const own = dice(1000)
      const trouble = own.below(10)
      if (trouble < 2) yield* Effect.raceFirst(all, fullAtTimes(this.device, own))
      else if (trouble < 3) yield* Effect.raceFirst(all, refusingAtTimes(this.device, own))
      else yield* all
      const { counters, state } = yield* opened.maintenance.stats
      if (state !== "healthy") this.recorder.isOver = true
      for (const name of counterNames) this.counters[name] += counters[name]
    })
  }

  /** What is left by a power cut now. */
  private cut(): ReadonlyMap<string, Uint8Array> {
    this.isCut = true
    const random = new SeededRandom(this.options.seed * 8 + this.openings)
    const image = this.device.files.crash(this.dice.pick(outcomes), random)
    return new Map([...image].map(([path, content]) => [path, content.slice()]))
  }

  private look(): void {
    const program = this.use((opened) =>
      Effect.gen({ self: this as Run }, function* (this: Run) {
        yield* this.takeUp(opened)
        const operations = yield* contentsOf(opened.database, this.dice)
        const { damage } = yield* opened.maintenance.verify
        if (damage.length > 0) throw new Error(`damage: ${damage[0]!.file}: ${damage[0]!.message}`)
        this.timeline.seen(this.recorder.newId(), operations)
      })
    )
    this.pump(program, () => false)
  }

  /** Is told of every call of the device, and whenever somebody has read all that it will read. */
  private watch: (at: "call" | "read") => void = () => {}

  private renew(image: ReadonlyMap<string, Uint8Array>): void {
    this.isCut = false
    this.device = SimDisk.make({ image, onOperation: () => this.watch("call") })
  }

  /** What was said in the opening before, held against what is there. */
  private takeUp({ database }: Opened) {
    return Effect.map(foundIn(database), (found) => {
      const { events, wasCut } = this
      this.trace.update(JSON.stringify(events)).update(JSON.stringify([...found]))
      this.events = []
      this.wasCut = false
      this.timeline.end(events, { found, survives: (durability) => !wasCut || durability === "disk" })
    })
  }

  private use(body: (opened: Opened) => Effect.Effect<void, DatabaseError>): Effect.Effect<void, DatabaseError> {
    const { open: openIt = open } = this.options
    const opened = Effect.suspend(() => openIt(this.device.layer, this.databaseOptions))
    return quiet(Effect.scoped(Effect.flatMap(opened, body)))
  }

  private pump(program: Effect.Effect<void, DatabaseError>, stop: () => boolean): void {
    if (this.openings === 0) this.renew(new Map())
    this.openings += 1
    const exit = pump(program, { seed: this.options.seed + this.openings, stop })
    if (exit !== undefined && Exit.isFailure(exit)) {
      throw new Error(`opening ${this.openings} failed: ${Cause.pretty(exit.cause)}`)
    }
  }
}

/** Runs the seed's clients and checks what they saw. Throws if a commit is lost, or anything fails. */
export const simulate = (options: SimulatedOptions): Simulated => {
  const run = new Run(options)
  run.go()
  const { counters, cuts, encrypted, failedSyncs, isolation, openings, recorder, refused, timeline } = run
  const { aborted, committed } = recorder
  const violations = [timeline.happened, ...timeline.branches].flatMap((history) => check(history))
  const allowed = violations.length > 0 || isolation === "serializable" ? [] : check(timeline.happened, "serializable")
  const trace = run.trace.digest("hex")
  const counts = { openings, cuts, failedSyncs, refused, committed, aborted, counters }
  return { timeline, violations, allowed, isolation, encrypted, trace, ...counts }
}
