// Where a background fiber sleeps until there is something to do. Waking it costs no queue and no macrotask: it runs on
// the waker's stack up to its next suspension (Effect.callback resumes so), which is why every loop around a gate
// yields before it does work.
import * as Effect from "effect/Effect"

/**
 * Lets somebody go on who waits, on this stack. Their fiber's observers, which are users' functions, run on it too:
 * what one of them throws must stop neither who resumes nor the others who wait.
 */
export const goOn = (resume: () => void): void => {
  try {
    resume()
  } catch (error) {
    Effect.runFork(Effect.logError("Strata: an observer of a fiber that waited for the database threw", error))
  }
}

export class Gate {
  private resume: ((effect: Effect.Effect<void>) => void) | undefined = undefined
  private open = false

  /** Sleeps until `wake`; a wake that came before it is not lost. For one fiber. */
  readonly wait: Effect.Effect<void> = Effect.callback<void>((resume) => {
    if (this.open) {
      this.open = false
      resume(Effect.void)
      return
    }
    this.resume = resume
    return Effect.sync(() => {
      this.resume = undefined
    })
  })

  wake(): void {
    const resume = this.resume
    if (resume === undefined) {
      this.open = true
      return
    }
    this.resume = undefined
    goOn(() => resume(Effect.void))
  }
}

/**
 * Fibers that wait for the same thing, woken together in the order in which they came. Between looking at a condition
 * and waiting for its change another fiber may run, so who looks takes `turn` in the same step and waits from there.
 */
export class WaitList {
  /** How often it was woken. */
  turn = 0
  private waiting: Array<(effect: Effect.Effect<void>) => void> = []

  /** Until it is woken after that turn, which may have been already. */
  waitFrom(turn: number): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (turn !== this.turn) {
        resume(Effect.void)
        return
      }
      this.waiting.push(resume)
      return Effect.sync(() => {
        this.waiting = this.waiting.filter((other) => other !== resume)
      })
    })
  }

  wakeAll(): void {
    this.turn += 1
    const waiting = this.waiting
    if (waiting.length === 0) return
    this.waiting = []
    for (const resume of waiting) goOn(() => resume(Effect.void))
  }
}
