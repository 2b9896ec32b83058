/**
 * The cache of blocks by SIEVE: a scan that fills it pushes out little that was hit.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { assert } from "../internal/format/formatError.ts"
import { Doorkeeper } from "../internal/structure/doorkeeper.ts"
import { SieveCache, type SieveNode } from "../internal/structure/sieve.ts"
import { BlockCache, type BlockCacheService, type CacheNode } from "../services/BlockCache.ts"
import { Options } from "../services/Options.ts"

/**
 * A quarter as many misses are remembered as blocks of 4 KiB fit: what is hot is missed again soon. Of keys drawn at
 * random from twice what fits an eighth of the misses is let in; with four times as many places four tenths would be.
 */
const bytesPerPlace = 16 * 1024

/** A node in the queue. Hits are where the owner marks them, on the node itself. */
class Place implements SieveNode {
  readonly bytes: number
  newer: SieveNode | null = null
  older: SieveNode | null = null
  cached = false
  readonly node: CacheNode

  constructor(node: CacheNode) {
    this.bytes = node.bytes
    this.node = node
  }

  get visited(): boolean {
    return this.node.visited
  }

  set visited(visited: boolean) {
    this.node.visited = visited
  }

  evicted(): void {
    this.node.slot = undefined
    this.node.evicted()
  }
}

/**
 * A cache of so many bytes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (bytesMax: number): BlockCacheService => {
  const cache = new SieveCache<Place>(bytesMax)
  const doorkeeper = new Doorkeeper(bytesMax / bytesPerPlace)
  return BlockCache.of({
    insertUnsafe: (node) => {
      assert(node.slot === undefined, "a node is inserted once")
      const place = new Place(node)
      if (!cache.insert(place)) return false
      node.slot = place
      return true
    },
    admitsUnsafe: (hash, bytes) =>
      cache.bytes + cache.charged + bytes <= cache.bytesMax || (cache.bytesMax > 0 && doorkeeper.knows(hash)),
    removeUnsafe: (node) => {
      const place = node.slot
      if (place === undefined) return
      assert(place instanceof Place, "a node of another cache came to be removed")
      cache.remove(place)
      node.slot = undefined
    },
    chargeUnsafe: (bytes) => {
      if (bytes < 0) cache.discharge(-bytes)
      else cache.charge(bytes)
    },
    countUnsafe: (outcome) => {
      if (outcome === "hit") cache.hits += 1
      else cache.misses += 1
    },
    stats: () => ({
      hits: cache.hits,
      misses: cache.misses,
      evictions: cache.evictions,
      bytes: cache.bytes + cache.charged,
      budget: cache.bytesMax
    })
  })
}

/**
 * A cache of `cacheBytes`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<BlockCache> = Layer.effect(
  BlockCache,
  Effect.map(Options, ({ cacheBytes }) => make(cacheBytes))
)
