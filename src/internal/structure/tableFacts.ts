// What the manifest, a table's header, its footer and its index say of the same table must agree: a table that
// is sound in itself and not the one meant is as wrong as a damaged one.
import { compareBytes } from "../format/compare.ts"
import { type FileHeader, fileHeaderBytes } from "../format/fileHeader.ts"
import { FormatError } from "../format/formatError.ts"
import { storedBlockExtra } from "../format/storedBlock.ts"
import { type Footer, lastCovered, type RangeRemoval } from "../format/table.ts"
import type { TableIndex } from "../format/tableIndex.ts"
import type { TableMeta } from "../format/tableMeta.ts"
import { type FileRefs, summaryOf } from "../format/valueRefs.ts"

// Where the fields stand in the header (fileHeader.ts), for the messages.
const keyGenerationOffset = 12
const databaseIdOffset = 16
const epochOffset = 48
const fileNumberOffset = 52
const fileIdOffset = 60

const isSame = (a: Uint8Array, b: Uint8Array): boolean => compareBytes(a, 0, a.length, b, 0, b.length) === 0

/** The place of a table's footer: at the end of the file that the manifest names. */
export const footerOffset = (meta: TableMeta, footerLength: number): number => {
  const offset = meta.bytes - footerLength
  if (offset < fileHeaderBytes) throw new FormatError(`a table of ${meta.bytes} bytes is cut off`, meta.bytes)
  return offset
}

export const checkSize = (meta: TableMeta, fileBytes: number): void => {
  if (fileBytes === meta.bytes) return
  const offset = Math.min(fileBytes, meta.bytes)
  throw new FormatError(`the table has ${fileBytes} bytes, the manifest says ${meta.bytes}`, offset)
}

export const checkHeader = (meta: TableMeta, header: FileHeader, databaseId: Uint8Array): void => {
  if (!isSame(header.databaseId, databaseId)) throw new FormatError("a table of another database", databaseIdOffset)
  if (header.fileNumber !== meta.number) {
    throw new FormatError(`this is table ${header.fileNumber}, not ${meta.number}`, fileNumberOffset)
  }
  if (!isSame(header.fileId, meta.fileId)) throw new FormatError("another table under this number", fileIdOffset)
  if (header.epoch !== meta.epoch) {
    throw new FormatError(`a table of epoch ${header.epoch}, the manifest says ${meta.epoch}`, epochOffset)
  }
  if (header.keyGeneration !== meta.keyGeneration) {
    const message = `a table of key ${header.keyGeneration}, the manifest says ${meta.keyGeneration}`
    // Where all is encrypted, it was put there by somebody.
    throw new FormatError(message, keyGenerationOffset, { tampered: meta.keyGeneration !== 0 })
  }
}

export const checkFooter = (meta: TableMeta, header: FileHeader, footer: Footer): void => {
  const offset = footer.properties.offset + footer.properties.bytes
  if (footer.footerCrc !== meta.footerCrc) throw new FormatError("the footer is not the one the manifest pins", offset)
  if (footer.entryCount !== meta.entryCount || footer.removeCount !== meta.removeCount) {
    throw new FormatError(`${footer.entryCount} entries, the manifest says ${meta.entryCount}`, offset)
  }
  // Without the section, what it removes would come back.
  if (footer.rangeRemovalsBytes > 0 !== meta.rangeRemovalCount > 0) {
    throw new FormatError(`the manifest says that there are ${meta.rangeRemovalCount} range removals`, offset)
  }
  // Without the section, what it names would be taken for garbage.
  if (footer.valueRefsBytes > 0 !== meta.valueRefs.length > 0) {
    throw new FormatError(`the manifest says that values of ${meta.valueRefs.length} files are named`, offset)
  }
  if (footer.format !== header.format) throw new FormatError(`a footer of format ${footer.format}`, offset)
}

/** `TableIndex` has seen that blocks stand without gaps and their keys ascend. */
export const checkIndex = (meta: TableMeta, footer: Footer, index: TableIndex): void => {
  const { offset } = footer.index
  const { count, keyOffsets, keys } = index
  const hasRemovals = footer.rangeRemovalsBytes > 0
  if (count !== footer.blockCount || (count === 0 && !hasRemovals)) {
    throw new FormatError(`an index of ${count} blocks, the footer says ${footer.blockCount}`, offset)
  }
  checkLengths(index)
  if (count === 0) return
  checkLast(meta, footer, index)
  const { smallest } = meta
  if (compareBytes(keys, 0, keyOffsets[1], smallest, 0, smallest.length) < 0) {
    throw new FormatError("the index begins below the smallest key that the manifest names", offset)
  }
}

export const checkLengths = ({ count, lengths, offsets }: TableIndex): void => {
  const lengthMin = storedBlockExtra(0)
  for (let block = 0; block < count; block++) {
    if (lengths[block] <= lengthMin) throw new FormatError(`a block of ${lengths[block]} bytes`, offsets[block])
  }
}

/** Of an index, or of its top, which ends with the same key. */
export const checkLast = (
  meta: TableMeta,
  footer: Footer,
  { count, keyOffsets, keys }: Pick<TableIndex, "count" | "keyOffsets" | "keys">
): void => {
  const { largest } = meta
  const order = compareBytes(keys, keyOffsets[count - 1], keyOffsets[count], largest, 0, largest.length)
  // Range removals may reach beyond the last key.
  if (footer.rangeRemovalsBytes > 0 ? order > 0 : order !== 0) {
    const { offset } = footer.index
    throw new FormatError("the index does not end with the largest key that the manifest names", offset)
  }
}

const compareKeys = (a: Uint8Array, b: Uint8Array): number => compareBytes(a, 0, a.length, b, 0, b.length)

/** They are in order, and within what the manifest names. */
export const checkRangeRemovals = (meta: TableMeta, footer: Footer, removals: ReadonlyArray<RangeRemoval>): void => {
  const { offset } = footer.rangeRemovals
  if (removals.length !== meta.rangeRemovalCount) {
    throw new FormatError(`${removals.length} range removals, the manifest says ${meta.rangeRemovalCount}`, offset)
  }
  let before: RangeRemoval | undefined
  for (const removal of removals) {
    const { from, sequence, to } = removal
    const order = before === undefined ? -1 : compareKeys(before.from, from) || sequence - before.sequence
    if (order > 0) throw new FormatError("range removals are out of order", offset)
    if (compareKeys(from, to) > 0) throw new FormatError("a range removal is reversed", offset)
    if (compareKeys(from, meta.smallest) < 0 || compareKeys(lastCovered(to), meta.largest) > 0) {
      throw new FormatError("a range removal reaches beyond the keys that the manifest names", offset)
    }
    if (sequence < meta.sequenceMin || sequence > meta.sequenceMax) {
      throw new FormatError(`a range removal of sequence ${sequence}, beyond those that the manifest names`, offset)
    }
    before = removal
  }
}

/** They are those that the manifest sums up. */
export const checkValueRefs = (meta: TableMeta, footer: Footer, refs: ReadonlyArray<FileRefs>): void => {
  const { offset } = footer.valueRefs
  for (const [ordinal, { bytes, count, file }] of summaryOf(refs).entries()) {
    const due = meta.valueRefs[ordinal]
    if (due === undefined || due.file !== file || due.count !== count || due.bytes !== bytes) {
      throw new FormatError(`${count} references to values of file ${file} that the manifest does not name`, offset)
    }
  }
  if (refs.length < meta.valueRefs.length) {
    throw new FormatError(`values of ${refs.length} files, the manifest says ${meta.valueRefs.length}`, offset)
  }
}
