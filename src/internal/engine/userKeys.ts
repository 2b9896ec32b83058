// From what users pass to stored keys, values and ranges, with the checks and their messages. Everything here throws
// `DatabaseError` of reason `Invalid`.
import type { Bounds, Bytes, Range } from "../../services/Database.ts"
import { invalid } from "../../services/DatabaseError.ts"
import { keyBytesMax } from "../../services/Options.ts"
import { copyBytes } from "../format/bytes.ts"
import { defaultKeyspace, keyspaceBytes, writeKeyspace } from "../format/keyspace.ts"
import { compareKeys, intersect, isEmpty, type KeyRange, prefixRange, successor } from "../structure/keyRange.ts"
import type { Span } from "../structure/rangeRemovals.ts"

const encoder = new TextEncoder()

/**
 * Below this length a string is copied by hand: `encodeInto` needs a view and a call out of the engine, about 150 ns
 * before the first byte.
 */
const shortLength = 24

const prefixBytes = keyspaceBytes(defaultKeyspace)

export const toBytes = (bytes: Bytes, what: string): Uint8Array => {
  if (typeof bytes !== "string") {
    if (bytes instanceof Uint8Array) return bytes
    throw invalid(`the ${what} is neither a string nor a Uint8Array`)
  }
  checkWellFormed(bytes, what)
  return encoder.encode(bytes)
}

export const checkWellFormed = (text: string, what: string): void => {
  if (!text.isWellFormed()) throw invalid(`the ${what} is a string with a lone surrogate; pass bytes instead`)
}

const checkKeyLength = (length: number): void => {
  if (length === 0) throw invalid("the key is empty; a key has 1 to 65,535 bytes")
  if (length > keyBytesMax) throw invalid(`the key has ${length} bytes; a key has 1 to 65,535`)
}

/** The user's key, checked, without its keyspace. */
export const userKey = (key: Bytes): Uint8Array => {
  const bytes = toBytes(key, "key")
  checkKeyLength(bytes.length)
  return bytes
}

/** A stored key of its own memory. */
export const storedKey = (key: Bytes): Uint8Array => storedKeyOf(userKey(key))

/** The same of a key that was checked. */
export const storedKeyOf = (bytes: Uint8Array): Uint8Array => {
  const key = new Uint8Array(prefixBytes + bytes.length)
  writeKeyspace(key, 0, defaultKeyspace)
  key.set(bytes, prefixBytes)
  return key
}

/** The user's part of a stored key, which takes `end - start` bytes. */
export const userKeyStart = (start: number): number => start + prefixBytes

/** Holds one stored key for a lookup that ends before the next one begins. */
export class KeyScratch {
  readonly bytes = new Uint8Array(prefixBytes + keyBytesMax)
  private readonly tail = this.bytes.subarray(prefixBytes)

  constructor() {
    writeKeyspace(this.bytes, 0, defaultKeyspace)
  }

  /** Puts the key in place and returns where it ends. */
  put(key: Bytes): number {
    if (typeof key === "string") return prefixBytes + this.putString(key)
    if (!(key instanceof Uint8Array)) throw invalid("the key is neither a string nor a Uint8Array")
    checkKeyLength(key.length)
    return copyBytes(this.bytes, prefixBytes, key, 0, key.length)
  }

  private putString(key: string): number {
    const { length } = key
    if (length <= shortLength) {
      let index = 0
      for (; index < length; index++) {
        const code = key.charCodeAt(index)
        if (code > 0x7f) break
        this.tail[index] = code
      }
      if (index === length) {
        checkKeyLength(length)
        return length
      }
    }
    checkWellFormed(key, "key")
    const { read, written } = encoder.encodeInto(key, this.tail)
    if (read < length) throw invalid("the key has more than 65,535 bytes as UTF-8")
    checkKeyLength(written)
    return written
  }
}

const wholeKeyspace = prefixRange(storedKeyOf(new Uint8Array(0)))

const bound = (bytes: Bytes | undefined, what: string): Uint8Array | undefined => {
  if (bytes === undefined) return undefined
  const found = toBytes(bytes, what)
  if (found.length <= keyBytesMax) return storedKeyOf(found)
  throw invalid(`the range's ${what} has ${found.length} bytes; a key has at most 65,535`)
}

/** A user's range, as stored keys. */
export const toKeyRange = (range: Bounds): KeyRange => {
  const from = bound(range.from, "from")
  const to = bound(range.to, "to")
  const ends: KeyRange = {
    from: from ?? wholeKeyspace.from,
    fromInclusive: from === undefined || range.fromExclusive !== true,
    to: to ?? wholeKeyspace.to,
    toInclusive: to !== undefined && range.toInclusive === true
  }
  if (from !== undefined && to !== undefined && isInverted(from, to)) {
    throw invalid("the range is inverted: from is after to; swap them, and use reverse to read downwards")
  }
  const prefix = bound(range.prefix, "prefix")
  return intersect(prefix === undefined ? wholeKeyspace : prefixRange(prefix), ends)
}

const isInverted = (from: Uint8Array, to: Uint8Array): boolean =>
  isEmpty({ from, fromInclusive: true, to, toInclusive: true })

/** `type`: of an operation of a batch. */
const boundNames: ReadonlySet<string> = new Set(["prefix", "from", "to", "fromExclusive", "toInclusive", "type"])

/** Of a removal, where what is not understood would remove more than was meant. */
const checkBounds = (bounds: Bounds): void => {
  if (typeof bounds !== "object" || bounds === null || bounds instanceof Uint8Array) {
    throw invalid("removeRange takes bounds, as in { prefix } or { from, to }")
  }
  for (const [name, value] of Object.entries(bounds)) {
    if (boundNames.has(name) || value === undefined) continue
    throw invalid(`removeRange does not know ${name}; it removes all between prefix, from and to`)
  }
}

/** The first stored key of the range and the first one behind it; `undefined` if it holds no key. */
export const toSpan = (bounds: Bounds): Span | undefined => {
  checkBounds(bounds)
  const range = toKeyRange(bounds)
  const from = range.fromInclusive ? range.from : successor(range.from)
  const end = range.to ?? wholeKeyspace.to!
  const to = range.toInclusive ? successor(end) : end
  return compareKeys(from, to) < 0 ? { from, to } : undefined
}

export const rangeLimit = (range: Range): number => {
  const limit = range.limit ?? Number.POSITIVE_INFINITY
  if (!(limit >= 0) || (limit !== Number.POSITIVE_INFINITY && !Number.isSafeInteger(limit))) {
    throw invalid(`the range's limit is ${limit}; it is a whole number of at least 0`)
  }
  return limit
}
