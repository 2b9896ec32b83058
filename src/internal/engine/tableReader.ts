// A table as readers hold it, from the moment it is named: its file is opened, and its parts and blocks are read, when
// they are first needed, and again when they were given up meanwhile.
import * as Effect from "effect/Effect"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import { DiskError, type ReadFile } from "../../services/Disk.ts"
import type { TableMeta } from "../../services/Manifest.ts"
import type { FileHolder, OpenFilesService } from "../../services/OpenFiles.ts"
import type { Block, Table } from "../../services/SsTable.ts"
import { FormatError } from "../format/formatError.ts"
import type { Section } from "../format/table.ts"
import { LoadedTable } from "../structure/loadedTable.ts"
import type { TableBlocks } from "../structure/tableBlocks.ts"
import type { ReadableParts } from "../structure/tableOpening.ts"
import { attempt } from "./attempt.ts"
import { CachedPieces } from "./cachedPieces.ts"
import { ofFormat } from "./diskErrors.ts"
import { fileState } from "./openFiles.ts"
import { LoadedParts } from "./loadedParts.ts"
import { ofRead } from "./opening.ts"
import { ofOpen, readParts, readPartsNow, tablePath, type TableParts } from "./tableFile.ts"

// A block's reader, view, buffer and node, measured by the heap's growth per cached block of 64 bytes; a partition's
// arrays, about.
const blockBytes = 400
const partitionBytes = 1000
// Of an array.
const slotBytes = 8

const bytesOfBlock = ({ bytes }: Block): number => bytes.buffer.byteLength + blockBytes
const bytesOfPartition = ({ bytes }: TableBlocks): number => bytes + partitionBytes

/** Of a block, among those of all tables. */
const hashOf = (table: number, ordinal: number): number => {
  const mixed = Math.imul(table, 0x9e3779b1) ^ Math.imul(ordinal, 0x85ebca6b)
  return mixed ^ (mixed >>> 15)
}

export class TableReader implements Table, FileHolder {
  /** Of another level when the table was moved there; the rest is the file's. */
  meta: TableMeta
  readonly path: string
  visited = false
  readonly state = fileState()
  readonly open: Effect.Effect<LoadedTable, DatabaseError>
  private readonly parts: TableParts
  private readonly files: OpenFilesService
  private readonly blocks: CachedPieces<Block>
  private readonly partitions: CachedPieces<TableBlocks>
  private readonly loaded: LoadedParts<LoadedTable>

  constructor(meta: TableMeta, parts: TableParts, files: OpenFilesService) {
    this.meta = meta
    this.path = tablePath(parts, meta.number)
    this.parts = parts
    this.files = files
    this.blocks = new CachedPieces(parts.cache, bytesOfBlock)
    this.partitions = new CachedPieces(parts.cache, bytesOfPartition)
    this.loaded = new LoadedParts({
      files,
      holder: this,
      read: (file) => Effect.map(readParts(parts, this.meta, file), (opened) => this.loadedOf(opened)),
      readNow: (file) => {
        const opened = this.mapping(() => readPartsNow(parts, this.meta, file))
        return opened === undefined ? undefined : this.loadedOf(opened)
      },
      onLoaded: (loaded) => this.begin(loaded)
    })
    this.open = this.loaded.load
  }

  readonly ofOpen = (error: DiskError): DatabaseError => ofOpen(this.parts, this.meta, error)

  partsUnsafe(): LoadedTable | undefined {
    this.visited = true
    return this.loaded.current
  }

  openUnsafe(): LoadedTable | undefined {
    return this.loaded.current ?? this.loaded.loadNow()
  }

  placeUnsafe(target: Uint8Array, start: number, end: number): number {
    const loaded = this.openUnsafe()
    if (loaded === undefined) return -1
    const ordinal = loaded.blockFor(target, start, end)
    if (ordinal >= 0) return ordinal
    const partition = loaded.partitionFor(target, start, end)
    const blocks = this.partitionNow(loaded, partition)
    return blocks === undefined ? -1 : loaded.blockIn(partition, blocks.seek(target, start, end))
  }

  place(target: Uint8Array, start: number, end: number): Effect.Effect<number, DatabaseError> {
    return Effect.flatMap(this.open, (loaded) => {
      const ordinal = loaded.blockFor(target, start, end)
      if (ordinal >= 0) return Effect.succeed(ordinal)
      const partition = loaded.partitionFor(target, start, end)
      return Effect.map(this.partition(loaded, partition), (blocks) =>
        loaded.blockIn(partition, blocks.seek(target, start, end))
      )
    })
  }

  blockUnsafe(ordinal: number): Block | undefined {
    return this.blocks.get(ordinal)
  }

  loadUnsafe(ordinal: number, fillCache: boolean): Block | undefined {
    const cached = this.blocks.get(ordinal)
    if (cached !== undefined) return cached
    const loaded = this.openUnsafe()
    const blocks = loaded && this.partitionNow(loaded, loaded.partitionOf(ordinal))
    if (blocks === undefined) return undefined
    const block = this.readNow(loaded!.rangeOf(ordinal, blocks), (bytes) =>
      loaded!.openBlock(ordinal, blocks, { bytes, isLent: false })
    )
    if (block !== undefined && fillCache) this.blocks.keep(ordinal, block)
    return block
  }

  lendUnsafe(ordinal: number): Block | undefined {
    const cached = this.blocks.get(ordinal)
    if (cached !== undefined) return cached
    const loaded = this.openUnsafe()
    const blocks = loaded && this.partitionNow(loaded, loaded.partitionOf(ordinal))
    if (blocks === undefined) return undefined
    const section = loaded!.rangeOf(ordinal, blocks)
    const { cache, lent } = this.parts
    const isKept = cache.admitsUnsafe(hashOf(this.meta.number, ordinal), section.bytes + blockBytes)
    const into = isKept ? undefined : lent.of(section.bytes)
    const open = (bytes: Uint8Array) => loaded!.openBlock(ordinal, blocks, { bytes, isLent: into !== undefined })
    const block = this.readNow(section, open, into)
    if (block !== undefined && isKept) this.blocks.keep(ordinal, block)
    return block
  }

  load(ordinal: number, fillCache: boolean): Effect.Effect<Block, DatabaseError> {
    return this.blocks.load(
      ordinal,
      fillCache,
      Effect.flatMap(this.open, (loaded) =>
        Effect.flatMap(this.partition(loaded, loaded.partitionOf(ordinal)), (blocks) =>
          this.read(loaded.rangeOf(ordinal, blocks), (bytes) =>
            loaded.openBlock(ordinal, blocks, { bytes, isLent: false })
          )
        )
      )
    )
  }

  forget(): void {
    this.loaded.forget()
    this.blocks.forget()
    this.partitions.forget()
  }

  /** Gives back what the cache holds of it, and the file. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => this.files.close(this))

  private loadedOf(opened: ReadableParts): LoadedTable {
    return new LoadedTable(opened, (partition) => this.partitions.get(partition))
  }

  private begin({ blockCount, bytes, partitionCount }: LoadedTable): number {
    this.blocks.begin(blockCount)
    this.partitions.begin(partitionCount)
    return bytes + (blockCount + partitionCount) * slotBytes
  }

  private partitionNow(loaded: LoadedTable, partition: number): TableBlocks | undefined {
    const known = loaded.blocksUnsafe(partition)
    if (known !== undefined) return known
    const blocks = this.readNow(loaded.rangeOfPartition(partition), (bytes) => loaded.openPartition(partition, bytes))
    if (blocks !== undefined) this.partitions.keep(partition, blocks)
    return blocks
  }

  private partition(loaded: LoadedTable, partition: number): Effect.Effect<TableBlocks, DatabaseError> {
    return Effect.suspend(() => {
      const known = loaded.blocksUnsafe(partition)
      if (known !== undefined) return Effect.succeed(known)
      const read = this.read(loaded.rangeOfPartition(partition), (bytes) => loaded.openPartition(partition, bytes))
      return this.partitions.load(partition, true, read)
    })
  }

  private readNow<A>(section: Section, decode: (bytes: Uint8Array) => A, into?: Uint8Array): A | undefined {
    const file = this.files.fileUnsafe(this)
    if (file?.readUnsafe === undefined) return undefined
    this.parts.cache.countUnsafe("miss")
    return this.mapping(() => decode(file.readUnsafe!(section.offset, section.bytes, into)))
  }

  private read<A>(section: Section, decode: (bytes: Uint8Array) => A): Effect.Effect<A, DatabaseError> {
    return this.files.use(this, (file: ReadFile) =>
      Effect.flatMap(Effect.mapError(file.read(section.offset, section.bytes), ofRead), (bytes) =>
        attempt(() => Effect.succeed(this.mapping(() => decode(bytes))))
      )
    )
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
