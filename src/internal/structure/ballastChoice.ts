// How large the ballast is (engine/ballast.ts), and what is to be done about it now.
//
//   size    a sixteenth of the tables, up to a limit; none where the tables are small. Not less than what
//           a memtable takes as a table, with a quarter for the log and the manifest beside it: what removes is of no
//           use before it is in a table, and its memtable may be full of other things.
//           Once there is one, it stays until the tables are half as large: compactions move their size to and fro
//   again   when it should be twice or half as large, or the largest, and is not
//   room    it is made where it leaves a quarter of itself free. Where there is less, what is free is the reserve; and
//           a reserve that is in use ends when there is room for the ballast twice, so that the disk is not full again
//           with the next commits
export interface BallastLimits {
  readonly arenaBytes: number
  readonly ballastBytesMax: number
  readonly ballastLiveBytesMin: number
}

export interface BallastState {
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
  /** There is no room for it: what is free is for removals. */
  | { readonly _tag: "Reserve" }

const livePerBallast = 16
const flushPerArena = 1.25
const sparePerBallast = 0.25
const sparePerReserve = 1

const wantedBytes = ({ heldBytes, inUse, liveBytes }: BallastState, limits: BallastLimits): number => {
  const { arenaBytes, ballastBytesMax, ballastLiveBytesMin } = limits
  const least = heldBytes > 0 || inUse ? ballastLiveBytesMin / 2 : ballastLiveBytesMin
  if (liveBytes < least) return 0
  return Math.min(ballastBytesMax, Math.floor(Math.max(flushPerArena * arenaBytes, liveBytes / livePerBallast)))
}

export const chooseBallast = (state: BallastState, limits: BallastLimits): BallastChoice => {
  const { freeBytes, heldBytes, inUse } = state
  const bytes = wantedBytes(state, limits)
  if (bytes === 0) return { _tag: heldBytes > 0 || inUse ? "Remove" : "Keep" }
  const isLargest = bytes === limits.ballastBytesMax
  if (heldBytes > bytes / 2 && heldBytes < bytes * 2 && (heldBytes >= bytes || !isLargest)) return { _tag: "Keep" }
  const spare = bytes * (inUse ? sparePerReserve : sparePerBallast)
  if (freeBytes + heldBytes >= bytes + spare) return { _tag: "Make", bytes }
  return { _tag: heldBytes > 0 ? "Keep" : "Reserve" }
}
