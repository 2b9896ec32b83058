// Which values of a commit go to a value file because the commit would not fit a memtable: the ones that save most, and
// no more of them than it takes.
//
// A value that is shorter than `spillBytesMin` stays: its handle and its place in a file cost about as much.

/** No shorter value is moved out for the sake of room. */
export const spillBytesMin = 64

/** What one record of the commit takes, with its value and with a handle in its place. */
export interface Spillable {
  readonly inlineBytes: number
  /** The same as `inlineBytes` for a record whose value cannot be moved out. */
  readonly handleBytes: number
}

/** The places of those to move out, ascending; `undefined` if the commit does not fit even so. */
export const chooseSpilled = (
  records: ReadonlyArray<Spillable>,
  roomBytes: number
): ReadonlyArray<number> | undefined => {
  let bytes = 0
  for (const { inlineBytes } of records) bytes += inlineBytes
  if (bytes <= roomBytes) return []
  const saved = (index: number): number => records[index]!.inlineBytes - records[index]!.handleBytes
  const candidates = [...records.keys()].filter((index) => saved(index) > 0)
  candidates.sort((a, b) => saved(b) - saved(a) || a - b)
  const chosen: Array<number> = []
  for (const index of candidates) {
    chosen.push(index)
    bytes -= saved(index)
    if (bytes <= roomBytes) return chosen.sort((a, b) => a - b)
  }
  return undefined
}
