// The load: a writer that sets keys drawn at random, and two readers. Everybody takes a few steps in each turn of the
// event loop, as requests of a server do, and yields. The same driver with operations that do nothing is the control.
import { monitorEventLoopDelay } from "node:perf_hooks"
import { random } from "../data.ts"
import { ownImmediate } from "./entryPoints.ts"
import type { Spread } from "./settings.ts"

export const keyBytes = 16
export const valueBytes = 128

const setsPerTurn = 16
const getsPerTurn = 2
const readers = 2
const digitZero = 48
const delayResolutionMillis = 1

export interface Operations {
  readonly set: (key: Uint8Array, value: Uint8Array) => unknown
  /** Answers with the value, or with nothing if there is none. */
  readonly get: (key: Uint8Array) => unknown
}

export const turn = (): Promise<void> => new Promise((resolve) => void ownImmediate(resolve))

export class Driver {
  /** Which keys have been set. */
  readonly present: Uint8Array
  sets = 0
  gets = 0
  private readonly keys: number
  private readonly noise: Uint8Array
  private readonly next: () => number

  constructor(keys: number, seed: number) {
    this.keys = keys
    this.present = new Uint8Array(keys)
    this.next = random(seed)
    this.noise = Uint8Array.from({ length: 1 << 16 }, () => Math.floor(this.next() * 256))
  }

  get presentCount(): number {
    return this.present.reduce((sum, is) => sum + is, 0)
  }

  draw(): number {
    return Math.floor(this.next() * this.keys)
  }

  key(index: number): Uint8Array {
    const key = new Uint8Array(keyBytes)
    let rest = index
    for (let at = keyBytes - 1; at >= 0; at--) {
      key[at] = digitZero + (rest % 10)
      rest = Math.floor(rest / 10)
    }
    return key
  }

  /** Begins with the index of its key, and does not compress. */
  value(index: number): Uint8Array {
    const from = Math.floor(this.next() * (this.noise.length - valueBytes))
    const value = this.noise.slice(from, from + valueBytes)
    new DataView(value.buffer).setUint32(0, index)
    return value
  }

  /** Writes so much, with readers beside it until it is done. */
  async load(operations: Operations, sets: number): Promise<void> {
    let writing = true
    const write = async (): Promise<void> => {
      for (let done = 0; done < sets; done++) {
        if (done % setsPerTurn === 0) await turn()
        const index = this.draw()
        await operations.set(this.key(index), this.value(index))
        this.present[index] = 1
        this.sets += 1
      }
      writing = false
    }
    await Promise.all([write(), ...Array.from({ length: readers }, () => this.read(operations, () => writing))])
  }

  /** Reads keys drawn at random, for as long as it shall. */
  async read(operations: Operations, goesOn: () => boolean): Promise<void> {
    for (let done = 0; goesOn(); done++) {
      if (done % getsPerTurn === 0) await turn()
      const index = this.draw()
      const wasPresent = this.present[index] === 1
      const value = (await operations.get(this.key(index))) as Uint8Array | undefined
      this.gets += 1
      if (value === undefined ? wasPresent : indexOf(value) !== index) throw new Error(`key ${index} reads wrong`)
    }
  }
}

const indexOf = (value: Uint8Array): number => new DataView(value.buffer, value.byteOffset).getUint32(0)

/** How late timers of a millisecond are while it runs. */
export const withDelay = async (run: () => Promise<void>): Promise<Spread> => {
  const delay = monitorEventLoopDelay({ resolution: delayResolutionMillis })
  delay.enable()
  await run()
  delay.disable()
  const at = (percent: number) => delay.percentile(percent) / 1e6
  return { count: delay.count, p50: at(50), p99: at(99), p999: at(99.9), max: delay.max / 1e6 }
}
