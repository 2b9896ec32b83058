// A memtable in order, key by key, in both directions.
//
// The cursor stands on a key by its number, whose bytes never move, and remembers its position in the order. New keys
// move positions, so a move after a put first looks its own key up again. Every move sees all keys put before it; those
// of commits after the reader's sequence answer `newest` with -1, and the reader passes on.
import type { KeyIndex } from "./keyIndex.ts"
import type { Memtable } from "./memtable.ts"

export class MemtableCursor {
  private readonly memtable: Memtable
  private readonly keys: KeyIndex
  /** The number of the current key, or -1. */
  private id = -1
  private position = -1
  private changes = -1

  constructor(memtable: Memtable) {
    this.memtable = memtable
    this.keys = memtable.keys
  }

  get valid(): boolean {
    return this.id >= 0
  }

  /** The key is `bytes[keyStart, keyEnd)`. Only while valid. */
  get bytes(): Uint8Array {
    return this.keys.arena.bytes
  }

  get keyStart(): number {
    return this.keys.keyStart(this.id)
  }

  get keyEnd(): number {
    return this.keys.keyEnd(this.id)
  }

  /** Forward: to the first key at or after `key[start, end)`; backward: to the last at or before it. */
  seek(key: Uint8Array, start: number, end: number, forward: boolean): boolean {
    this.settle()
    const order = this.keys.order
    const position = order.atLeast(key, start, end)
    if (forward) return this.stand(position)
    if (position < 0) return this.stand(order.last())
    const id = order.at(position)
    return this.stand(this.keys.equals(id, key, start, end) ? position : order.previous(position))
  }

  seekFirst(): boolean {
    this.settle()
    return this.stand(this.keys.order.first())
  }

  seekLast(): boolean {
    this.settle()
    return this.stand(this.keys.order.last())
  }

  /**
   * To the next key. False at the end; then, and when there was no current key, the cursor must seek before it can
   * move.
   */
  next(): boolean {
    if (this.id < 0) return false
    this.resettle()
    return this.stand(this.keys.order.next(this.position))
  }

  previous(): boolean {
    if (this.id < 0) return false
    this.resettle()
    return this.stand(this.keys.order.previous(this.position))
  }

  /** The entry of the current key's newest version at or below the sequence, or -1. */
  newest(sequence: number): number {
    return this.id < 0 ? -1 : this.memtable.newestOf(this.id, sequence)
  }

  private stand(position: number): boolean {
    this.position = position
    this.id = position < 0 ? -1 : this.keys.order.at(position)
    return position >= 0
  }

  private settle(): void {
    this.keys.order.settle()
    this.changes = this.keys.order.changes
  }

  private resettle(): void {
    if (this.changes === this.keys.order.changes) return
    this.settle()
    this.position = this.keys.order.positionOf(this.id)
  }
}
