// Tables without files, and a merge of them by the letter: every version by itself, every snapshot asked.
import type { PickerTable } from "../../src/internal/structure/compactionChoice.ts"

export interface ModelEntry {
  readonly key: number
  readonly sequence: number
  readonly isRemove: boolean
}

/** Keys from `from` up to `to`, without `to`. */
export interface ModelRemoval {
  readonly from: number
  readonly to: number
  readonly sequence: number
}

export interface ModelContent {
  /** Ascending by key, the newest version of a key first. */
  readonly entries: ReadonlyArray<ModelEntry>
  readonly removals: ReadonlyArray<ModelRemoval>
}

export interface ModelTable extends ModelContent {
  readonly meta: PickerTable
}

export interface ModelMerge {
  readonly sources: ReadonlyArray<ModelContent>
  readonly from: number
  readonly to: number
  readonly snapshots: ReadonlyArray<number>
  readonly deeper: ReadonlyArray<ModelTable>
  readonly grandparents: ReadonlyArray<ModelTable>
  readonly tableBytesMax: number
}

export const setBytes = 100
export const removeBytes = 20
const removalBytes = 40
const tableBytes = 10

export const keyBytes = (key: number): Uint8Array => {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, key)
  return bytes
}

export const keyNumber = (bytes: Uint8Array): number => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)

export const bytesOfContent = ({ entries, removals }: ModelContent): number =>
  tableBytes +
  removals.length * removalBytes +
  entries.reduce((sum, { isRemove }) => sum + (isRemove ? removeBytes : setBytes), 0)

export const tableOf = (
  content: ModelContent,
  place: { readonly number: number; readonly level: number; readonly keyGeneration: number }
): ModelTable => {
  const { entries, removals } = content
  const keys = [...entries.map(({ key }) => key), ...removals.flatMap(({ from, to }) => [from, to])]
  const sequences = [...entries, ...removals].map(({ sequence }) => sequence)
  const meta = {
    ...place,
    bytes: bytesOfContent(content),
    smallest: keyBytes(Math.min(...keys)),
    largest: keyBytes(Math.max(...keys)),
    entryCount: entries.length + removals.length,
    removeCount: entries.filter(({ isRemove }) => isRemove).length + removals.length,
    codec: 0,
    valueRefs: [],
    rangeRemovalCount: removals.length,
    hiddenCount: entries.filter((entry) => hiddenFrom(entry, content) < Infinity).length,
    sequenceMin: Math.min(...sequences),
    sequenceMax: Math.max(...sequences)
  }
  return { ...content, meta }
}

/** The first sequence at which a reader does not see the entry any more. */
const hiddenFrom = (entry: ModelEntry, { entries, removals }: ModelContent): number =>
  Math.min(
    ...entries
      .filter(({ key, sequence }) => key === entry.key && sequence > entry.sequence)
      .map((other) => other.sequence),
    ...removals
      .filter(({ from, sequence, to }) => from <= entry.key && entry.key < to && sequence > entry.sequence)
      .map((other) => other.sequence)
  )

/** What is left, in tables that end where they are large, or overlap much below. */
export const merged = (merge: ModelMerge): ReadonlyArray<ModelContent> => {
  const { deeper, from, snapshots, sources, to } = merge
  const all: ModelContent = {
    entries: sources
      .flatMap(({ entries }) => entries)
      .filter(({ key }) => from <= key && key < to)
      .sort((a, b) => a.key - b.key || b.sequence - a.sequence),
    removals: sources
      .flatMap(({ removals }) => removals)
      .map((removal) => ({ ...removal, from: Math.max(from, removal.from), to: Math.min(to, removal.to) }))
      .filter((removal) => removal.from < removal.to)
  }
  const isDeeper = (first: number, last: number): boolean =>
    deeper.some(({ meta }) => keyNumber(meta.smallest) <= last && first <= keyNumber(meta.largest))
  const entries = all.entries.filter((entry) => {
    const end = hiddenFrom(entry, all)
    if (!snapshots.some((sequence) => entry.sequence <= sequence && sequence < end)) return false
    return !entry.isRemove || entry.sequence > snapshots[0]! || isDeeper(entry.key, entry.key)
  })
  const removals = all.removals.filter(
    (removal) => removal.sequence > snapshots[0]! || isDeeper(removal.from, removal.to)
  )
  return cut({ entries, removals }, merge)
}

const cut = ({ entries, removals }: ModelContent, merge: ModelMerge): ReadonlyArray<ModelContent> => {
  const { grandparents, tableBytesMax } = merge
  const starts = [-Infinity]
  let bytes = 0
  let first = 0
  for (const [index, { isRemove, key }] of entries.entries()) {
    const isNew = index > 0 && entries[index - 1]!.key !== key
    if (isNew && (bytes >= tableBytesMax || overlapBytes(grandparents, first, key) > 10 * tableBytesMax)) {
      starts.push(key)
      bytes = 0
    }
    if (bytes === 0) first = key
    bytes += isRemove ? removeBytes : setBytes
  }
  return starts
    .map((start, index): ModelContent => {
      const end = starts[index + 1] ?? Infinity
      return {
        entries: entries.filter(({ key }) => start <= key && key < end),
        removals: removals
          .map((removal) => ({ ...removal, from: Math.max(start, removal.from), to: Math.min(end, removal.to) }))
          .filter(({ from, to }) => from < to)
      }
    })
    .filter(({ entries, removals }) => entries.length + removals.length > 0)
}

const overlapBytes = (tables: ReadonlyArray<ModelTable>, first: number, last: number): number =>
  tables
    .filter(({ meta }) => keyNumber(meta.smallest) <= last && first <= keyNumber(meta.largest))
    .reduce((sum, { meta }) => sum + meta.bytes, 0)
