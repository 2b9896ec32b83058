// Reading and making files of ours: whole files, headers of new ones, and their sealers.
import * as Effect from "effect/Effect"
import { Corruption, type DatabaseError, fail, Stale, Unsupported } from "../../services/DatabaseError.ts"
import type { DiskService } from "../../services/Disk.ts"
import type { EncryptionService, FileSealer } from "../../services/Encryption.ts"
import { type FileHeader, type FileKind, formatVersion } from "../format/fileHeader.ts"
import { ofDisk } from "./diskErrors.ts"
import { randomBytes } from "./randomId.ts"

export interface FileParts {
  readonly disk: DiskService
  readonly encryption: EncryptionService
  readonly directory: string
  readonly readOnly: boolean
}

/** All the bytes of a file that was listed. One that is gone since was removed by a later writer, or is missed. */
export const readWhole = (parts: FileParts, name: string): Effect.Effect<Uint8Array, DatabaseError> => {
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

/** What a new file begins with, and how it is sealed. */
export const newFile = Effect.fnUntraced(function* (
  encryption: EncryptionService,
  file: Pick<FileHeader, "databaseId" | "incarnation" | "epoch" | "fileNumber"> & { readonly kind: FileKind }
) {
  const fileId = yield* randomBytes(32)
  const { keyGeneration, tagBytes } = encryption
  const sealer = yield* encryption.sealer({ kind: file.kind, fileId, keyGeneration })
  const header: FileHeader = { ...file, format: formatVersion, tagBytes, keyGeneration, fileId }
  return { header, sealer }
})

/** The sealer of a file with this header, which must be sealed in the way of the layer that is there. */
export const sealerOfHeader = (parts: FileParts, header: FileHeader): Effect.Effect<FileSealer, DatabaseError> => {
  const { encryption } = parts
  if (header.tagBytes !== encryption.tagBytes) {
    const was = header.tagBytes === 16 ? "encrypted; provide the encryption layer" : "created without encryption; open"
    const message = `the database in ${parts.directory} is ${was} it was created with, not "${encryption.name}"`
    return Effect.fail(fail(new Unsupported({ message })))
  }
  return encryption.sealer({ kind: header.kind, fileId: header.fileId, keyGeneration: header.keyGeneration })
}

export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, index) => byte === b[index])
