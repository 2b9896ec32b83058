// What the regressions share: a small database on a simulated disk, run for a few seeds, and words for how things end.
import { Effect, Exit, Fiber, Option, Scope, Stream } from "effect"
import * as SimDisk from "../../src/layers/SimDisk.ts"
import type { SimOperation } from "../../src/layers/SimFaults.ts"
import type * as SimScheduler from "../../src/layers/SimScheduler.ts"
import type { Cursor, Reader } from "../../src/services/Database.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import type { OptionsInput } from "../../src/services/Options.ts"
import { directory, type Opened, open } from "./faultRun.ts"
import { simulate, textOf } from "./scenario.ts"

export const range = (first: number, last: number): ReadonlyArray<number> =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index)

const regressionOptions: OptionsInput = { arenaBytes: 4096, valueBytesMax: 400 }

/** Blocks of an entry or two, and no cache: every move of a cursor may have to read. */
export const readingOptions: OptionsInput = { blockBytes: 64, cacheBytes: 0 }

export interface Bench {
  readonly device: SimDisk.SimDisk
  readonly seed: number
  readonly open: (options?: OptionsInput) => Effect.Effect<Opened, DatabaseError, Scope.Scope>
  readonly openClosable: (options?: OptionsInput) => Effect.Effect<Closable, DatabaseError>
}

export interface Closable extends Opened {
  readonly close: Effect.Effect<void>
}

export interface SeedsOptions extends Omit<Partial<SimScheduler.RunOptions>, "seed"> {
  readonly seeds?: ReadonlyArray<number>
}

export type Script = (bench: Bench) => Effect.Effect<void, DatabaseError, Scope.Scope>

/** Plenty for any script here; one that spins fails soon. */
const stepsMax = 20_000

/**
 * Runs the script once for each seed, on a disk of its own. Fibers are preempted only where they wait, so that what a
 * script starts is in flight when the next line runs, unless `yieldProbability` says otherwise.
 */
export const forSeeds =
  (script: Script, { seeds = range(1, 8), ...options }: SeedsOptions = {}): (() => void) =>
  () => {
    for (const seed of seeds) {
      try {
        simulate(script(makeBench(seed)), { stepsMax, yieldProbability: 0, ...options, seed })
      } catch (error) {
        throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
      }
    }
  }

const makeBench = (seed: number): Bench => {
  const device = SimDisk.make()
  const opened = (options: OptionsInput = {}) => open(device.layer, { ...regressionOptions, ...options })
  return {
    device,
    seed,
    open: opened,
    openClosable: (options) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        return { ...(yield* Scope.provide(opened(options), scope)), close: Scope.close(scope, Exit.void) }
      })
  }
}

/** Virtual time that anything here may take. */
const patience = "60 seconds"

/** `ok`, the reason why it failed, or `waits` if it does not end. */
export const outcomeOf = <A, R>(effect: Effect.Effect<A, DatabaseError, R>): Effect.Effect<string, never, R> =>
  Effect.match(Effect.timeoutOption(effect, patience), {
    onFailure: ({ reason }) => reason._tag,
    onSuccess: (ended) => (Option.isSome(ended) ? "ok" : "waits")
  })

/** Starts it and returns at the first place where it waits. The fiber is nobody's child. */
export const start = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkDetach(effect, { startImmediately: true })

/** Starts it and interrupts it where it waits first. How it ended, if it was not interrupted. */
export const startAndInterrupt = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<Exit.Exit<A, E> | undefined, never, R> =>
  Effect.gen(function* () {
    const fiber = yield* start(effect)
    yield* Fiber.interrupt(fiber)
    const exit = yield* Fiber.await(fiber)
    return Exit.hasInterrupts(exit) ? undefined : exit
  })

/** The disk has no space left, for anything. */
export const fill = (device: SimDisk.SimDisk): void =>
  device.addFault({
    code: "ENOSPC",
    sticky: true,
    match: (operation) => operation === "append" || operation === "create"
  })

/** Calls of this kind on segments of the log. */
export const onLog =
  (operation: SimOperation) =>
  (called: SimOperation, path: string): boolean =>
    called === operation && path.includes("/log-")

export const tableFilesOf = (device: SimDisk.SimDisk): ReadonlyArray<string> =>
  device.files.list(directory).flatMap(({ name }) => (name.startsWith("table-") ? [name] : []))

export const read = (reader: Reader, key: string): Effect.Effect<string | undefined, DatabaseError> =>
  Effect.map(reader.get(key), textOf)

export const keysOf = (reader: Reader): Effect.Effect<ReadonlyArray<string>, DatabaseError> =>
  Effect.map(Stream.runCollect(reader.keys()), (keys) => Array.from(keys, (key) => textOf(key)!))

export const keyAt = (cursor: Cursor): string | undefined => textOf(cursor.key)

const manyKeys = range(0, 39).map((number) => `k${String(number).padStart(3, "0")}`)

/** Forty entries in a table of many blocks. Returns their keys. */
export const tableOfMany = ({ database, maintenance }: Opened): Effect.Effect<ReadonlyArray<string>, DatabaseError> =>
  Effect.forEach(manyKeys, (key) => database.set(key, `value-${key}`), { discard: true }).pipe(
    Effect.andThen(maintenance.flush),
    Effect.as(manyKeys)
  )
