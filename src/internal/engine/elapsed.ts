// Time for what waits. The wall clock may be set back by years: a writer that pauses until a time of it would then wait
// for years.
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** Milliseconds since some moment, which no clock that is set changes. */
export const elapsedMillis: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)
