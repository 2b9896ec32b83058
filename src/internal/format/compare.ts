// The order of all keys, unsigned bytes, shorter first when one begins the other; and their hashes.

/** Below 0, 0 or above 0 as a[aStart, aEnd) sorts before, with or behind b[bStart, bEnd). Bounds are the caller's. */
export const compareBytes = (
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number
): number => {
  const aLength = aEnd - aStart
  const bLength = bEnd - bStart
  const shared = aLength < bLength ? aLength : bLength
  for (let index = 0; index < shared; index++) {
    const difference = a[aStart + index] - b[bStart + index]
    if (difference !== 0) return difference
  }
  return aLength - bLength
}

/** Whether both are the same bytes. From their ends: keys that lie together begin alike. */
export const equalBytes = (
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number
): boolean => {
  const length = aEnd - aStart
  if (length !== bEnd - bStart) return false
  for (let index = length - 1; index >= 0; index--) if (a[aStart + index] !== b[bStart + index]) return false
  return true
}

/**
 * A well-mixed u32 of bytes[start, end). Frozen: filters on disk are built from it.
 *
 * MurmurHash3_x86_32 with seed 0 (Austin Appleby, public domain; github.com/aappleby/smhasher).
 */
export const hashKey = (bytes: Uint8Array, start: number, end: number): number => {
  let hash = 0
  let at = start
  for (; at + 4 <= end; at += 4) {
    let word = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)
    word = Math.imul(word, 0xcc9e2d51)
    hash ^= Math.imul((word << 15) | (word >>> 17), 0x1b873593)
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0
  }
  if (at < end) {
    const word = Math.imul(lastWord(bytes, at, end), 0xcc9e2d51)
    hash ^= Math.imul((word << 15) | (word >>> 17), 0x1b873593)
  }
  return mix(hash ^ (end - start))
}

/**
 * A second u32, independent of `hashKey`. Frozen likewise.
 *
 * The same construction with the constants and rotations of the second lane of MurmurHash3_x86_128, and a seed.
 */
export const hashKeyHigh = (bytes: Uint8Array, start: number, end: number): number => {
  let hash = 0x9747b28c | 0
  let at = start
  for (; at + 4 <= end; at += 4) {
    let word = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)
    word = Math.imul(word, 0xab0e9789)
    hash ^= Math.imul((word << 16) | (word >>> 16), 0x38b34ae5)
    hash = (Math.imul((hash << 17) | (hash >>> 15), 5) + 0x0bcaa747) | 0
  }
  if (at < end) {
    const word = Math.imul(lastWord(bytes, at, end), 0xab0e9789)
    hash ^= Math.imul((word << 16) | (word >>> 16), 0x38b34ae5)
  }
  return mix(hash ^ (end - start))
}

const lastWord = (bytes: Uint8Array, start: number, end: number): number => {
  let word = bytes[start]
  if (start + 1 < end) word |= bytes[start + 1] << 8
  if (start + 2 < end) word |= bytes[start + 2] << 16
  return word
}

// MurmurHash3's fmix32: every bit of the input changes every bit of the result with a probability near one half.
const mix = (value: number): number => {
  let hash = value
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
