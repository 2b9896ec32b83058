// A plan: one simulated run as data, so that it can be printed, kept in a file, made smaller and run again.
//
// A run is sessions one after another on one disk. A session opens the database, lets its actors loose beside each
// other, and ends by a close, a kill or a power cut; faults strike its calls of the disk. Keys and bounds are hex.
// Everything else that happens (the schedule, the preemptions, what a cut leaves) follows from the seed, or is given.
import type { SimOperation } from "../../src/layers/SimFaults.ts"
import type { SyncModel } from "../../src/internal/structure/simulatedFiles.ts"
import type { Bounds, Isolation, Range } from "../../src/services/Database.ts"
import type { Durability, OptionsInput } from "../../src/services/Options.ts"
import type { compressions } from "../support/codecs.ts"
import { bytes, type ModelWrite } from "../support/model.ts"

/** So many times this byte. */
export type PlanValue = readonly [byte: number, length: number]

export interface PlanBounds {
  readonly prefix?: string
  readonly from?: string
  readonly to?: string
  readonly fromExclusive?: boolean
  readonly toInclusive?: boolean
}

export interface PlanRange extends PlanBounds {
  readonly suffix?: string
  readonly reverse?: boolean
  readonly limit?: number
}

export type PlanWrite =
  /** `ttlMillis`: expires so long after the wall clock's time when it is written. */
  | { readonly set: string; readonly value: PlanValue; readonly ttlMillis?: number }
  | { readonly remove: string }
  | { readonly removeRange: PlanBounds }

/** One question, of which the model knows the answer. `slow` pauses between the entries. */
export type Read =
  | { readonly read: "get" | "entry" | "has" | "stream"; readonly key: string }
  | { readonly read: "many"; readonly keys: ReadonlyArray<string> }
  | { readonly read: "scan" | "lazy" | "keys" | "count" | "slow" | "cursor"; readonly range: PlanRange }

export type Step = Read | PlanWrite | { readonly sleep: number }

interface Interruptible {
  /** The operation is interrupted when so many steps of others have passed. */
  readonly interruptAfter?: number
}

export type Op = Interruptible &
  (
    | { readonly op: "write"; readonly durability: Durability; readonly writes: ReadonlyArray<PlanWrite> }
    | {
        readonly op: "stream"
        readonly durability: Durability
        readonly value: PlanValue
        readonly pieces: ReadonlyArray<number>
      }
    | {
        readonly op: "transaction"
        readonly isolation: Isolation
        readonly durability: Durability
        readonly steps: ReadonlyArray<Step>
        readonly ends: "commit" | "discard"
      }
    | { readonly op: "snapshot"; readonly steps: ReadonlyArray<Read | { readonly sleep: number }> }
    | { readonly op: "read"; readonly ask: Read }
    | { readonly op: "collect"; readonly garbageRatioMin: number }
    | { readonly op: "compact"; readonly range?: PlanBounds }
    | { readonly op: "sleep"; readonly millis: number }
    | { readonly op: "rotateData"; readonly full: boolean }
    | { readonly op: "sync" | "flush" | "checkpoint" | "verify" | "rotateMaster" | "stats" }
  )

/** The session's n-th call of this kind, counted from 0; sticky: and all of them after it. */
interface CallPlace {
  readonly operation: SimOperation
  /** What the path is of: the first word of the file's name, or of the directory's. */
  readonly of: string
  readonly nth: number
  readonly sticky?: boolean
}

/** The call fails. */
export interface CallFault extends CallPlace {
  readonly code: string
  readonly bytesAccepted?: number
  readonly syncModel?: SyncModel
}

/** The call takes its time. */
export interface SlowCall extends CallPlace {
  readonly delayMillis: readonly [min: number, max: number]
}

/** Somebody sets the wall clock before the call. */
export interface ClockJump extends CallPlace {
  readonly jumpMillis: number
}

/** From the session's n-th call on there is so much room, and after so many calls enough again. */
export interface FullDisk {
  readonly fullAt: number
  readonly freeBytes: number
  readonly calls: number
}

export type PlanFault = CallFault | SlowCall | ClockJump | FullDisk

/** `atCall`: of the session. A kill leaves what the system was given, a power cut what the numbered outcome says. */
export type End =
  | { readonly by: "close" }
  | { readonly by: "kill"; readonly atCall: number }
  | { readonly by: "power"; readonly atCall: number; readonly outcome: number }

export interface Session {
  /** Default false: opened for reading alone. */
  readonly readOnly?: boolean
  readonly actors: ReadonlyArray<ReadonlyArray<Op>>
  readonly faults: ReadonlyArray<PlanFault>
  readonly end: End
  /** See `SimSchedulerOptions.choices`. */
  readonly choices?: ReadonlyArray<number>
}

/**
 * One cut, which the others below it cut again: the call of the session, or of the recovery of the cut before, and how
 * many promises were given since that call (default 0).
 */
export interface CutPlace {
  readonly session: number
  readonly calls: ReadonlyArray<readonly [call: number, outcome: number, promises?: number]>
}

/** Tells places apart. */
export const numbersOf = ({ calls, session }: CutPlace): ReadonlyArray<number> => [
  session,
  ...calls.flatMap((call) => call.filter((number) => number !== undefined))
]

export interface Crashes {
  /** Of each call's outcomes, how many per thousand are opened and judged. */
  readonly share: number
  /** One in so many is cut again during its recovery, three levels deep; 0 is none. */
  readonly nestedEvery: number
  /** Only these. */
  readonly only?: ReadonlyArray<CutPlace>
}

export interface PlanOptions {
  readonly database: OptionsInput
  readonly encrypted: boolean
  readonly compression: keyof typeof compressions | "default"
  readonly synchronousReads: boolean
  readonly yieldProbability: number
  /** The device says "synced" and did nothing: to show that the simulator notices. */
  readonly ignoresSync?: "sync" | "syncDirectory"
}

export interface Plan {
  readonly seed: number
  readonly options: PlanOptions
  readonly sessions: ReadonlyArray<Session>
  readonly crash: Crashes
}

export const toBounds = (given: PlanBounds): Bounds => toRange(given)

export const toRange = ({ from, prefix, suffix, to, ...rest }: PlanRange): Range => ({
  ...rest,
  ...(prefix === undefined ? {} : { prefix: bytes(prefix) }),
  ...(suffix === undefined ? {} : { suffix: bytes(suffix) }),
  ...(from === undefined ? {} : { from: bytes(from) }),
  ...(to === undefined ? {} : { to: bytes(to) })
})

/** In hex. */
export const toValue = ([byte, length]: PlanValue): string => byte.toString(16).padStart(2, "0").repeat(length)

/** `now`: of the wall clock. */
export const toModelWrite = (write: PlanWrite, now: number): ModelWrite => {
  if ("set" in write) {
    const { set: key, ttlMillis, value } = write
    return { key, value: toValue(value), ...(ttlMillis === undefined ? {} : { expiresAt: now + ttlMillis }) }
  }
  return "remove" in write ? { key: write.remove, value: undefined } : { removed: toBounds(write.removeRange) }
}

/** The first word of the file's name, or of the directory's. */
export const kindOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1).split("-")[0]!
