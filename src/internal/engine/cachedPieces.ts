// Pieces of one table in the cache (its blocks, or partitions of its index), in a plain array by their ordinals: a hit
// is one read of the array and one write of the node's bit, and no search.
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { BlockCacheService, CacheNode } from "../../services/BlockCache.ts"
import type { DatabaseError } from "../../services/DatabaseError.ts"

class Node<A> implements CacheNode {
  readonly bytes: number
  visited = false
  slot: unknown = undefined
  readonly piece: A
  private readonly nodes: Array<Node<A> | undefined>
  private readonly ordinal: number

  constructor(
    piece: { readonly value: A; readonly bytes: number },
    nodes: Array<Node<A> | undefined>,
    ordinal: number
  ) {
    this.bytes = piece.bytes
    this.piece = piece.value
    this.nodes = nodes
    this.ordinal = ordinal
  }

  evicted(): void {
    this.nodes[this.ordinal] = undefined
  }
}

/** A read that is under way, and whether one of those who wait for it wants the piece kept. */
interface Loading<A> {
  fillCache: boolean
  readonly piece: Deferred.Deferred<A, DatabaseError>
}

const none: Array<never> = []

export class CachedPieces<A> {
  private readonly cache: BlockCacheService
  private readonly bytesOf: (piece: A) => number
  private nodes: Array<Node<A> | undefined> = none
  /** Made when it is needed: most tables of a large database wait for nothing. */
  private loading: Map<number, Loading<A>> | undefined = undefined

  constructor(cache: BlockCacheService, bytesOf: (piece: A) => number) {
    this.cache = cache
    this.bytesOf = bytesOf
  }

  /** From now on pieces can be kept. */
  begin(count: number): void {
    this.nodes = Array.from({ length: count }, () => undefined)
  }

  /** Drops the pieces; none is kept any more. */
  forget(): void {
    for (const node of this.nodes) if (node !== undefined) this.cache.removeUnsafe(node)
    this.nodes = none
  }

  get(ordinal: number): A | undefined {
    const node = this.nodes[ordinal]
    if (node === undefined) return undefined
    node.visited = true
    this.cache.countUnsafe("hit")
    return node.piece
  }

  keep(ordinal: number, value: A): void {
    const { nodes } = this
    // Another read may have been quicker, or the table was given up meanwhile.
    if (ordinal >= nodes.length || nodes[ordinal] !== undefined) return
    const node = new Node({ value, bytes: this.bytesOf(value) }, nodes, ordinal)
    if (this.cache.insertUnsafe(node)) nodes[ordinal] = node
  }

  /** Those who want the same piece at the same time share one read. The read is not interrupted. */
  load(ordinal: number, fillCache: boolean, read: Effect.Effect<A, DatabaseError>): Effect.Effect<A, DatabaseError> {
    return Effect.uninterruptibleMask((restore) => {
      const loading = this.loading?.get(ordinal)
      if (loading !== undefined) {
        loading.fillCache ||= fillCache
        return restore(Deferred.await(loading.piece))
      }
      const piece = this.get(ordinal)
      return piece === undefined ? this.loadNew(ordinal, fillCache, read) : Effect.succeed(piece)
    })
  }

  private loadNew(
    ordinal: number,
    fillCache: boolean,
    read: Effect.Effect<A, DatabaseError>
  ): Effect.Effect<A, DatabaseError> {
    this.cache.countUnsafe("miss")
    const loading: Loading<A> = { fillCache, piece: Deferred.makeUnsafe() }
    this.loading ??= new Map()
    this.loading.set(ordinal, loading)
    return Effect.onExit(read, (exit) =>
      Effect.sync(() => {
        this.loading!.delete(ordinal)
        if (exit._tag === "Success" && loading.fillCache) this.keep(ordinal, exit.value)
        Deferred.doneUnsafe(loading.piece, exit)
      })
    )
  }
}
