// Where a bench runs: what the entry point hands to it, and the directory that is gone when the bench ends, however.
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { Database } from "../../services/Database.ts"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import type { Encryption, MasterKey } from "../../services/Encryption.ts"
import type { Maintenance } from "../../services/Maintenance.ts"
import type { OptionsInput } from "../../services/Options.ts"
import { failed, onFile, platformText } from "../failure.ts"

export interface Machine {
  readonly node: string
  readonly platform: string
  readonly processor: string
  readonly cores: number
  readonly memoryBytes: number
}

export interface Place {
  /** Opens a database; a new layer each time. */
  readonly open: (
    location: OptionsInput & {
      readonly directory: string
      readonly codec?: string
      readonly encryption?: Layer.Layer<Encryption, DatabaseError>
    }
  ) => Layer.Layer<Database | Maintenance, DatabaseError>
  readonly encryption: (master: MasterKey) => Layer.Layer<Encryption, DatabaseError>
  readonly machine: () => Machine
  /** The most memory this process ever had, in bytes. */
  readonly peakBytes: () => number
}

/** The user's directory: there and empty, or made here, and then removed if nothing else was put there meanwhile. */
const taken = Effect.fnUntraced(function* (directory: string) {
  const files = yield* FileSystem.FileSystem
  const named = onFile(directory)
  if (yield* named(files.exists(directory))) {
    const names = yield* named(files.readDirectory(directory))
    if (names.length > 0) {
      return yield* failed(`${directory} holds ${names[0]}; a bench takes a new directory or an empty one`)
    }
    return directory
  }
  const empty = Effect.map(files.readDirectory(directory), (names) => names.length === 0)
  return yield* Effect.acquireRelease(Effect.as(named(files.makeDirectory(directory)), directory), () =>
    Effect.ignore(Effect.when(files.remove(directory, { recursive: true }), empty))
  )
})

/** A directory of its own inside of that one, or of the system's for temporary files. Its scope removes it. */
export const directory = Effect.fnUntraced(function* (given: Option.Option<string>) {
  const files = yield* FileSystem.FileSystem
  const parent = Option.isNone(given) ? undefined : yield* taken(given.value)
  return yield* Effect.acquireRelease(
    onFile(parent ?? "temporary directory")(files.makeTempDirectory({ directory: parent, prefix: "strata-bench-" })),
    (made) =>
      Effect.catch(files.remove(made, { recursive: true }), (error) =>
        Console.error(`strata: ${made} is left: ${platformText(error)}`)
      )
  )
})
