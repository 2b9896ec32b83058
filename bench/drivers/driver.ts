// What an engine must offer to be measured. A driver runs whole loops itself, so that each engine is used as its own
// documentation says and no call of the harness stands inside a measured loop.
//
// Loops have names, and those of the same name are compared with each other:
//
//   owned      the value returned is the caller's to keep
//   view       the value returned is valid until the next call
//   one by one each operation is done before the next begins
//   in flight  many operations are under way at once, none waited for alone
//
// A loop that an engine does not offer is left out, and its cell in the table stays empty.
import type { ArrayKind, Keys, Tally } from "../data.ts"

export type Awaitable<A> = A | Promise<A>

export interface Loops<F> {
  readonly [name: string]: F
}

/** What an acknowledged write survives in a mode: a killed process, and a power cut. */
export interface Survival {
  readonly kill: string
  readonly power: string
}

export interface RangeRun {
  readonly starts: Keys
  readonly limit: number
}

export interface WriteRun {
  readonly keys: Keys
  readonly values: Keys
}

export interface Session {
  readonly close: () => Awaitable<void>
  /** Compacts everything, and answers with how many tables there are then. */
  readonly compact?: () => Promise<number>
  /** What opening replayed of a log. */
  readonly recovered?: { readonly bytes: number; readonly millis: number }
  /** One batch, the fastest way there is: fills the database before a measurement, and is what batch rows measure. */
  readonly write: (run: WriteRun) => Awaitable<void>
  readonly get: Loops<(keys: Keys) => Awaitable<Tally>>
  readonly scan?: Loops<() => Awaitable<Tally>>
  /** The same without values; the tally is of `tallyKey`. */
  readonly keys?: Loops<() => Awaitable<Tally>>
  readonly ranges?: Loops<(run: RangeRun) => Awaitable<Tally>>
  readonly count?: (range: { readonly prefix: string; readonly next: string }) => Awaitable<number>
  readonly set: Loops<(run: WriteRun) => Awaitable<void>>
  /** For each four keys: reads two, sets two, atomically. Returns the tally of the reads. */
  readonly transact?: Loops<(run: WriteRun) => Awaitable<Tally>>
  /** For each key: a get, whose milliseconds are stored, then a set of the same key. */
  readonly getAndSet?: (run: WriteRun & { readonly millis: Float64Array }) => Awaitable<Tally>
  /** That many writers take turns with the keys; each waits until its set is durable before its next. */
  readonly writers?: Loops<(run: WriteRun & { readonly writers: number }) => Awaitable<void>>
}

export interface Driver {
  readonly arrays: ArrayKind
  /** False for what keeps nothing on disk and is shown as a floor only. */
  readonly durable: boolean
  /** True for those that rewrite in the background what was written: their work is not done when the last set is. */
  readonly logStructured?: boolean
  /** What the read rows open with, and the fills before any measurement. */
  readonly fillMode: string
  /** Modes in which an acknowledged set has not been synced; each is measured. */
  readonly unsynced: Loops<Survival>
  /** Modes in which it has. */
  readonly synced: Loops<Survival>
  /** Modes that only rows of their own measure, beside `fillMode`. */
  readonly variants?: Loops<Survival>
  /** The only groups in which it takes part: for what is no database. */
  readonly groups?: ReadonlyArray<string>
  readonly open: (directory: string, mode: string) => Awaitable<Session>
}

export const keptAfterKill = "kept"
