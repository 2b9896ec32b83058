// Runs a plan: its sessions one after another on one disk, judged after each. The same plan gives the same trace.
//
// What goes into the hash of the trace: every call of the device and how it ended, every answer, sequence and error
// that anybody was told, the end of every operation, what is on the disk after each session. Judging has no part in it.
import { createHash, type Hash } from "node:crypto"
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import * as SimDisk from "../../src/layers/SimDisk.ts"
import * as SimScheduler from "../../src/layers/SimScheduler.ts"
import { Tally } from "../campaigns/campaign.ts"
import type { Image } from "../support/crashRun.ts"
import { quiet } from "../support/opened.ts"
import { hashOf } from "../support/imageHash.ts"
import { placed, PlanFailure, valueOf } from "./failure.ts"
import { History, type Settled } from "./history.ts"
import { judgeCuts, openingWith } from "./judge.ts"
import { encryptionsOf, Keys } from "./keys.ts"
import type { Plan, Session } from "./plan.ts"
import { SessionRun } from "./session.ts"
import { Sights } from "./sights.ts"
import type { Copy } from "./stage.ts"
import { RunClock } from "./times.ts"

export interface PlanRun {
  readonly traceHash: string
  /** The choices of the scheduler, session by session. */
  readonly choices: ReadonlyArray<ReadonlyArray<number>>
  readonly calls: number
}

export interface RunHooks {
  readonly tally?: Tally
  /** False takes no cuts, for the hash alone. */
  readonly judges?: boolean
  readonly until?: number
}

export const runPlan = (plan: Plan, hooks: RunHooks = {}): PlanRun => new Runner(plan, hooks).run()

class Runner {
  private readonly plan: Plan
  private readonly tally: Tally
  private readonly history = new History()
  private readonly keys = new Keys(() => this.history.isFrozen)
  private readonly clock = new RunClock()
  private readonly copies: Array<Copy> = []
  private readonly hash: Hash = createHash("sha256")
  private readonly judged = new Set<string>()
  private readonly choices: Array<ReadonlyArray<number>> = []
  private readonly judges: boolean
  private readonly until: number
  private readonly encryption: ReturnType<typeof encryptionsOf>
  private device: SimDisk.SimDisk
  private sights: Sights
  private current: SessionRun | undefined
  /** What it was asked is judged when it is known what is left of it. */
  private unjudged: { readonly run: SessionRun; readonly index: number } | undefined
  private calls = 0

  constructor(plan: Plan, hooks: RunHooks) {
    this.plan = hooks.judges === false ? { ...plan, crash: { share: 0, nestedEvery: 0 } } : plan
    this.tally = hooks.tally ?? new Tally()
    this.judges = hooks.judges ?? true
    this.until = hooks.until ?? Number.POSITIVE_INFINITY
    this.encryption = encryptionsOf(plan.options.encrypted, plan.seed)
    this.device = this.newDevice(new Map())
    this.sights = this.newSights()
  }

  run(): PlanRun {
    try {
      this.plan.sessions.forEach((session, index) => this.session(session, index))
      // What the last one left is opened without faults.
      this.session({ actors: [], faults: [], end: { by: "close" } }, this.plan.sessions.length)
    } catch (error) {
      const failure = error instanceof PlanFailure ? error : new PlanFailure({ where: "the run itself" }, error)
      failure.choices = [...this.choices]
      throw failure
    }
    return { traceHash: this.hash.digest("hex"), choices: this.choices, calls: this.calls }
  }

  private newDevice(image: Image): SimDisk.SimDisk {
    const { ignoresSync, synchronousReads } = this.plan.options
    const device: SimDisk.SimDisk = SimDisk.make({
      image,
      clock: this.clock,
      synchronousReads,
      synchronousAppends: synchronousReads,
      ignoresSync: ignoresSync === undefined ? undefined : (operation) => operation === ignoresSync,
      onOperation: (index, operation, path) => {
        const { code } = device.log.at(-1)!
        this.calls += 1
        this.hash.update(`${index} ${operation} ${path} ${code}\n`)
        this.sights.call(operation, path, code)
        this.current?.after(operation, path, code)
      }
    })
    return device
  }

  private newSights(): Sights {
    return new Sights((situation) => this.tally.reach(situation))
  }

  private session(session: Session, index: number): void {
    const { clock, copies, device, history, keys, plan, sights, tally } = this
    history.begin(index)
    const run = new SessionRun({
      plan,
      session,
      index,
      device,
      sights,
      history,
      keys,
      copies,
      tally,
      clock,
      opening: openingWith(plan.options, keys.promise.masters, this.encryption),
      note: (line) => this.hash.update(`${line}\n`),
      onSettled: (settled) => this.settled(settled)
    })
    this.current = run
    placed({ where: `session ${index}` }, () => {
      const { choices, exit } = SimScheduler.runTraced(quiet(Effect.withTracer(run.program(), sights.jobs.tracer)), {
        seed: plan.seed * 16 + index,
        clock,
        stepsMax: 3_000_000,
        yieldProbability: plan.options.yieldProbability,
        ...(session.choices === undefined ? {} : { choices: session.choices })
      })
      this.choices[index] = choices
      valueOf(exit)
      this.current = undefined
      this.hash.update(`${hashOf(run.image)}\n`)
      history.isFrozen = true
      const timeline = history.timeline()
      if (session.readOnly === true) run.judgeReads({ timeline, last: 0, takenFrom: Number.POSITIVE_INFINITY })
      else if (run.hasBegun) this.unjudged = { run, index }
      if (this.judges)
        judgeCuts(run.cutter.cuts, { plan, history, timeline, tally, judged: this.judged, until: this.until })
      if (session.end.by === "close") assert.deepStrictEqual(device.openHandles(), [], "handles left open")
    })
    if (session.end.by === "close") return
    this.device = this.newDevice(run.image)
    this.sights = this.newSights()
  }

  private settled(settled: Settled): void {
    const { unjudged } = this
    this.unjudged = undefined
    if (unjudged === undefined) return
    placed({ where: `session ${unjudged.index}` }, () => unjudged.run.judgeReads(settled))
  }
}
