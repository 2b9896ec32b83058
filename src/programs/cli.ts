// The command line as one effect: each command is a program over services in `commands/`, on a database that it opens
// by its flags.
//
//   creating   set, import                             there is a database afterwards
//   writing    remove, flush, compact, gc, checkpoint  takes the lock of one that is there
//   reading    get, scan, count, stats, verify         takes none, changes nothing on disk, fails beside a live writer
//
// Exit codes: 0 done; 1 not done, with a line on standard error; 130 interrupted.
import * as Command from "effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as References from "effect/References"
import type { Database } from "../services/Database.ts"
import type { DatabaseError } from "../services/DatabaseError.ts"
import type { Maintenance } from "../services/Maintenance.ts"
import type { OptionsInput } from "../services/Options.ts"
import { checkpoint } from "./commands/checkpoint.ts"
import { compact } from "./commands/compact.ts"
import { count } from "./commands/count.ts"
import { flush } from "./commands/flush.ts"
import { gc } from "./commands/gc.ts"
import { get } from "./commands/get.ts"
import { importCommand } from "./commands/import.ts"
import { remove } from "./commands/remove.ts"
import { scan } from "./commands/scan.ts"
import { set } from "./commands/set.ts"
import { stats } from "./commands/stats.ts"
import * as Verify from "./commands/verify.ts"
import { failureText, Negative } from "./failure.ts"

export interface Cli {
  readonly version: string
  /** Opens the database in a directory. */
  readonly open: (
    location: OptionsInput & { readonly directory: string }
  ) => Layer.Layer<Database | Maintenance, DatabaseError>
}

interface Input {
  readonly db: string
}

const strata = (open: Cli["open"]) => {
  const reading = ({ db }: Input) => open({ directory: db, readOnly: true, create: false })
  const writing = ({ db }: Input) => open({ directory: db, create: false })
  const creating = ({ db }: Input) => open({ directory: db })
  return Command.make("strata").pipe(
    Command.withDescription("Read and write a Strata database"),
    Command.withSubcommands([
      Command.provide(get, reading),
      Command.provide(set, creating),
      Command.provide(remove, writing),
      Command.provide(scan, reading),
      Command.provide(count, reading),
      Command.provide(importCommand, creating),
      Command.provide(flush, writing),
      Command.provide(compact, writing),
      Command.provide(gc, writing),
      Command.provide(checkpoint, writing),
      Command.provide(stats, reading),
      // Damage that stops the opening is a finding too.
      Command.withHandler(Verify.verify, (input) =>
        Verify.check(input).pipe(
          Effect.provide(reading(input)),
          Effect.catchReasons("DatabaseError", {
            Corruption: Verify.stoppedBy(input),
            Tampered: Verify.stoppedBy(input)
          })
        )
      )
    ])
  )
}

/** Runs the command that the arguments name. Whatever fails has been printed. */
export const run = ({ open, version }: Cli) =>
  Command.run(strata(open), { version }).pipe(
    Effect.catchTag("OutputClosed", () => Effect.void),
    Effect.catchTag(["CommandFailed", "DatabaseError"], (error) =>
      Effect.andThen(Console.error(`strata: ${failureText(error)}`), Effect.fail(new Negative()))
    ),
    // Standard output is for what was asked; `--log-level` shows more than warnings.
    Effect.provideService(References.LogToStderr, true),
    Effect.provideService(References.MinimumLogLevel, "Warn")
  )
