import { describe, expect, it } from "@effect/vitest"
import { SieveCache, type SieveNode } from "../../../src/internal/structure/sieve.ts"
import { type Dice, manySeeds } from "../format/support.ts"

class Block implements SieveNode {
  readonly bytes: number
  visited = false
  newer: SieveNode | null = null
  older: SieveNode | null = null
  cached = false
  evictedCount = 0

  constructor(bytes: number) {
    this.bytes = bytes
  }

  evicted(): void {
    this.evictedCount++
  }
}

/** SIEVE as its paper has it, over an array from the newest to the oldest. */
class Model {
  queue: Array<Block> = []
  hand: Block | undefined
  charged = 0
  evictions = 0
  bytesMax: number

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  get bytes(): number {
    return this.queue.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  insert(block: Block): boolean {
    if (block.bytes > this.bytesMax - this.charged) return false
    this.shrink(block.bytes)
    this.queue.unshift(block)
    return true
  }

  shrink(bytes: number): void {
    while (this.queue.length > 0 && this.bytes + this.charged + bytes > this.bytesMax) {
      let at = this.hand === undefined ? this.queue.length - 1 : this.queue.indexOf(this.hand)
      while (this.visited.has(this.queue[at])) {
        this.visited.delete(this.queue[at])
        at = at === 0 ? this.queue.length - 1 : at - 1
      }
      this.hand = at === 0 ? undefined : this.queue[at - 1]
      this.queue.splice(at, 1)
      this.evictions++
    }
  }

  remove(block: Block): void {
    const at = this.queue.indexOf(block)
    if (at < 0) return
    if (this.hand === block) this.hand = at === 0 ? undefined : this.queue[at - 1]
    this.queue.splice(at, 1)
    this.visited.delete(block)
  }

  readonly visited = new Set<Block>()
}

const step = (dice: Dice, cache: SieveCache<Block>, model: Model, blocks: Array<Block>): void => {
  const block = blocks.length > 0 ? dice.pick(blocks) : undefined
  switch (dice.below(12)) {
    case 0:
      model.bytesMax = dice.below(1000)
      model.shrink(0)
      return cache.resize(model.bytesMax)
    case 1: {
      const bytes = dice.below(200)
      model.charged += bytes
      model.shrink(0)
      return cache.charge(bytes)
    }
    case 2: {
      const bytes = dice.below(model.charged + 1)
      model.charged -= bytes
      return cache.discharge(bytes)
    }
    case 3:
      if (block === undefined) return
      model.remove(block)
      return cache.remove(block)
    case 4:
    case 5:
    case 6:
    case 7:
      if (block?.cached !== true) return
      model.visited.add(block)
      return cache.touch(block)
    default: {
      const fresh = new Block(dice.below(120))
      blocks.push(fresh)
      expect(cache.insert(fresh)).toBe(model.insert(fresh))
    }
  }
}

describe("SieveCache", () => {
  it("evicts as the paper says, within its budget, and tells each owner once", () => {
    manySeeds(150, (dice) => {
      const cache = new SieveCache<Block>(600)
      const model = new Model(600)
      const blocks: Array<Block> = []
      const removed = new Set<Block>()
      for (let turn = 0; turn < 150; turn++) {
        const before = model.queue
        model.queue = [...before]
        step(dice, cache, model, blocks)
        expect(blocks.filter(({ cached }) => cached)).toEqual(blocks.filter((block) => model.queue.includes(block)))
        expect([cache.bytes, cache.count, cache.charged]).toEqual([model.bytes, model.queue.length, model.charged])
        expect(cache.bytes === 0 || cache.bytes + cache.charged <= cache.bytesMax).toBe(true)
        expect(cache.evictions).toBe(model.evictions)
        for (const block of before) if (!block.cached && block.evictedCount === 0) removed.add(block)
      }
      const evicted = blocks.filter(({ evictedCount }) => evictedCount > 0)
      expect(evicted.length).toBe(cache.evictions)
      for (const block of evicted) expect([block.evictedCount, removed.has(block)]).toEqual([1, false])
    })
  })

  it("keeps what is used again and again through a scan of ten times its size", () => {
    const cache = new SieveCache<Block>(1000)
    const hot = Array.from({ length: 50 }, () => new Block(10))
    for (const block of hot) cache.insert(block)
    for (let turn = 0; turn < 1000; turn++) {
      cache.insert(new Block(10))
      // Each hot block is read once while 40 others pass through: less often than the hand could come round.
      if (turn % 40 === 0) for (const block of hot) if (block.cached) cache.touch(block)
    }
    expect(hot.filter(({ cached }) => cached).length).toBe(50)
    expect(cache.evictions).toBe(950)
  })

  it("gives up what is used no longer", () => {
    const cache = new SieveCache<Block>(1000)
    const once = Array.from({ length: 100 }, () => new Block(10))
    for (const block of once) {
      cache.insert(block)
      cache.touch(block)
    }
    for (let turn = 0; turn < 250; turn++) cache.insert(new Block(10))
    expect(once.filter(({ cached }) => cached).length).toBe(0)
  })

  it("refuses what does not fit beside what is charged, without evicting for it", () => {
    const cache = new SieveCache<Block>(100)
    const block = new Block(30)
    expect(cache.insert(block)).toBe(true)
    expect(cache.insert(new Block(101))).toBe(false)
    cache.charge(60)
    expect(cache.insert(new Block(41))).toBe(false)
    expect([block.cached, cache.evictions, cache.bytes]).toEqual([true, 0, 30])
    cache.charge(100)
    expect([block.cached, block.evictedCount, cache.insert(new Block(1))]).toEqual([false, 1, false])
    cache.discharge(160)
    expect(cache.insert(new Block(100))).toBe(true)
  })

  it("counts hits, misses and evictions", () => {
    const cache = new SieveCache<Block>(10)
    const block = new Block(10)
    cache.miss()
    cache.insert(block)
    cache.touch(block)
    cache.touch(block)
    cache.insert(new Block(10))
    expect([cache.hits, cache.misses, cache.evictions, block.evictedCount]).toEqual([2, 1, 1, 1])
  })

  it("refuses to insert a node twice, as our own mistake", () => {
    const cache = new SieveCache<Block>(100)
    const block = new Block(10)
    cache.insert(block)
    expect(() => cache.insert(block)).toThrow("inserted once")
    cache.remove(block)
    expect(cache.insert(block)).toBe(true)
  })
})
