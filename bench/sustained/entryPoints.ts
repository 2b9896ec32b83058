// Times what a library does on the main thread, from outside: every call into it, and every callback by which the
// system calls it. Import this before anything that keeps `setImmediate` or a function of `node:fs` for itself.
//
// Once `watch` was called, callbacks of timers, immediates, `node:fs` and messages of workers are timed. Whoever
// measures uses `ownImmediate` and `ownInterval`, which are not, and `timed` for its own calls. What runs inside of
// something timed is part of that.
import fs from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import { Worker } from "node:worker_threads"
import { Histogram } from "./histogram.ts"

const longestKept = 8
const windowMillis = 100

class Tasks {
  readonly histogram = new Histogram()
  /** The longest of each tenth of a second in which there was one. */
  readonly windows = new Histogram()
  longest: Array<{ readonly kind: string; readonly millis: number }> = []
  private depth = 0
  private window = 0
  private windowLongest = 0

  timed<A>(kind: string, run: () => A): A {
    if (this.depth > 0) return run()
    this.depth = 1
    const start = performance.now()
    try {
      return run()
    } finally {
      this.depth = 0
      const end = performance.now()
      this.ended(kind, end - start)
      this.inWindow(Math.floor(end / windowMillis), end - start)
    }
  }

  private inWindow(window: number, millis: number): void {
    if (window !== this.window) {
      if (this.windowLongest > 0) this.windows.record(this.windowLongest)
      this.window = window
      this.windowLongest = 0
    }
    if (millis > this.windowLongest) this.windowLongest = millis
  }

  private ended(kind: string, millis: number): void {
    this.histogram.record(millis)
    if (millis <= (this.longest[longestKept - 1]?.millis ?? 0)) return
    this.longest.push({ kind, millis })
    this.longest.sort((a, b) => b.millis - a.millis)
    this.longest.length = Math.min(this.longest.length, longestKept)
  }
}

export const ownImmediate = globalThis.setImmediate
export const ownInterval = globalThis.setInterval

let tasks: Tasks | undefined

/** Begins to time, and returns what is found. */
export const watch = (): Tasks => (tasks ??= new Tasks())

/** A call into the library. */
export const timed = <A>(kind: string, run: () => A): A => (tasks === undefined ? run() : tasks.timed(kind, run))

type Callback = (...parameters: Array<unknown>) => unknown
type Call = (...parameters: Array<unknown>) => unknown

const wrapped = (kind: string, callback: Callback): Callback =>
  function (this: unknown, ...parameters) {
    return timed(kind, () => callback.apply(this, parameters))
  }

/** The function at the first or the last place is what the system calls back. */
const wrapCallback = (owner: object, name: string, place: "first" | "last"): void => {
  const functions = owner as Record<string, Call>
  const original = functions[name]!
  const replaced = function (this: unknown, ...parameters: Array<unknown>): unknown {
    const at = place === "first" ? 0 : parameters.length - 1
    const callback = parameters[at]
    if (typeof callback === "function") parameters[at] = wrapped(name, callback as Callback)
    return original.apply(this, parameters)
  }
  // `setTimeout.__promisify__` and the like.
  functions[name] = Object.defineProperties(replaced, Object.getOwnPropertyDescriptors(original)) as Call
}

const ofFiles =
  "open close read readv write writev fdatasync fsync unlink link copyFile readdir lstat stat fstat mkdir statfs"

for (const name of ["setImmediate", "setTimeout", "setInterval"]) wrapCallback(globalThis, name, "first")
for (const name of ofFiles.split(" ")) wrapCallback(fs, name, "last")
syncBuiltinESMExports()

const emit = Worker.prototype.emit as Call
Worker.prototype.emit = function (this: Worker, ...parameters: Array<unknown>): boolean {
  return timed(`Worker ${String(parameters[0])}`, () => emit.apply(this, parameters)) as boolean
} as typeof Worker.prototype.emit
