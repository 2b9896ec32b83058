// The tables that are open, each once: those who open the same one at the same time share the work and the result.
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { Closed, type DatabaseError, fail } from "../../services/DatabaseError.ts"
import type { TableMeta } from "../../services/Manifest.ts"
import type { Table } from "../../services/SsTable.ts"
import { openTableFile, tablePath, type TableParts } from "./tableFile.ts"
import { TableReader } from "./tableReader.ts"

export class OpenTables {
  private readonly parts: TableParts
  private readonly tables = new Map<number, TableReader>()
  private readonly opening = new Map<number, Deferred.Deferred<Table, DatabaseError>>()
  private closed = false

  constructor(parts: TableParts) {
    this.parts = parts
  }

  open(meta: TableMeta): Effect.Effect<Table, DatabaseError> {
    return Effect.uninterruptibleMask((restore): Effect.Effect<Table, DatabaseError> => {
      const table = this.tables.get(meta.number)
      if (table !== undefined) {
        table.meta = meta
        return Effect.succeed(table)
      }
      const opening = this.opening.get(meta.number)
      return opening === undefined ? this.openNew(meta) : restore(Deferred.await(opening))
    })
  }

  /** Closes the table, if it is open, and removes its file. A failure is logged and left to the next open. */
  remove(meta: TableMeta): Effect.Effect<void> {
    return Effect.uninterruptible(
      Effect.suspend(() => {
        const table = this.tables.get(meta.number)
        this.tables.delete(meta.number)
        const path = tablePath(this.parts, meta.number)
        const removed = Effect.catch(this.parts.disk.remove(path), (error) =>
          Effect.logWarning(`Strata: ${path} could not be removed and is left to the next open: ${error.message}`)
        )
        return Effect.andThen(table?.close ?? Effect.void, removed)
      })
    )
  }

  /** Closes every table, also those that are still being opened. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.closed = true
    const tables = [...this.tables.values()]
    this.tables.clear()
    return Effect.forEach(tables, (table) => table.close, { discard: true })
  })

  // Not interruptible, for it is a few reads, and others may be waiting for it.
  private openNew(meta: TableMeta): Effect.Effect<Table, DatabaseError> {
    const opening = Deferred.makeUnsafe<Table, DatabaseError>()
    this.opening.set(meta.number, opening)
    return Effect.flatMap(openTableFile(this.parts, meta), (opened): Effect.Effect<Table, DatabaseError> => {
      if (this.closed) return Effect.andThen(Effect.ignore(opened.file.close), Effect.fail(closedError))
      const table = new TableReader(meta, opened, this.parts.cache)
      this.tables.set(meta.number, table)
      return Effect.succeed(table)
    }).pipe(
      Effect.onExit((exit) =>
        Effect.sync(() => {
          this.opening.delete(meta.number)
          Deferred.doneUnsafe(opening, exit)
        })
      )
    )
  }
}

const closedError = fail(new Closed({ message: "the database's scope has ended" }))
