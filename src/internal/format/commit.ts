// A commit, and the payload of a log frame, which is one commit or several.
//
//   payload := commit*
//   commit  := bytes: u32  count: u32  sequence: u64  commitMillis: f64  record{count}
//
// `bytes` is the length of the whole commit with these 24; the records fill it exactly.
import { readF64, readU32, readU64, writeF64, writeU32, writeU64 } from "./bytes.ts"
import { FormatError } from "./formatError.ts"
import { readRecord, recordBytesMin, type RecordView } from "./record.ts"

export const commitHeaderBytes = 24

export interface CommitHeader {
  /** The length of the whole commit, header included. */
  readonly bytes: number
  /** How many records. */
  readonly count: number
  readonly sequence: number
  readonly commitMillis: number
}

export const writeCommitHeader = (target: Uint8Array, offset: number, header: CommitHeader): void => {
  writeU32(target, offset, header.bytes)
  writeU32(target, offset + 4, header.count)
  writeU64(target, offset + 8, header.sequence)
  writeF64(target, offset + 16, header.commitMillis)
}

/**
 * Walks the commits of a payload and their records:
 *
 *   reader.reset(payload)
 *   while (reader.next()) while (reader.nextRecord(view)) …
 *
 * Reusable; allocates nothing. Records that are not asked for are not checked.
 */
export class CommitReader {
  bytes: Uint8Array = new Uint8Array(0)
  /** Of the current commit. */
  start = 0
  end = 0
  count = 0
  sequence = 0
  commitMillis = 0
  private payloadEnd = 0
  private at = 0
  private remaining = 0

  constructor(payload?: Uint8Array) {
    if (payload !== undefined) this.reset(payload)
  }

  reset(payload: Uint8Array, start: number = 0, end: number = payload.length): void {
    this.bytes = payload
    this.start = start
    this.end = start
    this.payloadEnd = end
    this.at = start
    this.count = 0
    this.remaining = 0
  }

  /** Goes to the next commit; false at the payload's end. */
  next(): boolean {
    const start = this.end
    const left = this.payloadEnd - start
    if (left === 0) return false
    const length = left < commitHeaderBytes ? 0 : readU32(this.bytes, start)
    const count = readU32(this.bytes, start + 4)
    if (length > left || length < commitHeaderBytes) throw new FormatError(`a commit of ${length} bytes`, start)
    if (count * recordBytesMin > length - commitHeaderBytes)
      throw new FormatError("a commit has too many records", start)
    const commitMillis = readF64(this.bytes, start + 16)
    if (!Number.isFinite(commitMillis)) throw new FormatError("a commit has no time", start + 16)
    this.sequence = readU64(this.bytes, start + 8)
    this.commitMillis = commitMillis
    this.count = count
    this.start = start
    this.end = start + length
    this.at = start + commitHeaderBytes
    this.remaining = count
    return true
  }

  /** Reads the commit's next record; false behind its last, where its bytes must end too. */
  nextRecord(into: RecordView): boolean {
    if (this.remaining === 0) {
      if (this.at !== this.end) throw new FormatError("a commit is longer than its records", this.at)
      return false
    }
    readRecord(this.bytes, this.at, this.end, into)
    this.at = into.end
    this.remaining -= 1
    return true
  }
}
