// The tables as the picker looks at them: by level, with what running merges hold of them, and which overlap which.
import type { Claim, KeySpan, LevelCodecs, PickerInput, WithMeta } from "./compactionChoice.ts"
import type { CompactionLimits } from "./compactionLimits.ts"
import { CodecId } from "../format/codec.ts"
import { assert } from "../format/formatError.ts"
import { compareKeys } from "./keyRange.ts"
import { type LevelTargets, levelTargets } from "./levelTargets.ts"

export class LevelShape<T extends WithMeta> {
  readonly limits: CompactionLimits
  /** From the newest. */
  readonly level0: ReadonlyArray<T>
  /** By level, each ascending; that of level 0 is empty. */
  readonly levels: ReadonlyArray<ReadonlyArray<T>>
  /** By level. */
  readonly bytes: ReadonlyArray<number>
  /** By level, of tables that no running merge reads. */
  readonly idleBytes: ReadonlyArray<number>
  readonly targets: LevelTargets
  /** The oldest sequence that a reader may ask for. */
  readonly oldest: number
  /** Of an entry with a value, on average. */
  readonly entryBytes: number
  /** By level: the bytes of the tables before each, and of all. */
  private readonly bytesBefore: ReadonlyArray<ReadonlyArray<number>>
  private readonly busy: ReadonlySet<number>
  private readonly running: ReadonlyArray<Claim>
  private readonly codecs: LevelCodecs | undefined

  constructor({ busy, codecs, running, runs, snapshots }: PickerInput<T>, limits: CompactionLimits) {
    assert(snapshots.length > 0, "something is visible")
    this.limits = limits
    this.oldest = snapshots[0]!
    this.busy = busy
    this.running = running
    this.codecs = codecs
    this.level0 = runs.filter(({ level }) => level === 0).flatMap(({ tables }) => tables)
    const levels: Array<ReadonlyArray<T>> = []
    for (const { level, tables } of runs) if (level > 0) levels[level] = tables
    const count = Math.max(levels.length, limits.levelCount, 2)
    this.levels = Array.from({ length: count }, (_, level) => levels[level] ?? [])
    this.bytesBefore = this.levels.map(sumsBefore)
    const byLevel = this.levels.map((tables, level) => (level === 0 ? this.level0 : tables))
    this.bytes = byLevel.map((tables) => bytesOf(tables))
    this.idleBytes = byLevel.map((tables, level) =>
      busy.size === 0 ? this.bytes[level]! : bytesOf(tables.filter((table) => !this.isBusy(table)))
    )
    this.targets = levelTargets(this.bytes, limits)
    const valueCount = byLevel.reduce((sum, tables) => sum + valuesOf(tables), 0)
    const total = this.bytes.reduce((sum, bytes) => sum + bytes, 0)
    this.entryBytes = valueCount === 0 ? 0 : total / valueCount
  }

  get bottom(): number {
    return this.targets.bottom
  }

  /** Where tables of the level go. No level between holds anything, so that nothing is overtaken. */
  below(level: number): number {
    const { base } = this.targets
    if (level >= base) return level + 1
    for (let next = level + 1; next < base; next++) if (this.levels[next]!.length > 0) return next
    return base
  }

  /** Whether it need not be written again to be compressed as tables of the level are. */
  isCompressedFor({ meta }: T, level: number): boolean {
    const codec = (level >= this.bottom ? this.codecs?.bottom : this.codecs?.upper) ?? CodecId.none
    return codec === CodecId.none || codec === meta.codec
  }

  /** Whether a table of the bottom level would be compressed otherwise if it were written now, and is to be. */
  isRecoded({ meta }: T): boolean {
    if (this.codecs === undefined || this.codecs.asFound === true) return false
    return this.codecs.bottom !== meta.codec
  }

  isBusy({ meta }: T): boolean {
    return this.busy.has(meta.number)
  }

  /** Whether a running merge holds keys of the span in one of the levels. Those of level 0 are held table by table. */
  isClaimed(span: KeySpan, level: number, output: number): boolean {
    return this.running.some(
      (claim) => claim.level <= output && claim.output >= Math.max(1, level) && overlaps(claim, span)
    )
  }

  /** Whether no running merge is in the way of one of these tables from the one level to the other, nor a full disk. */
  isFree(tables: ReadonlyArray<T>, level: number, output: number): boolean {
    if (!this.hasRoom(tables)) return false
    if (this.busy.size === 0 && this.running.length === 0) return true
    return !tables.some((table) => this.isBusy(table)) && !this.isClaimed(hullOf(tables), level, output)
  }

  hasRoom(tables: ReadonlyArray<T>): boolean {
    const { roomBytes } = this.limits
    return roomBytes === Infinity || mergedBytes(tables) <= roomBytes
  }

  /** Tables of the level, not level 0, that may hold keys of the span. */
  overlapping(level: number, span: KeySpan): ReadonlyArray<T> {
    const tables = this.levels[level] ?? []
    const { end, first } = overlapIn(tables, span)
    return first < end ? tables.slice(first, end) : []
  }

  overlapBytes(level: number, span: KeySpan): number {
    const { end, first } = overlapIn(this.levels[level] ?? [], span)
    return first < end ? this.bytesBefore[level]![end]! - this.bytesBefore[level]![first]! : 0
  }

  /** Tables of all levels below the given one that may hold keys of the span. */
  deeper(level: number, span: KeySpan): ReadonlyArray<T> {
    return this.levels.flatMap((_, deep) => (deep > level ? this.overlapping(deep, span) : []))
  }

  deeperBytes(level: number, span: KeySpan): number {
    let bytes = 0
    for (let deep = level + 1; deep < this.levels.length; deep++) bytes += this.overlapBytes(deep, span)
    return bytes
  }
}

/** Those that overlap are the tables from `first` up to `end`. */
const overlapIn = (
  tables: ReadonlyArray<WithMeta>,
  span: KeySpan
): { readonly first: number; readonly end: number } => ({
  first: firstWhere(tables, ({ meta }) => compareKeys(meta.largest, span.smallest) >= 0),
  end: firstWhere(tables, ({ meta }) => compareKeys(meta.smallest, span.largest) > 0)
})

/** The index of the first table for which it holds, where it holds for all after it; their number if there is none. */
const firstWhere = <T>(tables: ReadonlyArray<T>, holds: (table: T) => boolean): number => {
  let first = 0
  let last = tables.length
  while (first < last) {
    const middle = (first + last) >>> 1
    if (holds(tables[middle]!)) last = middle
    else first = middle + 1
  }
  return first
}

export const overlaps = (a: KeySpan, b: KeySpan): boolean =>
  compareKeys(a.smallest, b.largest) <= 0 && compareKeys(b.smallest, a.largest) <= 0

const valuesOf = (tables: ReadonlyArray<WithMeta>): number =>
  tables.reduce((sum, { meta }) => sum + meta.entryCount - meta.removeCount, 0)

export const bytesOf = (tables: ReadonlyArray<WithMeta>): number =>
  tables.reduce((sum, { meta }) => sum + meta.bytes, 0)

/** Of what removals hide this much is thought to stay: they may be of keys that are not there. */
const keptShareMin = 1 / 16

/** About what a merge of the tables writes, if each removal takes an entry with it. */
export const mergedBytes = (tables: ReadonlyArray<WithMeta>): number => {
  const removeCount = tables.reduce((sum, { meta }) => sum + meta.removeCount, 0)
  const kept = 1 - removeCount / Math.max(1, valuesOf(tables))
  return bytesOf(tables) * Math.max(keptShareMin, kept)
}

/** The smallest span that holds all. There is at least one. */
export const hullOf = (tables: ReadonlyArray<WithMeta>): KeySpan => {
  let { largest, smallest } = tables[0]!.meta
  for (const { meta } of tables) {
    if (compareKeys(meta.smallest, smallest) < 0) smallest = meta.smallest
    if (compareKeys(meta.largest, largest) > 0) largest = meta.largest
  }
  return { smallest, largest }
}

const sumsBefore = (tables: ReadonlyArray<WithMeta>): ReadonlyArray<number> => {
  const sums = [0]
  for (const { meta } of tables) sums.push(sums.at(-1)! + meta.bytes)
  return sums
}
