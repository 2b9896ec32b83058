// What the manifest, a value file's header, its footer and its top say of the same file must agree, as with tables
// (tableFacts.ts).
import { type FileHeader, fileHeaderBytes } from "../format/fileHeader.ts"
import { FormatError } from "../format/formatError.ts"
import { storedBlockExtra } from "../format/storedBlock.ts"
import { valueFooterBytes, type PlacedSection, type ValueFooter } from "../format/valueFile.ts"
import type { ValueFileMeta } from "../format/valueFileMeta.ts"
import { valueIndexBytes, valueIndexEntriesMax } from "../format/valueIndex.ts"
import { compareKeys } from "./keyRange.ts"

// Where the fields stand in the header (fileHeader.ts), for the messages.
const keyGenerationOffset = 12
const databaseIdOffset = 16
const epochOffset = 48
const fileNumberOffset = 52
const fileIdOffset = 60

const isSame = (a: Uint8Array, b: Uint8Array): boolean => compareKeys(a, b) === 0

export const checkValueFileSize = (meta: ValueFileMeta, fileBytes: number): void => {
  if (fileBytes !== meta.bytes) {
    const offset = Math.min(fileBytes, meta.bytes)
    throw new FormatError(`the value file has ${fileBytes} bytes, the manifest says ${meta.bytes}`, offset)
  }
  if (fileBytes < fileHeaderBytes + valueFooterBytes(0)) {
    throw new FormatError(`a value file of ${fileBytes} bytes is cut off`, fileBytes)
  }
}

export const checkValueFileHeader = (meta: ValueFileMeta, header: FileHeader, databaseId: Uint8Array): void => {
  if (!isSame(header.databaseId, databaseId))
    throw new FormatError("a value file of another database", databaseIdOffset)
  if (header.fileNumber !== meta.number) {
    throw new FormatError(`this is value file ${header.fileNumber}, not ${meta.number}`, fileNumberOffset)
  }
  if (!isSame(header.fileId, meta.fileId)) throw new FormatError("another value file under this number", fileIdOffset)
  if (header.epoch !== meta.epoch) {
    throw new FormatError(`a value file of epoch ${header.epoch}, the manifest says ${meta.epoch}`, epochOffset)
  }
  if (header.keyGeneration !== meta.keyGeneration) {
    const message = `a value file of key ${header.keyGeneration}, the manifest says ${meta.keyGeneration}`
    // Where all is encrypted, it was put there by somebody.
    throw new FormatError(message, keyGenerationOffset, { tampered: meta.keyGeneration !== 0 })
  }
}

export const checkValueFooter = (meta: ValueFileMeta, header: FileHeader, footer: ValueFooter): void => {
  const offset = footer.top.offset + footer.top.bytes
  if (footer.footerCrc !== meta.footerCrc) throw new FormatError("the footer is not the one the manifest pins", offset)
  if (footer.format !== header.format) throw new FormatError(`a footer of format ${footer.format}`, offset)
  const { sections } = meta
  const count = sections.reduce((sum, section) => sum + section.count, 0)
  const bytes = sections.reduce((sum, section) => sum + section.bytes, 0)
  if (footer.sectionCount !== sections.length || footer.count !== count || footer.bytes !== bytes) {
    throw new FormatError(`${footer.count} values, the manifest says ${count}`, offset)
  }
}

/** The sections are those of the manifest, and their index blocks fill the index and have room for the values. */
export const checkValueTop = (options: {
  readonly meta: ValueFileMeta
  readonly footer: ValueFooter
  readonly sections: ReadonlyArray<PlacedSection>
  readonly tagBytes: number
}): void => {
  const { footer, meta, sections, tagBytes } = options
  const { index, top } = footer
  const extra = storedBlockExtra(tagBytes)
  let end = index.offset
  for (const [ordinal, { blocks, bytes, count, id }] of sections.entries()) {
    const due = meta.sections[ordinal]
    if (due === undefined || id !== due.id || count !== due.count || bytes !== due.bytes) {
      throw new FormatError(`section ${id} of ${count} values is not the one that the manifest names`, top.offset)
    }
    let entries = 0
    for (const block of blocks) {
      const here = (block.bytes - extra) / valueIndexBytes
      if (!Number.isInteger(here) || here < 1 || here > valueIndexEntriesMax) {
        throw new FormatError(`an index block of ${block.bytes} bytes`, block.offset)
      }
      entries += here
      end = block.offset + block.bytes
    }
    if (entries !== count) throw new FormatError(`the index of section ${id} names ${entries} values`, top.offset)
  }
  if (sections.length !== meta.sections.length || end !== top.offset) {
    throw new FormatError("the top of a value file does not name all of it", top.offset)
  }
}
