// How a plan fails: with what happened, and where, so that it can be looked at alone.
import { Cause, Exit } from "effect"
import type { CutPlace } from "./plan.ts"

interface Where {
  readonly where: string
  /** The cut that is judged. */
  readonly place?: CutPlace | undefined
}

export class PlanFailure extends Error {
  /** Undefined if the run itself failed. */
  readonly place: CutPlace | undefined
  /** The choices of the sessions up to the failing one. */
  choices: ReadonlyArray<ReadonlyArray<number>> = []

  constructor({ place, where }: Where, cause: unknown) {
    super(`${where}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    this.name = "PlanFailure"
    this.place = place
  }
}

/** Whatever is thrown in it is told with its place. */
export const placed = <A>(at: Where, run: () => A): A => {
  try {
    return run()
  } catch (error) {
    throw error instanceof PlanFailure ? error : new PlanFailure(at, error)
  }
}

/** Throws what a run failed with. */
export const valueOf = <A, E>(exit: Exit.Exit<A, E>): A => {
  if (Exit.isSuccess(exit)) return exit.value
  throw Cause.squash(exit.cause)
}
