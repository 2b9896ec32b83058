// Which of the cached things to give up: SIEVE (Zhang, Yang, Yue, Vigfusson, Rashmi: "SIEVE is Simpler than LRU: an
// Efficient Turn-Key Eviction Algorithm for Web Caches", NSDI 2024), with a budget in bytes.
//
// Nodes stand in a queue in the order of their arrival and never move; a hit only sets a bit. A hand walks from the
// oldest towards the newest and round again: it clears the bits that are set and evicts the first node without one.
// What is read once, as by a scan, is therefore evicted on the hand's first visit, and what is hit between visits
// stays.
//
// The cache holds no map: owners find their nodes themselves (a table's array of blocks) and drop them when told.
import { assert } from "../format/formatError.ts"

/** What can be cached. The first two fields are the owner's, the links are the cache's. */
export interface SieveNode {
  /** What it counts against the budget. Must not change while it is in the cache. */
  readonly bytes: number
  /** Whether it was hit since the hand was last here. */
  visited: boolean
  /** Towards the newest and the oldest; null at the ends and outside. */
  newer: SieveNode | null
  older: SieveNode | null
  /** Whether it is in the cache. */
  cached: boolean
  /** The cache gave it up: the owner drops its reference. Must not call the cache. */
  evicted(): void
}

export class SieveCache<T extends SieveNode> {
  bytesMax: number
  /** Bytes of the nodes, without what is charged. */
  bytes = 0
  /** Bytes that are not evictable but count against the budget: indexes and filters of open tables. */
  charged = 0
  count = 0
  hits = 0
  misses = 0
  evictions = 0
  private newest: SieveNode | null = null
  private oldest: SieveNode | null = null
  private hand: SieveNode | null = null

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  /** A hit. */
  touch(node: T): void {
    node.visited = true
    this.hits++
  }

  /** A read that found nothing here, whether or not its result is inserted. */
  miss(): void {
    this.misses++
  }

  /**
   * Takes the node in, evicting others as needed. False, and nothing happens, if it would not fit beside what is
   * charged.
   */
  insert(node: T): boolean {
    assert(!node.cached, "a node is inserted once")
    if (node.bytes > this.bytesMax - this.charged) return false
    this.evictFor(node.bytes)
    node.visited = false
    node.cached = true
    node.newer = null
    node.older = this.newest
    if (this.newest === null) this.oldest = node
    else this.newest.newer = node
    this.newest = node
    this.bytes += node.bytes
    this.count++
    return true
  }

  /** Takes the node out, if it is in, without `evicted`. */
  remove(node: T): void {
    if (node.cached) this.take(node)
  }

  /** Counts bytes against the budget that stay until they are discharged. Evicts what no longer fits. */
  charge(bytes: number): void {
    this.charged += bytes
    this.evictFor(0)
  }

  discharge(bytes: number): void {
    assert(bytes <= this.charged, "no more is discharged than was charged")
    this.charged -= bytes
  }

  resize(bytesMax: number): void {
    this.bytesMax = bytesMax
    this.evictFor(0)
  }

  private evictFor(bytes: number): void {
    const room = this.bytesMax - this.charged - bytes
    while (this.bytes > room && this.oldest !== null) this.evictOne(this.oldest)
  }

  // Ends: every node that is passed is passed without its bit the next time.
  private evictOne(oldest: SieveNode): void {
    let node = this.hand ?? oldest
    while (node.visited) {
      node.visited = false
      node = node.newer ?? oldest
    }
    this.hand = node
    this.take(node)
    this.evictions++
    node.evicted()
  }

  private take(node: SieveNode): void {
    const { newer, older } = node
    if (this.hand === node) this.hand = newer
    if (newer === null) this.newest = older
    else newer.older = older
    if (older === null) this.oldest = newer
    else older.newer = newer
    node.newer = null
    node.older = null
    node.cached = false
    this.bytes -= node.bytes
    this.count--
  }
}
