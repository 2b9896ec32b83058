// What the manifest pins of one value file.
//
//   valueFileMeta := number: varint  bytes: varint  fileId[32]  footerCrc: u32  epoch: varint  keyGeneration: varint
//                    sectionCount: varint  section{sectionCount}      at least one, by id ascending
//   section       := id: varint  count: varint  bytes: varint         at least one value
//
// `number` is that of the file's name. A section's `id` is the number that handles name: where a file is rewritten, the
// ids of its sections stay as they are.
import type { ByteReader, ByteWriter } from "./bytes.ts"
import { assert, FormatError } from "./formatError.ts"
import { valueBytesMax } from "./record.ts"

/** The values of one logical file. */
export interface ValueSection {
  /** The logical id. */
  readonly id: number
  /** How many values, and their lengths together. */
  readonly count: number
  readonly bytes: number
}

export interface ValueFileMeta {
  /** Of the physical file. */
  readonly number: number
  /** The length of the file. */
  readonly bytes: number
  /** 32 random bytes, also in the file's header. */
  readonly fileId: Uint8Array
  /** The first four bytes of the footer's tag, which in turn covers the rest. */
  readonly footerCrc: number
  readonly epoch: number
  /** As in the file's header. */
  readonly keyGeneration: number
  /** By id, ascending. */
  readonly sections: ReadonlyArray<ValueSection>
}

export const writeValueFileMeta = (writer: ByteWriter, file: ValueFileMeta): void => {
  assert(file.fileId.length === 32, "a file id is 32 bytes")
  assert(problemOf(file) === undefined, "a value file's facts agree with each other")
  writer.varint(file.number)
  writer.varint(file.bytes)
  writer.raw(file.fileId)
  writer.u32(file.footerCrc)
  writer.varint(file.epoch)
  writer.varint(file.keyGeneration)
  writer.varint(file.sections.length)
  for (const { bytes, count, id } of file.sections) {
    writer.varint(id)
    writer.varint(count)
    writer.varint(bytes)
  }
}

export const readValueFileMeta = (reader: ByteReader): ValueFileMeta => {
  const { offset } = reader
  const file: ValueFileMeta = {
    number: reader.varint(),
    bytes: reader.varint(),
    fileId: reader.raw(32),
    footerCrc: reader.u32(),
    epoch: reader.varint(),
    keyGeneration: reader.varint(),
    sections: readSections(reader)
  }
  const problem = problemOf(file)
  if (problem !== undefined) throw new FormatError(problem, offset)
  return file
}

const readSections = (reader: ByteReader): ReadonlyArray<ValueSection> => {
  const count = reader.varint()
  const sections: Array<ValueSection> = []
  for (let index = 0; index < count; index++) {
    sections.push({ id: reader.varint(), count: reader.varint(), bytes: reader.varint() })
  }
  return sections
}

const problemOf = ({ sections }: ValueFileMeta): string | undefined => {
  if (sections.length === 0) return "a value file without a section"
  let previous = -1
  for (const { bytes, count, id } of sections) {
    if (id <= previous) return "the sections of a value file are out of order"
    if (count === 0) return `section ${id} of a value file holds no value`
    if (bytes > count * valueBytesMax) return `section ${id} of a value file holds more than its values can have`
    previous = id
  }
  return undefined
}
