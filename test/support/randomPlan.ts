// Random arguments, from a seed alone: few short keys, so that plans meet each other, and now and then a strange one.
import type { Bounds, Operation, Range, Transaction } from "../../src/services/Database.ts"
import { bytes, type ModelWrite } from "./model.ts"

/** xorshift32: enough for tests, and the same everywhere. */
export class Dice {
  private state: number

  constructor(seed: number) {
    this.state = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) | 0 || 1
  }

  /** A whole number from 0 to `below` - 1. */
  below(below: number): number {
    let x = this.state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.state = x
    return (x >>> 0) % below
  }

  chance(percent: number): boolean {
    return this.below(100) < percent
  }

  pick<A>(items: ReadonlyArray<A>): A {
    return items[this.below(items.length)]!
  }
}

const strangeKeys = ["00", "ff", "ffff", "0000", "61ff", "6100", "ff".repeat(300), "61".repeat(200)]

export const randomKey = (dice: Dice): string => {
  if (dice.chance(5)) return dice.pick(strangeKeys)
  let key = ""
  for (let length = 1 + dice.below(3); length > 0; length--) key += dice.pick(["61", "62", "63", "7a"])
  return key
}

const filled = (dice: Dice, length: number): string => dice.below(256).toString(16).padStart(2, "0").repeat(length)

export const randomValue = (dice: Dice, longest: number): string =>
  filled(dice, dice.chance(10) ? 0 : dice.chance(10) ? dice.below(longest) : 1 + dice.below(24))

/** At, below and above every threshold that a run with value files has, up to what no memtable takes. */
const valueLengths = [0, 1, 16, 17, 18, 40, 41, 63, 64, 65, 100, 100, 199, 200, 300, 500, 1023, 1024, 3000]

export const randomLongValue = (dice: Dice): string => filled(dice, dice.pick(valueLengths))

/** Part of the keys that `randomKey` makes: those of a prefix, or between two ends, one of which may be open. */
export const randomBounds = (dice: Dice): Bounds => {
  if (dice.chance(30)) return { prefix: bytes(randomKey(dice).slice(0, 6)) }
  const [from, to] = [randomKey(dice), randomKey(dice)].sort()
  const open = dice.below(10)
  return {
    ...(open === 0 ? {} : { from: bytes(from!), fromExclusive: dice.chance(50) }),
    ...(open === 1 ? {} : { to: bytes(to!), toInclusive: dice.chance(50) })
  }
}

/** One to eight writes, sometimes two of one key. `values`: as long as runs with value files need them. */
export const randomWrites = (
  dice: Dice,
  options: { readonly now: number; readonly longest: number | "values" }
): Array<ModelWrite> => {
  const { longest } = options
  const writes: Array<ModelWrite> = []
  for (let count = dice.chance(60) ? 1 : 1 + dice.below(8); count > 0; count--) {
    if (dice.chance(7)) {
      writes.push({ removed: randomBounds(dice) })
      continue
    }
    const key = randomKey(dice)
    if (dice.chance(25)) writes.push({ key, value: undefined })
    else {
      writes.push({
        key,
        value: longest === "values" ? randomLongValue(dice) : randomValue(dice, longest),
        ...(dice.chance(15) ? { expiresAt: options.now + 1 + dice.below(2000) } : {}),
        ...(dice.chance(15) ? { userMeta: dice.below(256) } : {})
      })
    }
  }
  return writes
}

export const toOperation = (write: ModelWrite): Operation => {
  if ("removed" in write) return { type: "removeRange", ...write.removed }
  if (write.value === undefined) return { type: "remove", key: bytes(write.key) }
  return {
    type: "set",
    key: bytes(write.key),
    value: bytes(write.value),
    ...(write.expiresAt === undefined ? {} : { expiresAt: write.expiresAt }),
    ...(write.userMeta === undefined ? {} : { userMeta: write.userMeta })
  }
}

/** The write as a call of the transaction. */
export const writeIn = (transaction: Transaction, write: ModelWrite): ReturnType<Transaction["remove"]> => {
  if ("removed" in write) return transaction.removeRange(write.removed)
  const { expiresAt, key, userMeta, value } = write
  return value === undefined
    ? transaction.remove(bytes(key))
    : transaction.set(bytes(key), bytes(value), { expiresAt, userMeta })
}

/** Any range that is not inverted. */
export const randomRange = (dice: Dice): Range => {
  const [a, b] = [randomKey(dice), randomKey(dice)].sort()
  return {
    ...(dice.chance(40) ? { prefix: bytes(randomKey(dice).slice(0, 2)) } : {}),
    ...(dice.chance(40) ? { from: bytes(a!), fromExclusive: dice.chance(50) } : {}),
    ...(dice.chance(40) ? { to: bytes(b!), toInclusive: dice.chance(50) } : {}),
    ...(dice.chance(10) ? { suffix: bytes(randomKey(dice).slice(0, 2)) } : {}),
    ...(dice.chance(40) ? { reverse: true } : {}),
    ...(dice.chance(30) ? { limit: dice.below(6) } : {})
  }
}
