// The workload of value files that faults strike: separation at flushes, values that go to a file before their commit,
// streams, transactions, compactions and collections, alone and beside each other.
import { Effect } from "effect"
import type { OptionsInput } from "../../src/services/Options.ts"
import { each, type Workload } from "./faultSession.ts"
import { valueOptions } from "./valueKit.ts"

const options: OptionsInput = { ...valueOptions, valueBytesMax: 8192 }

const readsOnly: ReadonlySet<string> = new Set(["read", "open", "closeRead"])
/** There are many, and a run reads the same files again and again. */
const readsBetween = 4

export const valueWorkload: Workload = {
  judgeOptions: options,
  // The log is struck in the canonical workload.
  strikes: ({ index, operation, path }) =>
    readsOnly.has(operation) ? index % readsBetween === 0 : !path.includes("/log-"),
  scripts: [
    {
      options,
      script: (session) =>
        each(
          session.write("disk", 2, "values"),
          session.stream,
          session.write("os", 3, "values"),
          session.transactWith("values"),
          session.barrier("flush"),
          session.write("buffered", 3, "values"),
          session.write("disk", 4, "values"),
          session.getStream,
          session.compact,
          session.collect,
          session.scan,
          session.verify,
          session.probe
        )
    },
    {
      options: { ...options, directValueBytesMin: 1024 },
      script: (session) =>
        each(
          session.scan,
          Effect.all(
            [
              session.write("disk", 4, "values"),
              session.collect,
              session.stream,
              Effect.andThen(session.write("os", 4, "values"), session.compact),
              session.write("disk", 2, "values")
            ],
            { concurrency: "unbounded", discard: true }
          ),
          session.cursor({}),
          session.barrier("flush"),
          session.collect,
          session.getStream,
          session.verify,
          session.write("os", 2, "values"),
          session.scan,
          session.probe
        )
    },
    {
      options: { ...options, readOnly: true },
      script: (session) => each(session.scan, session.get, session.getStream, session.verify)
    }
  ]
}
