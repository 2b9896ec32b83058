// Runs one operation again and again for a while, and says what it cost. The clock is read around one operation in
// sixteen while they are short: two readings take a tenth of a microsecond, which is a fifth of the shortest of them.
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** Does one operation, by its number, and answers with how many things that was: 1, or the entries of a scan. */
export type Operation<E> = (number: number) => Effect.Effect<number, E>

export interface Duration {
  readonly seconds: number
  /** Fibers that each do one operation after the other. */
  readonly writers: number
}

export interface Measured {
  readonly operations: number
  /** What the operations answered, added up. */
  readonly things: number
  readonly nanos: number
  /** What those operations took that were timed alone, in ascending order. */
  readonly sampled: Float64Array
}

const shortNanos = 50_000
const untimedBetween = 15
/** Before the clock starts, so that the code is compiled and the blocks are in the cache. */
const warmShare = 0.25

class Run {
  operations = 0
  things = 0
  readonly sampled: Array<number> = []
}

const once = Effect.fnUntraced(function* <E>(operation: Operation<E>, duration: Duration, first: number) {
  const clock = yield* Clock.Clock
  const run = new Run()
  const start = clock.monotonicTimeNanosUnsafe()
  const end = start + BigInt(Math.ceil(duration.seconds * 1e9))
  const next = Effect.suspend(() => operation(first + run.operations++))
  const writer = Effect.gen(function* () {
    do {
      const before = clock.monotonicTimeNanosUnsafe()
      const things = yield* next
      run.things += things
      const nanos = Number(clock.monotonicTimeNanosUnsafe() - before)
      run.sampled.push(nanos)
      const untimed = nanos < shortNanos ? untimedBetween : 0
      for (let done = 0; done < untimed; done += 1) {
        // Not `+= yield*`: that would forget what other writers added meanwhile.
        const more = yield* next
        run.things += more
      }
    } while (clock.monotonicTimeNanosUnsafe() < end)
  })
  yield* duration.writers === 1
    ? writer
    : Effect.all(
        Array.from({ length: duration.writers }, () => writer),
        { concurrency: "unbounded", discard: true }
      )
  return { run, nanos: Number(clock.monotonicTimeNanosUnsafe() - start) }
})

/** At least one operation is done, and those that have begun are finished. */
export const measure = Effect.fnUntraced(function* <E>(operation: Operation<E>, duration: Duration) {
  const warm = yield* once(operation, { ...duration, seconds: duration.seconds * warmShare }, 0)
  const { nanos, run } = yield* once(operation, duration, warm.run.operations)
  const measured: Measured = {
    operations: run.operations,
    things: run.things,
    nanos,
    sampled: Float64Array.from(run.sampled).sort()
  }
  return measured
})

/** Of what is done but once. */
export const measureOnce = Effect.fnUntraced(function* <E, R>(effect: Effect.Effect<number, E, R>) {
  const clock = yield* Clock.Clock
  const start = clock.monotonicTimeNanosUnsafe()
  const things = yield* effect
  const nanos = Number(clock.monotonicTimeNanosUnsafe() - start)
  const measured: Measured = { operations: 1, things, nanos, sampled: new Float64Array(0) }
  return measured
})
