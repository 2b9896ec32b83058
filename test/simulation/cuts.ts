// Power cuts: what each call of the device could leave, each distinct image once, with what was promised before it.
//
// Which of a call's outcomes are taken, and what they leave, follows from the seed and the place alone, so that one cut
// can be looked at again without the others. A call after which neither the files nor the promise are others than
// before has nothing new to leave and is passed over.
import type * as SimDisk from "../../src/layers/SimDisk.ts"
import type { SimOperation } from "../../src/layers/SimFaults.ts"
import { SeededRandom } from "../../src/internal/structure/random.ts"
import { outcomes, type SimulatedFiles } from "../../src/internal/structure/simulatedFiles.ts"
import type { Situation } from "../campaigns/situations.ts"
import type { Image } from "../support/crashRun.ts"
import type { Promised } from "./history.ts"
import type { KeyPromise } from "./keys.ts"
import type { Copy } from "./stage.ts"
import type { CutPlace, Plan } from "./plan.ts"
import { hashOf } from "../support/imageHash.ts"

/** What is due of an image. */
export interface Due {
  readonly promised: Promised
  readonly keys: KeyPromise
  readonly copy: Copy | undefined
}

/** A disk after a power cut. */
export interface Cut extends Due {
  /** Equal for equal images of which the same is due. */
  readonly hash: string
  readonly image: Image
  readonly place: CutPlace
  readonly where: string
  readonly sights: ReadonlyArray<Situation>
}

export interface CutterOptions {
  readonly plan: Plan
  /** Where the cuts of this device are: after those calls of the cuts that it recovers from. */
  readonly place: CutPlace
  readonly due: () => Due
  readonly sights: (operation: SimOperation, path: string) => ReadonlyArray<Situation>
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

export class Cutter {
  readonly cuts: Array<Cut> = []
  private readonly options: CutterOptions
  private readonly random: SeededRandom
  private readonly seen = new Set<string>()
  private lastDue = ""

  constructor(options: CutterOptions) {
    this.options = options
    this.random = new SeededRandom(mixed(options.plan.seed, options.place.session, ...options.place.calls.flat()))
  }

  /** The seed of what this cut leaves. */
  seedOf(call: number, outcome: number): number {
    const { place, plan } = this.options
    return mixed(plan.seed, place.session, ...place.calls.flat(), call, outcome)
  }

  after(device: SimDisk.SimDisk, call: number, [operation, path]: readonly [SimOperation, string]): void {
    const wanted = this.wanted(call, operation)
    if (wanted.length === 0) return
    const { place, sights } = this.options
    const due = this.options.due()
    const { durable, session } = due.promised
    const met = sights(operation, path)
    for (const outcome of wanted) {
      const image = cutOf(device.files, outcome, this.seedOf(call, outcome))
      const hash = `${hashOf(image)} ${session} ${durable}`
      if (this.seen.has(hash)) continue
      this.seen.add(hash)
      const at: CutPlace = { session: place.session, calls: [...place.calls, [call, outcome]] }
      const level = "recovery ".repeat(place.calls.length)
      const where = `${level}call ${call} (${operation} ${path}), ${outcomes[outcome]!.name}`
      this.cuts.push({ ...due, hash, image, place: at, where, sights: met })
    }
  }

  /** The outcomes to look at after this call. */
  private wanted(call: number, operation: SimOperation): ReadonlyArray<number> {
    const { due, place, plan } = this.options
    if (plan.crash.only !== undefined) {
      const level = place.calls.length
      return plan.crash.only.flatMap(({ calls, session }) => {
        const next = calls[level]
        const isHere =
          session === place.session &&
          place.calls.every(([at, of], index) => calls[index]![0] === at && calls[index]![1] === of)
        return isHere && next !== undefined && next[0] === call ? [next[1]] : []
      })
    }
    if (plan.crash.share === 0) return []
    const { promised } = due()
    const isSame = `${promised.durable} ${promised.submitted}` === this.lastDue
    if (isSame && readsOnly.has(operation)) return []
    this.lastDue = `${promised.durable} ${promised.submitted}`
    const taken: Array<number> = []
    for (let outcome = 0; outcome < outcomes.length; outcome++) {
      if (this.random.below(1000) < plan.crash.share) taken.push(outcome)
    }
    return taken
  }
}
