// What a commit is made of, as the committer takes it: single operations, and batches normalised so that each key has
// one record.
import type { Bounds, Bytes, Operation, SetOptions } from "../../services/Database.ts"
import { invalid } from "../../services/DatabaseError.ts"
import type { Durability, OptionsShape } from "../../services/Options.ts"
import { defaultKeyspace } from "../format/keyspace.ts"
import { Kind, recordBytes, type RecordFields, recordFields, writeRecord } from "../format/record.ts"
import type { BatchBuffer, BatchBuffers } from "../structure/batchBuffer.ts"
import type { WriteBuffer } from "../structure/writeBuffer.ts"
import type { CommitRequest } from "./commitQueue.ts"
import type { CommitValues } from "./commitValues.ts"
import { checkWellFormed, toBytes, toSpan, userKey } from "./userKeys.ts"

/** What requests need to know of the database. */
export interface Limits {
  readonly options: OptionsShape
  readonly nowMillis: () => number
}

const nothing = new Uint8Array(0)

/** The record of a set, its key without the keyspace. Throws `Invalid`. */
export const setFields = (
  limits: Limits,
  key: Bytes,
  set: { readonly value: Bytes; readonly options: SetOptions | undefined }
): RecordFields => {
  const fields = recordFields()
  fillSet(fields, limits, { key, value: set.value, options: set.options })
  return fields
}

const fillSet = (
  fields: RecordFields,
  limits: Limits,
  set: { readonly key: Bytes; readonly value: Bytes; readonly options: SetOptions | undefined }
): void => {
  const { options } = set
  fillKey(fields, Kind.set, set.key)
  const value = toBytes(set.value, "value")
  const { valueBytesMax } = limits.options
  if (value.length > valueBytesMax) {
    throw invalid(`the value has ${value.length} bytes and valueBytesMax allows ${valueBytesMax}`)
  }
  fields.value = value
  fields.valueEnd = value.length
  fields.expiresAt = options === undefined ? 0 : expiry(limits, options)
  fields.userMeta = options?.userMeta === undefined ? 0 : checkedUserMeta(options.userMeta)
}

const fillKey = (fields: RecordFields, kind: number, key: Bytes): void => {
  const bytes = userKey(key)
  fields.kind = kind
  fields.keyspace = defaultKeyspace
  fields.key = bytes
  fields.keyEnd = bytes.length
}

export const removeFields = (key: Bytes): RecordFields => {
  const fields = recordFields()
  fillKey(fields, Kind.remove, key)
  return fields
}

/** `undefined` if no key lies between the bounds. */
export const removeRangeFields = (bounds: Bounds): RecordFields | undefined => {
  const span = toSpan(bounds)
  return span === undefined ? undefined : recordFields({ kind: Kind.removeRange, key: span.from, value: span.to })
}

/** A record to be. `value`: what goes to a value file instead; the fields may be without it. */
export interface Write {
  readonly fields: RecordFields
  readonly value: Bytes | undefined
}

/** The same of a set, which is not encoded yet if its value is a long string. Throws `Invalid`. */
export const setWrite = (
  limits: Limits,
  key: Bytes,
  set: { readonly value: Bytes; readonly options: SetOptions | undefined }
): Write => {
  const { value } = set
  const { directValueBytesMin, valueBytesMax } = limits.options
  if (typeof value !== "string" || value.length < directValueBytesMin) {
    const fields = setFields(limits, key, set)
    return { fields, value: fields.valueEnd >= directValueBytesMin ? fields.value : undefined }
  }
  checkWellFormed(value, "value")
  if (value.length > valueBytesMax) {
    throw invalid(`the value has ${value.length} characters or more and valueBytesMax allows ${valueBytesMax} bytes`)
  }
  return { fields: setFields(limits, key, { value: nothing, options: set.options }), value }
}

/** `undefined` if the operation does nothing. */
export const operationWrite = (limits: Limits, operation: Operation): Write | undefined => {
  switch (operation.type) {
    case "set":
      return setWrite(limits, operation.key, { value: operation.value, options: operation })
    case "remove":
      return { fields: removeFields(operation.key), value: undefined }
    case "removeRange": {
      const fields = removeRangeFields(operation)
      return fields && { fields, value: undefined }
    }
    default: {
      const { type } = operation as { type?: unknown }
      throw invalid(`an operation's type is "set", "remove" or "removeRange", not ${String(type)}`)
    }
  }
}

/**
 * Fills fields that are used again and again with the record of an operation on one key. False if it is none, or its
 * value may have to go to a value file. Throws `Invalid`.
 */
export const fillPlain = (fields: RecordFields, limits: Limits, operation: Operation): boolean => {
  if (operation.type === "remove") {
    fillKey(fields, Kind.remove, operation.key)
    fields.expiresAt = 0
    fields.userMeta = 0
    return true
  }
  if (operation.type !== "set") return false
  const { key, value } = operation
  const { directValueBytesMin } = limits.options
  if (typeof value === "string" && value.length >= directValueBytesMin) return false
  fillSet(fields, limits, { key, value, options: operation })
  return fields.valueEnd < directValueBytesMin
}

const expiry = (limits: Limits, options: SetOptions): number => {
  const { expiresAt, ttlMillis } = options
  if (expiresAt === undefined && ttlMillis === undefined) return 0
  if (expiresAt !== undefined && ttlMillis !== undefined) throw invalid("give ttlMillis or expiresAt, not both")
  const at = expiresAt ?? limits.nowMillis() + ttlMillis!
  if (!Number.isSafeInteger(at) || at <= 0 || (ttlMillis !== undefined && !(ttlMillis > 0))) {
    throw invalid("ttlMillis and expiresAt are whole numbers of milliseconds above 0")
  }
  return at
}

const checkedUserMeta = (userMeta: number): number => {
  if (!Number.isInteger(userMeta) || userMeta < 0 || userMeta > 255)
    throw invalid("userMeta is a whole number from 0 to 255")
  return userMeta
}

/** What a JavaScript caller may have misspelt. */
export const checkedDurability = (durability: Durability | undefined): Durability | undefined => {
  if (durability === undefined || durabilities.has(durability)) return durability
  throw invalid(`durability is "disk", "os" or "buffered", not ${String(durability)}`)
}

const durabilities: ReadonlySet<string> = new Set(["disk", "os", "buffered"])

/** What a buffer has gathered, copied into the arena once more. Nothing may be added to it meanwhile. */
export class BufferedRequest implements CommitRequest {
  readonly count: number
  readonly recordBytes: number
  readonly removesOnly: boolean
  readonly values: CommitValues | undefined
  private readonly buffer: WriteBuffer

  constructor(buffer: WriteBuffer, values?: CommitValues) {
    const { count, recordBytes, removesOnly } = buffer.measure()
    this.buffer = buffer
    this.values = values
    this.count = count
    this.recordBytes = recordBytes
    this.removesOnly = removesOnly
  }

  encode(target: Uint8Array, offset: number): void {
    this.buffer.encode(target, offset)
  }
}

/** A batch of plain operations. Its buffer can be used again when it has entered. */
export class PlainRequest implements CommitRequest {
  readonly count: number
  readonly recordBytes: number
  readonly removesOnly: boolean
  private readonly buffer: BatchBuffer
  private readonly buffers: BatchBuffers

  constructor(buffer: BatchBuffer, buffers: BatchBuffers, removesOnly: boolean) {
    this.buffer = buffer
    this.buffers = buffers
    this.count = buffer.count
    this.recordBytes = buffer.recordBytes
    this.removesOnly = removesOnly
  }

  encode(target: Uint8Array, offset: number): void {
    if (!this.buffer.isWhole) throw invalid("a value was resized or transferred while its batch waited for room")
    this.buffer.encode(target, offset)
    this.buffers.giveBack(this.buffer)
  }
}

/** One operation: the user's bytes are copied once, into the arena. */
export class SingleRequest implements CommitRequest {
  readonly count = 1
  readonly recordBytes: number
  readonly removesOnly: boolean
  readonly values: CommitValues | undefined
  private readonly fields: RecordFields

  constructor(fields: RecordFields, values?: CommitValues) {
    this.fields = fields
    this.values = values
    this.recordBytes = recordBytes(fields)
    this.removesOnly = fields.kind === Kind.remove || fields.kind === Kind.removeRange
  }

  encode(target: Uint8Array, offset: number): void {
    writeRecord(target, offset, this.fields)
  }
}
