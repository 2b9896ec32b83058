// Power cuts: what each call of the device could leave, each distinct image once, with what was promised before it.
//
// Which of a call's outcomes are taken, and what they leave, follows from the seed and the place alone, so that one cut
// can be looked at again without the others. A call after which neither the files nor the promise are others than
// before has nothing new to leave and is passed over. The power also fails whenever something was promised: what was
// acknowledged must be there even if nothing else happens.
import type { SimOperation } from "../../src/layers/SimFaults.ts"
import { SeededRandom } from "../../src/internal/structure/random.ts"
import { outcomes, type SimulatedFiles } from "../../src/internal/structure/simulatedFiles.ts"
import type { Situation } from "../campaigns/situations.ts"
import type { Image } from "../support/crashRun.ts"
import type { Promised } from "./history.ts"
import type { KeyPromise } from "./keys.ts"
import type { Copy } from "./stage.ts"
import { type CutPlace, numbersOf, type Plan } from "./plan.ts"
import type { Span } from "./times.ts"
import { hashOf } from "../support/imageHash.ts"

/** What is due of an image. */
export interface Due {
  readonly promised: Promised
  readonly keys: KeyPromise
  readonly copy: Copy | undefined
  /** What the wall clock shows, and the most that it ever did. */
  readonly clock: Span
}

/** A disk after a power cut. */
export interface Cut extends Due {
  /** Of the image and the commits that were acknowledged: images are counted by it. */
  readonly hash: string
  /** Of the image and all that is due of it: nothing new is learned of a second one. */
  readonly due: string
  readonly image: Image
  readonly place: CutPlace
  readonly where: string
  readonly sights: ReadonlyArray<Situation>
}

export interface CutterOptions {
  readonly plan: Plan
  /** Where the cuts of this device are: after those calls of the cuts that it recovers from. */
  readonly place: CutPlace
  readonly files: () => SimulatedFiles
  readonly due: () => Due
  readonly sights: (operation: SimOperation, path: string) => ReadonlyArray<Situation>
}

/** After a call of the device, and after so many promises that were given since. */
interface Moment {
  readonly call: number
  readonly operation: SimOperation
  readonly path: string
  readonly promises: number
}

const readsOnly: ReadonlySet<SimOperation> = new Set([
  "list",
  "open",
  "read",
  "closeRead",
  "lock",
  "probeLock",
  "freeBytes"
])

/** Of a number of whole numbers, another one below 2^32. */
const mixed = (...numbers: ReadonlyArray<number>): number =>
  numbers.reduce((state, number) => new SeededRandom(state * 4093 + number + 1).next32(), 0)

/** What the outcome leaves of the files, after this call. */
export const cutOf = (files: SimulatedFiles, outcome: number, seed: number): Image =>
  files.crash(outcomes[outcome]!, new SeededRandom(seed))

/** All of it but the time, which the commits tell. */
const dueText = ({ copy, keys, promised }: Due): string => {
  const { durable, found, seen, submitted, told } = promised
  const { generationMin, gone, masters } = keys
  const commits = [durable, told, seen, submitted].join()
  const keyring = [masters.join(), gone.length, generationMin].join(" ")
  return `${commits} ${keyring} ${copy?.directory} ${found === undefined ? "" : [...found.keys()].join()}`
}

export class Cutter {
  readonly cuts: Array<Cut> = []
  private readonly options: CutterOptions
  private readonly random: SeededRandom
  private readonly seen = new Set<string>()
  private lastDue = ""
  private last: Moment | undefined

  constructor(options: CutterOptions) {
    this.options = options
    this.random = new SeededRandom(mixed(options.plan.seed, ...numbersOf(options.place)))
  }

  /** The device has served this call of it. */
  after(call: number, [operation, path]: readonly [SimOperation, string]): void {
    this.last = { call, operation, path, promises: 0 }
    this.take(this.last)
  }

  /** More is due than after the last call. */
  promised(): void {
    if (this.last === undefined) return
    this.last = { ...this.last, promises: this.last.promises + 1 }
    this.take(this.last)
  }

  private take(moment: Moment): void {
    const { call, operation, path, promises } = moment
    const wanted = this.wanted(moment)
    if (wanted.length === 0) return
    const { files, place, plan, sights } = this.options
    const due = this.options.due()
    const { durable, told } = due.promised
    const met = sights(operation, path)
    for (const outcome of wanted) {
      const step: CutPlace["calls"][number] = promises === 0 ? [call, outcome] : [call, outcome, promises]
      const at: CutPlace = { session: place.session, calls: [...place.calls, step] }
      const image = cutOf(files(), outcome, mixed(plan.seed, ...numbersOf(at)))
      const hash = hashOf(image)
      const key = `${hash} ${dueText(due)}`
      if (this.seen.has(key)) continue
      this.seen.add(key)
      const level = "recovery ".repeat(place.calls.length)
      const promise = promises === 0 ? "" : `, promise ${promises} after it`
      const where = `${level}call ${call} (${operation} ${path})${promise}, ${outcomes[outcome]!.name}`
      this.cuts.push({ ...due, hash: `${hash} ${durable} ${told}`, due: key, image, place: at, where, sights: met })
    }
  }

  /** The outcomes to look at now. */
  private wanted({ call, operation, promises }: Moment): ReadonlyArray<number> {
    const { due, place, plan } = this.options
    if (plan.crash.only !== undefined) {
      const level = place.calls.length
      return plan.crash.only.flatMap(({ calls, session }) => {
        const next = calls[level]
        const isHere =
          session === place.session &&
          place.calls.every(([at, of, after = 0], index) => {
            const [otherAt, otherOf, otherAfter = 0] = calls[index]!
            return otherAt === at && otherOf === of && otherAfter === after
          })
        return isHere && next !== undefined && next[0] === call && (next[2] ?? 0) === promises ? [next[1]] : []
      })
    }
    if (plan.crash.share === 0) return []
    const text = dueText(due())
    const isSame = text === this.lastDue
    if (isSame && readsOnly.has(operation)) return []
    this.lastDue = text
    const taken: Array<number> = []
    for (let outcome = 0; outcome < outcomes.length; outcome++) {
      if (this.random.below(1000) < plan.crash.share) taken.push(outcome)
    }
    return taken
  }
}
