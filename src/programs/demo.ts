// `npm run demo`: Strata on real data, the files under node_modules. A child process imports them and is killed
// half-way; the parent reopens the database, shows what recovery did, finishes the import, compares everything with the
// disk, and shows scans, snapshots and conflicts. The database is temporary, and gone however the demo ends.
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as References from "effect/References"
import { fileURLToPath } from "node:url"
import * as LsmDatabase from "../layers/LsmDatabase.ts"
import type { DatabaseError } from "../services/DatabaseError.ts"
import * as Child from "./demo/child.ts"
import { run } from "./demo/run.ts"
import { type CommandFailed, failed, failureText, Negative, platformText } from "./failure.ts"

const peakBytes = () => process.resourceUsage().maxRSS * 1024

const packages = fileURLToPath(new URL("../../node_modules", import.meta.url))

// Less than the defaults hold: each file is read once, and the demo is to stay below 320 MiB with batches of files, as
// the database and the disk have them, in memory beside it.
const open = (directory: string) => LsmDatabase.layer({ directory, arenaCount: 2, cacheBytes: 16 * 1024 * 1024 })

const parent = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const directory = yield* Effect.mapError(files.makeTempDirectoryScoped({ prefix: "strata-demo-" }), (error) =>
    failed(`temporary directory: ${platformText(error)}`)
  )
  yield* run({
    root: packages,
    directory,
    open: open(directory),
    peakBytes,
    // A young heap of 2 MiB: the 16 MiB that it may grow to save nothing where the memory is in files' contents.
    child: {
      command: process.execPath,
      arguments: ["--max-semi-space-size=2", fileURLToPath(import.meta.url), "child"]
    }
  })
}).pipe(
  Effect.scoped,
  Effect.timeout("3 minutes"),
  Effect.catchTag("TimeoutError", () => Effect.fail(failed("not done within 3 minutes")))
)

const [role, root = "", directory = ""] = process.argv.slice(2)
const child = Child.run({ root, peakBytes }).pipe(
  Effect.provide(open(directory)),
  Effect.catchTag("OutputClosed", () => Effect.fail(failed("the parent is gone")))
)

const program: Effect.Effect<void, CommandFailed | DatabaseError, NodeServices.NodeServices> =
  role === "child" ? child : parent

program.pipe(
  Effect.catchTag(["CommandFailed", "DatabaseError"], (error) =>
    Effect.andThen(Console.error(`demo: ${failureText(error)}`), Effect.fail(new Negative()))
  ),
  Effect.provideService(References.LogToStderr, true),
  Effect.provideService(References.MinimumLogLevel, "Warn"),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain
)
