// The number of a keyspace, as the first bytes of every stored key. The encodings sort as the numbers do.
//
//   keyspace := n                                 n < 240
//             | 240 + (n - 240 >> 8)  (n - 240)   n < 2288            two bytes
//             | 248  n - 2288: u16 big-endian     n < 67824           three bytes
//             | 249  n: u24 big-endian            n < 2^24            four bytes
//             | 250  n: u32 big-endian            n < 2^32            five bytes
//
// After SQLite 4's varint, with 240 instead of 241 short numbers. First bytes 251 to 255 are free for later. Canonical.
import { FormatError } from "./formatError.ts"

/** Reserved for the catalog and the system's own state. */
export const systemKeyspace = 0
/** What users write into unless they name another. */
export const defaultKeyspace = 1
export const keyspaceMax = 0xffffffff
export const keyspaceBytesMax = 5

/** The length of the number's encoding. */
export const keyspaceBytes = (keyspace: number): number => {
  if (keyspace < 240) return 1
  if (keyspace < 2288) return 2
  if (keyspace < 67824) return 3
  return keyspace < 0x1000000 ? 4 : 5
}

/** Writes the number and returns the offset behind it. The caller has made room. */
export const writeKeyspace = (target: Uint8Array, offset: number, keyspace: number): number => {
  if (keyspace < 240) {
    target[offset] = keyspace
    return offset + 1
  }
  if (keyspace < 2288) {
    target[offset] = 240 + ((keyspace - 240) >>> 8)
    target[offset + 1] = keyspace - 240
    return offset + 2
  }
  const length = keyspaceBytes(keyspace) - 1
  const value = length === 2 ? keyspace - 2288 : keyspace
  target[offset] = 246 + length
  for (let index = 1; index <= length; index++) target[offset + index] = value >>> (8 * (length - index))
  return offset + 1 + length
}

/** Reads the number at the offset; it takes `keyspaceBytes` of the result. */
export const readKeyspace = (bytes: Uint8Array, offset: number, end: number): number => {
  if (offset >= end) throw new FormatError("a stored key has no keyspace", offset)
  const first = bytes[offset]
  if (first < 240) return first
  const length = first < 248 ? 1 : first - 246
  if (length > 4) throw new FormatError(`a keyspace begins with the unknown byte ${first}`, offset)
  if (offset + length >= end) throw new FormatError("a keyspace is cut off", offset)
  let value = 0
  for (let index = 1; index <= length; index++) value = value * 256 + bytes[offset + index]
  if (length === 1) return value + (first - 240) * 256 + 240
  if (length === 2) return value + 2288
  if (keyspaceBytes(value) !== length + 1) throw new FormatError("a keyspace is longer than it need be", offset)
  return value
}
