// What a power cut may leave of what was not made durable (RELIABILITY.md §2.2), and the dice for one file or one
// directory. Data and names are decided apart: a name may survive without its bytes and bytes without their name.
//
//   data    none · all · an ordered prefix, the last append torn at a sector · any sectors of any appends
//   size    old: up to the last byte that survived · new: as if everything had, what is missing being the filler
//   filler  zeros · stale: bytes of a removed file, or of the same file elsewhere · random
//   names   none · all · an ordered prefix (a journalling file system) · any subset of the operations, in their order
//
// `any` throws the dice for each file, or each directory, anew.
import type { GrowingBytes } from "./fileTree.ts"
import type { SeededRandom } from "./random.ts"

type DataKept = "none" | "all" | "prefix" | "sectors"
type SizeKept = "old" | "new"
type Filler = "zeros" | "stale" | "random"
type NamesKept = "none" | "all" | "prefix" | "subset"

export interface CrashOutcome {
  readonly name: string
  readonly data: DataKept | "any"
  readonly size: SizeKept | "any"
  readonly filler: Filler | "any"
  readonly names: NamesKept | "any"
  readonly sectorBytes: 512 | 4096
}

/** A run of appended bytes. */
export interface Extent {
  readonly from: number
  readonly to: number
}

/** One file at the moment of the power cut. */
export interface FileAtCrash {
  readonly content: GrowingBytes
  /** The bytes below are durable, but for the lost ones. */
  readonly durableSize: number
  /** Appended and not synced, in order. */
  readonly pending: ReadonlyArray<Extent>
  /** Given up by a failed sync: they reach the disk never. */
  readonly lost: ReadonlyArray<Extent>
}

const decide = <A>(choice: A | "any", all: ReadonlyArray<A>, random: SeededRandom): A =>
  choice === "any" ? random.pick(all) : choice

/** The appended bytes that reached the disk. */
const keptExtents = (
  pending: ReadonlyArray<Extent>,
  options: { readonly data: DataKept; readonly sectorBytes: number },
  random: SeededRandom
): ReadonlyArray<Extent> => {
  const { data, sectorBytes } = options
  if (data === "none") return []
  if (data === "all") return pending
  if (data === "sectors") {
    return pending.flatMap((extent) => sectorsOf(extent, sectorBytes).filter(() => random.chance(0.5)))
  }
  const whole = random.below(pending.length + 1)
  const torn = pending[whole]
  if (torn === undefined) return pending
  const sectors = sectorsOf(torn, sectorBytes)
  return [...pending.slice(0, whole), ...sectors.slice(0, random.below(sectors.length))]
}

/** An append cut where sectors begin: the device writes each of the pieces or does not. */
const sectorsOf = ({ from, to }: Extent, sectorBytes: number): Array<Extent> => {
  const sectors: Array<Extent> = []
  for (let start = from; start < to;) {
    const end = Math.min(to, (Math.floor(start / sectorBytes) + 1) * sectorBytes)
    sectors.push({ from: start, to: end })
    start = end
  }
  return sectors
}

/** A file after the power cut. Where all of it was durable the result is a view: it must not be written to. */
export const survivingBytes = (
  file: FileAtCrash,
  options: { readonly outcome: CrashOutcome; readonly stale: ReadonlyArray<GrowingBytes> },
  random: SeededRandom
): Uint8Array => {
  const { content, durableSize, lost, pending } = file
  if (pending.length === 0 && lost.length === 0) return content.view(0, durableSize)
  const { outcome } = options
  const data = decide<DataKept>(outcome.data, ["none", "all", "prefix", "sectors"], random)
  const kept = keptExtents(pending, { data, sectorBytes: outcome.sectorBytes }, random)
  const reached = kept.reduce((size, extent) => Math.max(size, extent.to), durableSize)
  const size = decide(outcome.size, ["old", "new"], random) === "old" ? reached : content.size
  const bytes = fillerBytes(size, { ...options, own: content, from: durableSize }, random)
  bytes.set(content.view(0, durableSize))
  for (const { from, to } of lost) if (from < durableSize) bytes.fill(0, from, Math.min(to, durableSize))
  for (const { from, to } of kept) bytes.set(content.view(from, to), from)
  return bytes
}

interface FillerOptions {
  readonly outcome: CrashOutcome
  readonly stale: ReadonlyArray<GrowingBytes>
  readonly own: GrowingBytes
  /** Below this the bytes are overwritten anyhow. */
  readonly from: number
}

const fillerBytes = (size: number, options: FillerOptions, random: SeededRandom): Uint8Array => {
  const bytes = new Uint8Array(size)
  const filler = decide(options.outcome.filler, ["zeros", "stale", "random"], random)
  if (filler === "random") {
    for (let at = options.from; at < size; at++) bytes[at] = random.next32()
  } else if (filler === "stale") {
    // At its old offset a removed file's frame looks most like one of ours; our own bytes are shifted, be it by one, or
    // they would be the very bytes that are missing: those that a failed sync gave up would come back.
    const removed = options.stale.length === 0 ? undefined : random.pick(options.stale)
    const source = removed ?? options.own
    const old = source.view(0, source.size)
    const shift = removed === undefined ? Math.max(1, options.from) : 0
    for (let at = options.from; at < size; at++) {
      bytes[at] = old.length === 0 ? 0 : old[(at - shift + old.length) % old.length]!
    }
  }
  return bytes
}

/** The operations on a directory's names that reached the disk, in their order. */
export const survivingOperations = <Operation>(
  pending: ReadonlyArray<Operation>,
  choice: CrashOutcome["names"],
  random: SeededRandom
): ReadonlyArray<Operation> => {
  const names = decide(choice, ["none", "all", "prefix", "subset"], random)
  if (names === "none") return []
  if (names === "all") return pending
  if (names === "prefix") return pending.slice(0, random.below(pending.length + 1))
  return pending.filter(() => random.chance(0.5))
}
