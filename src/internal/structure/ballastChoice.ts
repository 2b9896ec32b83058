// How large the ballast is (engine/ballast.ts), and what is to be done about it now.
//
//   size    a sixteenth of the live files, tables and value files, up to a limit; none where they are small.
//           Not less, whatever the limit is, than what a memtable takes as a table and a value file, with a quarter for
//           the log and the manifest beside it: what removes is of no use before it is in a table, and its memtable may
//           be full of other things. By default that is 20 MiB, a third of the smallest database that has a ballast.
//           The limit's default is 32 MiB: a flush, and half as much for what it then takes to make room. More is not
//           needed: compactions and collections, which write up to 64 MiB and more, do less at once where that finds no
//           room (engine/compactor.ts, collector.ts), and level 0 is cut into what there is room for (level0Picker.ts)
//           Once there is one, it stays until the files are half as large: compactions move their size to and fro
//   again   when it should be twice or half as large, or the largest, and is not
//   room    it is made where it leaves a quarter of itself free. Where there is less, what is free is the reserve; and
//           a reserve that is in use ends when there is room for the ballast twice, so that the disk is not full again
//           with the next commits
//   tight   when half of the reserve is used, what removes is brought into a table: with a frame for each, removals
//           may take twice as much in the log as in their memtable, and there only do they free nothing
//   open    an open takes over the ballast that it finds, if what recovery writes has room beside it: every memtable,
//           again, to the log or to a table
export interface BallastLimits {
  /** As in `services/Options.ts`. */
  readonly arenaBytes: number
  readonly arenaCount: number
  readonly ballastBytesMax: number
  readonly ballastLiveBytesMin: number
}

export interface BallastState {
  /** Of the tables and value files that the manifest names. */
  readonly liveBytes: number
  /** Of the disk, beside the ballast. */
  readonly freeBytes: number
  /** Of the ballast there is; 0 if there is none. */
  readonly heldBytes: number
  /** The ballast was given up, or could not be made. */
  readonly inUse: boolean
}

export type BallastChoice =
  | { readonly _tag: "Keep" }
  /** None is wanted, and nobody is held back for it. */
  | { readonly _tag: "Remove" }
  | { readonly _tag: "Make"; readonly bytes: number }
  /** There is no room for it: what is free is for removals. There is little of it. */
  | { readonly _tag: "Reserve"; readonly isTight: boolean }

const livePerBallast = 16
const flushPerArena = 1.25
const sparePerBallast = 0.25
const sparePerReserve = 1
const tightPerBallast = 0.5

const wantedBytes = ({ heldBytes, inUse, liveBytes }: BallastState, limits: BallastLimits): number => {
  const { arenaBytes, ballastBytesMax, ballastLiveBytesMin } = limits
  const least = heldBytes > 0 || inUse ? ballastLiveBytesMin / 2 : ballastLiveBytesMin
  if (liveBytes < least || ballastBytesMax === 0) return 0
  return Math.floor(Math.max(flushPerArena * arenaBytes, Math.min(ballastBytesMax, liveBytes / livePerBallast)))
}

/** What a recovery writes at most. */
export const recoveryBytes = ({ arenaBytes, arenaCount }: BallastLimits): number =>
  Math.floor(flushPerArena * arenaBytes * arenaCount)

export const chooseBallast = (state: BallastState, limits: BallastLimits): BallastChoice => {
  const { freeBytes, heldBytes, inUse } = state
  const bytes = wantedBytes(state, limits)
  if (bytes === 0) return { _tag: heldBytes > 0 || inUse ? "Remove" : "Keep" }
  const isLargest = bytes >= limits.ballastBytesMax
  if (heldBytes > bytes / 2 && heldBytes < bytes * 2 && (heldBytes >= bytes || !isLargest)) return { _tag: "Keep" }
  const spare = bytes * (inUse ? sparePerReserve : sparePerBallast)
  if (freeBytes + heldBytes >= bytes + spare) return { _tag: "Make", bytes }
  if (heldBytes > 0) return { _tag: "Keep" }
  return { _tag: "Reserve", isTight: freeBytes < bytes * tightPerBallast }
}
