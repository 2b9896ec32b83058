// The file of a value file: where it is, and all that can be known of it without reading its index or a value.
//
// How it is read and checked is in structure/valueFileOpening.ts; here its questions are answered.
import * as Effect from "effect/Effect"
import type { BlockCacheService } from "../../services/BlockCache.ts"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import type { DiskError, ReadFile } from "../../services/Disk.ts"
import type { FileEncryption } from "../../services/Encryption.ts"
import type { ValueFileMeta } from "../../services/Manifest.ts"
import { valueFileName } from "../format/fileName.ts"
import { ValueFileOpening, type ValueFileParts } from "../structure/valueFileOpening.ts"
import { decoding, ofDisk } from "./diskErrors.ts"
import { type HandleParts, missingFile } from "./fileHandles.ts"
import { drive, driveNow } from "./opening.ts"

export interface ValueParts extends HandleParts {
  readonly encryption: FileEncryption
  readonly cache: BlockCacheService
}

export const valueFilePath = ({ disk, manifest }: Pick<ValueParts, "disk" | "manifest">, number: number): string =>
  disk.join(manifest.directory, valueFileName(number))

/** What is wrong when a value file cannot be opened. */
export const ofOpenValues = (parts: ValueParts, meta: ValueFileMeta, error: DiskError): DatabaseError =>
  error.code === "ENOENT" ? missingFile(parts, "value file", valueFilePath(parts, meta.number)) : ofDisk(error)

/** Throws `FormatError`. */
const openingOf = ({ manifest }: ValueParts, meta: ValueFileMeta, file: ReadFile): ValueFileOpening =>
  new ValueFileOpening({ meta, fileBytes: file.size, databaseId: manifest.state().databaseId })

/** What is kept in memory of the file, beside blocks of its index. */
export const readValueParts = (
  parts: ValueParts,
  meta: ValueFileMeta,
  file: ReadFile
): Effect.Effect<ValueFileParts, DatabaseError> =>
  decoding(file.path, () => openingOf(parts, meta, file)).pipe(
    Effect.flatMap((opening) => drive(parts.encryption, file, opening)),
    Effect.map((opening) => opening.opened)
  )

/**
 * The same on the calling stack; `undefined` if the disk, or the keys, need time. Throws `FormatError`, `DiskError` and
 * what the encryption fails with.
 */
export const readValuePartsNow = (
  parts: ValueParts,
  meta: ValueFileMeta,
  file: ReadFile
): ValueFileParts | undefined => {
  const opening = openingOf(parts, meta, file)
  return driveNow(parts.encryption, file, opening) ? opening.opened : undefined
}

/** Opens and checks the file, but for its index and values. It is closed again if that fails or is interrupted. */
export const openValueFile = (
  parts: ValueParts,
  meta: ValueFileMeta
): Effect.Effect<{ readonly file: ReadFile; readonly opened: ValueFileParts }, DatabaseError> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(
      Effect.mapError(parts.disk.open(valueFilePath(parts, meta.number)), (error) => ofOpenValues(parts, meta, error)),
      (file) =>
        restore(Effect.map(readValueParts(parts, meta, file), (opened) => ({ file, opened }))).pipe(
          Effect.onError(() => Effect.ignore(file.close))
        )
    )
  )
