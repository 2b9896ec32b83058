/**
 * The two ends of a lock's socket: a listener that says who it is, and a question to one.
 *
 *   answer := one line of JSON {"pid": number, "startedAtMillis": number, "state": "trying" | "holding"} "\n"
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import * as net from "node:net"
import { DiskError } from "../services/Disk.ts"
import { type CallSite, diskError, errnoOf } from "./NodeCall.ts"

/** A connected process that says nothing for this long (stopped, or in a long computation) is alive all the same. */
const answerMillisMax = 1000

/** More than any answer. */
const answerBytesMax = 1024

/**
 * What a name answers. `refused`: nobody listens; `absent`: the name is gone; `trying`: it listens, but holds nothing
 * yet or no longer.
 *
 * @internal
 */
export interface Answer {
  readonly state: "holding" | "trying" | "refused" | "absent"
  readonly pid?: number | undefined
  readonly startedAtMillis?: number | undefined
}

/** How file systems say that they cannot hold sockets. */
const hasNoSockets = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EINVAL"])

const ignore = () => undefined

/**
 * Listens until it is closed, and keeps no process alive.
 *
 * @internal
 */
export class Listener {
  readonly #server: net.Server
  #state: "trying" | "holding" = "trying"
  /** False if somebody has the address already. */
  readonly listen: Effect.Effect<boolean, DiskError>
  readonly close: Effect.Effect<void>

  constructor(site: CallSite, address: string, startedAtMillis: number) {
    this.#server = net.createServer((socket) => {
      socket.on("error", ignore)
      socket.unref()
      const line = `${JSON.stringify({ pid: process.pid, startedAtMillis, state: this.#state })}\n`
      socket.end(line, () => socket.destroy())
    })
    this.listen = listen(this.#server, site, address)
    // libuv unlinks the name before it closes the socket, so no name of somebody else goes with it.
    this.close = Effect.uninterruptible(
      Effect.callback<void>((resume) => {
        this.#server.close(() => resume(Effect.void))
      })
    )
  }

  /** From here on the answer is `holding`. */
  hold(): void {
    this.#state = "holding"
  }
}

const listen = (server: net.Server, site: CallSite, address: string): Effect.Effect<boolean, DiskError> =>
  Effect.uninterruptible(
    Effect.callback((resume) => {
      server.once("error", (error) => {
        const code = errnoOf(error)
        if (code === "EADDRINUSE") resume(Effect.succeed(false))
        else if (!hasNoSockets.has(code)) resume(Effect.fail(diskError(site, error)))
        else resume(Effect.fail(new DiskError({ ...site, code: "ENOTSUP", cause: error })))
      })
      server.once("listening", () => {
        server.removeAllListeners("error")
        // A failed accept (no descriptors left) changes nothing: the kernel keeps the name alive.
        server.on("error", ignore)
        server.unref()
        resume(Effect.succeed(true))
      })
      // `exclusive`: in a cluster's worker the primary would listen instead, once for all workers.
      server.listen({ path: address, exclusive: true })
    })
  )

/**
 * Asks who listens. A connection is proof of life; the line only tells more.
 *
 * @internal
 */
export const ask = (site: CallSite, address: string): Effect.Effect<Answer, DiskError> =>
  Effect.uninterruptible(
    Effect.callback((resume) => {
      let isConnected = false
      let text = ""
      const socket = net.connect({ path: address })
      const finish = (answer: Effect.Effect<Answer, DiskError>) => {
        socket.destroy()
        resume(answer)
      }
      socket.setEncoding("utf8")
      socket.setTimeout(answerMillisMax)
      socket.on("connect", () => {
        isConnected = true
      })
      socket.on("data", (chunk: string) => {
        text += chunk
        if (text.includes("\n") || text.length > answerBytesMax) finish(Effect.succeed(answerOf(text)))
      })
      // It closed before it answered: it is just going.
      socket.on("end", () => finish(Effect.succeed({ state: "trying" })))
      socket.on("timeout", () => finish(Effect.succeed({ state: "holding" })))
      socket.on("error", (error) => {
        finish(isConnected ? Effect.succeed({ state: "trying" }) : failedToConnect(site, error))
      })
    })
  )

const failedToConnect = (site: CallSite, error: unknown): Effect.Effect<Answer, DiskError> => {
  const code = errnoOf(error)
  if (code === "ECONNREFUSED") return Effect.succeed({ state: "refused" })
  if (code === "ENOENT") return Effect.succeed({ state: "absent" })
  // More askers are waiting than the kernel queues, so somebody listens.
  if (code === "EAGAIN" || code === "EBUSY") return Effect.succeed({ state: "holding" })
  // The far end went away while we connected.
  if (code === "ECONNRESET" || code === "EPIPE") return Effect.succeed({ state: "trying" })
  return Effect.fail(diskError(site, error))
}

/** A line we do not understand comes from a living process all the same: of another version, or not ours. */
const answerOf = (text: string): Answer => {
  try {
    const answer: unknown = JSON.parse(text)
    if (typeof answer !== "object" || answer === null) return { state: "holding" }
    const { pid, startedAtMillis, state } = answer as Record<string, unknown>
    return {
      state: state === "trying" ? "trying" : "holding",
      pid: typeof pid === "number" ? pid : undefined,
      startedAtMillis: typeof startedAtMillis === "number" ? startedAtMillis : undefined
    }
  } catch {
    return { state: "holding" }
  }
}

/**
 * The named pipe of a directory on Windows, where paths differ in case only by accident.
 *
 * @internal
 */
export const pipeName = (realPath: string): string =>
  `\\\\.\\pipe\\strata-${createHash("sha256").update(realPath.toLowerCase()).digest("hex").slice(0, 40)}`
