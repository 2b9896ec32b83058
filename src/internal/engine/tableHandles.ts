// The tables of a database, each once. Naming a table reads nothing of it; see tableReader.ts for when it is read, and
// openFiles.ts for how much of all of them is in memory.
import * as Effect from "effect/Effect"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import type { TableMeta } from "../../services/Manifest.ts"
import type { Table } from "../../services/SsTable.ts"
import { tableFileName } from "../format/fileName.ts"
import { checkSize } from "../structure/tableFacts.ts"
import { decoding, ofDisk } from "./diskErrors.ts"
import { OpenFiles } from "./openFiles.ts"
import { missingTable, tablePath, type TableParts } from "./tableFile.ts"
import { TableReader } from "./tableReader.ts"

/** What indexes and filters may take of the cache. Blocks have the rest, and what these leave. */
const partsShare = 0.75
/** What they may take in any case: enough for the small tables of a small database. */
const partsBytesMin = 64 * 1024

export class TableHandles {
  private readonly parts: TableParts
  private readonly files: OpenFiles
  private readonly tables = new Map<number, TableReader>()

  constructor(parts: TableParts) {
    const { cache, disk, options } = parts
    this.parts = parts
    this.files = new OpenFiles({
      disk,
      cache,
      filesMax: options.openFilesMax,
      bytesMax: Math.max(partsBytesMin, Math.floor(options.cacheBytes * partsShare))
    })
  }

  get openFiles(): number {
    return this.files.openCount
  }

  handle(meta: TableMeta): Table {
    const known = this.tables.get(meta.number)
    if (known !== undefined) {
      known.meta = meta
      return known
    }
    const table = new TableReader(meta, this.parts, this.files)
    this.tables.set(meta.number, table)
    return table
  }

  /** The handles, if all files are there with their sizes. */
  attach(metas: ReadonlyArray<TableMeta>): Effect.Effect<ReadonlyArray<Table>, DatabaseError> {
    if (metas.length === 0) return Effect.succeed([])
    const { disk, manifest } = this.parts
    return Effect.flatMap(Effect.mapError(disk.list(manifest.directory), ofDisk), (entries) => {
      const files = entries.filter(({ kind }) => kind === "file")
      const sizes = new Map(files.map(({ bytes, name }) => [name, bytes]))
      return Effect.forEach(metas, (meta) => {
        const bytes = sizes.get(tableFileName(meta.number))
        if (bytes === undefined) return Effect.fail(missingTable(this.parts, meta.number))
        return decoding(tablePath(this.parts, meta.number), () => {
          checkSize(meta, bytes)
          return this.handle(meta)
        })
      })
    })
  }

  /** Closes the table and removes its file. One that cannot be removed is left to the next open. */
  remove(meta: TableMeta): Effect.Effect<void> {
    const { disk, manifest } = this.parts
    const path = tablePath(this.parts, meta.number)
    const removal = Effect.catch(disk.remove(path), (error) =>
      error.code === "ENOENT"
        ? Effect.void
        : Effect.logWarning(`Strata: ${path} could not be removed and is left: ${error.message}`)
    )
    return Effect.suspend(() => {
      const table = this.tables.get(meta.number)
      this.tables.delete(meta.number)
      return Effect.andThen(table?.close ?? Effect.void, manifest.ifSound(removal))
    }).pipe(Effect.uninterruptible)
  }

  /** Closes every table, as soon as no read of it is under way. */
  readonly close: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach([...this.tables.values()], (table) => table.close, { discard: true })
  )
}
