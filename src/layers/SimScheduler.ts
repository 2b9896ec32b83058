/**
 * A scheduler that chooses the next task by a seed, so that a run can be repeated and other runs tried.
 *
 * All fibers share one list of runnable tasks. Each step takes one of them: the one the next given choice names, or,
 * without choices, one at random. Fibers are also made to yield between two operations, with a small probability.
 * Nothing may wait for a promise or a timer of the machine: the pump would never see it end, and says so.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import type { Scheduler, SchedulerDispatcher } from "effect/Scheduler"
import { SeededRandom } from "../internal/structure/random.ts"
import { SimClock } from "./SimClock.ts"

/**
 * How a run is scheduled. The same options give the same run.
 *
 * @since 0.1.0
 * @category models
 */
export interface SimSchedulerOptions {
  readonly seed: number
  /**
   * Which of the runnable tasks goes next, by its place in the list (modulo its length), one number for each step that
   * had more than one. When they are used up the oldest task goes first: shorter lists are tamer runs.
   */
  readonly choices?: ReadonlyArray<number> | undefined
  /** Of being preempted between two operations. Default 0.05. */
  readonly yieldProbability?: number | undefined
}

/**
 * The seeded scheduler.
 *
 * @since 0.1.0
 * @category models
 */
export class SimScheduler implements Scheduler {
  readonly executionMode = "sync"
  /** The choices made so far; given back as `choices` they repeat the run. */
  readonly choices: Array<number> = []
  readonly #runnable: Array<() => void> = []
  readonly #given: ReadonlyArray<number> | undefined
  readonly #random: SeededRandom
  // Apart from the choices, so that changing one of those leaves the preemptions as they were.
  readonly #yields: SeededRandom
  readonly #yieldProbability: number
  readonly #fibers = new Map<number, Fiber.Fiber<unknown, unknown>>()
  readonly #dispatcher: SchedulerDispatcher
  #steps = 0

  constructor(options: SimSchedulerOptions) {
    this.#given = options.choices
    this.#random = new SeededRandom(options.seed)
    this.#yields = new SeededRandom(options.seed + 1)
    this.#yieldProbability = options.yieldProbability ?? 0.05
    this.#dispatcher = {
      scheduleTask: (task) => this.#runnable.push(task),
      flush: () => {
        while (this.step());
      }
    }
  }

  /** Tasks run so far. */
  get steps(): number {
    return this.#steps
  }

  makeDispatcher(): SchedulerDispatcher {
    return this.#dispatcher
  }

  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    if (!this.#fibers.has(fiber.id)) this.#watch(fiber)
    return fiber.currentOpCount >= fiber.cache.maxOpsBeforeYield || this.#yields.chance(this.#yieldProbability)
  }

  /** Runs one task. False if there is none. */
  step(): boolean {
    const count = this.#runnable.length
    if (count === 0) return false
    const index = count === 1 ? 0 : this.#choose(count)
    const [task] = this.#runnable.splice(index, 1)
    this.#steps += 1
    task!()
    return true
  }

  /** The fibers that have begun and not ended. */
  waiting(): Array<string> {
    const fibers = [...this.#fibers.values()].filter((fiber) => fiber.pollUnsafe() === undefined)
    return fibers.map((fiber) => {
      const span = fiber.cache.span
      return span === undefined ? `fiber ${fiber.id}` : `fiber ${fiber.id} in ${nameOf(span)}`
    })
  }

  #choose(count: number): number {
    const index =
      this.#given === undefined ? this.#random.below(count) : (this.#given[this.choices.length] ?? 0) % count
    this.choices.push(index)
    return index
  }

  #watch(fiber: Fiber.Fiber<unknown, unknown>): void {
    this.#fibers.set(fiber.id, fiber)
    fiber.addObserver(() => this.#fibers.delete(fiber.id))
  }
}

const nameOf = (span: object): string => ("name" in span ? String(span.name) : "an external span")

/**
 * No task can run, nobody sleeps, and the run has not ended.
 *
 * @since 0.1.0
 * @category errors
 */
export class Deadlock extends Error {
  readonly waiting: ReadonlyArray<string>
  constructor(waiting: ReadonlyArray<string>, options: { readonly seed: number; readonly steps: number }) {
    super(`deadlock after ${options.steps} steps with seed ${options.seed}; waiting: ${waiting.join(", ")}`)
    this.name = "Deadlock"
    this.waiting = waiting
  }
}

/**
 * The run has taken more steps than it may: something loops, or sleeps again and again.
 *
 * @since 0.1.0
 * @category errors
 */
export class StillRunning extends Error {
  constructor(options: { readonly seed: number; readonly stepsMax: number }) {
    super(`still running after ${options.stepsMax} steps with seed ${options.seed}`)
    this.name = "StillRunning"
  }
}

/**
 * Options of one run. The clock may be driven by the caller too.
 *
 * @since 0.1.0
 * @category models
 */
export interface RunOptions extends SimSchedulerOptions {
  readonly clock?: SimClock | undefined
  /** A run of more steps throws `StillRunning`. Default ten million. */
  readonly stepsMax?: number | undefined
}

/**
 * How a run ended, and how it went.
 *
 * @since 0.1.0
 * @category models
 */
export interface Run<A, E> {
  readonly exit: Exit.Exit<A, E>
  readonly choices: ReadonlyArray<number>
  readonly steps: number
  readonly clock: SimClock
}

/**
 * Runs an effect to its end on the calling stack, and says how it was scheduled. `Clock` and `Random` are simulated.
 * Throws `Deadlock` if it can end no more, `StillRunning` if it takes too many steps. Fibers it leaves behind are not
 * run on.
 *
 * @since 0.1.0
 * @category running
 */
export const runTraced = <A, E>(effect: Effect.Effect<A, E>, options: RunOptions): Run<A, E> => {
  const scheduler = new SimScheduler(options)
  const clock = options.clock ?? new SimClock()
  const stepsMax = options.stepsMax ?? 10_000_000
  const simulated = effect.pipe(Effect.provideService(Clock.Clock, clock), Random.withSeed(options.seed))
  const fiber = Effect.runFork(simulated, { scheduler })
  while (true) {
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return { exit, choices: scheduler.choices, steps: scheduler.steps, clock }
    if (!scheduler.step() && !clock.advance()) {
      throw new Deadlock(scheduler.waiting(), { seed: options.seed, steps: scheduler.steps })
    }
    if (scheduler.steps > stepsMax) throw new StillRunning({ seed: options.seed, stepsMax })
  }
}

/**
 * Runs an effect to its end on the calling stack.
 *
 * @since 0.1.0
 * @category running
 */
export const run = <A, E>(effect: Effect.Effect<A, E>, options: RunOptions): Exit.Exit<A, E> =>
  runTraced(effect, options).exit
