// A bar on standard error while an import runs, if that is a terminal. The library is loaded only then.
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Stdio from "effect/Stdio"
import { bytesText } from "./table.ts"

export interface Progress {
  /** So many more bytes of the source are done. */
  readonly advance: (bytes: number) => void
  /** A line of its own on standard error. */
  readonly note: (line: string) => Effect.Effect<void>
}

const silent: Progress = { advance: () => {}, note: (line) => Console.error(line) }

// The note takes the bar's place; the next update draws the bar below it.
const clearLine = "\r\u001b[K"

const bar = Effect.fnUntraced(function* (bytesTotal: number) {
  const { SingleBar } = yield* Effect.promise(() => import("cli-progress"))
  const bar = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const bar = new SingleBar({
        format: "[{bar}] {percentage}%  {value} of {total}  {eta_formatted} left",
        formatValue: (value, _, type) => (type === "value" || type === "total" ? bytesText(value) : String(value)),
        hideCursor: true,
        // The scope puts the cursor back, on interruption too.
        gracefulExit: false
      })
      bar.start(bytesTotal, 0)
      return bar
    }),
    (bar) => Effect.sync(() => bar.stop())
  )
  const progress: Progress = {
    advance: (bytes) => bar.increment(bytes),
    note: (line) => Console.error(`${clearLine}${line}`)
  }
  return progress
})

/** `bytesTotal` is computed only for a bar that is shown. */
export const make = Effect.fnUntraced(function* <E, R>(bytesTotal: Effect.Effect<number, E, R>) {
  const { stderrIsTerminal } = yield* Stdio.Stdio
  return (yield* stderrIsTerminal) ? yield* bar(yield* bytesTotal) : silent
})
