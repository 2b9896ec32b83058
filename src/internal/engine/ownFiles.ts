// Reading and making files of ours: whole files, headers of new ones, and their sealers.
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { Corruption, type DatabaseError, fail, Stale, Tampered } from "../../services/DatabaseError.ts"
import type { DiskService } from "../../services/Disk.ts"
import type { FileEncryption, FileSealer } from "../../services/Encryption.ts"
import { type FileHeader, type FileKind, formatVersion } from "../format/fileHeader.ts"
import { epochIdBytes } from "../format/manifestEdit.ts"
import { otherSeal, sealerOf } from "../format/sealer.ts"
import { openedFile } from "../structure/jobRequest.ts"
import { decoding, ofDisk, ofFormat } from "./diskErrors.ts"

const fileIdBytes = 32

export interface DirectoryParts {
  readonly disk: DiskService
  readonly directory: string
  readonly readOnly: boolean
}

export interface FileParts extends DirectoryParts {
  readonly encryption: FileEncryption
}

/** All the bytes of a file that was listed. One that is gone since was removed by a later writer, or is missed. */
export const readWhole = (parts: DirectoryParts, name: string): Effect.Effect<Uint8Array, DatabaseError> => {
  const file = parts.disk.join(parts.directory, name)
  return Effect.acquireUseRelease(
    parts.disk.open(file),
    (open) => open.read(0, open.size),
    (open) => Effect.ignore(open.close)
  ).pipe(
    Effect.mapError((error) => {
      if (error.code !== "ENOENT") return ofDisk(error)
      if (!parts.readOnly) return fail(new Corruption({ message: `${file} is missing`, file, offset: 0 }))
      return fail(new Stale({ message: `${file} was removed by a later writer; open the database again`, file }))
    })
  )
}

/** What a new file begins with, and what seals it: asked for here, and nowhere again. */
export const newFile = Effect.fnUntraced(function* (
  encryption: FileEncryption,
  given: Pick<FileHeader, "databaseId" | "incarnation" | "epoch" | "fileNumber"> & {
    readonly kind: FileKind
    /** Of a log segment: its file id ends with it, and is as unique as the 16 bytes before. */
    readonly epochId?: Uint8Array
  }
) {
  const { epochId, ...file } = given
  const fileId = encryption.newFileId(yield* Random.Random)
  if (epochId !== undefined) fileId.set(epochId, fileIdBytes - epochIdBytes)
  const { tagBytes } = encryption
  const keyGeneration = encryption.keyGeneration()
  const header: FileHeader = { ...file, format: formatVersion, tagBytes, keyGeneration, fileId }
  const sealer = yield* encryption.sealer({ ...openedFile(header), access: "seal" })
  return { header, sealer }
})

/** The sealer that opens the file with this header, which must be sealed as all of the database is. */
export const sealerOfHeader = (
  { encryption }: Pick<FileParts, "encryption">,
  header: FileHeader,
  file: string
): Effect.Effect<FileSealer, DatabaseError> => {
  const { databaseId, tagBytes } = encryption
  if (header.tagBytes !== tagBytes) return Effect.fail(ofFormat(otherSeal(header, tagBytes), file))
  // Of a marker or a manifest nothing else is known yet.
  if (databaseId !== undefined && !sameBytes(header.databaseId, databaseId)) {
    const message = `${file}: a file of another database than the keyring`
    return Effect.fail(fail(new Tampered({ message, file, offset: 16 })))
  }
  return Effect.flatMap(encryption.sealer(openedFile(header)), (sealer) =>
    decoding(file, () => sealerOf(header, () => sealer))
  )
}

/** Whether the segment was made in the epoch of this id. */
export const isOfEpoch = ({ fileId }: FileHeader, epochId: Uint8Array): boolean =>
  sameBytes(fileId.subarray(fileIdBytes - epochIdBytes), epochId)

export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, index) => byte === b[index])
