// The keys and values of every workload, and the tally by which it proves that an engine answered with them.
//
//   key   := "item" number: 12 decimal digits      number = 2 * index for keys that exist, 2 * index + 1 for others
//   value := index: u24 little-endian  generation: u8  noise       noise does not compress
//
// Who overwrites a value writes another generation of it: SQLite does not write a value that is there already.
//
// Keys that do not exist lie between those that do, so that no engine can refuse them by its smallest and largest key.

/** What a loop of reads found: how many values, their bytes, and the sums of their indexes and generations. */
export interface Tally {
  count: number
  bytes: number
  sum: number
  generations: number
}

/** What values are made of. The generation is 0 where none is given. */
export interface ValueShape {
  readonly indexes: Uint32Array
  readonly valueBytes: number
  readonly generation?: number
  /** Whether half of a value is the other half again. */
  readonly compressible?: boolean
}

export type Keys = ReadonlyArray<Uint8Array>

/** How a driver takes its arrays: Node's `Buffer` or a plain `Uint8Array`. */
export type ArrayKind = "buffer" | "uint8array"

const keyBytes = 16
const slabBytes = 1 << 20
const digitZero = 48
const pieceBytes = 64

const view = (slab: Buffer, start: number, end: number, kind: ArrayKind): Uint8Array =>
  kind === "buffer" ? slab.subarray(start, end) : new Uint8Array(slab.buffer, slab.byteOffset + start, end - start)

const writeKey = (slab: Buffer, offset: number, number: number): void => {
  slab.write("item", offset, "latin1")
  let rest = number
  for (let position = offset + keyBytes - 1; position >= offset + 4; position--) {
    slab[position] = digitZero + (rest % 10)
    rest = Math.floor(rest / 10)
  }
}

const keysOf = (numbers: (index: number) => number, indexes: Uint32Array, kind: ArrayKind): Keys => {
  const slab = Buffer.allocUnsafeSlow(Math.max(1, indexes.length * keyBytes))
  return Array.from(indexes, (index, position) => {
    const offset = position * keyBytes
    writeKey(slab, offset, numbers(index))
    return view(slab, offset, offset + keyBytes, kind)
  })
}

export const makeKeys = (indexes: Uint32Array, kind: ArrayKind): Keys => keysOf((index) => 2 * index, indexes, kind)

export const makeMissingKeys = (indexes: Uint32Array, kind: ArrayKind): Keys =>
  keysOf((index) => 2 * index + 1, indexes, kind)

/** What all keys start with that share all but their last four digits: 5,000 of them. */
export const makePrefix = (index: number): { readonly prefix: string; readonly next: string } => {
  const at = (tenThousands: number) => `item${String(tenThousands).padStart(8, "0")}`
  const tenThousands = Math.floor((2 * index) / 10_000)
  return { prefix: at(tenThousands), next: at(tenThousands + 1) }
}

export const prefixEntries = 5000

/** Mulberry32: the same numbers in every process, so that every engine does the same work. */
export const random = (seed: number): (() => number) => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

let noise: Buffer | undefined

const makeNoise = (): Buffer => {
  const next = random(42)
  const made = Buffer.allocUnsafeSlow(slabBytes)
  for (let offset = 0; offset < slabBytes; offset += 4) made.writeUInt32LE(Math.floor(next() * 4_294_967_296), offset)
  return made
}

/** The second half of each piece becomes what the first is. */
const repeatHalves = (slab: Buffer): void => {
  for (let at = 0; at + pieceBytes <= slab.length; at += pieceBytes) {
    slab.copy(slab, at + pieceBytes / 2, at, at + pieceBytes / 2)
  }
}

export const makeValues = (shape: ValueShape, kind: ArrayKind): Keys => {
  const { compressible = false, generation = 0, indexes, valueBytes } = shape
  noise ??= makeNoise()
  const slab = Buffer.allocUnsafeSlow(Math.max(1, indexes.length * valueBytes))
  const source = noise
  for (const [position, index] of indexes.entries()) {
    const from = (index * 20_011 + generation * 7919) % (slabBytes - valueBytes)
    source.copy(slab, position * valueBytes, from, from + valueBytes)
  }
  if (compressible) repeatHalves(slab)
  return Array.from(indexes, (index, position) => {
    const start = position * valueBytes
    slab.writeUIntLE(index, start, 3)
    slab[start + 3] = generation
    return view(slab, start, start + valueBytes, kind)
  })
}

export const ascending = (count: number, from = 0): Uint32Array => {
  const indexes = new Uint32Array(count)
  for (let position = 0; position < count; position++) indexes[position] = from + position
  return indexes
}

export const shuffled = (count: number, seed: number): Uint32Array => {
  const indexes = ascending(count)
  const next = random(seed)
  for (let position = count - 1; position > 0; position--) {
    const other = Math.floor(next() * (position + 1))
    const swapped = indexes[position]!
    indexes[position] = indexes[other]!
    indexes[other] = swapped
  }
  return indexes
}

/** `count` indexes drawn from `below`, each at most once while there are enough. */
export const sample = (count: number, below: number, seed: number): Uint32Array => {
  if (count * 4 >= below) {
    const all = shuffled(below, seed)
    const indexes = new Uint32Array(count)
    for (let position = 0; position < count; position++) indexes[position] = all[position % below]!
    return indexes
  }
  const next = random(seed)
  const seen = new Set<number>()
  while (seen.size < count) seen.add(Math.floor(next() * below))
  return Uint32Array.from(seen)
}

export const emptyTally = (): Tally => ({ count: 0, bytes: 0, sum: 0, generations: 0 })

/** Counts one value in, and reads four bytes of it: an engine which returns the wrong thing is found out. */
export const tallyValue = (tally: Tally, value: Uint8Array): void => {
  tally.count++
  tally.bytes += value.length
  tally.sum += value[0]! | (value[1]! << 8) | (value[2]! << 16)
  tally.generations += value[3]!
}

/** Counts one key in: its bytes, and the number at its end. */
export const tallyKey = (tally: Tally, key: Uint8Array): void => {
  tally.count++
  tally.bytes += key.length
  let number = 0
  for (let position = keyBytes - 6; position < keyBytes; position++) number = number * 10 + key[position]! - digitZero
  tally.sum += number >> 1
}

/** Of keys below 500,000: what `tallyKey` reads of them is the whole of their number. */
export const keyTallyOf = (indexes: Uint32Array): Tally => ({
  ...tallyOf({ indexes, valueBytes: 0 }),
  bytes: indexes.length * keyBytes
})

export const tallyOf = ({ generation = 0, indexes, valueBytes }: ValueShape): Tally => {
  const count = indexes.length
  const tally = { count, bytes: count * valueBytes, sum: 0, generations: count * generation }
  for (const index of indexes) tally.sum += index
  return tally
}

/** Whatever the generations: some of the values have been overwritten. */
export const expectValues = (what: string, found: Tally, expected: Tally): void =>
  expectTally(what, { ...found, generations: 0 }, { ...expected, generations: 0 })

export const expectTally = (what: string, found: Tally, expected: Tally): void => {
  if (
    found.count !== expected.count ||
    found.bytes !== expected.bytes ||
    found.sum !== expected.sum ||
    found.generations !== expected.generations
  ) {
    throw new Error(`${what}: found ${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`)
  }
}
