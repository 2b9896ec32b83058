// A merge is cut into slices that write about as much as one job should. They are cut where tables begin, also tables
// below the merge: those are the only keys known without reading. How much lies between two of them is an estimate: a
// table of a deeper level holds as much in each part of its span, and tables of level 0, which may span everything, are
// spread like the levels below.
import type { PickerRange, WithMeta } from "./compactionChoice.ts"
import { compareKeys } from "./keyRange.ts"
import type { Run } from "./levels.ts"

export interface Slice extends PickerRange {
  /** As estimated, of all inputs: fewer come out. */
  readonly bytes: number
}

/** `guides` are ascending tables below the merge. */
export const slicesOf = (
  inputs: ReadonlyArray<Run<WithMeta>>,
  guides: ReadonlyArray<WithMeta>,
  sliceBytesMax: number
): ReadonlyArray<Slice> => {
  const parts = partsOf(inputs, guides)
  const total = parts.weights.reduce((sum, weight) => sum + weight, 0)
  const target = total / Math.max(1, Math.ceil(total / sliceBytesMax))
  const slices: Array<Slice> = []
  let from: Uint8Array | undefined
  let bytes = 0
  for (const [part, weight] of parts.weights.entries()) {
    // Cut before the part if most of it would be more than an even share.
    if (bytes > 0 && (bytes + weight / 2 > target || bytes + weight > sliceBytesMax)) {
      const to = parts.cuts[part]!
      slices.push({ from, to, bytes })
      from = to
      bytes = 0
    }
    bytes += weight
  }
  slices.push({ from, to: undefined, bytes })
  return slices
}

interface Parts {
  /** Where the parts begin, ascending. */
  readonly cuts: ReadonlyArray<Uint8Array>
  /** About how many bytes of the inputs are in each. */
  readonly weights: ReadonlyArray<number>
}

const partsOf = (inputs: ReadonlyArray<Run<WithMeta>>, guides: ReadonlyArray<WithMeta>): Parts => {
  const tables = inputs.flatMap((run) => run.tables)
  const first = tables.map(({ meta }) => meta.smallest).reduce((a, b) => (compareKeys(b, a) < 0 ? b : a))
  const inside = guides.filter(({ meta }) => compareKeys(meta.smallest, first) > 0)
  const sorted = [...tables, ...inside].map(({ meta }) => meta.smallest).sort(compareKeys)
  const cuts = sorted.filter((key, index) => index === 0 || compareKeys(sorted[index - 1]!, key) < 0)
  const weights = cuts.map(() => 0)
  for (const { level, tables } of inputs) {
    if (level > 0) for (const table of tables) spread(table, { cuts, weights }, () => 1)
  }
  // One byte more, so that what is not below at all still counts.
  const below = weights.map((weight) => weight + 1)
  for (const table of guides) spread(table, { cuts, weights: below }, () => 1)
  for (const { level, tables } of inputs) {
    if (level === 0) for (const table of tables) spread(table, { cuts, weights }, (part) => below[part]!)
  }
  return { cuts, weights }
}

/** Adds the table's bytes to the parts it is in, by their shares. */
const spread = (
  { meta }: WithMeta,
  { cuts, weights }: { readonly cuts: ReadonlyArray<Uint8Array>; readonly weights: Array<number> },
  shareOf: (part: number) => number
): void => {
  const first = lastAtOrBefore(cuts, meta.smallest)
  const last = lastAtOrBefore(cuts, meta.largest)
  let shares = 0
  for (let part = first; part <= last; part++) shares += shareOf(part)
  for (let part = first; part <= last; part++) weights[part]! += (meta.bytes * shareOf(part)) / shares
}

/** The index of the last cut that is not after the key; of the first, if all are. */
const lastAtOrBefore = (cuts: ReadonlyArray<Uint8Array>, key: Uint8Array): number => {
  let first = 0
  let last = cuts.length - 1
  while (first < last) {
    const middle = (first + last + 1) >>> 1
    if (compareKeys(cuts[middle]!, key) <= 0) first = middle
    else last = middle - 1
  }
  return first
}
