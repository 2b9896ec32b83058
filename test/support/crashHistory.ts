// What the actors of a run whose power is cut were told: the commits, and how far they are durable.
import type { Durability } from "../../src/services/Options.ts"
import { assertExpired, Model, type ModelEntry, type ModelWrite } from "./model.ts"

/** What was submitted and acknowledged, in the order in which it happened. */
export class History {
  readonly model = new Model()
  durable = 0
  told = 0
  /** By sequences. */
  private readonly commitMillis = new Map<number, number>()
  /** Called when more is promised to be durable. */
  onPromise: () => void = () => {}
  private nextId = 0

  newId(): number {
    this.nextId += 1
    return this.nextId
  }

  acknowledged(
    { commitMillis, sequence }: { readonly sequence: number; readonly commitMillis?: number },
    writes: ReadonlyArray<ModelWrite>,
    durability: Durability
  ): void {
    this.model.commit(sequence, writes)
    if (commitMillis !== undefined) this.commitMillis.set(sequence, commitMillis)
    this.told = Math.max(this.told, sequence)
    if (durability === "disk") this.synced(sequence)
  }

  /** Fails unless it is what is there after the commit, for who comes later than all commits up to it. */
  judge(found: ReadonlyArray<ModelEntry>, last: number): void {
    const millis = [...this.commitMillis].filter(([sequence]) => sequence <= last).map(([, millis]) => millis)
    const now = { leastMillis: Math.max(0, ...millis), mostMillis: Infinity }
    assertExpired(found, this.model.at(last, 0), { now, told: `not the state after commit ${last}` })
  }

  synced(sequence: number): void {
    if (sequence <= this.durable) return
    this.durable = sequence
    this.onPromise()
  }
}
