// A frozen memtable for jobs: its records in the arena, and where each version's record lies, in table order.
//
//   versions := (offset: u32  sequenceLow: u32  sequenceHigh: u32){count}
//
// The list is made in slices on the thread that owns the memtable, and read by the job on any: both arrays may be
// shared memory. Range removals are beside it.
import { type EntryView, makeEntryView } from "../format/blockEntry.ts"
import { compareBytes } from "../format/compare.ts"
import { assert } from "../format/formatError.ts"
import { readRecord, RecordView } from "../format/record.ts"
import type { RangeRemoval } from "../format/table.ts"
import { type KeySpan, Step, type VersionSource } from "./versionSource.ts"

export const versionWords = 3
const highUnit = 0x1_0000_0000

export interface FrozenMemtable {
  readonly bytes: Uint8Array
  readonly versions: Uint32Array
  readonly rangeRemovals: ReadonlyArray<RangeRemoval>
}

/** A memtable, as far as listing its versions needs one. Nothing is put into it any more. */
export interface ListedMemtable {
  readonly entryCount: number
  readonly recordOffset: (entry: number) => number
  readonly sequenceOf: (entry: number) => number
  readonly older: (entry: number) => number
  readonly cursor: () => {
    readonly seekFirst: () => boolean
    readonly next: () => boolean
    readonly newest: (sequence: number) => number
  }
}

/** Lists the versions of a memtable, a slice at a time. What was never indexed is not in the list. */
export class VersionLister {
  private readonly memtable: ListedMemtable
  private readonly cursor: ReturnType<ListedMemtable["cursor"]>
  private readonly into: Uint32Array
  private at = 0
  private started = false
  /** The version to be listed next, or -1 to go to the next key. */
  private entry = -1

  /** `into` has room for all of them, `versionWords` each. */
  constructor(memtable: ListedMemtable, into: Uint32Array) {
    assert(into.length >= memtable.entryCount * versionWords, "there is room for every version")
    this.memtable = memtable
    this.cursor = memtable.cursor()
    this.into = into
  }

  /** Lists so many more at most. True when all are listed. */
  slice(countMax: number): boolean {
    const { into, memtable } = this
    for (let count = 0; count < countMax; count++) {
      if (this.entry < 0 && !this.nextKey()) {
        assert(this.at === memtable.entryCount * versionWords, "every version is listed")
        return true
      }
      const { entry } = this
      const sequence = memtable.sequenceOf(entry)
      into[this.at] = memtable.recordOffset(entry)
      into[this.at + 1] = sequence >>> 0
      into[this.at + 2] = (sequence / highUnit) >>> 0
      this.at += versionWords
      this.entry = memtable.older(entry)
    }
    return false
  }

  private nextKey(): boolean {
    const onKey = this.started ? this.cursor.next() : this.cursor.seekFirst()
    this.started = true
    if (!onKey) return false
    this.entry = this.cursor.newest(Number.MAX_SAFE_INTEGER)
    return true
  }
}

/** Its versions with keys in the span. */
export class MemtableVersions implements VersionSource {
  readonly entry: EntryView = makeEntryView()
  private readonly memtable: FrozenMemtable
  private readonly to: Uint8Array | undefined
  private readonly record = new RecordView()
  private readonly count: number
  private index: number

  constructor(memtable: FrozenMemtable, span: KeySpan) {
    assert(memtable.versions.length % versionWords === 0, "a version is three numbers")
    this.memtable = memtable
    this.to = span.to
    this.count = memtable.versions.length / versionWords
    this.index = span.from === undefined ? 0 : this.atLeast(span.from)
  }

  advance(): Step {
    if (this.index === this.count) return Step.end
    const { entry, memtable, record, to } = this
    this.read(this.index)
    if (to !== undefined && compareBytes(memtable.bytes, record.keyStart, record.keyEnd, to, 0, to.length) >= 0) {
      this.index = this.count
      return Step.end
    }
    const at = this.index * versionWords
    entry.bytes = memtable.bytes
    entry.keyStart = record.keyStart
    entry.keyEnd = record.keyEnd
    entry.valueStart = record.valueStart
    entry.valueEnd = record.valueEnd
    entry.kind = record.kind
    entry.flags = record.flags
    entry.sequence = memtable.versions[at + 2] * highUnit + memtable.versions[at + 1]
    entry.expiresAt = record.expiresAt
    entry.userMeta = record.userMeta
    this.index += 1
    return Step.version
  }

  request(): never {
    throw new Error("a memtable is in memory")
  }

  feed(): void {
    this.request()
  }

  private read(index: number): void {
    const { bytes, versions } = this.memtable
    readRecord(bytes, versions[index * versionWords], bytes.length, this.record)
  }

  /** The first version whose key is not before this one. */
  private atLeast(key: Uint8Array): number {
    const { record } = this
    let first = 0
    let last = this.count
    while (first < last) {
      const middle = (first + last) >>> 1
      this.read(middle)
      if (compareBytes(this.memtable.bytes, record.keyStart, record.keyEnd, key, 0, key.length) < 0) first = middle + 1
      else last = middle
    }
    return first
  }
}
