// Stored keys of every shape that an index could get wrong, and what the tests of the indexes share.
import { hashKey } from "../../../src/internal/format/compare.ts"
import { Kind, recordBytes, recordFields, writeRecord } from "../../../src/internal/format/record.ts"
import type { ArenaLike } from "../../../src/internal/structure/arena.ts"
import type { Dice } from "../format/support.ts"

export type Shape = "edges" | "prefixes" | "sharedEight" | "counter" | "random" | "mixed"
export const shapes: ReadonlyArray<Shape> = ["edges", "prefixes", "sharedEight", "counter", "random", "mixed"]

const ascii = (text: string): ReadonlyArray<number> => [...Buffer.from(text)]

const userKey = (dice: Dice, shape: Shape): ReadonlyArray<number> => {
  switch (shape) {
    // Few bytes, often 00 and ff, often none at all.
    case "edges":
      return Array.from({ length: dice.below(4) }, () => dice.pick([0, 0, 1, 0x61, 0xfe, 0xff]))
    case "prefixes":
      return ascii("aaaaaaaaaaaaaaaaaaaaaaaa")
        .slice(0, dice.below(25))
        .concat(dice.pick([[], [], [0], [0xff]]))
    case "sharedEight":
      return [...ascii("user/00"), dice.below(4), ...dice.bytes(dice.below(5))]
    case "counter":
      return ascii(String(dice.below(30_000)).padStart(16, "0"))
    case "random":
      return [...dice.bytes(16)]
    case "mixed":
      return userKey(dice, dice.pick(["edges", "prefixes", "sharedEight", "counter", "random"]))
  }
}

/** A key of the default keyspace, sometimes of another. */
export const storedKey = (dice: Dice, shape: Shape): Uint8Array =>
  Uint8Array.from([shape === "mixed" && dice.chance(0.1) ? dice.below(4) : 1, ...userKey(dice, shape)])

export const compare = (a: Uint8Array, b: Uint8Array): number => Buffer.compare(a, b)
export const hashOf = (key: Uint8Array): number => hashKey(key, 0, key.length)
export const name = (key: Uint8Array): string => Buffer.from(key).toString("latin1")

/** Writes a set record into the arena: its offset, or -1 when the arena is full. */
export const putRecord = (arena: ArenaLike, key: Uint8Array, value: Uint8Array): number => {
  const fields = recordFields({ kind: Kind.set, key, value })
  const offset = arena.reserve(recordBytes(fields))
  if (offset >= 0) writeRecord(arena.bytes, offset, fields)
  return offset
}

/** Copies the key into the arena, which has room for it. */
export const putKey = (arena: ArenaLike, key: Uint8Array): number => {
  const offset = arena.reserve(key.length)
  if (offset < 0) throw new Error("the test's arena is too small")
  arena.bytes.set(key, offset)
  return offset
}

/** The index of the first of the sorted keys that is at least the key. */
export const lowerBound = (keys: ReadonlyArray<Uint8Array>, key: Uint8Array): number => {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compare(keys[middle], key) < 0) low = middle + 1
    else high = middle
  }
  return low
}
