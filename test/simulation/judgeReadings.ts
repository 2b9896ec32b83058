// Judges what one session was asked, and its transactions, when the next opening has told what was left of its
// commits.
//
// What a crash took may have been seen, if it was visible before it was durable, and nobody knows its sequence but that
// it was above all that is left. Who read below that is judged, and who was asked before such a commit was submitted;
// others are not, and are counted.
import type { Tally } from "../campaigns/campaign.ts"
import { explain } from "./conflicts.ts"
import type { Settled } from "./history.ts"
import type { Plan } from "./plan.ts"
import { judgeCommitted, judgeLive, judgeReading, judgeUnchanging, type Reading } from "./readings.ts"
import type { Stage } from "./stage.ts"
import type { State } from "./timeline.ts"

interface Judging {
  readonly plan: Plan
  readonly tally: Tally
  readonly settled: Settled
  /** What who only reads has found: nothing changes it, and nothing is settled by it. */
  readonly unchanging: State | undefined
}

type Read = Pick<Stage, "committed" | "conflicts" | "live" | "readings">

export const judgeSession = ({ committed, conflicts, live, readings }: Read, judging: Judging): void => {
  const { plan, settled, tally, unchanging } = judging
  const { timeline } = settled
  tally.add("answers of plans", live.length + readings.reduce((sum, { asked }) => sum + asked.length, 0))
  if (unchanging !== undefined) return live.forEach((asked) => judgeUnchanging(unchanging, asked))
  const isSure = (at: number, { submitted }: { readonly submitted: number }): boolean =>
    at <= settled.last || submitted < settled.takenFrom
  const skip = (count: number): void => {
    if (count > 0) tally.add("answers of plans, not judged", count)
  }
  // One of the database may be of any later moment, also of one above what is left.
  for (const asked of live) if (isSure(Number.POSITIVE_INFINITY, asked)) judgeLive(timeline, asked)
  skip(live.filter((asked) => !isSure(Number.POSITIVE_INFINITY, asked)).length)
  const times = new Map<Reading, ReadonlyArray<number>>()
  for (const reading of readings) {
    const asked = reading.asked.filter((one) => isSure(reading.at, one))
    skip(reading.asked.length - asked.length)
    times.set(reading, judgeReading(timeline, { ...reading, asked }))
  }
  for (const transaction of committed) {
    tally.add("transactions of plans")
    const { reading, sequence } = transaction
    if (!reading.asked.every((one) => isSure(sequence, one))) continue
    const { isSkewed } = judgeCommitted(timeline, transaction, times.get(reading)!)
    if (isSkewed) tally.reach("a write skew under snapshot isolation")
  }
  for (const conflict of conflicts) {
    if (!isSure(Number.POSITIVE_INFINITY, conflict)) continue
    const reasons = explain(timeline, conflict)
    for (const reason of reasons) tally.reach(reason)
    const isBounded = plan.options.database.conflictBytesMax !== undefined
    if (reasons.length === 0 && isBounded) tally.reach("a conflict that only the raised floor explains")
  }
}
