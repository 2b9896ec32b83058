// One sync for all who ask while another runs: they share the next. It tells each what one of their own would tell,
// for it begins after they came.
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { DiskError } from "../../services/Disk.ts"

export class SharedSync {
  /** Completes when a sync that began after the call has. */
  readonly run: Effect.Effect<void, DiskError>
  private begun = 0
  /** The last one that succeeded. */
  private done = 0
  private readonly turn = Semaphore.makeUnsafe(1)

  constructor(sync: Effect.Effect<void, DiskError>) {
    const next = Effect.suspend(() => {
      this.begun += 1
      const number = this.begun
      return Effect.map(sync, () => {
        this.done = number
      })
    })
    this.run = Effect.suspend(() => {
      const due = this.begun + 1
      return this.turn.withPermit(Effect.suspend(() => (this.done >= due ? Effect.void : next)))
    })
  }
}
