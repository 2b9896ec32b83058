import { describe, expect, it } from "@effect/vitest"
import { ConflictIndex, type ReadRange } from "../../../src/internal/structure/conflictIndex.ts"
import { Dice, manySeeds, utf8 } from "../format/support.ts"
import { compare, type Shape, shapes, storedKey } from "./keyShapes.ts"

interface Write {
  readonly from: Uint8Array
  /** The end of a range removal, `null` for one without end; a single key has none. */
  readonly to?: Uint8Array | null
  readonly sequence: number
}

const touchesKey = ({ from, to }: Write, key: Uint8Array): boolean => {
  if (to === undefined) return compare(from, key) === 0
  return compare(from, key) <= 0 && (to === null || compare(key, to) < 0)
}

/** For a range removal, whether the two could have a key in common. */
const touchesRange = ({ from, to }: Write, range: ReadRange): boolean => {
  if (range.to !== undefined && compare(from, range.to) > (range.toInclusive ? 0 : -1)) return false
  if (range.from === undefined) return true
  if (to === undefined) return compare(from, range.from) > (range.fromExclusive ? 0 : -1)
  return to === null || compare(range.from, to) < 0
}

const readRange = (dice: Dice, shape: Shape): ReadRange => ({
  from: dice.chance(0.2) ? undefined : storedKey(dice, shape),
  fromExclusive: dice.chance(0.3),
  to: dice.chance(0.2) ? undefined : storedKey(dice, shape),
  toInclusive: dice.chance(0.3)
})

/** An index beside every write it was ever told. */
class Pair {
  readonly index: ConflictIndex
  readonly writes: Array<Write> = []
  sequence = 0
  spurious = 0

  constructor(bytesMax: number) {
    this.index = new ConflictIndex({ bytesMax })
  }

  learn(dice: Dice, key: Uint8Array, end?: Uint8Array | null): void {
    if (this.sequence === 0 || dice.chance(0.7)) this.sequence += dice.pick([1, 1, 5, 2 ** 33])
    this.writes.push({ from: key, sequence: this.sequence, ...(end === undefined ? {} : { to: end }) })
    if (end !== undefined) {
      this.index.learnRange(key, end ?? undefined, this.sequence)
      return
    }
    const padded = Uint8Array.from([9, ...key, 9])
    this.index.learn(padded, 1, padded.length - 1, this.sequence)
  }

  /** What `snapshot` must see of the writes that touch, and what it is told. */
  check(snapshot: number, found: number, touches: (write: Write) => boolean): void {
    const conflicts = this.writes.filter((write) => write.sequence > snapshot && touches(write))
    if (found > snapshot) expect(conflicts.map(({ sequence }) => sequence)).toContain(found)
    else if (this.index.floor <= snapshot) expect(conflicts).toEqual([])
    if (conflicts.length === 0 && this.index.floor > snapshot) this.spurious++
  }

  checkKey(snapshot: number, key: Uint8Array): void {
    const found = this.index.newestFor(Uint8Array.from([...key, 1]), 0, key.length)
    this.check(snapshot, found, (write) => touchesKey(write, key))
    const newest = this.writes.findLast((write) => touchesKey(write, key))?.sequence ?? 0
    if (newest > this.index.floor) expect(found).toBe(newest)
  }

  checkRange(snapshot: number, range: ReadRange): void {
    const found = this.index.writtenSince(range, snapshot)
    expect(found === 0 || found > snapshot).toBe(true)
    this.check(snapshot, found, (write) => touchesRange(write, range))
  }
}

const runPlan = (dice: Dice, pair: Pair, shape: Shape): void => {
  const open: Array<number> = []
  for (let turn = 0; turn < 400; turn++) {
    if (dice.chance(0.1)) open.push(pair.sequence)
    if (dice.chance(0.15)) open.splice(dice.below(open.length), 1)
    if (dice.chance(0.3)) pair.index.forget(Math.min(pair.sequence, ...open))
    if (dice.chance(0.05)) pair.learn(dice, storedKey(dice, shape), dice.chance(0.1) ? null : storedKey(dice, shape))
    else pair.learn(dice, storedKey(dice, shape))
    for (const snapshot of open.slice(0, 3)) {
      pair.checkKey(snapshot, dice.chance(0.5) ? dice.pick(pair.writes).from : storedKey(dice, shape))
      pair.checkRange(snapshot, readRange(dice, shape))
    }
  }
}

describe("ConflictIndex", () => {
  it.each(shapes)(
    "never misses a conflict, and makes up none while memory lasts, with keys of the shape %j",
    (shape) => {
      manySeeds(12, (dice) => {
        const pair = new Pair(1 << 20)
        runPlan(dice, pair, shape)
        expect(pair.spurious).toBe(0)
      })
    }
  )

  it.each(shapes)("never misses a conflict in too little memory, with keys of the shape %j", (shape) => {
    let spurious = 0
    manySeeds(12, (dice) => {
      const pair = new Pair(dice.pick([100, 4000, 12_000, 20_000]))
      runPlan(dice, pair, shape)
      spurious += pair.spurious
    })
    expect(spurious).toBeGreaterThan(0)
  })

  it("finds conflicts by order when more was written since than it looks through by time", () => {
    manySeeds(5, (dice) => {
      const pair = new Pair(1 << 22)
      for (let turn = 0; turn < 3000; turn++) pair.learn(dice, storedKey(dice, "counter"))
      for (let turn = 0; turn < 150; turn++) {
        const snapshot = dice.pick(pair.writes.slice(0, 1500)).sequence
        const range = { ...readRange(dice, "counter"), from: storedKey(dice, "counter") }
        const end = Uint8Array.from([...range.from.subarray(0, range.from.length - dice.below(3)), 0x3a])
        pair.checkRange(snapshot, dice.chance(0.8) ? { ...range, to: end } : range)
        const key = dice.pick(pair.writes).from
        pair.checkRange(snapshot, {
          from: key,
          fromExclusive: dice.chance(0.5),
          to: key,
          toInclusive: dice.chance(0.5)
        })
      }
    })
  })

  it("holds to its memory limit while it learns, and returns to where it began", () => {
    manySeeds(6, (dice) => {
      const bytesMax = dice.pick([64_000, 1 << 20])
      const index = new ConflictIndex({ bytesMax })
      const bytes = index.bytes
      expect(bytes).toBeLessThan(8000)
      for (let round = 0; round < 2; round++) {
        let most = 0
        for (let turn = 1; turn <= 20_000; turn++) {
          const key = storedKey(dice, "random")
          index.learn(key, 0, key.length, round * 20_000 + turn)
          if (dice.chance(0.01)) index.learnRange(key, undefined, round * 20_000 + turn)
          most = Math.max(most, index.bytes)
        }
        expect(most).toBeLessThanOrEqual(bytesMax)
        expect(index.bytes).toBeGreaterThan(bytesMax / 8)
        index.forget(Infinity)
        expect(index.bytes).toBe(bytes)
      }
    })
  })

  it("forgets one by one commits that nobody needs, without raising its memory or failing who begins later", () => {
    const index = new ConflictIndex({ bytesMax: 1 << 20 })
    const bytes = index.bytes
    const dice = new Dice(1)
    for (let sequence = 1; sequence < 2000; sequence++) {
      const key = storedKey(dice, "random")
      index.learn(key, 0, key.length, sequence)
      expect(index.newestFor(key, 0, key.length)).toBe(sequence)
      index.forget(sequence)
      expect(index.newestFor(key, 0, key.length)).toBe(0)
      expect(index.floor).toBe(sequence)
      expect(index.bytes).toBe(bytes)
    }
  })

  it("keeps what a transaction that is still open needs", () => {
    const index = new ConflictIndex({ bytesMax: 1 << 20, floor: 4 })
    expect(index.floor).toBe(4)
    index.learn(utf8("a"), 0, 1, 5)
    index.forget(4)
    expect([index.newestFor(utf8("a"), 0, 1), index.floor]).toEqual([5, 4])
    index.forget(5)
    expect([index.newestFor(utf8("a"), 0, 1), index.floor]).toEqual([0, 5])
  })

  it("drops its older half only when nobody needs it, or for want of memory", () => {
    const index = new ConflictIndex({ bytesMax: 200_000 })
    const learn = (from: number, to: number): void => {
      for (let sequence = from; sequence <= to; sequence++) index.learn(utf8(`key ${sequence}`), 0, 8, sequence)
    }
    const newest = (sequence: number): number => index.newestFor(utf8(`key ${sequence}`), 0, 8)
    learn(1000, 1999)
    expect([newest(1000), newest(1999)]).toEqual([1000, 1999])
    index.forget(1500)
    expect([newest(1501), newest(1999), index.floor <= 1500]).toEqual([1501, 1999, true])
    learn(2000, 9999)
    expect(index.floor).toBeGreaterThan(1999)
    expect([newest(index.floor), newest(index.floor + 1), newest(9999)]).toEqual([0, index.floor + 1, 9999])
    expect(index.floor).toBeLessThan(9999)
  })

  it("makes everybody conflict with a write that is too large to remember", () => {
    const index = new ConflictIndex({ bytesMax: 64_000 })
    index.learn(utf8("a"), 0, 1, 1)
    index.learn(new Uint8Array(65_536), 0, 65_536, 2)
    expect(index.floor).toBe(2)
    index.learnRange(new Uint8Array(65_536), undefined, 3)
    expect(index.floor).toBe(3)
    index.learn(utf8("a"), 0, 1, 4)
    expect([index.floor, index.newestFor(utf8("a"), 0, 1)]).toEqual([3, 4])
  })

  it("keeps its own copy of what it is given", () => {
    const index = new ConflictIndex({ bytesMax: 64_000 })
    const key = utf8("a")
    const end = utf8("c")
    index.learn(key, 0, 1, 1)
    index.learnRange(key, end, 2)
    key[0] = 0x78
    end[0] = 0x61
    expect(index.newestFor(utf8("b"), 0, 1)).toBe(2)
    expect(index.writtenSince({ from: utf8("a"), fromExclusive: false, to: utf8("a"), toInclusive: true }, 0)).toBe(2)
    expect(index.newestFor(utf8("x"), 0, 1)).toBe(0)
  })

  it("refuses sequences that decrease, as our own mistake", () => {
    const index = new ConflictIndex({ bytesMax: 64_000 })
    index.learn(utf8("a"), 0, 1, 2)
    index.learn(utf8("b"), 0, 1, 2)
    expect(() => index.learn(utf8("a"), 0, 1, 1)).toThrow("in the order of their sequences")
  })
})
