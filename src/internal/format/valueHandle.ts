// Where a separated value is: what stands in the place of the value in a record or entry of `Kind.valueHandle`.
//
//   handle := file: varint  index: varint  length: varint  [fileTag: u32]
//
//   file     the logical id of its value file: the manifest says which physical file has it
//   index    of the value in that file, below 2^32. It stays when the file is rewritten, so tables need not be
//   length   of the value, at most 256 MiB
//   fileTag  the first four bytes of the random id of the file that the value was written to, if that was before its
//            commit: nothing but the log names that file until it is flushed, and another one in its place, of a copy
//            of the directory that went its own way, would be believed. Nobody looks at it later
//
// Canonical, and nothing follows it.
import { readU32, writeU32 } from "./bytes.ts"
import { assert, FormatError } from "./formatError.ts"
import { valueBytesMax } from "./record.ts"
import { readVarint, varintBytes, varintBytesMax, writeVarint } from "./varint.ts"

export interface ValueHandle {
  readonly file: number
  readonly index: number
  readonly length: number
  readonly fileTag?: number | undefined
}

const tagBytes = 4

export const valueIndexMax = 0xffff_ffff
/** The longest handle. */
export const handleBytesMax = varintBytesMax + varintBytes(valueIndexMax) + varintBytes(valueBytesMax) + tagBytes

/** The length of the handle's encoding. */
export const handleBytes = ({ file, fileTag, index, length }: ValueHandle): number =>
  varintBytes(file) + varintBytes(index) + varintBytes(length) + (fileTag === undefined ? 0 : tagBytes)

/** Writes the handle and returns the offset behind it. The caller has made room for `handleBytes`. */
export const writeHandle = (target: Uint8Array, offset: number, handle: ValueHandle): number => {
  const { file, fileTag, index, length } = handle
  assert(Number.isSafeInteger(file) && file >= 0, "a logical file id is whole and between 0 and 2^53 - 1")
  assert(Number.isInteger(index) && index >= 0 && index <= valueIndexMax, "an index of a value is below 2^32")
  assert(Number.isInteger(length) && length >= 0 && length <= valueBytesMax, "a value is within its limit")
  const end = writeVarint(target, writeVarint(target, writeVarint(target, offset, file), index), length)
  if (fileTag === undefined) return end
  writeU32(target, end, fileTag)
  return end + tagBytes
}

/** Reads the handle that fills bytes[start, end). Throws `FormatError`. */
export const readHandle = (bytes: Uint8Array, start: number, end: number): ValueHandle => {
  const file = readVarint(bytes, start, end)
  const indexStart = start + varintBytes(file)
  const index = readVarint(bytes, indexStart, end)
  const lengthStart = checkIndex(index, indexStart)
  const length = lengthAt(bytes, lengthStart, end)
  if (lengthStart + varintBytes(length) === end) return { file, index, length }
  return { file, index, length, fileTag: readU32(bytes, end - tagBytes) }
}

/** The length alone, without making anything. Throws `FormatError`. */
export const readHandleLength = (bytes: Uint8Array, start: number, end: number): number => {
  const indexStart = start + varintBytes(readVarint(bytes, start, end))
  return lengthAt(bytes, checkIndex(readVarint(bytes, indexStart, end), indexStart), end)
}

/** The offset behind the index. */
const checkIndex = (index: number, offset: number): number => {
  if (index > valueIndexMax) throw new FormatError(`a value of index ${index}`, offset)
  return offset + varintBytes(index)
}

const lengthAt = (bytes: Uint8Array, offset: number, end: number): number => {
  const length = readVarint(bytes, offset, end)
  if (length > valueBytesMax) throw new FormatError(`a value of ${length} bytes`, offset)
  const left = end - offset - varintBytes(length)
  if (left !== 0 && left !== tagBytes) throw new FormatError("a value handle is longer than its fields", offset)
  return length
}
