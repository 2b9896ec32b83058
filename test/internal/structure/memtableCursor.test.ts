import { describe, expect, it } from "@effect/vitest"
import { Arena } from "../../../src/internal/structure/arena.ts"
import { Memtable } from "../../../src/internal/structure/memtable.ts"
import type { MemtableCursor } from "../../../src/internal/structure/memtableCursor.ts"
import { type Dice, manySeeds, utf8 } from "../format/support.ts"
import { compare, lowerBound, name, putRecord, shapes, storedKey } from "./keyShapes.ts"

/** Keys in order, and the sequence at which each was first put. */
class Model {
  keys: Array<Uint8Array> = []
  readonly born = new Map<string, number>()

  add(key: Uint8Array, sequence: number): void {
    if (this.born.has(name(key))) return
    this.born.set(name(key), sequence)
    this.keys.splice(lowerBound(this.keys, key), 0, key)
  }

  after(key: Uint8Array): Uint8Array | undefined {
    const at = lowerBound(this.keys, key)
    return this.keys[at + (at < this.keys.length && compare(this.keys[at], key) === 0 ? 1 : 0)]
  }

  before(key: Uint8Array): Uint8Array | undefined {
    return this.keys[lowerBound(this.keys, key) - 1]
  }
}

const current = (cursor: MemtableCursor): Uint8Array | undefined =>
  cursor.valid ? cursor.bytes.slice(cursor.keyStart, cursor.keyEnd) : undefined

/** Moves cursor and model alike. */
const move = (dice: Dice, cursor: MemtableCursor, model: Model, target: Uint8Array): Uint8Array | undefined => {
  const here = current(cursor)
  const exact = model.born.has(name(target)) ? target : undefined
  switch (dice.below(here === undefined ? 4 : 10)) {
    case 0:
      expect(cursor.seek(target, 0, target.length, true)).toBe((exact ?? model.after(target)) !== undefined)
      return exact ?? model.after(target)
    case 1:
      expect(cursor.seek(target, 0, target.length, false)).toBe((exact ?? model.before(target)) !== undefined)
      return exact ?? model.before(target)
    case 2:
      expect(cursor.seekFirst()).toBe(model.keys.length > 0)
      return model.keys[0]
    case 3:
      expect(cursor.seekLast()).toBe(model.keys.length > 0)
      return model.keys.at(-1)
    case 4:
    case 5:
    case 6:
      expect(cursor.next()).toBe(model.after(here!) !== undefined)
      return model.after(here!)
    default:
      expect(cursor.previous()).toBe(model.before(here!) !== undefined)
      return model.before(here!)
  }
}

describe("MemtableCursor", () => {
  it.each(shapes)("moves as over a sorted list while keys of the shape %j are put", (shape) => {
    manySeeds(20, (dice) => {
      const arena = new Arena(new ArrayBuffer(60_000))
      const memtable = new Memtable(arena)
      const model = new Model()
      const cursors = [memtable.cursor(), memtable.cursor()]
      const burst = dice.pick([1, 3, 200])
      let sequence = 0
      for (let turn = 0; turn < 400; turn++) {
        for (let puts = dice.chance(0.3) ? dice.below(burst + 1) : 0; puts > 0; puts--) {
          const key = storedKey(dice, shape)
          const offset = putRecord(arena, key, utf8(""))
          if (offset < 0) break
          memtable.put(offset, ++sequence)
          model.add(key, sequence)
        }
        const cursor = dice.pick(cursors)
        const expected = move(dice, cursor, model, storedKey(dice, shape))
        expect(current(cursor)).toEqual(expected)
        const seen = dice.below(sequence + 1)
        const isVisible = expected !== undefined && model.born.get(name(expected))! <= seen
        expect(cursor.newest(seen) >= 0).toBe(isVisible)
      }
    })
  })

  it("gives the newest version at or below a sequence, also of a key put again meanwhile", () => {
    const arena = new Arena(new ArrayBuffer(1000))
    const memtable = new Memtable(arena)
    const put = (sequence: number): void => memtable.put(putRecord(arena, utf8("k"), utf8("")), sequence)
    put(3)
    const cursor = memtable.cursor()
    expect(cursor.newest(9)).toBe(-1)
    cursor.seekFirst()
    put(5)
    const at = (sequence: number): number => memtable.sequenceOf(cursor.newest(sequence))
    expect([at(3), at(4), at(5), at(9)]).toEqual([3, 3, 5, 5])
    expect(cursor.newest(2)).toBe(-1)
  })

  it("does not move once it has left the keys, until it seeks", () => {
    const arena = new Arena(new ArrayBuffer(1000))
    const memtable = new Memtable(arena)
    memtable.put(putRecord(arena, utf8("k"), utf8("")), 1)
    const cursor = memtable.cursor()
    expect([cursor.next(), cursor.previous()]).toEqual([false, false])
    expect([cursor.seekFirst(), cursor.next(), cursor.valid, cursor.previous(), cursor.next()]).toEqual([
      true,
      false,
      false,
      false,
      false
    ])
    expect([cursor.seekLast(), cursor.previous(), cursor.next()]).toEqual([true, false, false])
  })
})
