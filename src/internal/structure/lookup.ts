// One key: its newest version at or below a sequence, in memtables and tables from the newest to the oldest. A range
// removal that covers the key ends the search: what is older is hidden (levels.ts), and so is a version beside it of a
// lower sequence.
//
// `step` answers with the record in `entry`, with nothing, or with a request that must be answered first; then call it
// again. Tables are asked run by run. Of a run that has several, the one that can hold the key is found by a binary
// search of what is known without reading any of them; only at an end that two tables share are both asked.
import { compareBytes, hashKey, hashKeyHigh } from "../format/compare.ts"
import {
  type BlockLike,
  BlockRequest,
  emptyEntry,
  type EntryView,
  PartsRequest,
  type PartsLike,
  PlaceRequest,
  type Request,
  type TableLike
} from "./entry.ts"
import { firstEndingAt, type Run } from "./levels.ts"
import type { RemovalSet } from "./rangeRemovals.ts"

/** The part of a memtable that a lookup uses. */
export interface PointSource {
  /** The entry of the newest version at or below the sequence, or -1. */
  readonly find: (key: Uint8Array, start: number, end: number, sequence: number) => number
  readonly sequenceOf: (entry: number) => number
  readonly readEntry: (entry: number, into: EntryView) => void
  readonly rangeRemovals: { readonly length: number }
  /** The highest sequence at or below the given one of a range removal that covers the key; 0 if there is none. */
  readonly covering: (key: Uint8Array, start: number, end: number, sequence: number) => number
}

export const Found = { nothing: 0, entry: 1, needs: 2 } as const
export type Found = (typeof Found)[keyof typeof Found]

const noKey = new Uint8Array(0)
const noRuns: ReadonlyArray<Run<TableLike>> = []

export class Lookup {
  readonly entry: EntryView = emptyEntry()
  request: Request | undefined = undefined
  /** Whether the record lies in memory that is used again (a memtable's arena, a block that is lent). */
  isPassing = false
  private key: Uint8Array = noKey
  private keyStart = 0
  private keyEnd = 0
  private sequence = 0
  private runs: ReadonlyArray<Run<TableLike>> = noRuns
  private run = 0
  /** Which table of the run is asked; -1 before one was chosen. */
  private position = -1
  /** Of the current table; `undefined` before it was asked. */
  private parts: PartsLike | undefined = undefined
  /** The block of the current table that may hold the key; -1 before it is known. */
  private ordinal = -1
  /** Of the range removals that cover the key, in the run that is asked. */
  private covering = 0
  /** The key is the current table's largest, and so may be the next one's smallest. */
  private isLargest = false
  private isHashed = false
  private hash = 0
  private hashHigh = 0

  /** Begins. The key must not change until the lookup has ended. Answers at once if a memtable knows. */
  start(
    sources: { readonly memtables: ReadonlyArray<PointSource>; readonly runs: ReadonlyArray<Run<TableLike>> },
    key: { readonly bytes: Uint8Array; readonly start: number; readonly end: number },
    sequence: number
  ): Found {
    const { bytes, end, start } = key
    const memtables = sources.memtables
    for (let index = 0; index < memtables.length; index++) {
      const memtable = memtables[index]!
      const found = memtable.find(bytes, start, end, sequence)
      if (memtable.rangeRemovals.length > 0) {
        const covering = memtable.covering(bytes, start, end, sequence)
        if (covering > (found < 0 ? 0 : memtable.sequenceOf(found))) return Found.nothing
      }
      if (found < 0) continue
      memtable.readEntry(found, this.entry)
      this.isPassing = true
      return Found.entry
    }
    this.isPassing = false
    this.key = bytes
    this.keyStart = start
    this.keyEnd = end
    this.sequence = sequence
    this.runs = sources.runs
    this.run = 0
    this.position = -1
    this.parts = undefined
    this.ordinal = -1
    this.covering = 0
    this.isHashed = false
    this.request = undefined
    return this.step()
  }

  step(): Found {
    const { runs } = this
    for (; this.run < runs.length; this.run++) {
      const { tables } = runs[this.run]!
      if (this.position < 0) {
        this.position = tables.length === 1 ? 0 : firstEndingAt(tables, this.key, this.keyStart, this.keyEnd)
      }
      for (; this.position < tables.length; this.position++) {
        const found = this.askTable(tables[this.position]!)
        if (found !== Found.nothing) return found
        if (!this.isLargest) break
      }
      if (this.covering > 0) return Found.nothing
      this.position = -1
    }
    return Found.nothing
  }

  /** Most tables are left behind here, by their ends or their filter, and nothing of the lookup has changed. */
  private askTable(table: TableLike): Found {
    if (this.parts === undefined) {
      if (!this.isWithin(table) || table.meta.sequenceMin > this.sequence) return Found.nothing
      const { request } = this
      const isAnswer = request !== undefined && request.want === "parts" && request.table === table
      const parts = (isAnswer ? request.parts : undefined) ?? table.partsUnsafe()
      if (parts === undefined) return this.ask(new PartsRequest(table))
      if (parts.rangeRemovals !== undefined) this.cover(parts.rangeRemovals)
      if (!this.mayBeIn(parts)) return Found.nothing
      this.parts = parts
    }
    const found = this.findIn(table, this.parts)
    if (found === Found.needs) return found
    this.parts = undefined
    this.ordinal = -1
    return found === Found.entry && this.entry.sequence >= this.covering ? found : Found.nothing
  }

  private findIn(table: TableLike, parts: PartsLike): Found {
    const { key, keyEnd, keyStart, request } = this
    if (this.ordinal < 0) {
      const isAnswer = request !== undefined && request.want === "place" && request.table === table
      this.ordinal = isAnswer ? request.ordinal : parts.blockFor(key, keyStart, keyEnd)
      if (this.ordinal < 0) return this.ask(new PlaceRequest(table, key, keyStart, keyEnd))
    }
    for (; this.ordinal < parts.blockCount; this.ordinal++) {
      const block = this.blockOf(table, this.ordinal)
      if (block === undefined) return this.ask(new BlockRequest(table, this.ordinal))
      const index = block.findVersion(key, keyStart, keyEnd, this.sequence)
      block.read(Math.min(index, block.count - 1), this.entry)
      if (!this.isKey()) return Found.nothing
      // All its versions here are too new; older ones may begin the next block.
      if (index === block.count) continue
      this.isPassing = block.isLent
      return Found.entry
    }
    return Found.nothing
  }

  private blockOf(table: TableLike, ordinal: number): BlockLike | undefined {
    const { request } = this
    const isAnswer =
      request !== undefined && request.want === "block" && request.table === table && request.ordinal === ordinal
    return (isAnswer ? request.block : undefined) ?? table.blockUnsafe(ordinal)
  }

  private ask(request: Request): Found {
    this.request = request
    return Found.needs
  }

  private cover(removals: RemovalSet): void {
    const covering = removals.covering(this.key, this.keyStart, this.keyEnd, this.sequence)
    if (covering > this.covering) this.covering = covering
  }

  /** The key is hashed once for all filters. */
  private mayBeIn(parts: PartsLike): boolean {
    const { key, keyEnd, keyStart } = this
    if (!this.isHashed) {
      this.hash = hashKey(key, keyStart, keyEnd)
      this.hashHigh = hashKeyHigh(key, keyStart, keyEnd)
      this.isHashed = true
    }
    return parts.mayContain(this.hash, this.hashHigh)
  }

  /** Whether the key is between the table's ends. */
  private isWithin(table: TableLike): boolean {
    const { key, keyEnd, keyStart } = this
    const { largest, smallest } = table.meta
    const order = compareBytes(key, keyStart, keyEnd, largest, 0, largest.length)
    this.isLargest = order === 0
    return order <= 0 && compareBytes(key, keyStart, keyEnd, smallest, 0, smallest.length) >= 0
  }

  private isKey(): boolean {
    const { bytes, keyEnd, keyStart } = this.entry
    return compareBytes(bytes, keyStart, keyEnd, this.key, this.keyStart, this.keyEnd) === 0
  }
}
