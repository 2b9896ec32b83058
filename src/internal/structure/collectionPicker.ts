// Which value files are written again next, or dropped. Pure: the same usage, the same answer. The caller drops at
// once, runs one collection at a time, and asks again after each, and when a compaction has dropped references.
//
// In this order:
//   1. files that no table names go, unread
//   2. what someone asked for by hand
//   3. files that are mostly garbage, the most garbage first. In these more goes than is written, so that all that it
//      costs, for as long as writing goes on, is less than what was flushed. A file must have some age: what was just
//      written and dies young is soon dead altogether, and then costs nothing
//   4. at rest: files with some garbage, until little is left
//   5. small files become fewer: at rest, and under load when there are very many. Those of about one size are merged,
//      four at least, so that a byte is written again once for every time that its file has grown fourfold
//   6. files that are sealed with an older data key, whatever their garbage, so that the key can be forgotten. Under
//      load, too, and whatever may be written: it is once for each key
//
// It ends: the files of a collection of garbage come back without any, those of a merge come back fewer, and what is
// written is sealed with the newest key. Nothing becomes garbage but by what users write, through compactions.
//
// Age is counted in bytes: those of the files that are newer. It needs no clock, and is there again after a restart.
import type { FileUsage, UsedFile } from "./valueReferences.ts"

export interface CollectionLimits {
  /** Of one value file, and so about what one collection writes at most. */
  readonly fileBytesMax: number
  /** A file with a larger share of garbage is written again, while users write and at rest. */
  readonly garbageRatioLoad: number
  readonly garbageRatioIdle: number
  /** While users write a file stays until newer ones have so many bytes together. */
  readonly ageBytesMin: number
  /** Under load, bytes that collections write for each byte of new value files, after the first `burstBytes`. */
  readonly writeShareMax: number
  readonly burstBytes: number
  /** A file below this is small. */
  readonly smallBytesMax: number
  /** So many small files of about one size are merged at rest; so many of all sizes under load, too. */
  readonly smallFiles: number
  readonly smallFilesLoad: number
  /** Files that are sealed with a data key of an older generation are written again. */
  readonly keyGeneration: number
}

/** What follows from the size of a value file. */
export const collectionLimits = (fileBytesMax: number): CollectionLimits => ({
  fileBytesMax,
  garbageRatioLoad: 0.5,
  garbageRatioIdle: 0.2,
  ageBytesMin: fileBytesMax,
  writeShareMax: 1.25,
  burstBytes: fileBytesMax,
  smallBytesMax: fileBytesMax / 8,
  smallFiles: 4,
  smallFilesLoad: 512,
  keyGeneration: 0
})

/** What a caller asks for by hand: files below the number, so that it ends while others write. */
export interface ManualCollection {
  readonly garbageRatioMin: number
  readonly numberBelow: number
}

export interface CollectionInput<F extends UsedFile> {
  readonly files: ReadonlyArray<FileUsage<F>>
  /** Files that are not to be touched: they are damaged. */
  readonly left: ReadonlySet<number>
  /** Nothing was written for a while, and compactions have ended. */
  readonly idle: boolean
  /** Bytes that may be written now; not asked at rest and by hand. */
  readonly budgetBytes: number
  /** What would write more has met a full disk. Default: any size. */
  readonly roomBytes?: number | undefined
  readonly manual?: ManualCollection | undefined
}

export type CollectionReason = "manual" | "garbage" | "idleGarbage" | "smallFiles" | "olderKey"

export type CollectionChoice<F extends UsedFile> =
  | { readonly _tag: "Nothing" }
  /** Nothing names any of their values. */
  | { readonly _tag: "Drop"; readonly files: ReadonlyArray<F> }
  /** Their values that are named go to new files. `bytes`: about what that writes. */
  | {
      readonly _tag: "Collect"
      readonly reason: CollectionReason
      readonly files: ReadonlyArray<F>
      readonly bytes: number
    }

/** Sizes within this factor are about one size. */
const tierRatio = 4
/** The lowest tier: all files below this share of a small file. */
const tiers = 6

export const chooseCollection = <F extends UsedFile>(
  input: CollectionInput<F>,
  limits: CollectionLimits
): CollectionChoice<F> => {
  const { left, roomBytes = Infinity } = input
  const files = left.size === 0 ? input.files : input.files.filter(({ file }) => !left.has(file.number))
  const payable = roomBytes === Infinity ? files : files.filter((usage) => costOf(usage) <= roomBytes)
  const most = { ...limits, fileBytesMax: Math.min(limits.fileBytesMax, roomBytes) }
  return (
    dead(files, input) ??
    manual(payable, input, most) ??
    underLoad(files, input, most) ??
    atRest(payable, input, most) ??
    small(payable, input, most) ??
    olderKey(payable, most) ?? { _tag: "Nothing" }
  )
}

/** Bytes that collections may write under load, by what was made and what they wrote since the database was opened. */
export const collectionBudget = (
  written: { readonly made: number; readonly collected: number },
  { burstBytes, writeShareMax }: CollectionLimits
): number => burstBytes + writeShareMax * written.made - written.collected

type Files<F extends UsedFile> = ReadonlyArray<FileUsage<F>>

// Those that are newer than a call by hand are nothing to it: what it has to collect must not be hidden by them.
const dead = <F extends UsedFile>(files: Files<F>, { manual }: CollectionInput<F>): CollectionChoice<F> | undefined => {
  const numberBelow = manual?.numberBelow ?? Infinity
  const gone = files.filter(({ file, liveCount }) => liveCount === 0 && file.number < numberBelow)
  return gone.length === 0 ? undefined : { _tag: "Drop", files: gone.map(({ file }) => file) }
}

const manual = <F extends UsedFile>(
  files: Files<F>,
  { manual }: CollectionInput<F>,
  limits: CollectionLimits
): CollectionChoice<F> | undefined => {
  if (manual === undefined) return undefined
  const wanted = files.filter(
    ({ file, garbageRatio }) => file.number < manual.numberBelow && garbageRatio > manual.garbageRatioMin
  )
  return collect("manual", byGarbage(wanted), limits.fileBytesMax)
}

const underLoad = <F extends UsedFile>(
  files: Files<F>,
  { budgetBytes, idle, roomBytes = Infinity }: CollectionInput<F>,
  limits: CollectionLimits
): CollectionChoice<F> | undefined => {
  const bytesMax = Math.min(idle ? Infinity : budgetBytes, roomBytes)
  const full = files.filter((usage) => usage.garbageRatio > limits.garbageRatioLoad && costOf(usage) <= bytesMax)
  // Most of the time there is none, and nothing to sort.
  if (full.length === 0) return undefined
  const numberBelow = agedBelow(files, limits.ageBytesMin)
  const aged = full.filter(({ file }) => file.number < numberBelow)
  return collect("garbage", byGarbage(aged), Math.min(limits.fileBytesMax, bytesMax))
}

const atRest = <F extends UsedFile>(
  files: Files<F>,
  { idle }: CollectionInput<F>,
  limits: CollectionLimits
): CollectionChoice<F> | undefined => {
  if (!idle) return undefined
  const some = files.filter(({ garbageRatio }) => garbageRatio > limits.garbageRatioIdle)
  return collect("idleGarbage", byGarbage(some), limits.fileBytesMax)
}

const small = <F extends UsedFile>(
  files: Files<F>,
  { budgetBytes, idle }: CollectionInput<F>,
  limits: CollectionLimits
): CollectionChoice<F> | undefined => {
  const some = files.filter(({ file }) => file.bytes < limits.smallBytesMax)
  if (!idle && some.length < limits.smallFilesLoad) return undefined
  const byTier: Array<Array<FileUsage<F>>> = Array.from({ length: tiers }, () => [])
  for (const usage of some) byTier[tierOf(usage.file.bytes, limits)]!.push(usage)
  // From the smallest: four of these may be one of the next. At most half a file together, so that they are one again.
  const bytesMax = Math.min(limits.fileBytesMax / 2, idle ? Infinity : budgetBytes)
  for (const tier of byTier) {
    const row = fitting(tier, bytesMax)
    if (row.length >= limits.smallFiles) return choiceOf("smallFiles", row)
  }
  return undefined
}

/** The oldest generation first, and of one generation the oldest files. */
const olderKey = <F extends UsedFile>(files: Files<F>, limits: CollectionLimits): CollectionChoice<F> | undefined => {
  const { fileBytesMax, keyGeneration } = limits
  const older = files.filter(({ file }) => generationOf(file) < keyGeneration)
  if (older.length === 0) return undefined
  older.sort((a, b) => generationOf(a.file) - generationOf(b.file) || a.file.number - b.file.number)
  return collect("olderKey", older, fileBytesMax)
}

const generationOf = ({ keyGeneration = 0 }: UsedFile): number => keyGeneration

/** 0 for the smallest. */
const tierOf = (bytes: number, { smallBytesMax }: CollectionLimits): number =>
  Math.max(0, tiers - 1 - Math.floor(Math.log(smallBytesMax / Math.max(1, bytes)) / Math.log(tierRatio)))

/** After the files below this number enough was written. */
const agedBelow = <F extends UsedFile>(files: Files<F>, ageBytesMin: number): number => {
  const newestFirst = files.toSorted((a, b) => b.file.number - a.file.number)
  let newer = 0
  for (const { file } of newestFirst) {
    if (newer >= ageBytesMin) return file.number + 1
    newer += file.bytes
  }
  return 0
}

const byGarbage = <F extends UsedFile>(files: Files<F>): Files<F> =>
  [...files].sort((a, b) => b.garbageRatio - a.garbageRatio || a.file.number - b.file.number)

/** About the bytes that a file has when it is written again: its keys and places shrink with its values. */
const costOf = ({ file, liveBytes, valueBytes }: FileUsage<UsedFile>): number =>
  valueBytes === 0 ? file.bytes : (file.bytes * liveBytes) / valueBytes

/** The first, and what fits beside it. */
const fitting = <F extends UsedFile>(files: Files<F>, bytesMax: number): Files<F> => {
  let bytes = 0
  return files.filter((usage, index) => {
    const cost = costOf(usage)
    if (index > 0 && bytes + cost > bytesMax) return false
    bytes += cost
    return true
  })
}

const collect = <F extends UsedFile>(
  reason: CollectionReason,
  files: Files<F>,
  bytesMax: number
): CollectionChoice<F> | undefined => (files.length === 0 ? undefined : choiceOf(reason, fitting(files, bytesMax)))

const choiceOf = <F extends UsedFile>(reason: CollectionReason, files: Files<F>): CollectionChoice<F> => ({
  _tag: "Collect",
  reason,
  files: files.map(({ file }) => file),
  bytes: files.reduce((sum, usage) => sum + costOf(usage), 0)
})
