// What the manifest pins of one table.
//
//   tableMeta := number: varint  level: varint  bytes: varint  fileId[32]  footerCrc: u32
//                smallestLength: varint  smallest  largestLength: varint  largest
//                entryCount: varint  removeCount: varint  rangeRemovalCount: varint  hiddenCount: varint
//                sequenceMin: varint  sequenceMax: varint  epoch: varint  keyGeneration: varint
//                codec: varint  refsCount: varint  valueRefs{refsCount}     by file, ascending
//   valueRefs := file: varint  count: varint  bytes: varint
import type { ByteReader, ByteWriter } from "./bytes.ts"
import { compareBytes } from "./compare.ts"
import { assert, FormatError } from "./formatError.ts"
import { storedKeyBytesMax } from "./record.ts"

export const levelMax = 63

/** Which part of the values of one logical value file the entries of a table name. */
export interface ValueRefs {
  /** The logical id. */
  readonly file: number
  /** How many values, and their lengths together. */
  readonly count: number
  readonly bytes: number
}

export interface TableMeta {
  readonly number: number
  readonly level: number
  readonly bytes: number
  /** 32 random bytes, also in the file's header. */
  readonly fileId: Uint8Array
  /** The first four bytes of the footer's tag, which in turn covers the rest. */
  readonly footerCrc: number
  /**
   * No key of the table is below `smallest` or above `largest`; a range removal's exclusive end counts as a key, unless
   * it is another key and a zero byte, and then that key counts.
   */
  readonly smallest: Uint8Array
  readonly largest: Uint8Array
  /** Entries and range removals. */
  readonly entryCount: number
  /** Removes and range removals. */
  readonly removeCount: number
  readonly rangeRemovalCount: number
  /** Entries that a newer one, or a range removal, of the same table hides: they were kept for a snapshot. */
  readonly hiddenCount: number
  readonly sequenceMin: number
  readonly sequenceMax: number
  readonly epoch: number
  /** As in the file's header. */
  readonly keyGeneration: number
  /** The id of what its blocks were to be compressed with; 0: nothing. Those that it does not shorten are not. */
  readonly codec: number
  /** By file, ascending. */
  readonly valueRefs: ReadonlyArray<ValueRefs>
}

export const writeTableMeta = (writer: ByteWriter, table: TableMeta): void => {
  assert(table.fileId.length === 32, "a file id is 32 bytes")
  assert(problemOf(table) === undefined, "a table's facts agree with each other")
  writer.varint(table.number)
  writer.varint(table.level)
  writer.varint(table.bytes)
  writer.raw(table.fileId)
  writer.u32(table.footerCrc)
  writer.sized(table.smallest)
  writer.sized(table.largest)
  writer.varint(table.entryCount)
  writer.varint(table.removeCount)
  writer.varint(table.rangeRemovalCount)
  writer.varint(table.hiddenCount)
  writer.varint(table.sequenceMin)
  writer.varint(table.sequenceMax)
  writer.varint(table.epoch)
  writer.varint(table.keyGeneration)
  writer.varint(table.codec)
  writer.varint(table.valueRefs.length)
  for (const { bytes, count, file } of table.valueRefs) {
    writer.varint(file)
    writer.varint(count)
    writer.varint(bytes)
  }
}

export const readTableMeta = (reader: ByteReader): TableMeta => {
  const { offset } = reader
  const table: TableMeta = {
    number: reader.varint(),
    level: reader.varint(),
    bytes: reader.varint(),
    fileId: reader.raw(32),
    footerCrc: reader.u32(),
    smallest: reader.sized(storedKeyBytesMax),
    largest: reader.sized(storedKeyBytesMax),
    entryCount: reader.varint(),
    removeCount: reader.varint(),
    rangeRemovalCount: reader.varint(),
    hiddenCount: reader.varint(),
    sequenceMin: reader.varint(),
    sequenceMax: reader.varint(),
    epoch: reader.varint(),
    keyGeneration: reader.varint(),
    codec: reader.varint(),
    valueRefs: readValueRefs(reader)
  }
  const problem = problemOf(table)
  if (problem !== undefined) throw new FormatError(problem, offset)
  return table
}

const readValueRefs = (reader: ByteReader): ReadonlyArray<ValueRefs> => {
  const count = reader.varint()
  const refs: Array<ValueRefs> = []
  for (let index = 0; index < count; index++) {
    refs.push({ file: reader.varint(), count: reader.varint(), bytes: reader.varint() })
  }
  return refs
}

const problemOf = (table: TableMeta): string | undefined => {
  const { largest, smallest } = table
  if (table.level > levelMax) return `a table at level ${table.level}`
  if (table.removeCount > table.entryCount) return "a table has more removes than entries"
  if (table.rangeRemovalCount > table.removeCount) return "a table has more range removals than removes"
  if (table.hiddenCount > table.entryCount) return "a table has more hidden entries than entries"
  if (table.sequenceMin > table.sequenceMax) return "a table's sequences are reversed"
  if (compareBytes(smallest, 0, smallest.length, largest, 0, largest.length) > 0) return "a table's keys are reversed"
  return refsProblemOf(table)
}

const refsProblemOf = ({ entryCount, removeCount, valueRefs }: TableMeta): string | undefined => {
  let previous = -1
  let total = 0
  for (const { count, file } of valueRefs) {
    if (file <= previous) return "a table's value files are out of order"
    if (count === 0) return `a table names no value of value file ${file}`
    previous = file
    total += count
  }
  return total > entryCount - removeCount ? "a table names more values than it has entries" : undefined
}
