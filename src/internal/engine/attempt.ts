// Where plain code that throws `DatabaseError` becomes an effect that fails with it. Anything else that is thrown is a
// bug, and stays a defect.
import * as Effect from "effect/Effect"
import { DatabaseError } from "../../services/DatabaseError.ts"

/** Runs at once: for use inside an effect that is already suspended. */
export const attemptNow = <A, E, R>(run: () => Effect.Effect<A, E, R>): Effect.Effect<A, E | DatabaseError, R> => {
  try {
    return run()
  } catch (error) {
    return failed(error)
  }
}

/** Of what was thrown. */
export const failed = (error: unknown): Effect.Effect<never, DatabaseError> => {
  if (error instanceof DatabaseError) return Effect.fail(error)
  throw error
}

/** Runs each time the effect is. */
export const attempt = <A, E, R>(run: () => Effect.Effect<A, E, R>): Effect.Effect<A, E | DatabaseError, R> =>
  Effect.suspend(() => attemptNow(run))
