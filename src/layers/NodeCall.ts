/**
 * Calls of `node:fs` as effects: uninterruptible, failing with a `DiskError` that carries the errno's name.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { DiskError } from "../services/Disk.ts"

/**
 * What a call was about.
 *
 * @internal
 */
export interface CallSite {
  readonly operation: string
  readonly file: string
  readonly offset?: number
}

/**
 * Node's own argument errors (`ERR_INVALID_ARG_VALUE` for a NUL in a path, …) are what the system calls `EINVAL`.
 *
 * @internal
 */
export const errnoOf = (cause: unknown): string => {
  const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined
  if (typeof code !== "string") return "UNKNOWN"
  return code.startsWith("ERR_") ? "EINVAL" : code
}

/** @internal */
export const diskError = (site: CallSite, cause: unknown): DiskError =>
  new DiskError({ ...site, code: errnoOf(cause), cause })

/**
 * One asynchronous call. Interrupting a fiber does not stop a call in the thread pool, so the fiber waits for it:
 * its buffers are in use and its outcome is still to come.
 *
 * @internal
 */
export const call = <A = void>(
  site: CallSite,
  start: (done: (error: NodeJS.ErrnoException | null, value?: A) => void) => void
): Effect.Effect<A, DiskError> =>
  Effect.uninterruptible(
    Effect.callback((resume) => {
      try {
        start((error, value) => resume(error ? Effect.fail(diskError(site, error)) : Effect.succeed(value as A)))
      } catch (error) {
        resume(Effect.fail(diskError(site, error)))
      }
    })
  )
