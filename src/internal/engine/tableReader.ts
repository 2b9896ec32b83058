// A table open for reading. Each block in memory is a cache node in a plain array by its ordinal: a hit is one read of
// the array and one write of the node's bit, and no search.
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { BlockCacheService, CacheNode } from "../../services/BlockCache.ts"
import { Closed, DatabaseError, fail } from "../../services/DatabaseError.ts"
import { DiskError } from "../../services/Disk.ts"
import type { TableMeta } from "../../services/Manifest.ts"
import type { Block, LoadedParts, Table } from "../../services/SsTable.ts"
import { BlockReader } from "../format/block.ts"
import { makeEntryView } from "../format/blockEntry.ts"
import { hashKey, hashKeyHigh } from "../format/compare.ts"
import { mayContain } from "../format/filter.ts"
import { FormatError } from "../format/formatError.ts"
import { decodingAt, Layout } from "../format/storedBlock.ts"
import { RangeRemovals } from "../structure/rangeRemovals.ts"
import { TableBlocks } from "../structure/tableBlocks.ts"
import { ofFormat } from "./diskErrors.ts"
import { openStored } from "../structure/tableOpening.ts"
import { type OpenedTable, ofRead, type TableFile } from "./tableFile.ts"

// A block's reader, view, buffer and node, measured by the heap's growth per cached block of 64 bytes.
const nodeBytes = 400
// Of an array.
const slotBytes = 8

class BlockNode implements CacheNode {
  readonly bytes: number
  visited = false
  slot: unknown = undefined
  readonly block: Block
  private readonly nodes: Array<BlockNode | undefined>
  private readonly ordinal: number

  constructor(block: Block, nodes: Array<BlockNode | undefined>, ordinal: number) {
    this.bytes = block.bytes.buffer.byteLength + nodeBytes
    this.block = block
    this.nodes = nodes
    this.ordinal = ordinal
  }

  evicted(): void {
    this.nodes[this.ordinal] = undefined
  }
}

/** A read that is under way, and whether one of those who wait for it wants the block kept. */
interface Loading {
  fillCache: boolean
  readonly block: Deferred.Deferred<Block, DatabaseError>
}

export class TableReader implements Table, LoadedParts {
  readonly meta: TableMeta
  readonly blockCount: number
  readonly rangeRemovals: RangeRemovals | undefined
  readonly open: Effect.Effect<LoadedParts, DatabaseError>
  private readonly table: TableFile
  private readonly blocks: TableBlocks
  private readonly filter: Uint8Array | undefined
  private readonly cache: BlockCacheService
  private readonly nodes: Array<BlockNode | undefined>
  private readonly loading = new Map<number, Loading>()
  private readonly last = makeEntryView()
  private readonly resident: number
  private closed = false

  constructor(meta: TableMeta, table: OpenedTable, cache: BlockCacheService) {
    const { file, fileTag, filter, footer, index, rangeRemovals, sealer } = table
    this.rangeRemovals = rangeRemovals.length === 0 ? undefined : new RangeRemovals(rangeRemovals)
    this.meta = meta
    this.blockCount = index.count
    this.table = { file, fileTag, footer, sealer }
    this.blocks = new TableBlocks(index)
    this.filter = filter
    this.cache = cache
    this.nodes = Array.from({ length: index.count }, () => undefined)
    this.open = Effect.succeed(this)
    this.resident = this.blocks.bytes + index.count * slotBytes + (filter?.buffer.byteLength ?? 0)
    cache.chargeUnsafe(this.resident)
  }

  partsUnsafe(): LoadedParts {
    return this
  }

  openUnsafe(): LoadedParts {
    return this
  }

  placeUnsafe(target: Uint8Array, start: number, end: number): number {
    return this.blocks.seek(target, start, end)
  }

  place(target: Uint8Array, start: number, end: number): Effect.Effect<number> {
    return Effect.sync(() => this.blocks.seek(target, start, end))
  }

  mayContain(key: Uint8Array, start: number, end: number): boolean {
    const { filter } = this
    return filter === undefined || mayContain(filter, hashKey(key, start, end), hashKeyHigh(key, start, end))
  }

  blockFor(target: Uint8Array, start: number, end: number): number {
    return this.blocks.seek(target, start, end)
  }

  blockUnsafe(ordinal: number): Block | undefined {
    const node = this.nodes[ordinal]
    if (node === undefined) return undefined
    node.visited = true
    this.cache.countUnsafe("hit")
    return node.block
  }

  /** Those who want the same block at the same time share one read. */
  load(ordinal: number, fillCache: boolean): Effect.Effect<Block, DatabaseError> {
    return Effect.uninterruptibleMask((restore) => {
      const loading = this.loading.get(ordinal)
      if (loading !== undefined) {
        loading.fillCache ||= fillCache
        return restore(Deferred.await(loading.block))
      }
      const block = this.blockUnsafe(ordinal)
      return block === undefined ? this.loadLater(ordinal, fillCache) : Effect.succeed(block)
    })
  }

  /** Gives back what the cache holds of it, and the file. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    if (this.closed) return Effect.void
    this.closed = true
    for (const node of this.nodes) if (node !== undefined) this.cache.removeUnsafe(node)
    this.nodes.fill(undefined)
    this.cache.chargeUnsafe(-this.resident)
    return Effect.ignore(this.table.file.close)
  })

  loadUnsafe(ordinal: number, fillCache: boolean): Block | undefined {
    const cached = this.blockUnsafe(ordinal)
    if (cached !== undefined || this.table.file.readUnsafe === undefined) return cached
    this.cache.countUnsafe("miss")
    try {
      this.checkOpen()
      const bytes = this.table.file.readUnsafe!(this.blocks.offsetOf(ordinal), this.blocks.lengthOf(ordinal))
      const block = this.decode(ordinal, bytes)
      if (fillCache) this.admit(ordinal, block)
      return block
    } catch (error) {
      throw this.mapped(error)
    }
  }

  private loadLater(ordinal: number, fillCache: boolean): Effect.Effect<Block, DatabaseError> {
    this.cache.countUnsafe("miss")
    const loading: Loading = { fillCache, block: Deferred.makeUnsafe() }
    this.loading.set(ordinal, loading)
    const read = Effect.suspend(() => {
      const closed = this.closed ? Effect.fail(closedError(this.table)) : Effect.void
      return Effect.andThen(
        closed,
        Effect.mapError(this.table.file.read(this.blocks.offsetOf(ordinal), this.blocks.lengthOf(ordinal)), ofRead)
      )
    })
    return Effect.flatMap(read, (bytes) =>
      Effect.suspend(() => {
        try {
          const block = this.decode(ordinal, bytes)
          if (loading.fillCache) this.admit(ordinal, block)
          return Effect.succeed(block)
        } catch (error) {
          const mapped = this.mapped(error)
          return mapped instanceof DatabaseError ? Effect.fail(mapped) : Effect.die(mapped)
        }
      })
    ).pipe(
      Effect.onExit((exit) =>
        Effect.sync(() => {
          this.loading.delete(ordinal)
          Deferred.doneUnsafe(loading.block, exit)
        })
      )
    )
  }

  private decode(ordinal: number, bytes: Uint8Array): Block {
    const offset = this.blocks.offsetOf(ordinal)
    const plain = openStored(this.table, Layout.entries, { bytes, offset })
    return decodingAt(offset, () => {
      const block = BlockReader.open(plain)
      this.checkLast(ordinal, block)
      return block
    })
  }

  /** A search that the index sends to this block relies on it. */
  private checkLast(ordinal: number, block: Block): void {
    const { last } = this
    block.read(block.count - 1, last)
    if (this.blocks.endsWith(ordinal, last.bytes, last.keyStart, last.keyEnd)) return
    throw new FormatError("a block does not end with the key that the index names", last.keyStart)
  }

  private admit(ordinal: number, block: Block): void {
    // Another read may have been quicker, or the table closed meanwhile.
    if (this.closed || this.nodes[ordinal] !== undefined) return
    const node = new BlockNode(block, this.nodes, ordinal)
    if (this.cache.insertUnsafe(node)) this.nodes[ordinal] = node
  }

  private checkOpen(): void {
    if (this.closed) throw closedError(this.table)
  }

  private mapped(error: unknown): unknown {
    if (error instanceof FormatError) return ofFormat(error, this.table.file.path)
    return error instanceof DiskError ? ofRead(error) : error
  }
}

const closedError = ({ file }: TableFile): DatabaseError =>
  fail(new Closed({ message: `table ${file.path} is closed; its database's scope has ended` }))
