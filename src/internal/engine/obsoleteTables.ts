// Tables that nothing can read any more: their files are removed in the background, one after the other. After a failed
// sync of the manifest nobody knows which files a crash would leave live, and nothing is removed any more.
import * as Effect from "effect/Effect"
import type { SsTableService, Table } from "../../services/SsTable.ts"
import { Gate } from "./gate.ts"

export class ObsoleteTables {
  private pending: Array<Table> = []
  private readonly gate = new Gate()
  private readonly tables: SsTableService
  private readonly isPoisoned: () => boolean

  constructor(tables: SsTableService, isPoisoned: () => boolean) {
    this.tables = tables
    this.isPoisoned = isPoisoned
  }

  add(table: Table): void {
    this.pending.push(table)
    this.gate.wake()
  }

  /** Run in a fiber of the database's scope. */
  readonly loop: Effect.Effect<never> = Effect.suspend(() =>
    Effect.forever(Effect.andThen(this.gate.wait, Effect.andThen(Effect.yieldNow, this.removeAll)))
  )

  /** Removes those that are known now. */
  readonly removeAll: Effect.Effect<void> = Effect.suspend(() => {
    const table = this.pending.pop()
    if (table === undefined || this.isPoisoned()) return Effect.void
    return Effect.andThen(this.tables.remove(table.meta), this.removeAll)
  })
}
