// A database on a simulated disk, for scripts that say what happens to it and what must be there afterwards.
import { Cause, Effect, Exit, type Scope } from "effect"
import * as MemoryDisk from "../../src/layers/MemoryDisk.ts"
import * as SimDisk from "../../src/layers/SimDisk.ts"
import * as SimScheduler from "../../src/layers/SimScheduler.ts"
import type { CrashOutcome } from "../../src/internal/structure/crashOutcome.ts"
import { SeededRandom } from "../../src/internal/structure/random.ts"
import { outcomes } from "../../src/internal/structure/simulatedFiles.ts"
import { type DatabaseService, NotInMemory } from "../../src/services/Database.ts"
import { DatabaseError, type Reason } from "../../src/services/DatabaseError.ts"
import {
  contentsOf,
  directory,
  type Opened,
  open,
  type OpenOptions,
  quiet,
  smallOptions,
  visibleImage
} from "./opened.ts"
import { hashOf } from "./imageHash.ts"

export type Image = ReadonlyMap<string, Uint8Array>

/** Runs to the end under the seeded scheduler. A failure is thrown as it is. */
export const simulate = <A, E>(
  body: Effect.Effect<A, E, Scope.Scope>,
  options: Partial<SimScheduler.RunOptions> = {}
): A => {
  const exit = SimScheduler.run(quiet(Effect.scoped(body)), { seed: 1, stepsMax: 300_000, ...options })
  if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
  return exit.value
}

export type Body<A> = (opened: Opened) => Effect.Effect<A, DatabaseError, Scope.Scope>

/** Opens the database, does the body, closes it. */
export const using = <A>(
  disk: { readonly layer: SimDisk.SimDisk["layer"] },
  body: Body<A>,
  options: OpenOptions = smallOptions
): Effect.Effect<A, DatabaseError> => Effect.scoped(Effect.flatMap(open(disk.layer, options), body))

const decoder = new TextDecoder()
export const textOf = (value: Uint8Array | undefined): string | undefined => value && decoder.decode(value)

/** All of it, as text. */
export const stateOf = (database: DatabaseService): Effect.Effect<Record<string, string>, DatabaseError> =>
  Effect.map(contentsOf(database), (entries) =>
    Object.fromEntries(entries.map(({ key, value }) => [fromHex(key), fromHex(value)]))
  )

const fromHex = (hex: string): string => Buffer.from(hex, "hex").toString()

/** What the next process finds on these files; a failed opening is thrown. */
export const contentsAfter = (image: Image, options: OpenOptions = smallOptions): Record<string, string> =>
  simulate(using(MemoryDisk.fromImage(image), ({ database }) => stateOf(database), options))

/** The reason why the opening, or the reading of everything, fails; `undefined` if it does not. */
export const refusalOf = (image: Image, options: OpenOptions = smallOptions): Reason | undefined => {
  try {
    contentsAfter(image, options)
    return undefined
  } catch (error) {
    if (error instanceof DatabaseError) return error.reason
    throw error
  }
}

/** The reason of a failure. Fails if there is none, or it is a defect. */
export const reasonOf = <A, R>(effect: Effect.Effect<A, DatabaseError, R>): Effect.Effect<Reason, never, R> =>
  Effect.match(effect, {
    onFailure: ({ reason }) => reason,
    onSuccess: (value) => {
      throw new Error(`it succeeded, with ${value === NotInMemory ? "NotInMemory" : JSON.stringify(value)}`)
    }
  })

export const nothingKept: CrashOutcome = outcomes.find(({ data, names }) => data === "none" && names === "none")!
export const allKept: CrashOutcome = outcomes.find(({ data, names }) => data === "all" && names === "all")!

export const crashOf = (device: SimDisk.SimDisk, outcome: CrashOutcome, seed = 1): Image =>
  new Map(device.files.crash(outcome, new SeededRandom(seed)))

export interface Cut {
  readonly image: Image
  readonly where: string
  readonly operation: string
  readonly path: string
  /** What `promised` was when the power failed. */
  readonly promised: number
}

/** A disk that notes, after each of its calls while it is `on`, what every kind of power cut leaves. */
export const cuttingDisk = (image: Image = new Map()) => {
  const cuts: Array<Cut> = []
  const random = new SeededRandom(7)
  const state = { on: true, promised: 0 }
  const device: SimDisk.SimDisk = SimDisk.make({
    image,
    onOperation: (index, operation, path) => {
      if (!state.on) return
      for (const outcome of outcomes) {
        const where = `call ${index} (${operation} ${path}), ${outcome.name}`
        cuts.push({
          image: new Map(device.files.crash(outcome, random)),
          where,
          operation,
          path,
          promised: state.promised
        })
      }
    }
  })
  return { device, cuts, state }
}

/** Each image once, with the last promise made before it. */
export const distinct = (cuts: ReadonlyArray<Cut>): ReadonlyArray<Cut> => {
  const seen = new Map<string, Cut>()
  for (const cut of cuts) seen.set(hashOf(cut.image), cut)
  return [...seen.values()]
}

export const pathsOf = (image: Image, kind: string): ReadonlyArray<string> =>
  [...image.keys()].filter((path) => path.startsWith(`${directory}/${kind}-`)).sort()

/** The same files, but for some. */
export const withFiles = (image: Image, changes: Readonly<Record<string, Uint8Array | undefined>>): Image => {
  const changed = new Map(image)
  for (const [path, bytes] of Object.entries(changes)) {
    if (bytes === undefined) changed.delete(path)
    else changed.set(path, bytes)
  }
  return changed
}

export const flipped = (bytes: Uint8Array, offset: number, mask = 0x01): Uint8Array => {
  const copy = bytes.slice()
  copy[offset]! ^= mask
  return copy
}

export const joined = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => new Uint8Array(Buffer.concat(parts))

export const numbered = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => `key${String(from + index).padStart(3, "0")}`)

/** What a database that was closed leaves. */
export const closedAfter = (body: Body<unknown>, options: OpenOptions = smallOptions): Image => {
  const device = SimDisk.make()
  simulate(using(device, body, options))
  return visibleImage(device)
}
