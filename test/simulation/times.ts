// What time it may have been for a reader, which decides what has expired for it.
//
// A reader's now is fixed when it begins: never before what the wall clock shows, nor before the time of a commit that
// it can see; never after the latest that the wall clock ever showed. The database may know a time in between that
// nobody was told of, of a flush for example: only a clock that is set back leaves room for it.
import * as SimClock from "../../src/layers/SimClock.ts"
import type { ModelEntry, ModelWrite } from "../support/model.ts"

/** From the one to the other, both included. */
export interface Span {
  readonly from: number
  readonly to: number
}

/** The clock of a run, which knows the latest that it ever showed. */
export class RunClock extends SimClock.SimClock {
  private latest = 0

  override jump(millis: number): void {
    this.latest = this.highest
    super.jump(millis)
  }

  get now(): number {
    return this.currentTimeMillisUnsafe()
  }

  get highest(): number {
    return Math.max(this.latest, this.now)
  }
}

/** The times of the span that differ in what of the entries has expired. */
export const timesIn = ({ from, to }: Span, entries: ReadonlyArray<ModelEntry | ModelWrite>): ReadonlyArray<number> => {
  const ends = new Set<number>()
  for (const entry of entries) {
    const expiresAt = "removed" in entry ? undefined : entry.expiresAt
    if (expiresAt !== undefined && expiresAt > from && expiresAt <= to) ends.add(expiresAt)
  }
  return [from, ...[...ends].sort((a, b) => a - b)]
}
