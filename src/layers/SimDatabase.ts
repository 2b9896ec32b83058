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
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { crc32 } from "../internal/format/checksum.ts"
import { SeededRandom } from "../internal/structure/random.ts"
import type { Database } from "../services/Database.ts"
import type { DatabaseError } from "../services/DatabaseError.ts"
import type { Disk } from "../services/Disk.ts"
import type { Maintenance } from "../services/Maintenance.ts"
import * as LsmDatabase from "./LsmDatabase.ts"
import * as MemoryDisk from "./MemoryDisk.ts"
import type { MemoryOptions } from "./MemoryDatabase.ts"
import * as NoEncryption from "./NoEncryption.ts"
import { SimClock } from "./SimClock.ts"
import * as SimDisk from "./SimDisk.ts"
import type { DeviceRule } from "./SimFaults.ts"
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
  /** Any options of the database. The defaults are small, so that a short program comes through flushes. */
  readonly options?: MemoryOptions | undefined
  /**
   * What else is wrong with the disk while the program runs. A program may fail after a call that a rule has made fail
   * (`CrashReport.failed` counts it), but not die.
   */
  readonly faults?: ReadonlyArray<DeviceRule> | undefined
  /** Only this cut, as a failure tells it. Default: what `STRATA_REPLAY` says, if it is set. */
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
    const why = cause instanceof Error ? cause.message : String(cause)
    const where = `after a power cut behind call ${call} (${operation} ${path}; ${outcome})`
    return `${where}: ${why}\nTo do it again: STRATA_REPLAY=${replay} and the same command`
  }
}

/** A disk after a power cut. */
interface Cut extends Omit<ConstructorParameters<typeof CrashTestFailed>[0], "cause"> {
  readonly image: ReadonlyMap<string, Uint8Array>
  /** How much had been promised. */
  readonly promised: number
  /** What the clock said. */
  readonly nowMillis: number
}

/** What a cut is besides its disk. */
type Moment = Pick<Cut, "promised" | "nowMillis">

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
  run: SimScheduler.RunOptions & { readonly options: MemoryOptions | undefined }
): Exit.Exit<unknown, E | DatabaseError> => {
  const opened = Effect.scoped(Effect.provide(body, layer(disk, run.options)))
  try {
    return SimScheduler.run(Effect.provide(opened, Logger.layer([])), run)
  } catch (error) {
    // A deadlock, most likely: something waits for what is not simulated.
    return Exit.die(error)
  }
}

/** Equal for equal images after equal promises at one time: what expires is there at one and gone at another. */
const keyOf = ({ image, nowMillis, promised }: Moment & Pick<Cut, "image">): string =>
  [...image]
    .map(([path, bytes]) => `${path} ${bytes.length} ${crc32(bytes)}`)
    .sort()
    .concat(`${promised} ${nowMillis}`)
    .join("\n")

/** The calls after which a run was cut, and what the cuts left. */
class Cuts {
  readonly found: Array<Cut> = []
  calls = 0
  private readonly seen: Set<string>
  private readonly random: SeededRandom
  private readonly seed: number
  private readonly only: string | undefined
  private readonly count: number

  constructor(seed: number, test: Pick<CrashTest<never, never>, "outcomesPerCall" | "replay">, seen: Set<string>) {
    this.seed = seed
    this.seen = seen
    this.random = new SeededRandom(seed)
    this.only = test.replay
    this.count = test.outcomesPerCall ?? 3
  }

  take(device: SimDisk.SimDisk, moment: Moment): void {
    const last = device.log.at(-1)
    if (last === undefined) return
    const { index: call, operation, path } = last
    this.calls = call + 1
    for (const place of this.outcomes()) {
      const replay = `${this.seed}:${call}:${place}`
      if (this.only !== undefined && this.only !== replay) continue
      const image = device.powerCut(place, this.seed + call * SimDisk.outcomes.length + place)
      const key = keyOf({ image, ...moment })
      if (this.seen.has(key)) continue
      this.seen.add(key)
      const outcome = SimDisk.outcomes[place]!.name
      this.found.push({ seed: this.seed, call, operation, path, outcome, replay, image, ...moment })
    }
  }

  /** The places of the outcomes to try after this call. */
  private outcomes(): ReadonlyArray<number> {
    const places = [...SimDisk.outcomes.keys()]
    if (this.only !== undefined || this.count >= places.length) return places
    return Array.from({ length: this.count }, () => places.splice(this.random.below(places.length), 1)[0]!)
  }
}

/** Runs the program once and takes the cuts: after each call, and whenever more was promised. */
const cutProgram = <Promised, E>(
  test: CrashTest<Promised, E>,
  cuts: Cuts,
  run: { readonly seed: number; readonly start: ReadonlyMap<string, Uint8Array>; readonly clock: SimClock }
) => {
  const { clock, seed, start } = run
  const promised: Array<Promised> = []
  const take = () => cuts.take(device, { promised: promised.length, nowMillis: clock.currentTimeMillisUnsafe() })
  const device: SimDisk.SimDisk = SimDisk.make({ image: start, clock, faults: test.faults, onOperation: take })
  const program = test.program((what) =>
    Effect.sync(() => {
      promised.push(what)
      take()
    })
  )
  const exit = simulate(program, device.layer, { seed, clock, options: test.options })
  return { promised, exit, diskFailed: device.strikes.some(({ rule }) => "code" in rule) }
}

/** One run of the program, and a check of every disk that its cuts left. */
const runOnce = Effect.fnUntraced(function* <Promised, E>(
  test: CrashTest<Promised, E>,
  seed: number,
  seen: Set<string>
): Effect.fn.Return<Omit<CrashReport, "runs">, CrashTestFailed | E | DatabaseError> {
  const { options } = test
  const begun = MemoryDisk.make()
  const before = new SimClock()
  yield* simulate(test.setup ?? Effect.void, begun.layer, { seed, clock: before, options })
  const cuts = new Cuts(seed, test, seen)
  const clock = new SimClock(before.currentTimeMillisUnsafe())
  const { diskFailed, exit, promised } = cutProgram(test, cuts, { seed, start: begun.image(), clock })
  // On a disk that fails a program may, too. To die is its own fault: a bug, or something waits that never ends.
  if (Exit.isFailure(exit) && !(diskFailed && Cause.hasFails(exit.cause) && !Cause.hasDies(exit.cause))) {
    return yield* Effect.failCause(exit.cause)
  }
  for (const { image, nowMillis, promised: count, ...cut } of cuts.found) {
    // Others may run between two disks.
    yield* Effect.yieldNow
    const checked = simulate(test.check(promised.slice(0, count)), MemoryDisk.fromImage(image).layer, {
      seed,
      clock: new SimClock(nowMillis),
      options
    })
    if (Exit.isFailure(checked)) return yield* new CrashTestFailed({ ...cut, cause: Cause.squash(checked.cause) })
  }
  return { calls: cuts.calls, images: cuts.found.length, failed: Exit.isFailure(exit) ? 1 : 0 }
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
): Effect.fn.Return<CrashReport, CrashTestFailed | E | DatabaseError> {
  const replay = test.replay ?? Option.getOrUndefined(yield* Effect.orDie(replayed))
  const first = replay === undefined ? (test.seed ?? 1) : Number(replay.split(":")[0])
  const runs = replay === undefined ? (test.runs ?? 1) : 1
  const seen = new Set<string>()
  let [calls, images, failed] = [0, 0, 0]
  for (let seed = first; seed < first + runs; seed++) {
    const one = yield* runOnce({ ...test, replay }, seed, seen)
    calls += one.calls
    images += one.images
    failed += one.failed
  }
  if (images === 0) return yield* Effect.die(new Error(`there is no cut ${replay ?? "at all"} in this program`))
  return { runs, calls, images, failed }
})

const replayed = Config.option(Config.String("STRATA_REPLAY"))
