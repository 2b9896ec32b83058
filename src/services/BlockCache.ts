/**
 * One byte budget for what is kept of tables, and of the indexes of value files, in memory.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"

/**
 * Something cached. It lives where its owner finds it without a search (a table's array of blocks); the cache only
 * decides how long.
 *
 * @since 0.1.0
 * @category models
 */
export interface CacheNode {
  readonly bytes: number
  /** Set by the owner at each hit: that is all a hit costs. */
  visited: boolean
  /** The cache's own place for it: `undefined` while it is outside. The owner sets it once and leaves it alone. */
  slot: unknown
  /** Called once when the cache gives the node up: the owner drops its reference. Must not call the cache. */
  readonly evicted: () => void
}

/**
 * The cache of one database.
 *
 * Invariants every layer keeps, checked by `test/suites/blockCacheSuite.ts`:
 * 1. `bytes` is at most the budget after every call, except for what is charged.
 * 2. A node that was visited since it was last considered survives those that were not.
 * 3. `evicted` is called once for each node that leaves by itself, and not for one that is removed.
 * 4. What fits without evicting anything is admitted; what does not is admitted when it is missed again soon.
 *
 * @since 0.1.0
 * @category services
 */
export class BlockCache extends Context.Service<
  BlockCache,
  {
    /** Takes the node in, evicting others. False, and nothing happens, if it does not fit beside what is charged. */
    readonly insertUnsafe: (node: CacheNode) => boolean
    /**
     * Whether what was just missed is worth to be inserted: as long as there is room for so many bytes, and then if it
     * was missed before, not long ago. `hash` names it, in 32 bits; two that share one are taken for the same.
     */
    readonly admitsUnsafe: (hash: number, bytes: number) => boolean
    /** Nothing happens if the node is not in the cache. */
    readonly removeUnsafe: (node: CacheNode) => void
    /**
     * Counts bytes that stay as long as their table is open (indexes, filters) against the budget; negative to give
     * them back.
     */
    readonly chargeUnsafe: (bytes: number) => void
    readonly countUnsafe: (outcome: "hit" | "miss") => void
    readonly stats: () => {
      readonly hits: number
      readonly misses: number
      readonly evictions: number
      /** Of the nodes, and what is charged. */
      readonly bytes: number
      readonly budget: number
    }
  }
>()("strata/BlockCache") {}

/**
 * The shape of `BlockCache`.
 *
 * @since 0.1.0
 * @category models
 */
export type BlockCacheService = BlockCache["Service"]
