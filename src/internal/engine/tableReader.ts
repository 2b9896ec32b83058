// A table as readers hold it, from the moment it is named: its file is opened, and its parts and blocks are read, when
// they are first needed, and again when they were given up meanwhile. Each block in memory is a cache node in a plain
// array by its ordinal: a hit is one read of the array and one write of the node's bit, and no search.
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { CacheNode } from "../../services/BlockCache.ts"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import { DiskError, type ReadFile } from "../../services/Disk.ts"
import type { TableMeta } from "../../services/Manifest.ts"
import type { Block, Table } from "../../services/SsTable.ts"
import { FormatError } from "../format/formatError.ts"
import { LoadedTable } from "../structure/loadedTable.ts"
import { attempt } from "./attempt.ts"
import { ofFormat } from "./diskErrors.ts"
import { type FileHolder, FileState, type OpenFiles } from "./openFiles.ts"
import { ofOpen, ofRead, readParts, readPartsNow, tablePath, type TableParts } from "./tableFile.ts"

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

const noNodes: Array<BlockNode | undefined> = []

export class TableReader implements Table, FileHolder {
  /** Of another level when the table was moved there; the rest is the file's. */
  meta: TableMeta
  readonly path: string
  visited = false
  readonly state = new FileState()
  readonly open: Effect.Effect<LoadedTable, DatabaseError>
  private readonly parts: TableParts
  private readonly files: OpenFiles
  private loaded: LoadedTable | undefined = undefined
  private opening: Deferred.Deferred<LoadedTable, DatabaseError> | undefined = undefined
  private nodes = noNodes
  private readonly loading = new Map<number, Loading>()

  constructor(meta: TableMeta, parts: TableParts, files: OpenFiles) {
    this.meta = meta
    this.path = tablePath(parts, meta.number)
    this.parts = parts
    this.files = files
    this.open = Effect.uninterruptibleMask((restore) => {
      const { loaded, opening } = this
      if (loaded !== undefined) return Effect.succeed(loaded)
      return opening === undefined ? this.openLater() : restore(Deferred.await(opening))
    })
  }

  readonly ofOpen = (error: DiskError): DatabaseError => ofOpen(this.parts, this.meta, error)

  partsUnsafe(): LoadedTable | undefined {
    this.visited = true
    return this.loaded
  }

  openUnsafe(): LoadedTable | undefined {
    if (this.loaded !== undefined) return this.loaded
    const file = this.files.fileUnsafe(this)
    if (file === undefined) return undefined
    try {
      const opened = this.mapping(() => readPartsNow(this.parts, this.meta, file))
      return opened === undefined ? undefined : this.admitParts(new LoadedTable(opened))
    } catch (error) {
      this.files.giveUpNow(this)
      throw error
    }
  }

  placeUnsafe(target: Uint8Array, start: number, end: number): number {
    return this.openUnsafe()?.blockFor(target, start, end) ?? -1
  }

  place(target: Uint8Array, start: number, end: number): Effect.Effect<number, DatabaseError> {
    return Effect.map(this.open, (loaded) => loaded.blockFor(target, start, end))
  }

  blockUnsafe(ordinal: number): Block | undefined {
    const node = this.nodes[ordinal]
    if (node === undefined) return undefined
    node.visited = true
    this.parts.cache.countUnsafe("hit")
    return node.block
  }

  loadUnsafe(ordinal: number, fillCache: boolean): Block | undefined {
    const cached = this.blockUnsafe(ordinal)
    if (cached !== undefined) return cached
    const loaded = this.openUnsafe()
    const file = loaded === undefined ? undefined : this.files.fileUnsafe(this)
    if (loaded === undefined || file?.readUnsafe === undefined) return undefined
    this.parts.cache.countUnsafe("miss")
    return this.mapping(() => {
      const bytes = file.readUnsafe!(loaded.offsetOf(ordinal), loaded.lengthOf(ordinal))
      const block = loaded.openBlock(ordinal, bytes)
      if (fillCache) this.admit(ordinal, block)
      return block
    })
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

  forget(): void {
    this.loaded = undefined
    for (const node of this.nodes) if (node !== undefined) this.parts.cache.removeUnsafe(node)
    this.nodes = noNodes
  }

  /** Gives back what the cache holds of it, and the file. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => this.files.close(this))

  // Not interruptible, for it is a few reads, and others may be waiting for it.
  private openLater(): Effect.Effect<LoadedTable, DatabaseError> {
    const opening = Deferred.makeUnsafe<LoadedTable, DatabaseError>()
    this.opening = opening
    return this.files
      .use(this, (file) => Effect.map(readParts(this.parts, this.meta, file), (opened) => new LoadedTable(opened)))
      .pipe(
        Effect.map((loaded) => this.admitParts(loaded)),
        Effect.onError(() => this.files.giveUp(this)),
        Effect.onExit((exit) =>
          Effect.sync(() => {
            this.opening = undefined
            Deferred.doneUnsafe(opening, exit)
          })
        )
      )
  }

  private loadLater(ordinal: number, fillCache: boolean): Effect.Effect<Block, DatabaseError> {
    this.parts.cache.countUnsafe("miss")
    const loading: Loading = { fillCache, block: Deferred.makeUnsafe() }
    this.loading.set(ordinal, loading)
    return Effect.flatMap(this.open, (loaded) =>
      this.files.use(this, (file) => this.readBlock(ordinal, loaded, file))
    ).pipe(
      Effect.tap((block) =>
        Effect.sync(() => {
          if (loading.fillCache) this.admit(ordinal, block)
        })
      ),
      Effect.onExit((exit) =>
        Effect.sync(() => {
          this.loading.delete(ordinal)
          Deferred.doneUnsafe(loading.block, exit)
        })
      )
    )
  }

  private readBlock(ordinal: number, loaded: LoadedTable, file: ReadFile): Effect.Effect<Block, DatabaseError> {
    const read = file.read(loaded.offsetOf(ordinal), loaded.lengthOf(ordinal))
    return Effect.flatMap(Effect.mapError(read, ofRead), (bytes) =>
      attempt(() => this.mapping(() => Effect.succeed(loaded.openBlock(ordinal, bytes))))
    )
  }

  private admitParts(loaded: LoadedTable): LoadedTable {
    const before = this.loaded
    // Another read may have been quicker, or the file closed meanwhile.
    if (before !== undefined || this.state.file === undefined) return before ?? loaded
    this.loaded = loaded
    this.nodes = Array.from({ length: loaded.blockCount }, () => undefined)
    this.files.loaded(this, loaded.bytes + loaded.blockCount * slotBytes)
    return loaded
  }

  private admit(ordinal: number, block: Block): void {
    if (this.loaded === undefined || this.nodes[ordinal] !== undefined) return
    const node = new BlockNode(block, this.nodes, ordinal)
    if (this.parts.cache.insertUnsafe(node)) this.nodes[ordinal] = node
  }

  private mapping<A>(body: () => A): A {
    try {
      return body()
    } catch (error) {
      if (error instanceof FormatError) throw ofFormat(error, this.path)
      throw error instanceof DiskError ? ofRead(error) : error
    }
  }
}
