// The range removals that the tables hold, for the picker: it drops files that one of them hides. A table is read only
// when it is needed, so nobody else may have asked for those of a table that was just written.
import * as Effect from "effect/Effect"
import type { RangeRemoval, Table } from "../../services/SsTable.ts"

/** Each choice sorts them. What is beyond is not known, and its files go when they are merged. */
const removalsMax = 4096

export class KnownRemovals {
  private readonly known = new WeakMap<Table, ReadonlyArray<RangeRemoval>>()

  /** Reads those that are not known yet. A table that cannot be read has none: others will find that it is damaged. */
  learn(tables: ReadonlyArray<Table>): Effect.Effect<void> {
    const unknown = having(tables).filter((table) => !this.known.has(table))
    if (unknown.length === 0) return Effect.void
    return Effect.forEach(
      unknown,
      (table) =>
        table.open.pipe(
          Effect.map(({ rangeRemovals }) => rangeRemovals?.removals ?? []),
          Effect.orElseSucceed(() => []),
          Effect.map((removals) => void this.known.set(table, removals))
        ),
      { discard: true }
    )
  }

  of(tables: ReadonlyArray<Table>): ReadonlyArray<RangeRemoval> {
    return having(tables).flatMap((table) => this.known.get(table) ?? [])
  }
}

/** The tables that have some, as long as they are not too many together. */
const having = (tables: ReadonlyArray<Table>): ReadonlyArray<Table> => {
  let count = 0
  return tables.filter(({ meta }) => {
    if (meta.rangeRemovalCount === 0) return false
    count += meta.rangeRemovalCount
    return count <= removalsMax
  })
}
