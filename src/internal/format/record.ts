// One change of one key (or range of keys), the same bytes in the log and in a memtable's arena.
//
//   record := kind: u8  flags: u8  keyLength: varint  key  [valueLength: varint  value]
//             [expiresAt: varint]  [userMeta: u8]
//
//   remove       key only, no flags
//   set          key, value
//   removeRange  key is the first stored key removed, value the first one not removed; no flags
//   valueHandle  value is a reference into a value file
//   merge        value is an operand
//
//   expiresAt    present with flag 1: Unix milliseconds, not 0          userMeta   present with flag 2: not 0
//
// Canonical: a flag is set exactly when its field is not zero, lengths are canonical varints. An unknown kind or flag
// is from a later version (`unsupported`), never skipped: what it would mean for reads is not known.
import { copyBytes } from "./bytes.ts"
import { assert, FormatError, unsupported } from "./formatError.ts"
import { keyspaceBytes, writeKeyspace } from "./keyspace.ts"
import { readVarint, varintBytes, writeVarint } from "./varint.ts"

/** Part of every format. Never renumber, never reuse. */
export const Kind = { remove: 0, set: 1, removeRange: 2, valueHandle: 3, merge: 4 } as const
export const kindMax = 4

/** Part of every format. Never renumber, never reuse. */
export const Flag = { expiry: 1, userMeta: 2 } as const
export const flagsKnown = 3

/** The longest stored key: 65,535 bytes of the user's and a keyspace number, with room for a longer one. */
export const storedKeyBytesMax = 65_545
export const valueBytesMax = 256 * 1024 * 1024
/** No record is shorter. */
export const recordBytesMin = 3

/**
 * What `writeRecord` writes. Callers on hot paths keep one and set its fields.
 *
 * `keyspace` is written in front of the key; -1 if the key is a stored key already. The value of a removeRange is
 * always a stored key.
 */
export interface RecordFields {
  kind: number
  keyspace: number
  key: Uint8Array
  keyStart: number
  keyEnd: number
  /** Not looked at for a remove. */
  value: Uint8Array
  valueStart: number
  valueEnd: number
  /** Unix milliseconds; 0 is never. */
  expiresAt: number
  userMeta: number
}

const empty = new Uint8Array(0)

/** Fields to fill in: by default an empty set of an empty stored key. */
export const recordFields = (given?: Partial<RecordFields>): RecordFields => {
  const key = given?.key ?? empty
  const value = given?.value ?? empty
  return {
    kind: given?.kind ?? Kind.set,
    keyspace: given?.keyspace ?? -1,
    key,
    keyStart: given?.keyStart ?? 0,
    keyEnd: given?.keyEnd ?? key.length,
    value,
    valueStart: given?.valueStart ?? 0,
    valueEnd: given?.valueEnd ?? value.length,
    expiresAt: given?.expiresAt ?? 0,
    userMeta: given?.userMeta ?? 0
  }
}

/** The exact length of what `writeRecord` will write. */
export const recordBytes = (fields: RecordFields): number => {
  const keyLength = fields.keyEnd - fields.keyStart + (fields.keyspace < 0 ? 0 : keyspaceBytes(fields.keyspace))
  let length = 2 + varintBytes(keyLength) + keyLength
  if (fields.kind === Kind.remove) return length
  const valueLength = fields.valueEnd - fields.valueStart
  length += varintBytes(valueLength) + valueLength
  if (fields.expiresAt > 0) length += varintBytes(fields.expiresAt)
  return fields.userMeta > 0 ? length + 1 : length
}

/** Writes the record and returns the offset behind it. The caller has made room for `recordBytes`. */
export const writeRecord = (target: Uint8Array, offset: number, fields: RecordFields): number => {
  const at = writeRecordHead(target, offset, fields)
  if (fields.kind === Kind.remove) return at
  return writeRecordTail(target, copyBytes(target, at, fields.value, fields.valueStart, fields.valueEnd), fields)
}

/** What is in front of the record's value. Returns the offset behind it. */
export const writeRecordHead = (target: Uint8Array, offset: number, fields: RecordFields): number => {
  const { expiresAt, keyspace, kind, userMeta } = fields
  const flags = (expiresAt > 0 ? Flag.expiry : 0) | (userMeta > 0 ? Flag.userMeta : 0)
  assert(flags === 0 || (kind !== Kind.remove && kind !== Kind.removeRange), "a removal has no expiry and no user meta")
  const keyLength = fields.keyEnd - fields.keyStart + (keyspace < 0 ? 0 : keyspaceBytes(keyspace))
  assert(keyLength <= storedKeyBytesMax, "a key is within its limit")
  target[offset] = kind
  target[offset + 1] = flags
  let at = writeVarint(target, offset + 2, keyLength)
  if (keyspace >= 0) at = writeKeyspace(target, at, keyspace)
  at = copyBytes(target, at, fields.key, fields.keyStart, fields.keyEnd)
  return kind === Kind.remove ? at : writeVarint(target, at, fields.valueEnd - fields.valueStart)
}

/** What is behind it. */
export const writeRecordTail = (target: Uint8Array, offset: number, fields: RecordFields): number => {
  const { expiresAt, userMeta } = fields
  let at = offset
  if (expiresAt > 0) at = writeVarint(target, at, expiresAt)
  if (userMeta > 0) target[at++] = userMeta
  return at
}

/** Where a record's parts lie. Reused from record to record. */
export class RecordView {
  kind = 0
  flags = 0
  keyStart = 0
  keyEnd = 0
  /** For a remove, the start and end are the same. */
  valueStart = 0
  valueEnd = 0
  /** Unix milliseconds; 0 is never. */
  expiresAt = 0
  userMeta = 0
  /** The offset behind the record. */
  end = 0
}

/** Throws unless the kind is known and the flags are known and fit it. */
export const checkKind = (kind: number, flags: number, offset: number): void => {
  if (kind > kindMax) throw unsupported(`unknown record kind ${kind}`, offset)
  if (flags === 0) return
  if ((flags & ~flagsKnown) !== 0) throw unsupported(`unknown flag in ${flags}`, offset)
  if (kind === Kind.remove || kind === Kind.removeRange) throw new FormatError("a removal has flags", offset)
}

/** Reads the record at the offset into the view, looking at no byte at or behind `end`. */
export const readRecord = (bytes: Uint8Array, offset: number, end: number, into: RecordView): void => {
  if (end - offset < recordBytesMin) throw new FormatError("a record is cut off", offset)
  const kind = bytes[offset]
  const flags = bytes[offset + 1]
  checkKind(kind, flags, offset)
  const keyLength = readVarint(bytes, offset + 2, end)
  const keyStart = offset + 2 + varintBytes(keyLength)
  if (keyLength > end - keyStart || keyLength > storedKeyBytesMax) throw new FormatError("a key is too long", offset)
  let at = keyStart + keyLength
  into.kind = kind
  into.flags = flags
  into.keyStart = keyStart
  into.keyEnd = at
  into.valueStart = at
  if (kind !== Kind.remove) {
    const valueLength = readVarint(bytes, at, end)
    at += varintBytes(valueLength)
    const lengthMax = kind === Kind.removeRange ? storedKeyBytesMax : valueBytesMax
    if (valueLength > end - at || valueLength > lengthMax) throw new FormatError("a value is too long", offset)
    into.valueStart = at
    at += valueLength
  }
  into.valueEnd = at
  into.expiresAt = 0
  into.userMeta = 0
  into.end = flags === 0 ? at : readFlagged(bytes, at, end, into)
}

/** Reads the fields that the view's flags announce, and returns the offset behind them. */
export const readFlagged = (
  bytes: Uint8Array,
  offset: number,
  end: number,
  into: { readonly flags: number; expiresAt: number; userMeta: number }
): number => {
  let at = offset
  if ((into.flags & Flag.expiry) !== 0) {
    const expiresAt = readVarint(bytes, at, end)
    if (expiresAt === 0) throw new FormatError("an expiry is zero", at)
    into.expiresAt = expiresAt
    at += varintBytes(expiresAt)
  }
  if ((into.flags & Flag.userMeta) !== 0) {
    if (at >= end) throw new FormatError("a record is cut off", at)
    const userMeta = bytes[at]
    if (userMeta === 0) throw new FormatError("a user meta is zero", at)
    into.userMeta = userMeta
    at += 1
  }
  return at
}
