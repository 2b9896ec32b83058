// Whole numbers from 0 to 2^53 - 1 in one to eight bytes, small ones short.
//
//   varint := (low seven bits | 0x80)* lastBits      little-endian groups; the last byte is below 0x80
//
// Canonical: a number has one encoding, so the last byte is not zero unless it is the only one. That is also why a
// reader needs no second result: it advances by `varintBytes` of what it read.
import { FormatError } from "./formatError.ts"

/** The longest varint. */
export const varintBytesMax = 8

/** The length of the number's encoding. */
export const varintBytes = (value: number): number => {
  if (value < 0x80) return 1
  if (value < 0x4000) return 2
  if (value < 0x200000) return 3
  if (value < 0x10000000) return 4
  if (value < 0x800000000) return 5
  if (value < 0x40000000000) return 6
  return value < 0x2000000000000 ? 7 : 8
}

/** Writes the number and returns the offset behind it. The caller has made room. */
export const writeVarint = (target: Uint8Array, offset: number, value: number): number => {
  let rest = value
  let at = offset
  // Bitwise operators see only 32 bits, so large numbers are divided until they fit.
  while (rest > 0x7fffffff) {
    target[at++] = (rest % 128) | 128
    rest = Math.floor(rest / 128)
  }
  while (rest > 127) {
    target[at++] = (rest & 127) | 128
    rest >>>= 7
  }
  target[at++] = rest
  return at
}

/** Reads the number at the offset, looking at no byte at or behind `end`. */
export const readVarint = (bytes: Uint8Array, offset: number, end: number): number => {
  if (offset >= end) throw new FormatError("a number is cut off", offset)
  const first = bytes[offset]
  return first < 128 ? first : readLong(bytes, offset, end)
}

const readLong = (bytes: Uint8Array, offset: number, end: number): number => {
  let value = bytes[offset] & 127
  let scale = 128
  for (let at = offset + 1; at < offset + varintBytesMax; at++) {
    if (at >= end) throw new FormatError("a number is cut off", offset)
    const byte = bytes[at]
    value += (byte & 127) * scale
    if (byte < 128) {
      if (byte === 0) throw new FormatError("a number is longer than it need be", offset)
      if (value > Number.MAX_SAFE_INTEGER) break
      return value
    }
    scale *= 128
  }
  throw new FormatError("a number is above 2^53 - 1", offset)
}
