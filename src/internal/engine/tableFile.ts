// A table's file, opened and checked: what can be known of it without reading its blocks.
//
// All that the manifest pins is compared before anything is believed: size, header, footer, then filter and index, each
// by its own tag, which the footer's covers.
import * as Effect from "effect/Effect"
import type { BlockCacheService } from "../../services/BlockCache.ts"
import { Corruption, type DatabaseError, fail, Stale } from "../../services/DatabaseError.ts"
import type { DiskError, DiskService, ReadFile } from "../../services/Disk.ts"
import { type EncryptionService, FileKind, type FileSealer } from "../../services/Encryption.ts"
import type { ManifestService, TableMeta } from "../../services/Manifest.ts"
import type { OptionsShape } from "../../services/Options.ts"
import { decodeFileHeader, fileHeaderBytes, fileTagOf } from "../format/fileHeader.ts"
import { tableFileName } from "../format/fileName.ts"
import { checkFilter } from "../format/filter.ts"
import { sealerOf } from "../format/sealer.ts"
import { decodingAt, type Layout, Layout as Layouts, openBlock } from "../format/storedBlock.ts"
import { decodeFooter, type Footer, footerBytes, type Section } from "../format/table.ts"
import { TableIndex } from "../format/tableIndex.ts"
import { checkFooter, checkHeader, checkIndex, checkSize, footerOffset } from "../structure/tableFacts.ts"
import { decoding, ofDisk } from "./diskErrors.ts"

export interface TableParts {
  readonly options: OptionsShape
  readonly disk: DiskService
  readonly manifest: ManifestService
  readonly encryption: EncryptionService
  readonly cache: BlockCacheService
}

/** What is needed to read anything of a table. The owner closes the file. */
export interface TableFile {
  readonly file: ReadFile
  readonly sealer: FileSealer
  readonly fileTag: number
  readonly footer: Footer
}

/** A file of which every part but the blocks has been read. */
export interface OpenedTable extends TableFile {
  readonly index: TableIndex
  readonly filter: Uint8Array | undefined
}

export const tablePath = ({ disk, manifest }: TableParts, number: number): string =>
  disk.join(manifest.directory, tableFileName(number))

/** A table's file does not grow and is never cut: one that ends early lost bytes after it was opened. */
export const ofRead = (error: DiskError): DatabaseError => {
  const { code, file, offset = 0 } = error
  if (code !== "ESHORT") return ofDisk(error)
  return fail(new Corruption({ message: `${file}:${offset}: the file ends before what is due here`, file, offset }))
}

const readAt = (file: ReadFile, section: Section): Effect.Effect<Uint8Array, DatabaseError> =>
  Effect.mapError(file.read(section.offset, section.bytes), ofRead)

/** The plain bytes of a stored block. Throws `FormatError`. */
export const openStored = (table: TableFile, layout: Layout, stored: { bytes: Uint8Array; offset: number }) =>
  openBlock({
    bytes: stored.bytes,
    start: 0,
    length: stored.bytes.length,
    layout,
    fileTag: table.fileTag,
    offset: stored.offset,
    sealer: table.sealer
  })

/** Reads a section that the footer names, and decodes it. */
export const readSection = <A>(
  table: TableFile,
  section: Section & { readonly layout: Layout },
  decode: (plain: Uint8Array) => A
): Effect.Effect<A, DatabaseError> =>
  Effect.flatMap(readAt(table.file, section), (bytes) =>
    decoding(table.file.path, () => {
      const plain = openStored(table, section.layout, { bytes, offset: section.offset })
      return decodingAt(section.offset, () => decode(plain))
    })
  )

const missing = (parts: TableParts, meta: TableMeta): DatabaseError => {
  const file = tablePath(parts, meta.number)
  return fail(
    parts.options.readOnly
      ? new Stale({ message: `a later writer removed ${file}; open the database again`, file })
      : new Corruption({ message: `table ${file} named by the manifest is missing`, file, offset: 0 })
  )
}

const readEnds = Effect.fnUntraced(function* (parts: TableParts, meta: TableMeta, file: ReadFile) {
  const { encryption, manifest } = parts
  const { path } = file
  const { databaseId } = manifest.state()
  yield* decoding(path, () => checkSize(meta, file.size))
  const fileHeader = yield* readAt(file, { offset: 0, bytes: Math.min(fileHeaderBytes, file.size) })
  const header = yield* decoding(path, () => {
    const decoded = decodeFileHeader(fileHeader, FileKind.table)
    checkHeader(meta, decoded, databaseId)
    return decoded
  })
  const { fileId, keyGeneration, tagBytes } = header
  const sealer = yield* encryption.sealer({ kind: FileKind.table, fileId, keyGeneration })
  const footerSection = yield* decoding(path, () => {
    sealerOf(header, () => sealer)
    const bytes = footerBytes(tagBytes)
    return { offset: footerOffset(meta, bytes), bytes }
  })
  const bytes = yield* readAt(file, footerSection)
  const footer = yield* decoding(path, () => {
    const decoded = decodeFooter({ bytes, fileBytes: file.size, fileHeader, sealer })
    checkFooter(meta, header, decoded)
    return decoded
  })
  return { file, sealer, fileTag: fileTagOf(fileId), footer } satisfies TableFile
})

const readRest = Effect.fnUntraced(function* (meta: TableMeta, table: TableFile) {
  const { footer } = table
  const index = yield* readSection(table, { ...footer.index, layout: Layouts.index }, (plain) => {
    const opened = TableIndex.open(plain, footer.blocksBytes)
    checkIndex(meta, footer, opened)
    return opened
  })
  if (footer.filter.bytes === 0) return { ...table, index, filter: undefined }
  const filter = yield* readSection(table, { ...footer.filter, layout: Layouts.filter }, (plain) => {
    checkFilter(plain)
    return plain
  })
  return { ...table, index, filter } satisfies OpenedTable
})

/** Opens and checks the table. The file is closed again if that fails or is interrupted. */
export const openTableFile = (parts: TableParts, meta: TableMeta): Effect.Effect<OpenedTable, DatabaseError> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(
      Effect.mapError(parts.disk.open(tablePath(parts, meta.number)), (error) =>
        error.code === "ENOENT" ? missing(parts, meta) : ofDisk(error)
      ),
      (file) =>
        restore(Effect.flatMap(readEnds(parts, meta, file), (table) => readRest(meta, table))).pipe(
          Effect.onError(() => Effect.ignore(file.close))
        )
    )
  )
