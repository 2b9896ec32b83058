// What `npm run torture` is made of: campaigns, each of which can go on for ever in rounds of some seconds.
//
// A round with the same seed does the same, unless the campaign says that it leaves the simulation. What it looked at
// is counted in the tally, by names that the final table shows; rare situations that it came through are reached there.
import type { Situation } from "./situations.ts"

/** The counts of the final table. A campaign may count by names of its own beside them. */
export type CountName = "images" | "faultRuns" | "kills" | "histories" | "transactions" | "plans" | (string & {})

/** What campaigns share out among their rounds, and must come through as a whole in half an hour. */
export const wholes = ["faults of the canonical workload", "faults of the workload of values"] as const
export type Whole = (typeof wholes)[number]

export class Tally {
  readonly counts = new Map<CountName, number>()
  readonly reached = new Map<Situation, number>()
  /** Of each whole, what was done, and how much it is. */
  readonly covered = new Map<Whole, { readonly items: Set<string>; readonly of: number }>()
  /** Of each image with what was acknowledged before it: equal ones count once. */
  private readonly images = new Set<string>()

  add(name: CountName, count = 1): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + count)
  }

  reach(situation: Situation, count = 1): void {
    this.reached.set(situation, (this.reached.get(situation) ?? 0) + count)
  }

  /** One of so many items of a whole. */
  cover(whole: Whole, item: string, of: number): void {
    const items = this.covered.get(whole)?.items ?? new Set()
    this.covered.set(whole, { items: items.add(item), of })
  }

  /** True if it is a new one. */
  addImage(hash: string): boolean {
    if (this.images.has(hash)) return false
    this.images.add(hash)
    this.add("images")
    return true
  }
}

export interface Campaign {
  readonly name: string
  /** One line of the help text. */
  readonly about: string
  /** Of the time that there is, compared with the others: about the percents of it. */
  readonly weight: number
  /**
   * Rejects with what went wrong; the message says how to do the round again. `until` is when it should have ended, on
   * the clock of `performance.now()`: for rounds that can be cut short.
   */
  readonly round: (seed: number, tally: Tally, until: number) => Promise<void>
  /** Of the campaign that has plans: does the plan of the file again, and rejects with what went wrong. */
  readonly replay?: (file: string) => Promise<void>
}
