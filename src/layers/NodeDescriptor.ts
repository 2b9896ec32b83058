/**
 * One open file of `node:fs` and who uses it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import { DiskError } from "../services/Disk.ts"
import { call, diskError } from "./NodeCall.ts"

/**
 * A descriptor that is closed when nothing uses it any more: closing one under a call in the thread pool would let the
 * call reach another file that got the same number.
 *
 * @internal
 */
export class Descriptor {
  readonly path: string
  readonly fd: number
  #users = 0
  #closed = false
  #whenIdle: (() => void) | undefined
  readonly close: Effect.Effect<void, DiskError>

  constructor(path: string, fd: number) {
    this.path = path
    this.fd = fd
    this.close = Effect.suspend(() => {
      if (this.#closed) return Effect.void
      this.#closed = true
      return call({ operation: "close", file: path }, (done) => {
        const close = () => fs.close(fd, done)
        if (this.#users === 0) close()
        else this.#whenIdle = close
      })
    })
  }

  /** Closes it on the calling stack. Nothing may be using it. */
  closeNow(): void {
    if (this.#closed) return
    this.#closed = true
    try {
      fs.closeSync(this.fd)
    } catch (error) {
      throw diskError({ operation: "close", file: this.path }, error)
    }
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Runs a call of the thread pool while the descriptor cannot be closed. */
  using<A>(operation: string, effect: Effect.Effect<A, DiskError>): Effect.Effect<A, DiskError> {
    return Effect.suspend(() => {
      if (this.#closed) return Effect.fail(closedError(operation, this.path))
      this.#users += 1
      return Effect.onExit(effect, () => Effect.sync(() => this.#leave()))
    }).pipe(Effect.uninterruptible)
  }

  #leave(): void {
    this.#users -= 1
    if (this.#users === 0) this.#whenIdle?.()
  }
}

/** @internal */
export const closedError = (operation: string, file: string) => new DiskError({ operation, file, code: "EBADF" })
