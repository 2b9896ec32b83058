/**
 * The power cuts of a crash test: the disks they left, told apart by their bytes, and the words by which one of them is
 * asked for again.
 *
 *   replay := seed ":" call ":" outcome ":" print
 *   print  := 8 hex digits; of the calls of the whole run, the sizes of its files, and how much was promised
 *
 * The print tells whose replay it is: the environment's reaches every crash test of the process.
 *
 * @since 0.1.0
 */
import { digestOf } from "../internal/format/cipher.ts"
import { SeededRandom } from "../internal/structure/random.ts"
import * as SimDisk from "./SimDisk.ts"
import type { SimOperation } from "./SimFaults.ts"

/**
 * When a cut was: how much had been promised, and what the clock said.
 *
 * @internal
 */
export interface Moment {
  readonly promised: number
  readonly nowMillis: number
}

/**
 * A disk after a power cut.
 *
 * @internal
 */
export interface Cut extends Moment {
  readonly call: number
  readonly operation: SimOperation
  readonly path: string
  /** Its place in `SimDisk.outcomes`. */
  readonly outcome: number
  readonly image: ReadonlyMap<string, Uint8Array>
}

/**
 * The cut that a replay asks for.
 *
 * @internal
 */
export interface Replay {
  readonly seed: number
  readonly call: number
  readonly outcome: number
  readonly print: string
}

/** @internal */
export const formatReplay = ({ call, outcome, print, seed }: Replay): string => `${seed}:${call}:${outcome}:${print}`

/**
 * Undefined if it is none.
 *
 * @internal
 */
export const parseReplay = (text: string): Replay | undefined => {
  const [, print] = /^\d{1,16}:\d{1,16}:\d{1,2}:([0-9a-f]{8})$/.exec(text) ?? []
  if (print === undefined) return undefined
  const [seed, call, outcome] = text.split(":").map(Number) as [number, number, number]
  const isReplay = Number.isSafeInteger(seed) && outcome < SimDisk.outcomes.length
  return isReplay ? { seed, call, outcome, print } : undefined
}

const hexOf = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
const hexOfText = (text: string): string => hexOf(digestOf([new TextEncoder().encode(text)]))

/**
 * Equal for equal images after equal promises at one time: what expires is there at one and gone at another. A digest
 * and no checksum: files are made of parts that end with their checksums, and those of one length have one checksum.
 *
 * @internal
 */
export const keyOf = ({ image, nowMillis, promised }: Moment & Pick<Cut, "image">): string =>
  [...image]
    .map(([path, bytes]) => `${path} ${hexOf(digestOf([bytes]))}`)
    .sort()
    .concat(`${promised} ${nowMillis}`)
    .join("\n")

/**
 * The print of a run that has ended.
 *
 * @internal
 */
export const printOf = (device: SimDisk.SimDisk, promised: number): string => {
  const calls = device.log.map(({ operation, path }) => `${operation} ${path}`)
  const files = device.files.all().map(({ file, path }) => `${path} ${file.visibleSize}`)
  return hexOfText([...calls, ...files, promised].join("\n")).slice(0, 8)
}

/**
 * The calls after which a run was cut, and what the cuts left.
 *
 * @internal
 */
export class Cuts {
  readonly found: Array<Cut> = []
  calls = 0
  readonly seed: number
  /** If it is asked for one cut. */
  readonly only: Replay | undefined
  readonly #outcomeCount: number
  /** The keys of the images that need no second look. */
  readonly #seen: Set<string>
  readonly #random: SeededRandom

  constructor(options: {
    readonly seed: number
    readonly outcomeCount: number
    readonly seen: Set<string>
    readonly only?: Replay
  }) {
    this.seed = options.seed
    this.only = options.only
    this.#outcomeCount = options.outcomeCount
    this.#seen = options.seen
    this.#random = new SeededRandom(options.seed)
  }

  take(device: SimDisk.SimDisk, moment: Moment): void {
    const last = device.log.at(-1)
    if (last === undefined) return
    const { index: call, operation, path } = last
    this.calls = call + 1
    for (const outcome of this.#outcomes(call)) {
      const image = device.powerCut(outcome, this.seed + call * SimDisk.outcomes.length + outcome)
      const key = keyOf({ image, ...moment })
      if (this.#seen.has(key)) continue
      this.#seen.add(key)
      this.found.push({ call, operation, path, outcome, image, ...moment })
    }
  }

  /** Those to try after this call. */
  #outcomes(call: number): ReadonlyArray<number> {
    if (this.only !== undefined) return this.only.call === call ? [this.only.outcome] : []
    const places = [...SimDisk.outcomes.keys()]
    if (this.#outcomeCount >= places.length) return places
    return Array.from({ length: this.#outcomeCount }, () => places.splice(this.#random.below(places.length), 1)[0]!)
  }
}
