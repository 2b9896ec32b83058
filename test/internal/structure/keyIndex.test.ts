import { describe, expect, it } from "@effect/vitest"
import { Arena } from "../../../src/internal/structure/arena.ts"
import { KeyIndex } from "../../../src/internal/structure/keyIndex.ts"
import { Dice, manySeeds, utf8 } from "../format/support.ts"
import { compare, hashOf, lowerBound, name, putKey, shapes, storedKey } from "./keyShapes.ts"

const setUp = (bytes: number, keysInitial: number = 16) => {
  const arena = new Arena(new ArrayBuffer(bytes))
  const index = new KeyIndex(arena, keysInitial)
  const ids = new Map<string, number>()
  const keys: Array<Uint8Array> = []
  const find = (key: Uint8Array) => index.find(key, 0, key.length, hashOf(key))
  const add = (key: Uint8Array): void => {
    if (ids.has(name(key))) return
    ids.set(name(key), index.add(putKey(arena, key), key.length, hashOf(key)))
    keys.push(key)
  }
  return { arena, index, ids, keys, find, add }
}

const inOrder = (index: KeyIndex, forward: boolean): ReadonlyArray<string> => {
  const order = index.order
  const found: Array<string> = []
  order.settle()
  for (let at = forward ? order.first() : order.last(); at >= 0; at = forward ? order.next(at) : order.previous(at)) {
    const id = order.at(at)
    found.push(name(index.arena.bytes.subarray(index.keyStart(id), index.keyEnd(id))))
  }
  return found
}

const sorted = (keys: ReadonlyArray<Uint8Array>): Array<Uint8Array> => [...keys].sort(compare)

describe("KeyIndex", () => {
  it("finds every key and no other, at every moment of growing", () => {
    manySeeds(6, (dice) => {
      const { add, find, ids, keys } = setUp(1 << 20)
      for (let turn = 0; turn < 3000; turn++) {
        add(storedKey(dice, "random"))
        for (let probe = 0; probe < 4; probe++) {
          const key = dice.chance(0.5) ? dice.pick(keys) : storedKey(dice, dice.pick(shapes))
          expect(find(key)).toBe(ids.get(name(key)) ?? -1)
        }
      }
      for (const key of keys) expect(find(key)).toBe(ids.get(name(key)))
    })
  })

  it("tells keys with the same hash apart", () => {
    const { arena, index } = setUp(10_000)
    for (let id = 0; id < 200; id++) {
      const key = utf8(`key ${id}`)
      expect(index.find(key, 0, key.length, 0xffff_fff7)).toBe(-1)
      expect(index.add(putKey(arena, key), key.length, 0xffff_fff7)).toBe(id)
    }
    for (let id = 0; id < 200; id++) {
      const key = utf8(`..key ${id}..`)
      expect(index.find(key, 2, key.length - 2, 0xffff_fff7)).toBe(id)
    }
  })

  it("remembers a value for each key through growth", () => {
    const { add, index } = setUp(100_000)
    for (let id = 0; id < 1000; id++) {
      add(utf8(`key ${id}`))
      expect(index.valueOf(id)).toBe(0)
      index.setValue(id, id - 500)
    }
    for (let id = 0; id < 1000; id++) expect(index.valueOf(id)).toBe(id - 500)
  })

  it("is as new after reset, and keeps only the memory that it began with", () => {
    manySeeds(30, (dice) => {
      const { arena, find, index } = setUp(200_000)
      const bytes = index.bytes
      for (let round = 0; round < 5; round++) {
        const keys = new Map<string, Uint8Array>()
        for (let turn = dice.below(dice.pick([3, 20, 2000])); turn >= 0; turn--) {
          const key = storedKey(dice, "mixed")
          if (!keys.has(name(key))) index.add(putKey(arena, key), key.length, hashOf(key))
          keys.set(name(key), key)
        }
        expect(inOrder(index, true)).toEqual(sorted([...keys.values()]).map(name))
        index.reset()
        arena.reset()
        expect(index.bytes).toBe(bytes)
        expect(inOrder(index, true)).toEqual([])
        for (const key of keys.values()) expect(find(key)).toBe(-1)
      }
    })
  })
})

describe("KeyOrder", () => {
  it.each(shapes)("has keys of the shape %j in order, whenever it is asked", (shape) => {
    manySeeds(12, (dice) => {
      const { add, index, keys } = setUp(1 << 20)
      const batchMax = dice.pick([2, 30, 600])
      for (let batch = 0; batch < 12; batch++) {
        for (let turn = dice.below(batchMax); turn >= 0; turn--) add(storedKey(dice, shape))
        const expected = sorted(keys).map(name)
        expect(inOrder(index, true)).toEqual(expected)
        expect(inOrder(index, false)).toEqual(expected.reverse())
      }
    })
  })

  it.each([
    ["ascending", (at: number) => at],
    ["descending", (at: number) => 30_000 - at],
    ["from both ends", (at: number) => (at % 2 === 0 ? at : 30_000 - at)],
    ["into one gap", (at: number) => (at < 15_000 ? at * 2 : 30_001 - (at - 15_000) * 2)]
  ])("has %s keys in order without sorting more than 4,096", (_, number) => {
    const { add, index, keys } = setUp(1 << 20)
    for (let at = 0; at < 30_000; at++) add(utf8(String(number(at)).padStart(12, "0")))
    expect(index.order.sortedMax).toBeLessThanOrEqual(4096)
    expect(inOrder(index, true)).toEqual(sorted(keys).map(name))
    expect(index.order.sortedMax).toBeLessThanOrEqual(4096)
  })

  it("never sorts ascending keys, and never more than 4,096 of random ones", () => {
    const dice = new Dice(7)
    const ascending = setUp(1 << 20)
    for (let at = 0; at < 10_000; at++) ascending.add(utf8(String(at).padStart(8, "0")))
    expect(ascending.index.order.mergeCount).toBe(0)
    const random = setUp(1 << 20)
    for (let at = 0; at < 40_000; at++) random.add(storedKey(dice, "random"))
    expect(random.index.order.mergeCount).toBeGreaterThan(8)
    expect(random.index.order.sortedMax).toBeGreaterThan(1000)
    random.index.order.settle()
    expect(random.index.order.sortedMax).toBeLessThanOrEqual(4096)
  })

  it("merges long keys after few of them, since comparing them takes long", () => {
    const dice = new Dice(8)
    const { add, index, keys } = setUp(9 << 20)
    for (let at = 0; at < 120; at++) {
      const key = new Uint8Array(65_536).fill(0xff)
      key.set(dice.bytes(2), 65_000)
      add(key)
    }
    expect(inOrder(index, true)).toEqual(sorted(keys).map(name))
    expect(index.order.sortedMax).toBeLessThanOrEqual(4)
  })

  it("stays right when later keys do not begin as the first ones all did", () => {
    manySeeds(10, (dice, seed) => {
      const { add, index, keys } = setUp(1 << 20)
      const shared = utf8("\u0001/a/long/beginning/")
      const within = (): Uint8Array => Uint8Array.from([...shared, ...dice.bytes(dice.below(4)), ...dice.bytes(3)])
      const outside = (): Uint8Array => {
        const key = dice.chance(0.5) ? shared.slice(0, dice.below(shared.length + 1)) : within()
        if (key.length > 0 && dice.chance(0.7)) key[dice.below(Math.min(key.length, 20))] += dice.pick([-1, 1, 100])
        return key
      }
      const onlyWithin = seed === 10 ? 17_000 : dice.pick([10, 100, 1000, 5000])
      while (keys.length < onlyWithin) add(within())
      while (keys.length < onlyWithin + 1000) add(dice.chance(0.5) ? within() : outside())
      const expected = sorted(keys)
      expect(inOrder(index, true)).toEqual(expected.map(name))
      for (let turn = 0; turn < 100; turn++) {
        const key = dice.chance(0.3) ? dice.pick(keys) : outside()
        const at = index.order.atLeast(key, 0, key.length)
        const wanted = expected[lowerBound(expected, key)]
        const id = at < 0 ? -1 : index.order.at(at)
        const found = id < 0 ? undefined : index.arena.bytes.slice(index.keyStart(id), index.keyEnd(id))
        expect(found).toEqual(wanted)
      }
    })
  })
})
