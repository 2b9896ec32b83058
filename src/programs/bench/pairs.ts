// The keys and values of `strata bench`: the same in every run, so that two runs do the same work.
//
//   key   := "item" number: 12 decimal digits       number = 2 * index for keys that exist, 2 * index + 1 for others
//   value := a part of 1 MiB of noise, which compresses to about half; where it begins tells the index
//
// Keys that do not exist lie between those that do: no filter by the smallest and largest key refuses them.

export const keyBytes = 16

const noiseBytes = 1024 * 1024
/** Half of a piece is noise and half is the same again. */
const pieceBytes = 64
/** Odd and over `pieceBytes`: neighbours begin in other pieces, and all offsets are used. */
const offsetStep = 4099
const digitZero = 48

/** Mulberry32. */
export const random = (seed: number): (() => number) => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

const makeNoise = (length: number): Uint8Array => {
  const next = random(42)
  const noise = new Uint8Array(length)
  for (let piece = 0; piece < length; piece += pieceBytes) {
    for (let at = piece; at < piece + pieceBytes / 2; at += 1) {
      const byte = Math.floor(next() * 256)
      noise[at] = byte
      noise[at + pieceBytes / 2] = byte
    }
  }
  return noise
}

const keyOf = (number: number): Uint8Array => {
  const key = new Uint8Array(keyBytes)
  key.set([105, 116, 101, 109])
  let rest = number
  for (let at = keyBytes - 1; at >= 4; at -= 1) {
    key[at] = digitZero + (rest % 10)
    rest = Math.floor(rest / 10)
  }
  return key
}

/** What all keys share that have the same number but for its last four digits: 5,000 of them. */
export const prefixEntriesMax = 5000
export const prefixOf = (index: number): Uint8Array => keyOf(2 * index).subarray(0, keyBytes - 4)

export class Pairs {
  readonly count: number
  readonly valueBytes: number
  private readonly noise: Uint8Array

  constructor({ count, valueBytes }: { readonly count: number; readonly valueBytes: number }) {
    this.count = count
    this.valueBytes = valueBytes
    this.noise = makeNoise(noiseBytes + pieceBytes * Math.ceil(valueBytes / pieceBytes))
  }

  key(index: number): Uint8Array {
    return keyOf(2 * index)
  }

  missingKey(index: number): Uint8Array {
    return keyOf(2 * index + 1)
  }

  /** A view that no one may change. */
  value(index: number): Uint8Array {
    const from = (index * offsetStep) % noiseBytes
    return this.noise.subarray(from, from + this.valueBytes)
  }

  /** Whether this is the value of that index, by its length, its first byte and its last. */
  isValue(index: number, value: Uint8Array): boolean {
    const from = (index * offsetStep) % noiseBytes
    const last = this.valueBytes - 1
    return value.length === this.valueBytes && value[0] === this.noise[from] && value[last] === this.noise[from + last]
  }

  /** All indexes, in an order of chance. */
  shuffled(seed: number): Uint32Array {
    const indexes = Uint32Array.from({ length: this.count }, (_, index) => index)
    const next = random(seed)
    for (let at = this.count - 1; at > 0; at -= 1) {
      const other = Math.floor(next() * (at + 1))
      const swapped = indexes[at]!
      indexes[at] = indexes[other]!
      indexes[other] = swapped
    }
    return indexes
  }
}
