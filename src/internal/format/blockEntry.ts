// One entry of a block (its bytes are described in block.ts), and the entries that wait until their block is full.
import { ByteWriter, copyBytes } from "./bytes.ts"
import { assert, FormatError } from "./formatError.ts"
import { checkKind, Flag, Kind, readFlagged, storedKeyBytesMax, valueBytesMax } from "./record.ts"
import { readVarint, varintBytes, writeVarint } from "./varint.ts"

/** An entry where it lies: `bytes`, and positions in it. One view is filled and handed over again and again. */
export interface EntryView {
  bytes: Uint8Array
  keyStart: number
  keyEnd: number
  /** The same as `valueEnd` for a remove. */
  valueStart: number
  valueEnd: number
  kind: number
  flags: number
  sequence: number
  /** Unix milliseconds; 0 is never. */
  expiresAt: number
  userMeta: number
}

/** A view to fill in. */
export const makeEntryView = (): EntryView => ({
  bytes: new Uint8Array(0),
  keyStart: 0,
  keyEnd: 0,
  valueStart: 0,
  valueEnd: 0,
  kind: 0,
  flags: 0,
  sequence: 0,
  expiresAt: 0,
  userMeta: 0
})

/** The length of the entry in a block. */
export const entryBytes = (entry: EntryView, sequenceDelta: number): number => {
  const keyLength = entry.keyEnd - entry.keyStart
  let length = varintBytes(keyLength) + keyLength + 2 + varintBytes(sequenceDelta)
  if (entry.kind === Kind.remove) return length
  const valueLength = entry.valueEnd - entry.valueStart
  length += varintBytes(valueLength) + valueLength
  if (entry.expiresAt > 0) length += varintBytes(entry.expiresAt)
  return entry.userMeta > 0 ? length + 1 : length
}

/**
 * Reads the entry at the offset into the view and returns the offset behind it. `sequence` is the delta; `bytes` is not
 * set. Looks at no byte at or behind `end`.
 */
export const readEntry = (bytes: Uint8Array, offset: number, end: number, into: EntryView): number => {
  const keyLength = readVarint(bytes, offset, end)
  const keyStart = offset + varintBytes(keyLength)
  let at = keyStart + keyLength
  // Kind, flags and the delta's first byte follow the key.
  if (keyLength > storedKeyBytesMax || at + 3 > end) throw new FormatError("an entry's key is too long", offset)
  const kind = bytes[at]
  const flags = bytes[at + 1]
  checkKind(kind, flags, offset)
  if (kind === Kind.removeRange) throw new FormatError("a block holds a range removal", offset)
  into.keyStart = keyStart
  into.keyEnd = at
  into.kind = kind
  into.flags = flags
  const delta = readVarint(bytes, at + 2, end)
  into.sequence = delta
  at += 2 + varintBytes(delta)
  into.valueStart = at
  if (kind !== Kind.remove) {
    const valueLength = readVarint(bytes, at, end)
    at += varintBytes(valueLength)
    if (valueLength > valueBytesMax || valueLength > end - at) {
      throw new FormatError("an entry's value is too long", offset)
    }
    into.valueStart = at
    at += valueLength
  }
  into.valueEnd = at
  into.expiresAt = 0
  into.userMeta = 0
  return flags === 0 ? at : readFlagged(bytes, at, end, into)
}

// A buffer that grew beyond this for one large value is not kept for the next block.
const keptBytesMax = 1024 * 1024

/** Copies of entries, in the order they were added. They are encoded only when the lowest sequence of all is known. */
export class PendingEntries {
  count = 0
  private data = new ByteWriter(8192)
  private readonly views: Array<EntryView> = []

  add(entry: EntryView): void {
    const { expiresAt, kind, userMeta } = entry
    const flags = (expiresAt > 0 ? Flag.expiry : 0) | (userMeta > 0 ? Flag.userMeta : 0)
    assert(kind !== Kind.removeRange, "range removals are not in blocks")
    assert(flags === 0 || kind !== Kind.remove, "a removal has no expiry and no user meta")
    if (this.count === this.views.length) this.views.push(makeEntryView())
    const view = this.views[this.count++]
    view.keyStart = this.data.offset
    this.data.range(entry.bytes, entry.keyStart, entry.keyEnd)
    view.keyEnd = this.data.offset
    view.valueStart = this.data.offset
    if (kind !== Kind.remove) this.data.range(entry.bytes, entry.valueStart, entry.valueEnd)
    view.valueEnd = this.data.offset
    view.kind = kind
    view.flags = flags
    view.sequence = entry.sequence
    view.expiresAt = expiresAt
    view.userMeta = userMeta
  }

  sequenceMin(): number {
    let lowest = this.views[0].sequence
    for (let index = 1; index < this.count; index++) {
      if (this.views[index].sequence < lowest) lowest = this.views[index].sequence
    }
    return lowest
  }

  encodedBytes(baseSequence: number): number {
    let length = 0
    for (let index = 0; index < this.count; index++) {
      length += entryBytes(this.views[index], this.views[index].sequence - baseSequence)
    }
    return length
  }

  /** Writes the entry and returns the offset behind it. */
  write(index: number, baseSequence: number, target: Uint8Array, offset: number): number {
    const view = this.views[index]
    const { bytes } = this.data
    let at = writeVarint(target, offset, view.keyEnd - view.keyStart)
    at = copyBytes(target, at, bytes, view.keyStart, view.keyEnd)
    target[at] = view.kind
    target[at + 1] = view.flags
    at = writeVarint(target, at + 2, view.sequence - baseSequence)
    if (view.kind === Kind.remove) return at
    at = writeVarint(target, at, view.valueEnd - view.valueStart)
    at = copyBytes(target, at, bytes, view.valueStart, view.valueEnd)
    if (view.expiresAt > 0) at = writeVarint(target, at, view.expiresAt)
    if (view.userMeta > 0) target[at++] = view.userMeta
    return at
  }

  reset(): void {
    this.count = 0
    this.data.reset()
    if (this.data.bytes.length > keptBytesMax) this.data = new ByteWriter(8192)
  }
}
