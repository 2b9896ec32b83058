// A value file that a replayed commit names and the manifest does not: what the manifest will say of it is taken from
// the file itself.
//
// It was synced, with its name, before the frame that names it was written, so it is there and whole, or something has
// damaged the directory since. Header, footer and top are read and checked against each other; the values are checked
// when they are read, like all others.
import * as Effect from "effect/Effect"
import { Corruption, type DatabaseError, fail, Stale } from "../../services/DatabaseError.ts"
import type { ReadFile } from "../../services/Disk.ts"
import type { ValueFileMeta } from "../../services/Manifest.ts"
import { decodeFileHeader, type FileHeader, fileHeaderBytes, FileKind, fileTagOf } from "../format/fileHeader.ts"
import { valueFileName } from "../format/fileName.ts"
import { FormatError } from "../format/formatError.ts"
import type { Sealer } from "../format/sealer.ts"
import { decodingAt, Layout, openBlock } from "../format/storedBlock.ts"
import { decodeValueFooter, decodeValueTop, type ValueFooter, valueFooterBytes } from "../format/valueFile.ts"
import { checkValueFileHeader, checkValueFooter, checkValueTop } from "../structure/valueFileFacts.ts"
import { decoding, ofDisk } from "./diskErrors.ts"
import { type FileParts, sameBytes, sealerOfHeader } from "./ownFiles.ts"
import { ofRead } from "./opening.ts"
import type { ValueFileParts } from "./valueFileWriter.ts"

/** As the handle of a commit names it. */
interface NamedFile {
  readonly number: number
  readonly fileTag: number | undefined
}

/** Throws `FormatError`. */
const headerOf = (parts: ValueFileParts, { fileTag, number }: NamedFile, bytes: Uint8Array): FileHeader => {
  const header = decodeFileHeader(bytes, FileKind.valueFile)
  const { databaseId, incarnation } = parts.manifest.state()
  const { epochNext } = parts.manifest
  checkValueFileHeader({ ...header, number, bytes: 0, footerCrc: 0, sections: [] }, header, databaseId)
  if (!sameBytes(header.incarnation, incarnation)) throw new FormatError("a value file of another incarnation", 32)
  if (header.epoch > epochNext) throw new FormatError(`a value file of epoch ${header.epoch}, before it began`, 48)
  if (fileTag !== undefined && fileTagOf(header.fileId) !== fileTag) {
    throw new FormatError("this is not the file that the commit names", 60, { tampered: header.tagBytes !== 4 })
  }
  return header
}

/** Throws `FormatError`. */
const metaOf = (
  file: { readonly header: FileHeader; readonly bytes: number; readonly sealer: Sealer },
  footer: ValueFooter,
  stored: Uint8Array
): ValueFileMeta => {
  const { bytes, header, sealer } = file
  const { index, top } = footer
  const block = { bytes: stored, start: 0, length: top.bytes, layout: Layout.valueTop, offset: top.offset }
  const plain = openBlock({ ...block, fileTag: fileTagOf(header.fileId), sealer })
  const placed = decodingAt(top.offset, () => decodeValueTop(plain, index.offset))
  const { epoch, fileId, fileNumber: number, keyGeneration } = header
  const sections = placed.map(({ bytes, count, id }) => ({ id, count, bytes }))
  const meta = { number, bytes, fileId, footerCrc: footer.footerCrc, epoch, keyGeneration, sections }
  checkValueFooter(meta, header, footer)
  checkValueTop({ meta, footer, sections: placed, tagBytes: sealer.tagBytes })
  if (sections.length !== 1 || sections[0]!.id !== number || sections[0]!.count === 0) {
    throw new FormatError("a commit's own value file has values of another file", top.offset)
  }
  return meta
}

const read = Effect.fnUntraced(function* (parts: ValueFileParts & FileParts, named: NamedFile, file: ReadFile) {
  const at = (offset: number, length: number) =>
    Effect.flatMap(
      decoding(file.path, () => {
        if (offset < 0 || offset + length > file.size) throw new FormatError("a value file is cut off", file.size)
      }),
      () => Effect.mapError(file.read(offset, length), ofRead)
    )
  const fileHeader = yield* at(0, fileHeaderBytes)
  const header = yield* decoding(file.path, () => headerOf(parts, named, fileHeader))
  const sealer = yield* sealerOfHeader(parts, header, file.path)
  const length = valueFooterBytes(sealer.tagBytes)
  const tail = yield* at(file.size - length, length)
  const footer = yield* decoding(file.path, () =>
    decodeValueFooter({ bytes: tail, fileBytes: file.size, fileHeader, sealer })
  )
  const stored = yield* at(footer.top.offset, footer.top.bytes)
  return yield* decoding(file.path, () => metaOf({ header, bytes: file.size, sealer }, footer, stored))
})

/** A missing file is `Corruption`, or `Stale` in a read-only database: then a later writer has flushed its commit. */
export const findValueFile = (
  parts: ValueFileParts & FileParts,
  named: NamedFile
): Effect.Effect<ValueFileMeta, DatabaseError> => {
  const path = parts.disk.join(parts.directory, valueFileName(named.number))
  return Effect.acquireUseRelease(
    Effect.mapError(parts.disk.open(path), (error) =>
      error.code === "ENOENT" ? missing(path, parts.readOnly) : ofDisk(error)
    ),
    (file) => read(parts, named, file),
    (file) => Effect.ignore(file.close)
  )
}

const missing = (file: string, readOnly: boolean): DatabaseError =>
  fail(
    readOnly
      ? new Stale({ message: `a later writer removed ${file}; open the database again`, file })
      : new Corruption({ message: `value file ${file} named by a commit in the log is missing`, file, offset: 0 })
  )
