// The writes of a transaction or batch before its commit: a memtable of its own, whose sequences number the operations.
// So a cursor shows the writes made before it, and the last operation on a key is its newest version: that one alone
// goes into the commit, unless a later range removal covers it. The ranges go into the commit joined, for in it all
// has one sequence, at which a key shadows a range.
import { assert } from "../format/formatError.ts"
import {
  Kind,
  recordBytes,
  type RecordFields,
  recordFields,
  RecordView,
  readRecord,
  writeRecord
} from "../format/record.ts"
import { copyBytes } from "../format/bytes.ts"
import { GrowingArena } from "./arena.ts"
import { Memtable } from "./memtable.ts"
import { joined, type Span } from "./rangeRemovals.ts"

/** For the small transactions that most are. One that grew is not kept. */
const bytesInitial = 4096
/** More are rarely open at once. */
const freeMax = 16

export class WriteBuffer {
  readonly memtable: Memtable
  /** Operations so far: the sequence of the last one. */
  operations = 0
  private readonly arena: GrowingArena
  private isWalked = false
  private readonly record = new RecordView()

  constructor(bytesMax: number) {
    this.arena = new GrowingArena({ bytesInitial, bytesMax })
    this.memtable = new Memtable(this.arena)
  }

  get isEmpty(): boolean {
    return this.operations === 0
  }

  /** Whether it may be used again when its transaction has ended: it is small, and nobody walks through it. */
  get isReusable(): boolean {
    return !this.isWalked && this.arena.bytes.length <= bytesInitial
  }

  /** The memtable for a walk, which may go on a step longer than the transaction. */
  walked(): Memtable {
    this.isWalked = true
    return this.memtable
  }

  /** Empties it. */
  reset(): void {
    this.memtable.reset()
    this.operations = 0
  }

  /** False, and nothing happens, if it would hold more than `bytesMax`. */
  add(fields: RecordFields): boolean {
    const offset = this.arena.reserve(recordBytes(fields))
    if (offset < 0) return false
    writeRecord(this.arena.bytes, offset, fields)
    this.operations += 1
    this.memtable.put(offset, this.operations)
    return true
  }

  /** What range removals cover, as spans that do not touch. */
  get removed(): ReadonlyArray<Span> {
    return joined(this.memtable.rangeRemovals)
  }

  /** The records of a commit: their bytes, how many, and whether all of them remove. */
  measure(): { readonly recordBytes: number; readonly count: number; readonly removesOnly: boolean } {
    let bytes = 0
    let count = 0
    let removesOnly = true
    this.forEachLast((start, end) => {
      bytes += end - start
      count += 1
      if (this.record.kind !== Kind.remove) removesOnly = false
    })
    for (const span of this.removed) {
      bytes += recordBytes(fieldsOf(span))
      count += 1
    }
    return { recordBytes: bytes, count, removesOnly }
  }

  /** Writes them and returns the offset behind them. */
  encode(target: Uint8Array, offset: number): number {
    let at = offset
    this.forEachLast((start, end) => {
      at = copyBytes(target, at, this.arena.bytes, start, end)
    })
    for (const span of this.removed) at = writeRecord(target, at, fieldsOf(span))
    return at
  }

  /** The same records as fields, whose bytes lie in the arena: good until something is added. */
  records(): ReadonlyArray<RecordFields> {
    const { bytes } = this.arena
    const records: Array<RecordFields> = []
    this.forEachLast(() => {
      const { expiresAt, keyEnd, keyStart, kind, userMeta, valueEnd, valueStart } = this.record
      const places = { keyStart, keyEnd, valueStart, valueEnd }
      records.push(recordFields({ kind, key: bytes, value: bytes, ...places, expiresAt, userMeta }))
    })
    for (const span of this.removed) records.push(fieldsOf(span))
    return records
  }

  /** Where the key of each record lies in the arena. */
  forEachKey(visit: (bytes: Uint8Array, start: number, end: number) => void): void {
    const { keys } = this.memtable
    for (let id = 0; id < keys.count; id++) visit(this.arena.bytes, keys.keyStart(id), keys.keyEnd(id))
  }

  private forEachLast(visit: (start: number, end: number) => void): void {
    const { arena, memtable, record } = this
    const { keys, rangeRemovals } = memtable
    const isCovered = (entry: number): boolean =>
      memtable.covering(arena.bytes, record.keyStart, record.keyEnd, this.operations) > memtable.sequenceOf(entry)
    for (let id = 0; id < keys.count; id++) {
      const entry = keys.valueOf(id) - 1
      assert(entry >= 0, "a key of the buffer has no record")
      const start = memtable.recordOffset(entry)
      readRecord(arena.bytes, start, arena.used, record)
      if (rangeRemovals.length === 0 || !isCovered(entry)) visit(start, record.end)
    }
  }
}

/**
 * Buffers that wait for the next transaction. To make one takes eight fresh arrays outside the JavaScript heap, 2 µs
 * each: most of the time of a short transaction.
 */
export class WriteBuffers {
  private readonly free: Array<WriteBuffer> = []
  private readonly bytesMax: number

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  take(): WriteBuffer {
    return this.free.pop() ?? new WriteBuffer(this.bytesMax)
  }

  /** Whose transaction has ended. */
  giveBack(buffer: WriteBuffer): void {
    if (!buffer.isReusable || this.free.length === freeMax) return
    buffer.reset()
    this.free.push(buffer)
  }
}

const fieldsOf = ({ from, to }: Span): RecordFields => recordFields({ kind: Kind.removeRange, key: from, value: to })
