// What a process of clients is told, and what it says.
import type { OptionsInput } from "../../src/services/Options.ts"
import type { Event } from "./events.ts"
import type { Operation } from "./history.ts"
import type { Load } from "./workload.ts"

export interface RealTask {
  readonly directory: string
  /** The file that takes what it says. */
  readonly lines: string
  /** So many lines; never, if it does not come to that. */
  readonly signalAfter: number
  readonly seed: number
  /** Above all numbers that were given out before. */
  readonly firstId: number
  readonly options: OptionsInput
  readonly encrypted: boolean
  /** `undefined`: only look. */
  readonly load: Omit<Load, "recorder"> | undefined
}

export type Line =
  | Event
  | { readonly type: "found"; readonly markers: ReadonlyArray<readonly [id: number, sequence: number]> }
  | { readonly type: "look"; readonly operations: ReadonlyArray<Operation>; readonly damage: ReadonlyArray<string> }

/** The whole lines of what was written; the last may be cut. */
export const linesOf = (out: string): ReadonlyArray<Line> =>
  out
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line)
