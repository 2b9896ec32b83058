// A part of the order of stored keys, and how prefixes, ends and keyspaces become one.
import { compareBytes } from "../format/compare.ts"

/** From `from` to `to`; an end is part of it if it is inclusive. Without `to` it is open to the end of all keys. */
export interface KeyRange {
  readonly from: Uint8Array
  readonly fromInclusive: boolean
  readonly to: Uint8Array | undefined
  readonly toInclusive: boolean
}

export const compareKeys = (a: Uint8Array, b: Uint8Array): number => compareBytes(a, 0, a.length, b, 0, b.length)

/** The next key there can be. */
export const successor = (key: Uint8Array): Uint8Array => {
  const next = new Uint8Array(key.length + 1)
  next.set(key)
  return next
}

/** The smallest key after all that begin with the prefix; `undefined` if there is none (every byte is 0xff). */
export const afterPrefix = (prefix: Uint8Array): Uint8Array | undefined => {
  let length = prefix.length
  while (length > 0 && prefix[length - 1] === 0xff) length -= 1
  if (length === 0) return undefined
  const after = prefix.slice(0, length)
  after[length - 1]! += 1
  return after
}

/** All keys that begin with the prefix. */
export const prefixRange = (prefix: Uint8Array): KeyRange => ({
  from: prefix,
  fromInclusive: true,
  to: afterPrefix(prefix),
  toInclusive: false
})

/** What both hold. May be inverted, and then holds nothing. */
export const intersect = (a: KeyRange, b: KeyRange): KeyRange => {
  const lower = compareKeys(a.from, b.from)
  const low = lower > 0 || (lower === 0 && !a.fromInclusive) ? a : b
  const upper = compareUpper(a.to, b.to)
  const high = upper < 0 || (upper === 0 && !a.toInclusive) ? a : b
  return { from: low.from, fromInclusive: low.fromInclusive, to: high.to, toInclusive: high.toInclusive }
}

const compareUpper = (a: Uint8Array | undefined, b: Uint8Array | undefined): number => {
  if (a === undefined) return b === undefined ? 0 : 1
  return b === undefined ? -1 : compareKeys(a, b)
}

export const isEmpty = (range: KeyRange): boolean => {
  if (range.to === undefined) return false
  const order = compareKeys(range.from, range.to)
  return order > 0 || (order === 0 && !(range.fromInclusive && range.toInclusive))
}

/** Whether the key is not before the range's start. */
export const isAfterStart = (range: KeyRange, key: Uint8Array, start: number, end: number): boolean => {
  const order = compareBytes(key, start, end, range.from, 0, range.from.length)
  return order > 0 || (order === 0 && range.fromInclusive)
}

/** Whether the key is not beyond the range's end. */
export const isBeforeEnd = (range: KeyRange, key: Uint8Array, start: number, end: number): boolean => {
  if (range.to === undefined) return true
  const order = compareBytes(key, start, end, range.to, 0, range.to.length)
  return order < 0 || (order === 0 && range.toInclusive)
}
