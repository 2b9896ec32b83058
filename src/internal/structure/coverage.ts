// Which keys range removals hide from a scan, and how far.
//
// What a source holds of a key is newer than what later sources hold of it (levels.ts), so of all removals only those
// of the newest source that covers the key count: they hide it in every later source, and in their own where they are
// newer than the version there. The answer is the same up to a bound, the nearest end of a removal in the direction of
// the scan, so a scan asks again only beyond that.
//
// From a hidden key the scan goes on with one search of each later source, as far as any source before it covers
// without a gap: an old removal of all keys passes over them at once, however many newer ones cut it into small parts.
import { compareBytes } from "../format/compare.ts"
import { type EntryView, PartsRequest, type Request, type TableLike } from "./entry.ts"
import { compareKeys } from "./keyRange.ts"
import { firstEndingAt } from "./levels.ts"
import type { RemovalSet } from "./rangeRemovals.ts"

/** A place in a scan: a key, and where the scan goes from there. */
export interface Place {
  readonly key: Uint8Array
  readonly start: number
  readonly end: number
  readonly forward: boolean
}

/** What is known of a key and of those that follow it in a direction. */
class Cover {
  /** Of the newest removal; 0 if none covers them. */
  sequence = 0
  /** It holds up to here; `undefined`: up to the end of all keys. */
  bound: Uint8Array | undefined = undefined
  /** Whether it holds of the bound itself. */
  holdsAtBound = false
  private forward = true

  protected begin(forward: boolean): void {
    this.sequence = 0
    this.bound = undefined
    this.holdsAtBound = false
    this.forward = forward
  }

  /** Brings the bound nearer. */
  narrow(bound: Uint8Array, holdsAtBound: boolean): void {
    const before = this.bound
    if (before !== undefined) {
      const order = compareKeys(bound, before)
      if (this.forward ? order > 0 : order < 0) return
      if (order === 0) {
        this.holdsAtBound &&= holdsAtBound
        return
      }
    }
    this.bound = bound
    this.holdsAtBound = holdsAtBound
  }

  /** Adds what the set says of the place. */
  add(set: RemovalSet, { end, forward, key, start }: Place): void {
    const { pieces } = set
    const index = set.firstEndingAfter(key, start, end)
    const piece = pieces[index]
    const isCovered = piece !== undefined && compareBytes(piece.from, 0, piece.from.length, key, start, end) <= 0
    if (isCovered && piece.sequence > this.sequence) this.sequence = piece.sequence
    if (forward) {
      if (piece !== undefined) this.narrow(isCovered ? piece.to : piece.from, false)
      return
    }
    const bound = isCovered ? piece.from : pieces[index - 1]?.to
    if (bound !== undefined) this.narrow(bound, true)
  }
}

/** How far all keys are covered: up to the bound, and the bound itself if it says so. */
export interface Reach {
  readonly bound: Uint8Array
  readonly holdsAtBound: boolean
}

/** Neighbouring removals that are looked at for one reach: what lies beyond is found by the next. */
const neighboursMax = 64

/** From the place on, if it is covered. */
const reachIn = (set: RemovalSet, place: Place): Reach | undefined => {
  const { pieces } = set
  const { end, forward, key, start } = place
  let index = set.firstEndingAfter(key, start, end)
  const first = pieces[index]
  if (first === undefined || compareBytes(first.from, 0, first.from.length, key, start, end) > 0) return undefined
  const last = forward ? Math.min(index + neighboursMax, pieces.length - 1) : Math.max(index - neighboursMax, 0)
  if (forward) {
    while (index < last && compareKeys(pieces[index]!.to, pieces[index + 1]!.from) === 0) index += 1
    return { bound: pieces[index]!.to, holdsAtBound: false }
  }
  while (index > last && compareKeys(pieces[index]!.from, pieces[index - 1]!.to) === 0) index -= 1
  return { bound: pieces[index]!.from, holdsAtBound: true }
}

/** The one that goes further. */
export const further = (a: Reach, b: Reach | undefined, forward: boolean): Reach => {
  if (b === undefined) return a
  const order = compareKeys(a.bound, b.bound)
  return order < 0 === forward ? b : a
}

/** The range removals of one source that the reader sees. */
export interface SourceRemovals {
  /** Adds what they say of the place. What has to be loaded first is returned. */
  readonly cover: (place: Place, into: Cover) => Request | undefined
  /** How far they cover from the place on, as far as memory knows. */
  readonly reach: (place: Place) => Reach | undefined
}

/** Of a memtable: sets from the newest. */
class MemtableRemovals implements SourceRemovals {
  private readonly sets: ReadonlyArray<RemovalSet>

  constructor(sets: ReadonlyArray<RemovalSet>) {
    this.sets = sets
  }

  cover(place: Place, into: Cover): undefined {
    for (let index = 0; index < this.sets.length && into.sequence === 0; index++) {
      into.add(this.sets[index]!, place)
    }
  }

  reach(place: Place): Reach | undefined {
    let reach: Reach | undefined
    for (const set of this.sets) {
      const own = reachIn(set, place)
      reach = reach === undefined ? own : further(reach, own, place.forward)
    }
    return reach
  }
}

/** Of a run: of its tables that have any. A table is opened when the scan comes to it. */
class RunRemovals implements SourceRemovals {
  private readonly tables: ReadonlyArray<TableLike>
  private readonly sequence: number
  private request: PartsRequest | undefined = undefined

  constructor(tables: ReadonlyArray<TableLike>, sequence: number) {
    this.tables = tables
    this.sequence = sequence
  }

  cover(place: Place, into: Cover): Request | undefined {
    const { tables } = this
    const { end, forward, key, start } = place
    const first = firstEndingAt(tables, key, start, end)
    let at = first
    // The ends of neighbours may be equal.
    for (; at < tables.length && isAtOrBefore(tables[at]!.meta.smallest, place); at++) {
      const removals = this.removalsOf(tables[at]!)
      if (removals instanceof PartsRequest) return removals
      if (removals !== undefined) into.add(removals.at(this.sequence), place)
    }
    const next = tables[forward ? at : first - 1]
    if (next !== undefined) into.narrow(forward ? next.meta.smallest : next.meta.largest, false)
    return undefined
  }

  reach(place: Place): Reach | undefined {
    const { tables } = this
    const { end, key, start } = place
    const table = tables[firstEndingAt(tables, key, start, end)]
    const removals = table?.partsUnsafe()?.rangeRemovals
    return removals === undefined ? undefined : reachIn(removals.at(this.sequence), place)
  }

  private removalsOf(table: TableLike): RemovalSet | PartsRequest | undefined {
    const { request } = this
    const parts = (request?.table === table ? request.parts : undefined) ?? table.partsUnsafe()
    if (parts !== undefined) return parts.rangeRemovals
    this.request = new PartsRequest(table)
    return this.request
  }
}

const isAtOrBefore = (key: Uint8Array, place: Place): boolean =>
  compareBytes(key, 0, key.length, place.key, place.start, place.end) <= 0

/** As `runRemovals`, for a table alone. */
export const tableRemovals = (table: TableLike, sequence: number): SourceRemovals | undefined =>
  table.meta.rangeRemovalCount === 0 ? undefined : runRemovals([table], sequence)

/** Sets that the reader sees, from the newest. */
export const memtableRemovals = (sets: ReadonlyArray<RemovalSet>): SourceRemovals | undefined =>
  sets.length === 0 ? undefined : new MemtableRemovals(sets)

/** Tables without common keys, ascending. */
export const runRemovals = (tables: ReadonlyArray<TableLike>, sequence: number): SourceRemovals | undefined => {
  if (tables.every(({ meta }) => meta.rangeRemovalCount === 0)) return undefined
  const having = tables.filter(({ meta }) => meta.rangeRemovalCount > 0 && meta.sequenceMin <= sequence)
  return having.length === 0 ? undefined : new RunRemovals(having, sequence)
}

export class Coverage extends Cover {
  /** The newest source that covers. */
  source = 0
  private readonly sources: ReadonlyArray<{ readonly source: number; readonly removals: SourceRemovals }>
  private isKnown = false

  private constructor(sources: Coverage["sources"]) {
    super()
    this.sources = sources
  }

  /** Of a merge's sources, from the newest. `undefined` if none has removals: nothing needs to be asked. */
  static of(all: ReadonlyArray<{ readonly removals: SourceRemovals | undefined }>): Coverage | undefined {
    if (all.every(({ removals }) => removals === undefined)) return undefined
    return new Coverage(all.flatMap(({ removals }, source) => (removals === undefined ? [] : [{ source, removals }])))
  }

  /** The scan goes on elsewhere, or the other way. */
  forget(): void {
    this.isKnown = false
  }

  /** Makes the answer that of the entry's key. What has to be loaded first is returned; then ask again. */
  ask(entry: EntryView, forward: boolean): Request | undefined {
    if (this.isKnown && this.isBeforeBound(entry, forward)) return undefined
    this.isKnown = false
    this.begin(forward)
    const place = { key: entry.bytes, start: entry.keyStart, end: entry.keyEnd, forward }
    for (let index = 0; index < this.sources.length && this.sequence === 0; index++) {
      const { removals, source } = this.sources[index]!
      this.source = source
      const needed = removals.cover(place, this)
      if (needed !== undefined) return needed
    }
    this.isKnown = true
    return undefined
  }

  /** Whether the key last asked for is hidden, at the version that the source has of it. */
  hides(source: number, sequence: number): boolean {
    if (this.sequence === 0) return false
    return source > this.source || (source === this.source && sequence < this.sequence)
  }

  private isBeforeBound({ bytes, keyEnd, keyStart }: EntryView, forward: boolean): boolean {
    const { bound } = this
    if (bound === undefined) return true
    const order = compareBytes(bytes, keyStart, keyEnd, bound, 0, bound.length)
    return order === 0 ? this.holdsAtBound : order < 0 === forward
  }
}

/** Whether the entry's key is covered, if it is not before the place that the reach begins at. */
export const isWithin = ({ bytes, keyEnd, keyStart }: EntryView, reach: Reach, forward: boolean): boolean => {
  const { bound, holdsAtBound } = reach
  const order = compareBytes(bytes, keyStart, keyEnd, bound, 0, bound.length)
  return order === 0 ? holdsAtBound : order < 0 === forward
}
