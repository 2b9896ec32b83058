// Why a transaction was told of a conflict, by the timeline: what others committed since its moment meets what it read
// or, in isolation snapshot, wrote. The database may know less: over its limit it raises its floor, and then older
// transactions conflict with nothing in particular.
import type { Situation } from "../campaigns/situations.ts"
import type { Bounds } from "../../src/services/Database.ts"
import { hex, inRange, type ModelWrite } from "../support/model.ts"
import { type Read, toRange } from "./plan.ts"
import type { Conflicted } from "./readings.ts"
import type { TimedCommit, Timeline } from "./timeline.ts"

/** What others wrote: keys, and of all keys that anybody names those that they removed with a range. */
class Others {
  private readonly writes: ReadonlyArray<ModelWrite>
  private readonly known: ReadonlyArray<{ readonly key: string }>

  constructor(commits: ReadonlyArray<TimedCommit>, known: ReadonlyArray<string>) {
    this.writes = commits.flatMap(({ writes }) => writes)
    this.known = known.map((key) => ({ key }))
  }

  keysOf(write: ModelWrite): ReadonlyArray<string> {
    return "removed" in write ? inRange(this.known, write.removed).map(({ key }) => key) : [write.key]
  }

  /** Those that meet one of the keys. */
  meeting(isMet: (key: string) => boolean): ReadonlyArray<ModelWrite> {
    return this.writes.filter((write) => this.keysOf(write).some(isMet))
  }
}

const metBy = (ask: Read): ((key: string) => boolean) => {
  if ("key" in ask) return (key) => key === ask.key
  if ("keys" in ask) return (key) => ask.keys.includes(key)
  // What a suffix leaves out was scanned too.
  const range = { ...toRange(ask.range), limit: undefined, suffix: undefined }
  return (key) => inRange([{ key }], range).length > 0
}

const endsOf = ({ from, prefix, to }: Bounds): ReadonlyArray<string> =>
  [from, prefix, to].flatMap((end) => (end instanceof Uint8Array ? [hex(end), `${hex(end)}00`] : []))

const keysOf = (write: ModelWrite): ReadonlyArray<string> => ("removed" in write ? endsOf(write.removed) : [write.key])

const keysIn = (ask: Read): ReadonlyArray<string> => {
  if ("key" in ask) return [ask.key]
  return "keys" in ask ? ask.keys : endsOf(toRange(ask.range))
}

const isRemoval = (write: ModelWrite): boolean => "removed" in write

/** What the others did that explains it; nothing if only the database knows. */
export const explain = (timeline: Timeline, conflict: Conflicted): ReadonlyArray<Situation> => {
  const { isolation, reading, submitted, writes } = conflict
  const commits = timeline.since(reading.at, submitted)
  const written = [...commits.flatMap((commit) => commit.writes), ...writes].flatMap(keysOf)
  const asked = reading.asked.flatMap(({ ask }) => keysIn(ask))
  const others = new Others(commits, [...written, ...asked, ...timeline.at(reading.at).map(({ key }) => key)])
  const mine =
    isolation === "snapshot"
      ? writes.map((write) => ({ what: write, met: others.meeting((key) => others.keysOf(write).includes(key)) }))
      : reading.asked.map(({ ask }) => ({ what: ask, met: others.meeting(metBy(ask)) }))
  const met = mine.filter((one) => one.met.length > 0)
  if (met.length === 0) return []
  const found: Array<Situation> = []
  if (isolation === "snapshot") found.push("a conflict of two writes")
  else found.push(met.every(({ what }) => "range" in what) ? "a conflict with a range" : "a conflict with a key")
  const isOfRemoval = ({ met, what }: (typeof mine)[number]) => "removed" in what || met.every(isRemoval)
  if (met.every(isOfRemoval)) found.push("a conflict of a range removal")
  return found
}
