// Which values of which files the entries of a table name: a section of the table (table.ts). It is read where value
// files are collected or verified, and nowhere else.
//
//   valueRefs := fileCount: varint  file{fileCount}                  by id ascending
//   file      := id: varint  count: varint  bytes: varint  firstIndex: varint  gap: varint{count - 1}
//
//   id      of a logical file                 bytes   the lengths of its values together
//   count   of its values, at least one       gap     from one index to the next, at least 1
import { ByteReader, ByteWriter } from "./bytes.ts"
import { assert, FormatError } from "./formatError.ts"
import { readHandle, valueIndexMax } from "./valueHandle.ts"
import type { ValueRefs } from "./tableMeta.ts"

/** The values of one logical file that a table names. */
export interface FileRefs {
  readonly file: number
  /** Ascending, each once. */
  readonly indexes: Uint32Array
  /** Of all of them. */
  readonly bytes: number
}

/** What the manifest says of them. */
export const summaryOf = (refs: ReadonlyArray<FileRefs>): ReadonlyArray<ValueRefs> =>
  refs.map(({ bytes, file, indexes }) => ({ file, count: indexes.length, bytes }))

/** Whether both name the same values. */
export const sameRefs = (some: ReadonlyArray<FileRefs>, others: ReadonlyArray<FileRefs>): boolean =>
  some.length === others.length &&
  some.every(({ bytes, file, indexes }, ordinal) => {
    const other = others[ordinal]
    const isSame = other.file === file && other.bytes === bytes && other.indexes.length === indexes.length
    return isSame && indexes.every((index, at) => index === other.indexes[at])
  })

interface Growing {
  indexes: Uint32Array
  count: number
  bytes: number
}

/** Collects what the handles of a table name, in any order. */
export class ValueRefsBuilder {
  private readonly files = new Map<number, Growing>()

  /** The handle that fills bytes[start, end). Throws `FormatError`. */
  add(bytes: Uint8Array, start: number, end: number): void {
    const { file, index, length } = readHandle(bytes, start, end)
    let refs = this.files.get(file)
    if (refs === undefined) {
      refs = { indexes: new Uint32Array(4), count: 0, bytes: 0 }
      this.files.set(file, refs)
    }
    if (refs.count === refs.indexes.length) {
      const grown = new Uint32Array(refs.count * 2)
      grown.set(refs.indexes)
      refs.indexes = grown
    }
    refs.indexes[refs.count++] = index
    refs.bytes += length
  }

  /** By file and index. An index that was added twice is there twice. */
  finish(): ReadonlyArray<FileRefs> {
    return [...this.files]
      .sort(([a], [b]) => a - b)
      .map(([file, { bytes, count, indexes }]) => ({ file, indexes: indexes.subarray(0, count).sort(), bytes }))
  }
}

/** The section's plain bytes. */
export const encodeValueRefs = (refs: ReadonlyArray<FileRefs>): Uint8Array => {
  const writer = new ByteWriter()
  writer.varint(refs.length)
  for (const { bytes, file, indexes } of refs) {
    writer.varint(file)
    writer.varint(indexes.length)
    writer.varint(bytes)
    for (let at = 0; at < indexes.length; at++) {
      assert(at === 0 || indexes[at] > indexes[at - 1], "a value is named by one entry of a table")
      writer.varint(at === 0 ? indexes[0] : indexes[at] - indexes[at - 1])
    }
  }
  return writer.finish()
}

/** Reads a section that fills the bytes. Throws `FormatError`. */
export const decodeValueRefs = (plain: Uint8Array): ReadonlyArray<FileRefs> => {
  const reader = new ByteReader(plain)
  const refs: Array<FileRefs> = []
  let previous = -1
  for (let left = reader.varint(); left > 0; left--) {
    const { offset } = reader
    const file = reader.varint()
    if (file <= previous) throw new FormatError("the files of value references are out of order", offset)
    previous = file
    const count = reader.varint()
    const bytes = reader.varint()
    if (count === 0 || count > reader.remaining) throw new FormatError(`${count} references to values`, offset)
    refs.push({ file, indexes: readIndexes(reader, count), bytes })
  }
  reader.done()
  return refs
}

const readIndexes = (reader: ByteReader, count: number): Uint32Array => {
  const indexes = new Uint32Array(count)
  let index = 0
  for (let at = 0; at < count; at++) {
    const { offset } = reader
    const gap = reader.varint()
    if (at > 0 && gap === 0) throw new FormatError("a value is referred to twice", offset)
    index += gap
    if (index > valueIndexMax) throw new FormatError(`a reference to a value of index ${index}`, offset)
    indexes[at] = index
  }
  return indexes
}
