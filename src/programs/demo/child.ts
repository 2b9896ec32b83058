// The half of the import that is killed. The child tells on standard output, a line each, what has been acknowledged:
//
//   line := batches " " millis " " peakBytes     how many batches, since when the first was begun, and its peak memory
//
// The line is written after the acknowledgement, so that whatever the parent has read must survive the kill.
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import * as ChildProcess from "effect/process/ChildProcess"
import * as ChildProcessSpawner from "effect/process/ChildProcessSpawner"
import { Database } from "../../services/Database.ts"
import { failed, platformText } from "../failure.ts"
import { writeLine } from "../output.ts"
import type { Place } from "./place.ts"
import { list, type Source } from "./source.ts"
import { storeFrom } from "./store.ts"

/** What the child does. */
export const run = Effect.fnUntraced(function* ({ peakBytes, root }: Pick<Place, "peakBytes" | "root">) {
  const { options } = yield* Database
  const source = yield* list(root, options.valueBytesMax)
  const start = yield* Clock.currentTimeMillis
  yield* storeFrom(
    source,
    0,
    Effect.fnUntraced(function* (batches) {
      // If the parent is gone this fails, and the child with it.
      yield* writeLine(`${batches} ${(yield* Clock.currentTimeMillis) - start} ${peakBytes()}`)
    })
  )
})

/** The last line that came out of the child. */
export interface Acknowledged {
  readonly batches: number
  readonly millis: number
  readonly peakBytes: number
}

const parse = (line: string): Acknowledged => {
  const [batches = 0, millis = 0, peakBytes = 0] = line.split(" ").map(Number)
  return { batches, millis, peakBytes }
}

/** Runs the child, kills it with SIGKILL when half the bytes are acknowledged, and tells the last it had said. */
export const runAndKill = Effect.fnUntraced(
  function* (place: Place, source: Source) {
    const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
    const { command, arguments: parameters } = place.child
    const child = yield* spawner.spawn(
      ChildProcess.make(command, [...parameters, source.root, place.directory], { stdin: "ignore", stderr: "inherit" })
    )
    let last: Acknowledged = { batches: 0, millis: 0, peakBytes: 0 }
    let isKilled = false
    yield* child.stdout.pipe(
      Stream.decodeText,
      Stream.splitLines,
      // To the end of the pipe: what was written before the kill is a promise, also if it is read after it.
      Stream.runForEach((line) => {
        last = parse(line)
        const bytes = source.batches.slice(0, last.batches).reduce((sum, batch) => sum + batch.bytes, 0)
        if (isKilled || bytes < source.bytes / 2) return Effect.void
        isKilled = true
        // Anywhere in the work on one of the next batches.
        return Effect.flatMap(Random.nextIntBetween(0, 50), (millis) =>
          Effect.delay(child.kill({ killSignal: "SIGKILL" }), millis)
        )
      })
    )
    if (!isKilled) return yield* failed("the child ended before it could be killed")
    return last
  },
  Effect.scoped,
  Effect.catchTag("PlatformError", (error) => Effect.fail(failed(`the child process: ${platformText(error)}`)))
)
