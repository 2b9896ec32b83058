// Whose turn it is: so many jobs run at once, and one flush more, for writers wait for flushes and must not wait for a
// compaction to end. When a turn ends, flushes that wait go first.
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { Closed, type DatabaseError, fail } from "../../services/DatabaseError.ts"
import { isFlush } from "../structure/jobWork.ts"
import type { Job } from "./jobSetup.ts"

interface Waiter {
  readonly isFlush: boolean
  readonly turn: Deferred.Deferred<void, DatabaseError>
  hasTurn: boolean
}

export class JobQueue {
  private running = 0
  private done = 0
  private failed = 0
  private readonly concurrency: number
  private readonly waiters: Array<Waiter> = []
  private closing: Deferred.Deferred<void> | undefined

  constructor(concurrency: number) {
    this.concurrency = concurrency
  }

  stats(): { readonly running: number; readonly waiting: number; readonly done: number; readonly failed: number } {
    const { done, failed, running, waiters } = this
    return { running, waiting: waiters.length, done, failed }
  }

  get isClosing(): boolean {
    return this.closing !== undefined
  }

  /** Fails when the queue is closed. */
  readonly check: Effect.Effect<void, DatabaseError> = Effect.suspend(() =>
    this.closing === undefined ? Effect.void : Effect.fail(closed())
  )

  /**
   * Runs the work when it is its turn. It is interruptible while it waits, and the work where that says so: what the
   * work has made is never lost on its way to the caller.
   */
  run<A>(job: Job, work: Effect.Effect<A, DatabaseError>): Effect.Effect<A, DatabaseError> {
    return Effect.uninterruptible(
      Effect.flatMap(this.turn(isFlush(job)), () =>
        Effect.onExit(work, (exit) =>
          Effect.sync(() => {
            if (exit._tag === "Success") this.done += 1
            else this.failed += 1
            this.end()
          })
        )
      )
    )
  }

  /** Whoever waits fails `Closed`. Completes when nothing runs any more. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.closing ??= Deferred.makeUnsafe()
    for (const { turn } of this.waiters.splice(0)) Deferred.doneUnsafe(turn, Effect.fail(closed()))
    return this.running === 0 ? Effect.void : Deferred.await(this.closing)
  })

  private turn(isFlush: boolean) {
    return Effect.suspend((): Effect.Effect<void, DatabaseError> => {
      if (this.closing !== undefined) return Effect.fail(closed())
      if (this.mayRun(isFlush)) {
        this.running += 1
        return Effect.void
      }
      const waiter: Waiter = { isFlush, turn: Deferred.makeUnsafe(), hasTurn: false }
      this.waiters.push(waiter)
      return Effect.onInterrupt(Effect.interruptible(Deferred.await(waiter.turn)), () =>
        Effect.sync(() => this.leave(waiter))
      )
    })
  }

  private leave(waiter: Waiter): void {
    const index = this.waiters.indexOf(waiter)
    if (index >= 0) this.waiters.splice(index, 1)
    else if (waiter.hasTurn) this.end()
  }

  private mayRun(isFlush: boolean): boolean {
    return this.running < this.concurrency + (isFlush ? 1 : 0)
  }

  private end(): void {
    this.running -= 1
    if (this.closing !== undefined) {
      if (this.running === 0) Deferred.doneUnsafe(this.closing, Effect.void)
      return
    }
    for (const isFlush of [true, false]) {
      for (let index = 0; index < this.waiters.length && this.mayRun(isFlush);) {
        const waiter = this.waiters[index]!
        if (waiter.isFlush !== isFlush) {
          index += 1
          continue
        }
        this.waiters.splice(index, 1)
        this.running += 1
        waiter.hasTurn = true
        Deferred.doneUnsafe(waiter.turn, Effect.void)
      }
    }
  }
}

const closed = (): DatabaseError => fail(new Closed({ message: "the database was closed before the job had ended" }))
