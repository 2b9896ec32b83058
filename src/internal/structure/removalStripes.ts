// The range removals of a job, by what readers can tell apart.
//
// The snapshots cut the sequences into stripes: stripe i is what snapshot i sees and the one before it does not. To
// every reader, of all that covers a key in one stripe only the newest counts, so a stripe keeps disjoint pieces of it
// (rangeRemovals.ts). What is above the last snapshot can still be told apart, and is kept as it is.
//
// A piece of the oldest stripe, which everybody sees, is only kept for what deeper tables hold: what the job holds
// of its keys is hidden from everybody, and goes.
//
// Tables that follow each other divide the removals among them. A table that ends after the key K gets them up to K and
// a zero byte, which is the next key there can be, and the next table from there on. So no key between two tables is
// left without its removals, and as such an end counts as K itself (`lastCovered`), they have no key in common.
import { compareBytes } from "../format/compare.ts"
import { assert } from "../format/formatError.ts"
import { compareKeys } from "./keyRange.ts"
import type { KeySpans } from "./keySpans.ts"
import type { RangeRemoval } from "../format/table.ts"
import { RangeRemovals } from "./rangeRemovals.ts"
import type { KeySpan } from "./versionSource.ts"

/** The stripe of a sequence: the first snapshot that sees it. Their number if none does. */
export const stripeOf = (snapshots: ReadonlyArray<number>, sequence: number): number => {
  let first = 0
  let last = snapshots.length
  while (first < last) {
    const middle = (first + last) >>> 1
    if (snapshots[middle]! < sequence) first = middle + 1
    else last = middle
  }
  return first
}

/** Keys and the ends of tables are asked for in ascending order. */
export class RemovalStripes {
  /** The end of the last of them; `undefined` if there is none. */
  readonly reach: Uint8Array | undefined
  private readonly stripes = new Map<number, Stripe>()
  private readonly deeper: KeySpans
  private readonly snapshotCount: number
  /** Of what everybody sees. */
  private readonly oldest: Stripe | undefined

  constructor(options: {
    readonly removals: ReadonlyArray<RangeRemoval>
    readonly span: KeySpan
    readonly snapshots: ReadonlyArray<number>
    readonly deeper: KeySpans
  }) {
    const { snapshots, span } = options
    this.deeper = options.deeper
    this.snapshotCount = snapshots.length
    const clipped = options.removals
      .map((removal) => clip(removal, span))
      .filter((removal): removal is RangeRemoval => removal !== undefined)
    const byStripe = Map.groupBy(clipped, ({ sequence }) => stripeOf(snapshots, sequence))
    for (const [stripe, removals] of byStripe) {
      const isTold = stripe === snapshots.length
      this.stripes.set(stripe, new Stripe(isTold ? removals.sort(byFrom) : new RangeRemovals(removals).pieces))
    }
    this.oldest = snapshots.length > 0 ? this.stripes.get(0) : undefined
    for (const { to } of clipped) {
      if (this.reach === undefined || compareKeys(this.reach, to) < 0) this.reach = to
    }
  }

  /** Whether the version, of a stripe that a snapshot sees, is hidden from that snapshot. */
  hides(stripe: number, key: Uint8Array, start: number, end: number, sequence: number): boolean {
    return (this.stripes.get(stripe)?.covering(key, start, end) ?? 0) > sequence
  }

  /** Whether the version is hidden from a snapshot after the one of its stripe. */
  hidesLater(stripe: number, key: Uint8Array, start: number, end: number, sequence: number): boolean {
    for (const [later, removals] of this.stripes) {
      // What no snapshot sees yet is not in disjoint pieces: the next job will tell.
      const isSeen = later < this.snapshotCount
      if (isSeen && later > stripe && removals.covering(key, start, end) > sequence) return true
    }
    return false
  }

  /** Whether a table with the keys of the span, and no others, would have removals. Ends may be asked for again. */
  touch(span: KeySpan): boolean {
    return this.within(span).length > 0
  }

  /** What a table that holds the keys of the span, and the one before it does not, has of them. */
  within(span: KeySpan): Array<RangeRemoval> {
    const kept: Array<RangeRemoval> = []
    for (const stripe of this.stripes.values()) {
      for (const piece of stripe.within(span)) {
        if (stripe !== this.oldest || this.deeper.overlaps(piece.from, piece.to)) kept.push(piece)
      }
    }
    return kept
  }
}

class Stripe {
  /** By `from`; disjoint, but for those that no snapshot sees. */
  private readonly removals: ReadonlyArray<RangeRemoval>
  private covered = 0
  private passed = 0

  constructor(removals: ReadonlyArray<RangeRemoval>) {
    this.removals = removals
  }

  /** The sequence of the piece that covers the key; 0 if none does. Of disjoint pieces. */
  covering(key: Uint8Array, start: number, end: number): number {
    const { removals } = this
    let piece = removals[this.covered]
    while (piece !== undefined && compareBytes(piece.to, 0, piece.to.length, key, start, end) <= 0) {
      this.covered += 1
      piece = removals[this.covered]
    }
    if (piece === undefined || compareBytes(piece.from, 0, piece.from.length, key, start, end) > 0) return 0
    return piece.sequence
  }

  within(span: KeySpan): Array<RangeRemoval> {
    const { removals } = this
    const { from, to } = span
    if (from !== undefined) {
      while (this.passed < removals.length && compareKeys(removals[this.passed]!.to, from) <= 0) this.passed += 1
    }
    const found: Array<RangeRemoval> = []
    for (let at = this.passed; at < removals.length; at++) {
      const removal = removals[at]!
      if (to !== undefined && compareKeys(removal.from, to) >= 0) break
      const clipped = clip(removal, span)
      if (clipped !== undefined) found.push(clipped)
    }
    return found
  }
}

const byFrom = (a: RangeRemoval, b: RangeRemoval): number => compareKeys(a.from, b.from)

/** What the removal removes of the span. */
const clip = (removal: RangeRemoval, span: KeySpan): RangeRemoval | undefined => {
  const from = span.from !== undefined && compareKeys(span.from, removal.from) > 0 ? span.from : removal.from
  const to = span.to !== undefined && compareKeys(span.to, removal.to) < 0 ? span.to : removal.to
  return compareKeys(from, to) < 0 ? { from, to, sequence: removal.sequence } : undefined
}

/** The next key there can be. */
export const successor = (key: Uint8Array): Uint8Array => {
  const next = new Uint8Array(key.length + 1)
  next.set(key)
  assert(next[key.length] === 0, "a fresh array is zero")
  return next
}
