// Tables and value files that nothing can read any more: they are given up, and their files removed, one after the
// other in the background. What is not removed, for the process ends or the file cannot be, is left to the next open.
import * as Effect from "effect/Effect"
import type { Committer } from "./committer.ts"
import { Gate } from "./gate.ts"

export class ObsoleteFiles {
  /** Called when one was given up. */
  onRemoved: () => void = () => {}
  private readonly committer: Committer
  private readonly waiting: Array<Effect.Effect<void>> = []
  private readonly gate = new Gate()

  constructor(committer: Committer) {
    this.committer = committer
  }

  /** `remove` gives the file up and removes it. */
  add(remove: Effect.Effect<void>): void {
    this.waiting.push(remove)
    this.gate.wake()
  }

  /** Run in a fiber of the database's scope. */
  readonly loop: Effect.Effect<never> = Effect.suspend(() =>
    Effect.forever(Effect.andThen(this.gate.wait, Effect.andThen(Effect.yieldNow, this.removeAll)))
  )

  /**
   * Removes those that wait. After a failed sync nobody knows which files a crash would leave live: all stay. Not
   * interrupted between taking one and removing it, for nobody else would know of it.
   */
  readonly removeAll: Effect.Effect<void> = Effect.suspend(() => {
    if (this.waiting.length === 0 || this.committer.refusal?.reason._tag === "Poisoned") return Effect.void
    const removed = Effect.andThen(this.waiting.shift()!, Effect.sync(this.onRemoved))
    return Effect.andThen(removed, this.removeAll)
  }).pipe(Effect.uninterruptible)
}
