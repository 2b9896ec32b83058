// The contract of `BlockCache`, one test for each numbered invariant in the contract's words.
import { assert, describe, it } from "@effect/vitest"
import type { BlockCacheService, CacheNode } from "../../src/services/BlockCache.ts"
import { type Dice, manySeeds } from "../internal/format/support.ts"

class Node implements CacheNode {
  readonly bytes: number
  visited = false
  slot: unknown = undefined
  evictions = 0

  constructor(bytes: number) {
    this.bytes = bytes
  }

  evicted(): void {
    this.evictions += 1
  }
}

/** `make` gives a cache with this many bytes. */
export const blockCacheSuite = (layerName: string, make: (budget: number) => BlockCacheService): void => {
  describe(`BlockCache (${layerName})`, () => {
    it("1. bytes is at most the budget after every call, except for what is charged", () =>
      manySeeds(50, (dice) => {
        const cache = make(1000)
        const nodes: Array<Node> = []
        let charged = 0
        for (let step = 0; step < 300; step++) {
          charged += randomStep(cache, nodes, { dice, charged })
          const { budget, bytes } = cache.stats()
          assert.strictEqual(budget, 1000)
          assert.isAtMost(bytes - charged, Math.max(0, 1000 - charged), `step ${step}`)
          assert.isAtLeast(bytes, charged)
        }
      }))

    it("1. a node that does not fit beside what is charged changes nothing", () => {
      const cache = make(100)
      const kept = new Node(40)
      assert.isTrue(cache.insertUnsafe(kept))
      assert.isFalse(cache.insertUnsafe(new Node(101)))
      cache.chargeUnsafe(50)
      assert.isFalse(cache.insertUnsafe(new Node(51)))
      assert.strictEqual(cache.stats().bytes, 90)
      assert.strictEqual(kept.evictions, 0)
      cache.chargeUnsafe(11)
      assert.strictEqual(kept.evictions, 1)
      cache.chargeUnsafe(-61)
      assert.strictEqual(cache.stats().bytes, 0)
      assert.isTrue(cache.insertUnsafe(new Node(100)))
    })

    it("1. a budget of nothing keeps nothing, and can be charged", () => {
      const cache = make(0)
      assert.isFalse(cache.insertUnsafe(new Node(1)))
      cache.chargeUnsafe(10)
      assert.deepInclude(cache.stats(), { bytes: 10, budget: 0, evictions: 0 })
      cache.chargeUnsafe(-10)
      assert.strictEqual(cache.stats().bytes, 0)
    })

    it("2. a node that was visited since it was last considered survives those that were not", () =>
      manySeeds(50, (dice) => {
        const cache = make(100)
        const nodes = Array.from({ length: 10 }, () => new Node(10))
        for (const node of nodes) cache.insertUnsafe(node)
        const visited = nodes.filter(() => dice.chance(0.5))
        for (const node of visited) node.visited = true
        for (let count = visited.length; count < 10; count++) cache.insertUnsafe(new Node(10))
        for (const node of nodes) assert.strictEqual(node.evictions, visited.includes(node) ? 0 : 1)
      }))

    it("3. evicted is called once for each node that leaves by itself, and not for one that is removed", () => {
      const cache = make(30)
      const [first, second, third] = [new Node(10), new Node(10), new Node(10)]
      for (const node of [first, second, third]) cache.insertUnsafe(node)
      cache.removeUnsafe(second)
      cache.removeUnsafe(second)
      assert.strictEqual(cache.stats().bytes, 20)
      cache.insertUnsafe(new Node(30))
      assert.deepStrictEqual(
        [first, second, third].map(({ evictions }) => evictions),
        [1, 0, 1]
      )
      cache.removeUnsafe(first)
      assert.deepInclude(cache.stats(), { bytes: 30, evictions: 2 })
    })

    it("3. a node that has left can come again", () => {
      const cache = make(10)
      const node = new Node(10)
      cache.insertUnsafe(node)
      cache.insertUnsafe(new Node(10))
      assert.strictEqual(node.evictions, 1)
      assert.isTrue(cache.insertUnsafe(node))
      cache.removeUnsafe(node)
      assert.isTrue(cache.insertUnsafe(node))
      cache.insertUnsafe(new Node(10))
      assert.strictEqual(node.evictions, 2)
    })

    it("4. what fits without evicting anything is admitted", () => {
      const cache = make(30)
      assert.isTrue(cache.admitsUnsafe(1, 30))
      cache.insertUnsafe(new Node(20))
      assert.isTrue(cache.admitsUnsafe(2, 10))
      cache.chargeUnsafe(1)
      assert.isFalse(cache.admitsUnsafe(3, 10))
    })

    it("4. what does not fit is admitted when it is missed again soon", () =>
      manySeeds(20, (dice) => {
        const cache = make(10)
        cache.insertUnsafe(new Node(10))
        const hash = dice.below(2 ** 32)
        assert.isFalse(cache.admitsUnsafe(hash, 10))
        assert.isTrue(cache.admitsUnsafe(hash, 10))
        assert.isFalse(cache.admitsUnsafe(hash, 10), "it was taken in, and is gone again")
        for (let other = 0; other < 10_000; other++) cache.admitsUnsafe(dice.below(2 ** 32), 10)
        assert.isFalse(cache.admitsUnsafe(hash, 10), "it was missed too long ago")
      }))

    it("4. a cache without room admits nothing", () => {
      const cache = make(0)
      assert.isFalse(cache.admitsUnsafe(1, 1))
      assert.isFalse(cache.admitsUnsafe(1, 1))
    })

    it("counts what it is told", () => {
      const cache = make(10)
      cache.countUnsafe("hit")
      cache.countUnsafe("hit")
      cache.countUnsafe("miss")
      assert.deepInclude(cache.stats(), { hits: 2, misses: 1 })
    })
  })
}

/** Does something; returns by how much the charge changed. */
const randomStep = (
  cache: BlockCacheService,
  nodes: Array<Node>,
  { charged, dice }: { readonly dice: Dice; readonly charged: number }
): number => {
  if (dice.chance(0.6)) {
    const node = new Node(1 + dice.below(dice.chance(0.1) ? 1200 : 200))
    if (cache.insertUnsafe(node)) nodes.push(node)
  } else if (dice.chance(0.5) && nodes.length > 0) {
    const node = dice.pick(nodes)
    if (dice.chance(0.5)) node.visited = true
    else cache.removeUnsafe(node)
  } else {
    const change = dice.chance(0.5) ? dice.below(700) : -dice.below(charged + 1)
    cache.chargeUnsafe(change)
    return change
  }
  return 0
}
