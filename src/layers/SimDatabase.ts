/**
 * Crash tests for applications: runs a program over a simulated database, cuts the power after each call of the disk,
 * opens what every cut could leave, and asks the application whether it is as it should be.
 *
 * This module and those beside it are for tests; nothing else imports them, so who does not pays nothing for them:
 *
 *   SimDatabase    this: the crash test, and the database on a disk of yours
 *   SimDisk        the disk: its log, its power cuts, what is wrong with it
 *   SimFaults      what can be wrong with it, as data
 *   SimScheduler   runs an effect on the calling stack, in an order that a seed decides
 *   SimClock       the time of such a run, which passes only when nothing else can go on
 *   MemoryDisk     `fromImage` opens what a power cut has left
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Formatter from "effect/Formatter"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Database } from "../services/Database.ts"
import { type DatabaseError, invalid } from "../services/DatabaseError.ts"
import type { Disk } from "../services/Disk.ts"
import type { Maintenance } from "../services/Maintenance.ts"
import * as LsmDatabase from "./LsmDatabase.ts"
import * as MemoryDisk from "./MemoryDisk.ts"
import type { MemoryOptions } from "./MemoryDatabase.ts"
import * as NoEncryption from "./NoEncryption.ts"
import { SimClock } from "./SimClock.ts"
import { Cuts, formatReplay, parseReplay, printOf } from "./SimCuts.ts"
import * as SimDisk from "./SimDisk.ts"
import type { ClockRule, DelayRule, FaultRule } from "./SimFaults.ts"
import * as SimScheduler from "./SimScheduler.ts"

/**
 * What a program or a check of a crash test may use: the database, and a scope that ends with it.
 *
 * @since 0.1.0
 * @category models
 */
export type Simulated = Database | Maintenance | Scope.Scope

/**
 * A program, and what must hold of the database whenever the power fails.
 *
 * @since 0.1.0
 * @category models
 */
export interface CrashTest<Promised, E> {
  /**
   * What the application does. Whenever it would tell somebody that something is done, it calls `promise` with what
   * that is. It must not wait for timers, promises or threads of the machine; `Clock`, `Random` and `Effect.sleep` are
   * simulated.
   */
  readonly program: (promise: (what: Promised) => Effect.Effect<void>) => Effect.Effect<unknown, E, Simulated>
  /**
   * Fails, or dies, if the database that was opened after a power cut is not as it should be. `promised` is what the
   * program had promised before the cut, in order; more than that may be there, too. It begins at the time of the cut.
   */
  readonly check: (promised: ReadonlyArray<Promised>) => Effect.Effect<unknown, unknown, Simulated>
  /** What is there when the program begins, at the time at which this ends; the power is not cut before that. */
  readonly setup?: Effect.Effect<unknown, E, Simulated> | undefined
  /** Decides the order of fibers, and what the cuts leave. Default 1. */
  readonly seed?: number | undefined
  /** How often the program runs, each time with the next seed. Default 1. */
  readonly runs?: number | undefined
  /** How many of the outcomes a power cut may have are tried after each call. Default 3; all of them is 21. */
  readonly outcomesPerCall?: number | undefined
  /** A program, setup or check of more steps is `CrashTestStuck`, or fails. Default a million: seconds. */
  readonly stepsMax?: number | undefined
  /** Any options of the database. The defaults are small, so that a short program comes through flushes. */
  readonly options?: MemoryOptions | undefined
  /**
   * What else is wrong with the disk while the program runs: calls that fail or take long, a wall clock that jumps. A
   * program may fail after a call that a rule has made fail (`CrashReport.failed` counts it), but not die. No rule that
   * loses or changes bytes: on such a disk nobody can keep a promise.
   */
  readonly faults?: ReadonlyArray<FaultRule | DelayRule | ClockRule> | undefined
  /**
   * Only this cut, as a failure tells it; `Invalid` if it is of another program. Default: what `STRATA_REPLAY` says, if
   * it is set and of this program: one that makes other calls of the disk is tested as a whole.
   */
  readonly replay?: string | undefined
}

/**
 * What a crash test went through.
 *
 * @since 0.1.0
 * @category models
 */
export interface CrashReport {
  readonly runs: number
  /** Calls of the disk after which the power was cut. */
  readonly calls: number
  /** Different disks that were opened and checked. */
  readonly images: number
  /** How often the program promised something. If never, a check of promises looks at nothing. */
  readonly promised: number
  /** Runs in which the program failed because the disk did, by `faults`. */
  readonly failed: number
}

/**
 * A power cut after which the database did not open, or the check failed. The message says how to do it again.
 *
 * @since 0.1.0
 * @category errors
 */
export class CrashTestFailed extends Data.TaggedError("CrashTestFailed")<{
  readonly seed: number
  /** The index of the call after which the power was cut, and what it was. */
  readonly call: number
  readonly operation: string
  readonly path: string
  /** What the cut left of what was not durable: one of `SimDisk.outcomes`. */
  readonly outcome: string
  /** For `replay`, or `STRATA_REPLAY`. */
  readonly replay: string
  readonly cause: unknown
}> {
  override get message(): string {
    const { call, cause, operation, outcome, path, replay } = this
    const why = messageOf(cause)
    const where = `after a power cut behind call ${call} (${operation} ${path}; ${outcome})`
    return `${where}: ${why}\nTo do it again: STRATA_REPLAY=${replay} and the same command`
  }
}

/**
 * The program or the setup does not end: it waits for what is not simulated, or goes on for more than `stepsMax` steps.
 *
 * @since 0.1.0
 * @category errors
 */
export class CrashTestStuck extends Data.TaggedError("CrashTestStuck")<{
  readonly seed: number
  readonly cause: SimScheduler.Deadlock | SimScheduler.StillRunning
}> {
  override get message(): string {
    return this.cause.message
  }
}

const messageOf = (cause: unknown): string => {
  if (typeof cause === "string") return cause
  if (!(cause instanceof Error)) return Formatter.format(cause)
  return cause.message === "" ? `${cause.name} ${Formatter.format({ ...cause })}` : cause.message
}

const defaultStepsMax = 1_000_000

/** Small, and everything of the program is flushed when it ends. */
const smallOptions: MemoryOptions = {
  arenaBytes: 65_536,
  cacheBytes: 65_536,
  flushOnCloseBytesMin: 0,
  manifestBytesMax: 4096,
  ballastBytesMax: 0
}

/**
 * The database on a disk of yours: `SimDisk.make().layer`, or `MemoryDisk.fromImage(image).layer`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  disk: Layer.Layer<Disk>,
  options: MemoryOptions = {}
): Layer.Layer<Database | Maintenance, DatabaseError> => {
  const { compression = Layer.empty, encryption = NoEncryption.layer, ...input } = { ...smallOptions, ...options }
  return LsmDatabase.layerWith({ ...input, directory: "/db" }).pipe(
    Layer.provide([disk, encryption, compression]),
    Layer.fresh
  )
}

/** Runs to the end under the seeded scheduler, with the database on the disk. */
const simulate = <E>(
  body: Effect.Effect<unknown, E, Simulated>,
  disk: Layer.Layer<Disk>,
  run: SimScheduler.RunOptions & Pick<CrashTest<never, never>, "options">
): Exit.Exit<unknown, E | DatabaseError> => {
  const opened = Effect.scoped(Effect.provide(body, layer(disk, run.options)))
  try {
    return SimScheduler.run(Effect.provide(opened, Logger.layer([])), {
      ...run,
      stepsMax: run.stepsMax ?? defaultStepsMax
    })
  } catch (error) {
    // `Deadlock` or `StillRunning`.
    return Exit.die(error)
  }
}

/** Fails as the program or the setup does. */
const failAs = <E>(cause: Cause.Cause<E>, seed: number): Effect.Effect<never, E | CrashTestStuck> => {
  const defect = Cause.squash(cause)
  const isStuck = defect instanceof SimScheduler.Deadlock || defect instanceof SimScheduler.StillRunning
  return isStuck ? Effect.fail(new CrashTestStuck({ seed, cause: defect })) : Effect.failCause(cause)
}

/** Runs the program once and takes the cuts: after each call, and whenever more was promised. */
const cutProgram = <Promised, E>(
  test: CrashTest<Promised, E>,
  cuts: Cuts,
  run: { readonly start: ReadonlyMap<string, Uint8Array>; readonly clock: SimClock }
) => {
  const { clock, start } = run
  const promised: Array<Promised> = []
  const take = () => cuts.take(device, { promised: promised.length, nowMillis: clock.currentTimeMillisUnsafe() })
  const device: SimDisk.SimDisk = SimDisk.make({ image: start, clock, faults: test.faults, onOperation: take })
  const program = test.program((what) =>
    Effect.sync(() => {
      promised.push(what)
      take()
    })
  )
  const exit = simulate(program, device.layer, {
    seed: cuts.seed,
    clock,
    options: test.options,
    stepsMax: test.stepsMax
  })
  const diskFailed = device.strikes.some(({ rule }) => "code" in rule)
  return { promised, exit, diskFailed, print: printOf(device, promised.length) }
}

/** One run of the program, and a check of every disk that its cuts left. */
const runOnce = Effect.fnUntraced(function* <Promised, E>(
  test: CrashTest<Promised, E>,
  cuts: Cuts
): Effect.fn.Return<Omit<CrashReport, "runs">, CrashTestFailed | CrashTestStuck | E | DatabaseError> {
  const { only, seed } = cuts
  const { options, stepsMax } = test
  const begun = MemoryDisk.make()
  const before = new SimClock()
  const setUp = simulate(test.setup ?? Effect.void, begun.layer, { seed, clock: before, options, stepsMax })
  if (Exit.isFailure(setUp)) return yield* failAs(setUp.cause, seed)
  const clock = new SimClock(before.currentTimeMillisUnsafe())
  const { diskFailed, exit, print, promised } = cutProgram(test, cuts, { start: begun.image(), clock })
  // On a disk that fails a program may, too. To die is its own fault: a bug, or something waits that never ends.
  if (Exit.isFailure(exit) && !(diskFailed && Cause.hasFails(exit.cause) && !Cause.hasDies(exit.cause))) {
    return yield* failAs(exit.cause, seed)
  }
  const failed = Exit.isFailure(exit) ? 1 : 0
  if (only !== undefined && only.print !== print)
    return { calls: cuts.calls, images: 0, promised: promised.length, failed }
  for (const { image, nowMillis, promised: count, ...cut } of cuts.found) {
    // Others may run between two disks.
    yield* Effect.yieldNow
    const checked = simulate(test.check(promised.slice(0, count)), MemoryDisk.fromImage(image).layer, {
      seed,
      clock: new SimClock(nowMillis),
      options,
      stepsMax
    })
    if (Exit.isFailure(checked)) {
      const outcome = SimDisk.outcomes[cut.outcome]!.name
      const replay = formatReplay({ ...cut, seed, print })
      return yield* new CrashTestFailed({ ...cut, seed, outcome, replay, cause: Cause.squash(checked.cause) })
    }
  }
  return { calls: cuts.calls, images: cuts.found.length, promised: promised.length, failed }
})

/**
 * Runs the program, cuts the power after each call that it makes of the disk, opens what the cut could leave, and
 * checks that. Fails at the first disk on which the database does not open or the check does not succeed.
 *
 * **Details**
 *
 * What a cut leaves is any of what a real one could: of the bytes and names that were not made durable none, all, the
 * first, or some, with zeros, old bytes or garbage where they should be. The same seed is the same run. The program
 * itself goes on as if nothing had happened; if it fails, so does this, with its error, unless the disk failed first.
 *
 * **Example** (An order and its payment are written together)
 *
 * ```ts
 * import { Effect } from "effect"
 * import * as Database from "effect-strata/services/Database"
 * import * as SimDatabase from "effect-strata/layers/SimDatabase"
 *
 * const test = SimDatabase.crashTest({
 *   program: (promise: (order: string) => Effect.Effect<void>) =>
 *     Effect.gen(function* () {
 *       const db = yield* Database.Database
 *       yield* db.write([
 *         { type: "set", key: "order:1", value: "book" },
 *         { type: "set", key: "paid:1", value: "12" }
 *       ])
 *       yield* promise("1")
 *     }),
 *   check: (orders) =>
 *     Effect.gen(function* () {
 *       const db = yield* Database.Database
 *       for (const order of orders) if (!(yield* db.has(`order:${order}`))) yield* Effect.fail("an order is lost")
 *       if ((yield* db.has("order:1")) !== (yield* db.has("paid:1"))) yield* Effect.fail("half an order")
 *     })
 * })
 * ```
 *
 * @since 0.1.0
 * @category running
 */
export const crashTest = Effect.fnUntraced(function* <Promised, E>(
  test: CrashTest<Promised, E>
): Effect.fn.Return<CrashReport, CrashTestFailed | CrashTestStuck | E | DatabaseError> {
  const { outcomesPerCall: outcomeCount = 3, runs = 1, seed: first = 1 } = test
  const wrong = wrongWith(test)
  if (wrong !== undefined) return yield* invalid(wrong)
  const asked = test.replay ?? Option.getOrUndefined(yield* Effect.orDie(replayed))
  if (asked !== undefined) {
    const only = parseReplay(asked)
    if (only === undefined) return yield* invalid(`no replay of a crash test: ${asked}; copy it from the failure`)
    const one = yield* runOnce(test, new Cuts({ seed: only.seed, outcomeCount, seen: new Set(), only }))
    if (one.images > 0) return { runs: 1, ...one }
    if (test.replay !== undefined) return yield* invalid(`replay ${asked} is of a program that made other calls`)
  }
  const seen = new Set<string>()
  let [calls, images, promised, failed] = [0, 0, 0, 0]
  for (let seed = first; seed < first + runs; seed++) {
    const one = yield* runOnce(test, new Cuts({ seed, outcomeCount, seen }))
    calls += one.calls
    images += one.images
    promised += one.promised
    failed += one.failed
  }
  return { runs, calls, images, promised, failed }
})

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value > 0

/** What no crash test can do. The types say it too; a test in JavaScript has none. */
const wrongWith = ({
  faults = [],
  outcomesPerCall = 1,
  runs = 1,
  seed = 1,
  stepsMax = 1
}: Pick<CrashTest<never, never>, "faults" | "outcomesPerCall" | "runs" | "seed" | "stepsMax">): string | undefined => {
  if (!isCount(runs)) return `runs is a whole number from 1 on, not ${runs}`
  if (!isCount(outcomesPerCall)) return `outcomesPerCall is a whole number from 1 on, not ${outcomesPerCall}`
  if (!isCount(stepsMax)) return `stepsMax is a whole number from 1 on, not ${stepsMax}`
  if (!isCount(seed + runs) || seed < 0) return `seed is a whole number from 0 on, not ${seed}`
  if (faults.some((rule) => "lie" in rule || "flip" in rule)) {
    return "faults that lie or flip bits are not for crash tests: no program keeps its promises on such a disk"
  }
  const isKnown = faults.every((rule) => "code" in rule || "delayMillis" in rule || "jumpMillis" in rule)
  return isKnown ? undefined : "a fault has a code, delayMillis or jumpMillis"
}

const replayed = Config.option(Config.String("STRATA_REPLAY"))
