// A table's file, opened and checked: what can be known of it without reading its blocks.
//
// How it is read and checked is in structure/tableOpening.ts; here its questions are answered.
import * as Effect from "effect/Effect"
import type { BlockCacheService } from "../../services/BlockCache.ts"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import type { DiskError, DiskService, ReadFile } from "../../services/Disk.ts"
import type { FileEncryption } from "../../services/Encryption.ts"
import type { ManifestService, TableMeta } from "../../services/Manifest.ts"
import type { OptionsShape } from "../../services/Options.ts"
import { parseFileName, tableFileName } from "../format/fileName.ts"
import { decodingAt, type Layout } from "../format/storedBlock.ts"
import type { Footer, Section } from "../format/table.ts"
import {
  openStored,
  type OpenedTableParts,
  type ReadableParts,
  type SealedTable,
  TableOpening
} from "../structure/tableOpening.ts"
import { decoding, ofDisk } from "./diskErrors.ts"
import { missingFile } from "./fileHandles.ts"
import type { LentMemory } from "./lentMemory.ts"
import { drive, driveNow, readAt } from "./opening.ts"

export interface TableParts {
  readonly options: OptionsShape
  readonly disk: DiskService
  readonly manifest: ManifestService
  readonly encryption: FileEncryption
  readonly cache: BlockCacheService
  /** For blocks that are not kept. One lookup of a database is on the stack at a time. */
  readonly lent: LentMemory
}

/** What is needed to read anything of a table. The owner closes the file. */
export interface TableFile extends SealedTable {
  readonly file: ReadFile
  readonly footer: Footer
}

/** A file of which every part but the blocks has been read. */
export interface OpenedTable extends TableFile, OpenedTableParts {}

export const tablePath = ({ disk, manifest }: Pick<TableParts, "disk" | "manifest">, number: number): string =>
  disk.join(manifest.directory, tableFileName(number))

/** The number of the table that the path names; `undefined` if it names none. */
export const numberOfTable = (path: string): number | undefined => {
  const parsed = parseFileName(path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1))
  return parsed?.kind === "table" ? parsed.number : undefined
}

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

/** The error for a table whose file is not there. */
export const missingTable = (parts: Pick<TableParts, "disk" | "manifest" | "options">, number: number): DatabaseError =>
  missingFile(parts, "table", tablePath(parts, number))

/** The opening of a file, with all of a long index or its top alone. Throws `FormatError`. */
const openingOf = (
  { manifest }: TableParts,
  file: ReadFile,
  wanted: { readonly meta: TableMeta; readonly withPartitions: boolean; readonly withValueRefs?: boolean }
): TableOpening =>
  new TableOpening({ ...wanted, fileBytes: file.size, databaseId: manifest.state().databaseId, withFilter: true })

/** What is kept in memory of the table. */
export const readParts = (
  parts: TableParts,
  meta: TableMeta,
  file: ReadFile
): Effect.Effect<ReadableParts, DatabaseError> =>
  decoding(file.path, () => openingOf(parts, file, { meta, withPartitions: false })).pipe(
    Effect.flatMap((opening) => drive(parts.encryption, file, opening)),
    Effect.map((opening) => opening.readable)
  )

/**
 * The same on the calling stack; `undefined` if the disk, or the keys, need time. Throws `FormatError`, `DiskError` and
 * what the encryption fails with.
 */
export const readPartsNow = (parts: TableParts, meta: TableMeta, file: ReadFile): ReadableParts | undefined => {
  const opening = openingOf(parts, file, { meta, withPartitions: false })
  return driveNow(parts.encryption, file, opening) ? opening.readable : undefined
}

/** What is wrong when a table's file cannot be opened. */
export const ofOpen = (parts: TableParts, meta: TableMeta, error: DiskError): DatabaseError =>
  error.code === "ENOENT" ? missingTable(parts, meta.number) : ofDisk(error)

/** Opens and checks the table, but for its blocks. The file is closed again if that fails or is interrupted. */
export const openTableFile = (parts: TableParts, meta: TableMeta): Effect.Effect<OpenedTable, DatabaseError> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(
      Effect.mapError(parts.disk.open(tablePath(parts, meta.number)), (error) => ofOpen(parts, meta, error)),
      (file) =>
        restore(
          decoding(file.path, () => openingOf(parts, file, { meta, withPartitions: true, withValueRefs: true })).pipe(
            Effect.flatMap((opening) => drive(parts.encryption, file, opening)),
            Effect.map((opening) => ({ file, ...opening.opened }))
          )
        ).pipe(Effect.onError(() => Effect.ignore(file.close)))
    )
  )
