// Range removals of one memtable, table or commit, for the question: which removal hides this key from a reader?
//
// The keys that any of them covers are cut into pieces, each with its newest removal: pieces are disjoint, ascending,
// and found by binary search. A reader of the present needs no more. One at an older sequence, for whom the newest is
// too new, looks through the removals themselves from the newest to the oldest: such readers and such keys are few, and
// keeping for each piece every removal that covers it would take memory that grows with the square of their number.
//
// Built by a sweep over the ends, with a heap of the removals that are open: n log n.
import { compareBytes } from "../format/compare.ts"
import type { RangeRemoval } from "../format/table.ts"
import { compareKeys } from "./keyRange.ts"

/** A part of the key space: from `from` (inclusive) to `to` (exclusive). */
export type Span = Pick<RangeRemoval, "from" | "to">

/** What the spans cover, as disjoint ones that do not touch, ascending. */
export const joined = (spans: ReadonlyArray<Span>): ReadonlyArray<Span> => {
  const found: Array<Span> = []
  for (const { from, to } of [...spans].sort((a, b) => compareKeys(a.from, b.from))) {
    const last = found.at(-1)
    if (last === undefined || compareKeys(last.to, from) < 0) found.push({ from, to })
    else if (compareKeys(last.to, to) < 0) found[found.length - 1] = { from: last.from, to }
  }
  return found
}

/** What readers ask of range removals. */
export interface RemovalSet {
  /** From the newest. */
  readonly removals: ReadonlyArray<RangeRemoval>
  /** Disjoint and ascending, each with the newest sequence that covers it; neighbours of one sequence are joined. */
  readonly pieces: ReadonlyArray<RangeRemoval>
  readonly isEmpty: boolean
  /** The highest sequence at or below the given one of a removal that covers the key; 0 if there is none. */
  readonly covering: (key: Uint8Array, start: number, end: number, sequence: number) => number
  /** The first piece whose end is after the key; their number if there is none. */
  readonly firstEndingAfter: (key: Uint8Array, start: number, end: number) => number
  /** Those that a reader at the sequence sees. */
  readonly at: (sequence: number) => RemovalSet
}

export class RangeRemovals implements RemovalSet {
  readonly removals: ReadonlyArray<RangeRemoval>
  readonly pieces: ReadonlyArray<RangeRemoval>
  /** What the last reader saw that did not see all. */
  private seen: RangeRemovals | undefined = undefined

  constructor(removals: ReadonlyArray<RangeRemoval>) {
    this.removals = removals.filter(({ from, to }) => compareKeys(from, to) < 0).sort((a, b) => b.sequence - a.sequence)
    this.pieces = piecesOf(this.removals)
  }

  get isEmpty(): boolean {
    return this.pieces.length === 0
  }

  covering(key: Uint8Array, start: number, end: number, sequence: number): number {
    const piece = this.pieces[this.firstEndingAfter(key, start, end)]
    if (piece === undefined || compareBytes(piece.from, 0, piece.from.length, key, start, end) > 0) return 0
    return piece.sequence <= sequence ? piece.sequence : this.olderCovering(key, start, end, sequence)
  }

  firstEndingAfter(key: Uint8Array, start: number, end: number): number {
    const { pieces } = this
    let first = 0
    let last = pieces.length
    while (first < last) {
      const middle = (first + last) >>> 1
      const { to } = pieces[middle]!
      if (compareBytes(to, 0, to.length, key, start, end) <= 0) first = middle + 1
      else last = middle
    }
    return first
  }

  at(sequence: number): RangeRemovals {
    const { removals } = this
    let first = 0
    while (first < removals.length && removals[first]!.sequence > sequence) first += 1
    if (first === 0) return this
    if (this.seen?.removals.length !== removals.length - first) this.seen = new RangeRemovals(removals.slice(first))
    return this.seen
  }

  private olderCovering(key: Uint8Array, start: number, end: number, sequence: number): number {
    for (const removal of this.removals) {
      if (removal.sequence > sequence) continue
      const { from, to } = removal
      if (compareBytes(from, 0, from.length, key, start, end) > 0) continue
      if (compareBytes(to, 0, to.length, key, start, end) > 0) return removal.sequence
    }
    return 0
  }
}

/** The newest removal of each part of the key space. `removals` are from the newest. */
const piecesOf = (removals: ReadonlyArray<RangeRemoval>): ReadonlyArray<RangeRemoval> => {
  const byStart = [...removals].sort((a, b) => compareKeys(a.from, b.from))
  const pieces: Array<RangeRemoval> = []
  const open = new NewestFirst()
  let next = 0
  let at: Uint8Array | undefined
  while (next < byStart.length || open.newest !== undefined) {
    if (open.newest === undefined) at = byStart[next]!.from
    while (next < byStart.length && compareKeys(byStart[next]!.from, at!) <= 0) open.add(byStart[next++]!)
    const newest = open.newest!
    if (compareKeys(newest.to, at!) <= 0) {
      open.drop()
      continue
    }
    // The piece reaches to the end of its removal, or to where a newer one may begin.
    const begins = byStart[next]?.from
    const to = begins !== undefined && compareKeys(begins, newest.to) < 0 ? begins : newest.to
    push(pieces, { from: at!, to, sequence: newest.sequence })
    at = to
  }
  return pieces
}

const push = (pieces: Array<RangeRemoval>, piece: RangeRemoval): void => {
  const last = pieces.at(-1)
  if (last !== undefined && last.sequence === piece.sequence && compareKeys(last.to, piece.from) === 0) {
    pieces[pieces.length - 1] = { ...last, to: piece.to }
  } else pieces.push(piece)
}

/** A binary heap by sequence. Removals that have ended are dropped when they come to the top. */
class NewestFirst {
  private readonly heap: Array<RangeRemoval> = []

  get newest(): RangeRemoval | undefined {
    return this.heap[0]
  }

  add(removal: RangeRemoval): void {
    const { heap } = this
    let at = heap.push(removal) - 1
    while (at > 0) {
      const parent = (at - 1) >>> 1
      if (heap[parent]!.sequence >= removal.sequence) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = removal
  }

  drop(): void {
    const { heap } = this
    const last = heap.pop()!
    if (heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && heap[child + 1]!.sequence > heap[child]!.sequence) child += 1
      if (heap[child]!.sequence <= last.sequence) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
  }
}
