// Which keys may be in a table: a Bloom filter whose bits for one key all lie in one 64-byte line.
//
//   filter := line[64]{1 or more}  probes: u8
//
//   line of a key   floor(hashKeyHigh * lines / 2^32)
//   probe i of it   bit (h >> 23) of the line's 512, least significant bit of a byte first, where h is hashKey for the
//                   first probe and is multiplied by 0x9e3779b9 for each further one
//
// One cache line per lookup. The construction is RocksDB's FastLocalBloom (util/bloom_impl.h, Peter Dillinger 2019),
// which costs about a tenth more false positives than a plain Bloom filter: 10 bits a key give about 1.0 %.
import { FormatError } from "./formatError.ts"

const lineBytes = 64
const probesMax = 24
// So that hash * lines is exact in a number; 128 MiB of filter.
const linesMax = 2 ** 21

/**
 * Collects the hashes of a table's keys, each key once. Entering them takes 28 ms for a million, so it can be done in
 * parts: `fill` until it returns true, then `finish`.
 */
export class FilterBuilder {
  count = 0
  private low = new Uint32Array(1024)
  private high = new Uint32Array(1024)
  private filter: Uint8Array | undefined = undefined
  /** Hashes that are in the filter. */
  private filled = 0

  add(hashLow: number, hashHigh: number): void {
    if (this.count === this.low.length) {
      this.low = grown(this.low)
      this.high = grown(this.high)
    }
    this.low[this.count] = hashLow
    this.high[this.count] = hashHigh
    this.count += 1
  }

  /** Enters at most so many more keys. True when all are; no key may be added any more. */
  fill(bitsPerKey: number, keysMax: number): boolean {
    if (bitsPerKey === 0 || this.count === 0) return true
    const { high, low } = this
    this.filter ??= emptyFilter(this.count, bitsPerKey)
    const { filter } = this
    const lines = filter.length >>> 6
    const probes = filter[filter.length - 1]
    const end = Math.min(this.count, this.filled + keysMax)
    for (let index = this.filled; index < end; index++) {
      const line = lineOf(high[index], lines)
      let hash = low[index]
      for (let probe = 0; probe < probes; probe++) {
        const bit = hash >>> 23
        filter[line + (bit >>> 3)] |= 1 << (bit & 7)
        hash = Math.imul(hash, 0x9e3779b9)
      }
    }
    this.filled = end
    return end === this.count
  }

  /** The filter; `undefined` for 0 bits a key or no keys. */
  finish(bitsPerKey: number): Uint8Array | undefined {
    this.fill(bitsPerKey, this.count)
    return this.filter
  }
}

const emptyFilter = (count: number, bitsPerKey: number): Uint8Array => {
  const lines = Math.min(linesMax, Math.ceil((count * bitsPerKey) / (lineBytes * 8)))
  const filter = new Uint8Array(lines * lineBytes + 1)
  // ln 2 probes a bit is best for a plain filter; lines that are fuller than others make a little less better.
  filter[filter.length - 1] = Math.min(probesMax, Math.max(1, Math.round(bitsPerKey * 0.6)))
  return filter
}

const grown = (hashes: Uint32Array): Uint32Array<ArrayBuffer> => {
  const larger = new Uint32Array(hashes.length * 2)
  larger.set(hashes)
  return larger
}

const lineOf = (hashHigh: number, lines: number): number => (((hashHigh * lines) / 0x100000000) >>> 0) * lineBytes

/** Throws `FormatError` unless these are a filter's bytes. Once, before `mayContain`. */
export const checkFilter = (filter: Uint8Array): void => {
  const lines = (filter.length - 1) / lineBytes
  if (lines < 1 || lines > linesMax || !Number.isInteger(lines)) {
    throw new FormatError(`a filter of ${filter.length} bytes`, 0)
  }
  const probes = filter[filter.length - 1]
  if (probes < 1 || probes > probesMax) throw new FormatError(`a filter with ${probes} probes`, filter.length - 1)
}

/** False only if no key with these hashes was added. */
export const mayContain = (filter: Uint8Array, hashLow: number, hashHigh: number): boolean => {
  const last = filter.length - 1
  const line = lineOf(hashHigh, last >>> 6)
  const probes = filter[last]
  let hash = hashLow
  for (let probe = 0; probe < probes; probe++) {
    const bit = hash >>> 23
    if ((filter[line + (bit >>> 3)] & (1 << (bit & 7))) === 0) return false
    hash = Math.imul(hash, 0x9e3779b9)
  }
  return true
}
