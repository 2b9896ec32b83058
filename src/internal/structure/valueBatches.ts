// Which values of a file are read together: a read costs about as much as 16 KiB more of it, so neighbours share one.
import type { ValuePlace } from "../format/valueIndex.ts"

/** Between two values of a batch. */
const gapBytesMax = 16 * 1024
/** Of a batch of more than one. */
export const batchBytesMax = 256 * 1024

export interface ValueBatch {
  readonly offset: number
  readonly bytes: number
  /** Which of the places are in it. */
  readonly members: ReadonlyArray<number>
}

/** By offset, ascending. Places may be equal. */
export const batchesOf = (places: ReadonlyArray<ValuePlace>): ReadonlyArray<ValueBatch> => {
  const order = places.map((_, ordinal) => ordinal).sort((a, b) => places[a]!.offset - places[b]!.offset)
  const batches: Array<{ offset: number; bytes: number; members: Array<number> }> = []
  for (const ordinal of order) {
    const { offset, storedBytes } = places[ordinal]!
    const last = batches.at(-1)
    const end = last === undefined ? 0 : last.offset + last.bytes
    const bytes = last === undefined ? 0 : Math.max(end, offset + storedBytes) - last.offset
    if (last !== undefined && offset - end <= gapBytesMax && bytes <= batchBytesMax) {
      last.bytes = bytes
      last.members.push(ordinal)
    } else {
      batches.push({ offset, bytes: storedBytes, members: [ordinal] })
    }
  }
  return batches
}
