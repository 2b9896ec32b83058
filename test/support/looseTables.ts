// Tables of plain values whose parts, index and blocks are in memory only when the dice say so: whoever reads them has
// to ask, and to be answered.
import { hashKey, hashKeyHigh } from "../../src/internal/format/compare.ts"
import { Kind } from "../../src/internal/format/record.ts"
import type { BlockLike, EntryView, PartsLike, Request, TableLike } from "../../src/internal/structure/entry.ts"
import { lastCovered, type RangeRemoval } from "../../src/internal/format/table.ts"
import { compareKeys } from "../../src/internal/structure/keyRange.ts"
import { RangeRemovals } from "../../src/internal/structure/rangeRemovals.ts"
import type { Dice } from "./randomPlan.ts"

export interface Version {
  readonly key: Uint8Array
  readonly sequence: number
  readonly removed: boolean
}

export const order = (a: Version, b: Version): number => compareKeys(a.key, b.key) || b.sequence - a.sequence

export const firstIndex = <A>(items: ReadonlyArray<A>, test: (item: A) => boolean): number => {
  const index = items.findIndex(test)
  return index < 0 ? items.length : index
}

const blockOf = (versions: ReadonlyArray<Version>): BlockLike => {
  const seekVersion: BlockLike["seekVersion"] = (target, start, end, sequence) =>
    firstIndex(versions, (version) => {
      const compared = compareKeys(version.key, target.subarray(start, end))
      return compared > 0 || (compared === 0 && version.sequence <= sequence)
    })
  return { ...readerOf(versions), seekVersion, findVersion: seekVersion }
}

const readerOf = (versions: ReadonlyArray<Version>): Omit<BlockLike, "findVersion" | "seekVersion"> => ({
  isLent: false,
  count: versions.length,
  bytes: new Uint8Array(0),
  read: (index: number, into: EntryView) => {
    const { key, removed, sequence } = versions[index]!
    Object.assign(into, {
      bytes: key,
      keyStart: 0,
      keyEnd: key.length,
      valueStart: 0,
      valueEnd: 0,
      sequence,
      expiresAt: 0
    })
    into.kind = removed ? Kind.remove : Kind.set
  },
  seek: (target, start, end) =>
    firstIndex(versions, (version) => compareKeys(version.key, target.subarray(start, end)) >= 0)
})

/** What a table may have besides its versions: range removals, and ends that they make. */
export interface Beside {
  readonly smallest?: Uint8Array
  readonly largest?: Uint8Array
  readonly removals?: ReadonlyArray<RangeRemoval>
}

export class LooseTable implements TableLike {
  readonly meta: TableLike["meta"]
  /** How often its parts or anything else of it were asked for. */
  asked = 0
  private readonly blocks: ReadonlyArray<ReadonlyArray<Version>>
  private readonly built: ReadonlyArray<BlockLike>
  private readonly dice: Dice
  private readonly rangeRemovals: RangeRemovals | undefined

  constructor(versions: ReadonlyArray<Version>, dice: Dice, beside: Beside = {}) {
    const { removals = [] } = beside
    const blocks: Array<Array<Version>> = []
    for (const version of versions) {
      if (blocks.length === 0 || dice.chance(40)) blocks.push([])
      blocks.at(-1)!.push(version)
    }
    this.blocks = blocks
    this.built = blocks.map(blockOf)
    this.dice = dice
    this.meta = {
      number: 1,
      smallest: beside.smallest ?? versions[0]!.key,
      largest: beside.largest ?? versions.at(-1)!.key,
      sequenceMin: Math.min(...[...versions, ...removals].map(({ sequence }) => sequence)),
      rangeRemovalCount: removals.length
    }
    this.rangeRemovals = removals.length === 0 ? undefined : new RangeRemovals(removals)
  }

  partsUnsafe(): PartsLike | undefined {
    this.asked += 1
    return this.dice.chance(50) ? this.parts : undefined
  }

  blockUnsafe(ordinal: number): BlockLike | undefined {
    return this.dice.chance(50) ? this.built[ordinal] : undefined
  }

  /** What a disk would bring. */
  answer(request: Request): void {
    if (request.want === "parts") request.parts = this.parts
    else if (request.want === "place") request.ordinal = this.place(request.target.subarray(request.start, request.end))
    else request.block = this.built[request.ordinal]
  }

  private get parts(): PartsLike {
    const keys = this.blocks.flat().map(({ key }) => key)
    return {
      blockCount: this.blocks.length,
      mayContain: (hash, hashHigh) =>
        this.dice.chance(20) ||
        keys.some((key) => hashKey(key, 0, key.length) === hash && hashKeyHigh(key, 0, key.length) === hashHigh),
      blockFor: (target, start, end) => (this.dice.chance(60) ? this.place(target.subarray(start, end)) : -1),
      rangeRemovals: this.rangeRemovals
    }
  }

  private place(target: Uint8Array): number {
    return firstIndex(this.blocks, (block) => compareKeys(block.at(-1)!.key, target) >= 0)
  }
}

/**
 * Versions in table order, as a run of several tables: all versions of a key in one of them. Now and then a table
 * ends with the key that the next one begins with, as range removals make it.
 */
export const runOf = (versions: ReadonlyArray<Version>, dice: Dice): ReadonlyArray<LooseTable> => {
  const pieces: Array<Array<Version>> = []
  for (const [index, version] of versions.entries()) {
    const before = versions[index - 1]
    const isNewKey = before === undefined || compareKeys(before.key, version.key) !== 0
    if (before === undefined || (isNewKey && dice.chance(50))) pieces.push([])
    pieces.at(-1)!.push(version)
  }
  return pieces.map((piece, index) => {
    const next = pieces[index + 1]
    return new LooseTable(piece, dice, next !== undefined && dice.chance(30) ? { largest: next[0]!.key } : {})
  })
}

/** A run that holds range removals too, cut between any keys; a table may hold nothing else. */
export const runWith = (
  versions: ReadonlyArray<Version>,
  removals: ReadonlyArray<RangeRemoval>,
  cut: { readonly at: ReadonlyArray<Uint8Array>; readonly dice: Dice }
): ReadonlyArray<LooseTable> => {
  const bounds = [undefined, ...[...cut.at].sort(compareKeys), undefined]
  return bounds.slice(1).flatMap((to, index) => {
    const from = bounds[index]
    const isWithin = (key: Uint8Array): boolean =>
      (from === undefined || compareKeys(key, from) >= 0) && (to === undefined || compareKeys(key, to) < 0)
    const own = versions.filter(({ key }) => isWithin(key))
    const clipped = removals
      .map((removal) => ({
        from: from !== undefined && compareKeys(from, removal.from) > 0 ? from : removal.from,
        to: to !== undefined && compareKeys(to, removal.to) < 0 ? to : removal.to,
        sequence: removal.sequence
      }))
      .filter((removal) => compareKeys(removal.from, removal.to) < 0)
    if (own.length + clipped.length === 0) return []
    const smallest = [...own.map(({ key }) => key), ...clipped.map((one) => one.from)].sort(compareKeys)[0]!
    const largest = [...own.map(({ key }) => key), ...clipped.map((one) => lastCovered(one.to))].sort(compareKeys)
    return [new LooseTable(own, cut.dice, { smallest, largest: largest.at(-1)!, removals: clipped })]
  })
}
