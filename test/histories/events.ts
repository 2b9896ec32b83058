// What a workload says while it runs, in the order in which it happens: the only thing that is known of it afterwards,
// also if its process is killed in between.
import type { Durability } from "../../src/services/Options.ts"
import type { Level, Operation } from "./history.ts"

export type Event =
  /** Before anything is asked of the database. */
  | { readonly type: "begin"; readonly id: number; readonly session: number; readonly level: Level }
  /** Before anything is asked of it that may last. `snapshot`: of what moment it says the reads were. */
  | {
      readonly type: "submit"
      readonly id: number
      readonly operations: ReadonlyArray<Operation>
      readonly durability: Durability
      readonly snapshot?: number | undefined
    }
  /** `sequence`: of one that wrote, if it is told. */
  | {
      readonly type: "end"
      readonly id: number
      readonly outcome: "committed" | "aborted"
      readonly sequence?: number | undefined
    }
  /** All commits up to this one are on disk. */
  | { readonly type: "synced"; readonly sequence: number }

/** Takes events, and gives out numbers that nobody else has. */
export class Recorder {
  /** Of transactions that wrote. */
  committed = 0
  aborted = 0
  /** Nobody can write any more. */
  isOver = false
  private last: number
  private readonly take: (event: Event) => void

  constructor(first: number, take: (event: Event) => void) {
    this.last = first
    this.take = take
  }

  newId(): number {
    this.last += 1
    return this.last
  }

  emit(event: Event): void {
    if (event.type === "end") {
      if (event.outcome === "committed") this.committed += 1
      else this.aborted += 1
    }
    this.take(event)
  }
}
