// One session of a plan: opens, settles what was in doubt, lets the actors loose, and is closed or cut off.
//
// A session that is cut off is not ended: its fibers are left where they are, and nothing that they have done since
// counts.
import { Effect, Exit } from "effect"
import type { Scheduler } from "effect/Scheduler"
import type * as SimDisk from "../../src/layers/SimDisk.ts"
import type { DeviceRule, SimOperation } from "../../src/layers/SimFaults.ts"
import type { SimulatedFiles } from "../../src/internal/structure/simulatedFiles.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import type { Tally } from "../campaigns/campaign.ts"
import type { Image } from "../support/crashRun.ts"
import { blames } from "../support/faultSession.ts"
import { contentsOf } from "../support/opened.ts"
import { Cutter, cutOf } from "./cuts.ts"
import type { History, Settled } from "./history.ts"
import type { Opening } from "./judge.ts"
import type { Keys } from "./keys.ts"
import { type FullDisk, kindOf, type Plan, type PlanFault, type Session } from "./plan.ts"
import type { Sights } from "./sights.ts"
import { type Copy, Stage, type Struck } from "./stage.ts"
import { judgeSession } from "./judgeReadings.ts"
import type { State } from "./timeline.ts"
import type { RunClock, Span } from "./times.ts"

export interface SessionOptions {
  readonly plan: Plan
  readonly session: Session
  readonly index: number
  readonly device: SimDisk.SimDisk
  readonly sights: Sights
  readonly history: History
  readonly keys: Keys
  readonly copies: Array<Copy>
  readonly tally: Tally
  readonly opening: Opening
  readonly clock: RunClock
  readonly note: (line: string) => void
  /** Called when it is known what the sessions before have left. */
  readonly onSettled: (settled: Settled) => void
}

/** Faults of calls that only read take nothing. */
const writing: ReadonlySet<SimOperation> = new Set([
  "makeDirectory",
  "create",
  "append",
  "sync",
  "syncDirectory",
  "closeAppend"
])

/** Faults after which what was given to the system may be gone. */
const doubtful: ReadonlySet<SimOperation> = new Set(["sync", "syncDirectory", "closeAppend"])

const roomy = 2 ** 40

export class SessionRun {
  readonly cutter: Cutter
  /** What it left. */
  image: Image = new Map()
  private readonly options: SessionOptions
  private stage: Stage | undefined
  /** What who only reads has found: nothing changes it, and nothing is settled by it. */
  private unchanging: State | undefined
  private calls = 0
  private readonly struck: Struck = { any: false, writing: false, reading: false }
  private isDoubtful = false
  private isOver = false
  private finish: (exit: Exit.Exit<void>) => void = () => {}

  constructor(options: SessionOptions) {
    this.options = options
    const { clock, copies, device, history, index, keys, plan, session, sights } = options
    this.cutter = new Cutter({
      plan,
      place: { session: index, calls: [] },
      files: () => device.files,
      due: () => ({
        promised: history.promised(),
        keys: keys.promise,
        copy: copies.at(-1),
        clock: { from: clock.now, to: clock.highest }
      }),
      sights: (operation, path) => sights.atCut(operation, path)
    })
    const promised = () => {
      if (!this.isOver) this.cutter.promised()
    }
    history.onPromise = promised
    keys.onPromise = promised
    device.clearFaults()
    device.setCapacity(roomy)
    for (const fault of session.faults) if ("operation" in fault) device.addFault(ruleOf(fault))
    sights.begin(index === 0)
  }

  /** Ends when the session is closed, or cut off. */
  program(): Effect.Effect<void> {
    return Effect.gen({ self: this as SessionRun }, function* (this: SessionRun) {
      const over = this.over
      yield* Effect.forkDetach(Effect.onExit(this.whole, (exit) => Effect.sync(() => this.ends(exit))))
      yield* Effect.flatten(over)
    })
  }

  /** A call of the device has been served. */
  after(operation: SimOperation, path: string, code: string | undefined): void {
    const { device, session } = this.options
    const call = this.calls++
    if (this.isOver) return
    if (code !== undefined && code !== "ENOENT") {
      this.struck.any = true
      if (writing.has(operation)) this.struck.writing = true
      if (operation === "open" || operation === "read") this.struck.reading = true
      if (doubtful.has(operation) || takesAll(session, operation)) this.isDoubtful = true
    }
    for (const fault of session.faults) {
      if (!("fullAt" in fault)) continue
      if (call === fault.fullAt) {
        device.setCapacity(device.files.bytes + fault.freeBytes)
        // The database may ask how much room there is, before a call fails.
        this.struck.any = true
      }
      if (call === fault.fullAt + fault.calls) device.setCapacity(roomy)
    }
    this.cutter.after(call, [operation, path])
    if (session.end.by !== "close" && call >= session.end.atCall) this.ends(Exit.void)
  }

  /** It was opened, and actors did something. */
  get hasBegun(): boolean {
    return this.stage !== undefined
  }

  /** Holds what was read, and what transactions did, against the order of the commits. */
  judgeReads(settled: Settled): void {
    const { plan, tally } = this.options
    if (this.stage === undefined) return
    judgeSession(this.stage, { settled, tally, plan, unchanging: this.unchanging })
  }

  /** Waits until `finish` is called, through the scheduler. */
  private get over(): Effect.Effect<Exit.Exit<void>> {
    const begin = (scheduler: Scheduler, resume: (ended: Effect.Effect<Exit.Exit<void>>) => void): void => {
      const dispatcher = scheduler.makeDispatcher()
      this.finish = (exit) => dispatcher.scheduleTask(() => resume(Effect.succeed(exit)), 0)
      if (this.early !== undefined) this.finish(this.early)
    }
    return Effect.callback<Exit.Exit<void>>(function (this: Scheduler, resume) {
      begin(this, resume)
    })
  }

  private early: Exit.Exit<void> | undefined

  private ends(exit: Exit.Exit<void>): void {
    if (this.isOver) return
    this.isOver = true
    const { device, history, index, plan, session } = this.options
    const { end } = session
    history.isFrozen = true
    if (end.by === "power") {
      this.image = cutOf(device.files, end.outcome, plan.seed * 16 + index)
      history.ended("durable")
    } else {
      this.image = visibleIn(device.files)
      const isGiven = end.by === "kill" || this.struck.writing
      history.ended(this.isDoubtful ? "durable" : isGiven ? "given" : "all")
    }
    this.early = exit
    this.finish(exit)
  }

  private get whole(): Effect.Effect<void> {
    const { clock, device, history, note, opening, plan, session, sights } = this.options
    const given = { ...plan.options.database, readOnly: session.readOnly ?? false }
    return Effect.scoped(
      Effect.gen({ self: this as SessionRun }, function* (this: SessionRun) {
        const opened = yield* Effect.result(opening(device.layer, given))
        if (opened._tag === "Failure") {
          const { reason } = opened.failure
          note(`open ${reason.message}`)
          if (session.readOnly === true && reason._tag === "Invalid" && history.durable === 0) {
            return sights.reach("a reader that comes before there is a database")
          }
          if (!this.isExcused(opened.failure)) return yield* Effect.die(opened.failure)
          return sights.reach("an opening that the disk fails")
        }
        const { database, maintenance, master } = opened.success
        this.options.keys.settled(master)
        sights.opened(database.recovery)
        const { now } = clock
        const found = yield* Effect.result(contentsOf(database))
        if (found._tag === "Failure") {
          if (!this.isExcused(found.failure)) return yield* Effect.die(found.failure)
          return note(`settle ${found.failure.message}`)
        }
        note(JSON.stringify(found.success))
        this.settle(found.success, { from: now, to: clock.highest })
        if (session.readOnly === true) sights.reach("a database that is opened for reading alone")
        const stage = this.newStage(opened.success)
        yield* Effect.all(
          this.options.session.actors.map((ops) => stage.actor(ops)),
          { concurrency: "unbounded", discard: true }
        )
        const last = yield* Effect.result(contentsOf(database))
        if (last._tag === "Failure" && !this.isExcused(last.failure)) return yield* Effect.die(last.failure)
        if (last._tag === "Success" && !this.isOver) history.settleLast(last.success)
        sights.counted(yield* maintenance.stats)
        sights.closing()
      })
    )
  }

  /** By a call of the device that failed, or by the end of everything. */
  private isExcused({ reason }: DatabaseError): boolean {
    return this.isOver || (this.struck.any && blames.has(reason._tag))
  }

  private settle(found: State, clock: Span): void {
    const { history, onSettled } = this.options
    if (this.isOver) return
    history.judge(found, { promised: history.promisedAtOpening(), clock })
    if (this.options.session.readOnly === true) this.unchanging = found
    else onSettled(history.settle(found))
  }

  private newStage(opened: ConstructorParameters<typeof Stage>[0]): Stage {
    const { clock, copies, history, keys, note, sights } = this.options
    this.stage = new Stage(opened, { history, keys, sights, struck: this.struck, note, copies, clock })
    return this.stage
  }
}

/** An append that fails after all was taken. */
const takesAll = ({ faults }: Session, operation: SimOperation): boolean =>
  operation === "append" && faults.some((fault) => "code" in fault && (fault.bytesAccepted ?? 0) > 1e6)

const ruleOf = ({ nth, of, operation, ...how }: Exclude<PlanFault, FullDisk>): DeviceRule => {
  let seen = 0
  return {
    ...how,
    match: (called, path) => {
      if (called !== operation || kindOf(path) !== of) return false
      seen += 1
      return seen > nth
    }
  }
}

/** What the process that comes next sees: all directories. */
const visibleIn = (files: SimulatedFiles, directory = "/"): Image => {
  const image = new Map<string, Uint8Array>()
  for (const { kind, name } of files.list(directory)) {
    const path = directory === "/" ? `/${name}` : `${directory}/${name}`
    if (kind === "directory") for (const [inside, bytes] of visibleIn(files, path)) image.set(inside, bytes)
    else {
      const file = files.file(path)
      image.set(path, file.content.view(0, file.visibleSize))
    }
  }
  return image
}
