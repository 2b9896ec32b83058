// Tables that nothing can read any more: they are given up, and their files removed, one after the other in the
// background. What is not removed, for the process ends or the file cannot be, is removed by the next open.
import * as Effect from "effect/Effect"
import type { SsTableService, Table } from "../../services/SsTable.ts"
import type { Committer } from "./committer.ts"
import { Gate } from "./gate.ts"

export class ObsoleteTables {
  private readonly tables: SsTableService
  private readonly committer: Committer
  private readonly waiting: Array<Table> = []
  private readonly gate = new Gate()

  constructor(parts: { readonly tables: SsTableService; readonly committer: Committer }) {
    this.tables = parts.tables
    this.committer = parts.committer
  }

  add(table: Table): void {
    this.waiting.push(table)
    this.gate.wake()
  }

  /** Run in a fiber of the database's scope. */
  readonly loop: Effect.Effect<never> = Effect.suspend(() =>
    Effect.forever(Effect.andThen(this.gate.wait, Effect.andThen(Effect.yieldNow, this.removeAll)))
  )

  /** Removes those that wait. After a failed sync nobody knows which tables a crash would leave live: all stay. */
  readonly removeAll: Effect.Effect<void> = Effect.suspend(() => {
    if (this.waiting.length === 0 || this.committer.refusal?.reason._tag === "Poisoned") return Effect.void
    return Effect.andThen(this.tables.remove(this.waiting.shift()!.meta), this.removeAll)
  })
}
