// The command line as one effect: each command is a program over services in `commands/`, on a database that it opens
// by its flags.
//
//   creating   set, import                             there is a database afterwards
//   writing    remove, flush, compact, gc, checkpoint,  takes the lock of one that is there
//              rotate
//   reading    get, scan, count, stats, verify          takes none, changes no file, fails beside a live writer
//   apart      bench                                    makes a database of its own, and removes it
//
// Each takes the key of an encrypted database (keys.ts), but for `bench`, which makes one.
//
// Exit codes: 0 done; 1 not done, with a line on standard error; 130 interrupted. Of what is not done, these have codes
// of their own: 3 the database is encrypted and no key was given; 4 the key is not the database's; 5 a key was given
// and the database is not encrypted; 6 the files were tampered with (to `verify` that is a finding, and 1).
import * as Command from "effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as References from "effect/References"
import type { Place } from "./bench/place.ts"
import { bench } from "./commands/bench.ts"
import { checkpoint } from "./commands/checkpoint.ts"
import { compact } from "./commands/compact.ts"
import { count } from "./commands/count.ts"
import { flush } from "./commands/flush.ts"
import { gc } from "./commands/gc.ts"
import { get } from "./commands/get.ts"
import { importCommand } from "./commands/import.ts"
import { rotate } from "./commands/rotate.ts"
import { remove } from "./commands/remove.ts"
import { scan } from "./commands/scan.ts"
import { set } from "./commands/set.ts"
import { stats } from "./commands/stats.ts"
import * as Verify from "./commands/verify.ts"
import { failureText, negativeFor } from "./failure.ts"
import * as Keys from "./keys.ts"

export interface Cli extends Place {
  readonly version: string
}

interface Input {
  readonly db: string
}

const strata = (cli: Cli) => {
  const { encryption, open } = cli
  const root = Command.make("strata").pipe(
    Command.withDescription("Read and write a Strata database"),
    Command.withSharedFlags(Keys.keyFlags)
  )
  const opened = (location: Parameters<Cli["open"]>[0]) =>
    Layer.unwrap(
      Effect.map(Effect.flatMap(root, Keys.masterKey), (key) =>
        open(key === undefined ? location : { ...location, encryption: encryption(key) })
      )
    )
  const reading = ({ db }: Input) => opened({ directory: db, readOnly: true, create: false })
  const writing = ({ db }: Input) => opened({ directory: db, create: false })
  const creating = ({ db }: Input) => opened({ directory: db })
  return root.pipe(
    Command.withSubcommands([
      Command.provide(get, reading),
      Command.provide(set, creating),
      Command.provide(remove, writing),
      Command.provide(scan, reading),
      Command.provide(count, reading),
      Command.provide(importCommand, creating),
      Command.provide(flush, writing),
      Command.provide(compact, ({ codec, db }) =>
        opened({ directory: db, create: false, ...(Option.isSome(codec) ? { codec: codec.value } : {}) })
      ),
      Command.provide(gc, writing),
      Command.provide(checkpoint, writing),
      Command.provide(rotate, writing),
      Command.provide(stats, reading),
      bench(cli, Effect.map(root, Keys.isGiven)),
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
export const run = (cli: Cli) =>
  Command.run(strata(cli), { version: cli.version }).pipe(
    Effect.catchTag("OutputClosed", () => Effect.void),
    Effect.catchTag(["CommandFailed", "DatabaseError"], (error) =>
      Effect.andThen(Console.error(`strata: ${failureText(error)}`), Effect.fail(negativeFor(error)))
    ),
    // Standard output is for what was asked; `--log-level` shows more than warnings.
    Effect.provideService(References.LogToStderr, true),
    Effect.provideService(References.MinimumLogLevel, "Warn")
  )
