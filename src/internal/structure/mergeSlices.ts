// A merge is cut into slices that write about as much as one job should. They are cut where tables begin: those are the
// only keys known without reading. How much lies between two of them is an estimate: a table of a deeper level holds
// as much in each part of its span, and tables of level 0, which may span everything, are spread like the levels below.
import type { PickerRange, WithMeta } from "./compactionChoice.ts"
import { compareKeys } from "./keyRange.ts"
import type { Run } from "./levels.ts"

export interface Slice extends PickerRange {
  /** As estimated, of all inputs: fewer come out. */
  readonly bytes: number
}

export const slicesOf = (inputs: ReadonlyArray<Run<WithMeta>>, sliceBytesMax: number): ReadonlyArray<Slice> => {
  const cuts = cutsOf(inputs)
  const weights = weightsOf(inputs, cuts)
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const target = total / Math.max(1, Math.ceil(total / sliceBytesMax))
  const slices: Array<Slice> = []
  let from: Uint8Array | undefined
  let bytes = 0
  for (const [part, weight] of weights.entries()) {
    // Cut before the part if most of it would be too much.
    if (bytes > 0 && bytes + weight / 2 > target) {
      const to = cuts[part]!
      slices.push({ from, to, bytes })
      from = to
      bytes = 0
    }
    bytes += weight
  }
  slices.push({ from, to: undefined, bytes })
  return slices
}

/** Where tables begin, ascending, each once. */
const cutsOf = (inputs: ReadonlyArray<Run<WithMeta>>): ReadonlyArray<Uint8Array> => {
  const sorted = inputs.flatMap(({ tables }) => tables.map(({ meta }) => meta.smallest)).sort(compareKeys)
  return sorted.filter((key, index) => index === 0 || compareKeys(sorted[index - 1]!, key) < 0)
}

/** About how many bytes lie between each cut and the next. */
const weightsOf = (inputs: ReadonlyArray<Run<WithMeta>>, cuts: ReadonlyArray<Uint8Array>): ReadonlyArray<number> => {
  const weights = cuts.map(() => 0)
  for (const { level, tables } of inputs) {
    if (level > 0) for (const table of tables) spread(table, cuts, weights, () => 1)
  }
  const below = [...weights]
  for (const { level, tables } of inputs) {
    // One byte more, so that what is not below at all still counts.
    if (level === 0) for (const table of tables) spread(table, cuts, weights, (part) => below[part]! + 1)
  }
  return weights
}

const spread = (
  { meta }: WithMeta,
  cuts: ReadonlyArray<Uint8Array>,
  weights: Array<number>,
  shareOf: (part: number) => number
): void => {
  const first = lastAtOrBefore(cuts, meta.smallest)
  const last = lastAtOrBefore(cuts, meta.largest)
  let shares = 0
  for (let part = first; part <= last; part++) shares += shareOf(part)
  for (let part = first; part <= last; part++) weights[part]! += (meta.bytes * shareOf(part)) / shares
}

/** The index of the last cut that is not after the key. The first cut is not. */
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
