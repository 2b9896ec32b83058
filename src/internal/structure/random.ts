// Seeded randomness for simulations: xoshiro128** 1.1 (Blackman and Vigna, "Scrambled linear pseudorandom number
// generators", 2021; public domain), its state filled from the seed by splitmix32. Not for secrets.

const rotateLeft = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits))

/** The finaliser of MurmurHash3 over a Weyl sequence: no two seeds below 2^32 give the same state. */
const splitmix32 = (state: number): number => {
  let mixed = state
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}

export class SeededRandom {
  #a: number
  #b: number
  #c: number
  #d: number

  /** Any safe integer that is not negative. */
  constructor(seed: number) {
    const low = seed | 0
    const high = Math.floor(seed / 2 ** 32) | 0
    this.#a = splitmix32(low + 0x9e3779b9)
    this.#b = splitmix32(low + 0x3c6ef372)
    this.#c = splitmix32(high + 0xdaa66d2b)
    // The all-zero state would stay zero for ever.
    this.#d = splitmix32(high ^ 0x78dde6e4) | 1
    for (let round = 0; round < 4; round++) this.next32()
  }

  /** An integer in [0, 2^32). */
  next32(): number {
    const result = Math.imul(rotateLeft(Math.imul(this.#b, 5), 7), 9)
    const shifted = this.#b << 9
    this.#c ^= this.#a
    this.#d ^= this.#b
    this.#b ^= this.#c
    this.#a ^= this.#d
    this.#c ^= shifted
    this.#d = rotateLeft(this.#d, 11)
    return result >>> 0
  }

  /** In [0, 1), a multiple of 2^-32. */
  next(): number {
    return this.next32() / 2 ** 32
  }

  /** An integer in [0, count); `count` is at least 1 and at most 2^32. The bias is below count / 2^32. */
  below(count: number): number {
    return Math.floor(this.next() * count)
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.next() < probability
  }

  /** One of the items; there must be one. */
  pick<A>(items: ReadonlyArray<A>): A {
    return items[this.below(items.length)]!
  }
}
