/**
 * A clock for simulations: it stands still while anything can run, and then jumps to the next sleeper.
 *
 * The wall clock can be set or jumped either way; sleepers wait for elapsed time, which it does not touch.
 *
 * @since 0.1.0
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Scheduler } from "effect/Scheduler"

interface Sleeper {
  readonly deadlineMillis: number
  /** Orders sleepers of one deadline as they came. */
  readonly order: number
  readonly wake: () => void
  isCancelled: boolean
}

const isBefore = (a: Sleeper, b: Sleeper): boolean =>
  a.deadlineMillis < b.deadlineMillis || (a.deadlineMillis === b.deadlineMillis && a.order < b.order)

/**
 * The simulated clock.
 *
 * @since 0.1.0
 * @category models
 */
export class SimClock implements Clock.Clock {
  #elapsedMillis = 0
  #wallOffsetMillis: number
  #order = 0
  /** A binary heap, the next deadline first. */
  readonly #sleepers: Array<Sleeper> = []

  /** Starts at 2026-01-01 unless told otherwise. */
  constructor(startMillis = 1_767_225_600_000) {
    this.#wallOffsetMillis = startMillis
  }

  readonly currentTimeMillis = Effect.sync(() => this.currentTimeMillisUnsafe())
  readonly currentTimeNanos = Effect.sync(() => this.currentTimeNanosUnsafe())
  readonly monotonicTimeNanos = Effect.sync(() => this.monotonicTimeNanosUnsafe())

  currentTimeMillisUnsafe(): number {
    return Math.floor(this.#wallOffsetMillis + this.#elapsedMillis)
  }

  currentTimeNanosUnsafe(): bigint {
    return nanosOf(this.#wallOffsetMillis + this.#elapsedMillis)
  }

  monotonicTimeNanosUnsafe(): bigint {
    return nanosOf(this.#elapsedMillis)
  }

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    const millis = Duration.toMillis(duration)
    if (millis === Number.POSITIVE_INFINITY) return Effect.never
    const begin = (scheduler: Scheduler, resume: (done: Effect.Effect<void>) => void) => {
      const dispatcher = scheduler.makeDispatcher()
      const sleeper: Sleeper = {
        deadlineMillis: this.#elapsedMillis + Math.max(0, millis),
        order: this.#order++,
        // Through the scheduler: a sleeper resumed here would run on the clock's stack, before everything else.
        wake: () => dispatcher.scheduleTask(() => resume(Effect.void), 0),
        isCancelled: false
      }
      this.#push(sleeper)
      return Effect.sync(() => {
        sleeper.isCancelled = true
      })
    }
    return Effect.callback<void>(function (this: Scheduler, resume) {
      return begin(this, resume)
    })
  }

  /** Moves the wall clock, back if negative. */
  jump(millis: number): void {
    this.#wallOffsetMillis += millis
  }

  /** Sets the wall clock. */
  set(millis: number): void {
    this.#wallOffsetMillis = millis - this.#elapsedMillis
  }

  /** Wakes the next sleeper, at its deadline. False if there is none. */
  advance(): boolean {
    while (true) {
      const sleeper = this.#pop()
      if (sleeper === undefined) return false
      if (sleeper.isCancelled) continue
      this.#elapsedMillis = Math.max(this.#elapsedMillis, sleeper.deadlineMillis)
      sleeper.wake()
      return true
    }
  }

  #push(sleeper: Sleeper): void {
    const heap = this.#sleepers
    let at = heap.push(sleeper) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(sleeper, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = sleeper
  }

  #pop(): Sleeper | undefined {
    const heap = this.#sleepers
    const top = heap[0]
    const last = heap.pop()
    if (top === undefined || last === undefined || heap.length === 0) return top
    let at = 0
    while (true) {
      let child = at * 2 + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1
      if (!isBefore(heap[child]!, last)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
    return top
  }
}

const nanosOf = (millis: number): bigint => BigInt(Math.floor(millis * 1_000_000))
