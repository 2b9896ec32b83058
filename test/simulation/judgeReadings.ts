// Judges what one session was asked, and its transactions, when the next opening has told what was left of its
// commits.
//
// What a crash took may have been seen, if it was visible before it was durable, and nobody knows its sequence: what
// was answered after such a commit was submitted is not judged, and counted.
import type { Tally } from "../campaigns/campaign.ts"
import { explain } from "./conflicts.ts"
import type { Settled } from "./history.ts"
import type { Plan } from "./plan.ts"
import {
  type Asked,
  judgeCommitted,
  judgeLive,
  judgeReading,
  judgeUnchanging,
  type Reading,
  rightAnswer
} from "./readings.ts"
import type { Stage } from "./stage.ts"
import type { State, Timeline } from "./timeline.ts"

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
  const { takenFrom, timeline } = settled
  const count = live.length + readings.reduce((sum, { asked }) => sum + asked.length, 0)
  tally.add("answers", count)
  if (unchanging !== undefined) return live.forEach((asked) => judgeUnchanging(unchanging, asked))
  const isSure = ({ submitted }: { readonly submitted: number }) => submitted < takenFrom
  for (const asked of live) if (isSure(asked)) judgeLive(timeline, asked)
  let unjudged = live.filter((asked) => !isSure(asked)).length
  const times = new Map<Reading, ReadonlyArray<number>>()
  for (const reading of readings) {
    const asked = reading.asked.filter(isSure)
    unjudged += reading.asked.length - asked.length
    const right = judgeReading(timeline, { ...reading, asked })
    times.set(reading, right)
    for (const one of asked) {
      if (one.own !== undefined) tally.reach("a transaction that reads its own writes")
      else if (isOverwritten(timeline, one, right[0]!)) tally.reach("a snapshot that reads what was overwritten since")
    }
  }
  if (unjudged > 0) tally.add("answers not judged", unjudged)
  for (const transaction of committed) {
    tally.add("transactions")
    const { reading } = transaction
    if (!reading.asked.every(isSure)) continue
    const { isSkewed } = judgeCommitted(timeline, transaction, times.get(reading)!)
    if (isSkewed) tally.reach("a write skew under snapshot isolation")
  }
  for (const conflict of conflicts) {
    if (!isSure(conflict)) continue
    const reasons = explain(timeline, conflict)
    for (const reason of reasons) tally.reach(reason)
    const isBounded = plan.options.database.conflictBytesMax !== undefined
    if (reasons.length === 0 && isBounded) tally.reach("a conflict that only the raised floor explains")
  }
}

/** Whether the answer is another one by now. */
const isOverwritten = (timeline: Timeline, asked: Asked, now: number): boolean =>
  rightAnswer(asked, timeline.last, now) !== asked.answer
