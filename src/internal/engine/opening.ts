// Opening a file piece by piece: the opening says what it wants, and here it is read and handed to it.
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { Corruption, type DatabaseError, fail } from "../../services/DatabaseError.ts"
import type { DiskError, ReadFile } from "../../services/Disk.ts"
import type { FileEncryption, FileSealer } from "../../services/Encryption.ts"
import type { OpeningRequest } from "../structure/jobRequest.ts"
import { decoding, ofDisk } from "./diskErrors.ts"

/** Throws `FormatError`. */
export interface Opening {
  /** What is wanted next; `undefined` when the file is open. */
  readonly next: () => OpeningRequest | undefined
  readonly feed: (answer: Uint8Array | FileSealer) => void
}

/** A published file does not grow and is never cut: one that ends early lost bytes after it was opened. */
export const ofRead = (error: DiskError): DatabaseError => {
  const { code, file, offset = 0 } = error
  if (code !== "ESHORT") return ofDisk(error)
  return fail(new Corruption({ message: `${file}:${offset}: the file ends before what is due here`, file, offset }))
}

export const readAt = (
  file: ReadFile,
  place: { readonly offset: number; readonly bytes: number }
): Effect.Effect<Uint8Array, DatabaseError> => Effect.mapError(file.read(place.offset, place.bytes), ofRead)

/** Answers what the opening asks for, until there is nothing more. */
export const drive = <A extends Opening>(
  encryption: FileEncryption,
  file: ReadFile,
  opening: A
): Effect.Effect<A, DatabaseError> =>
  Effect.flatMap(
    decoding(file.path, () => opening.next()),
    function answer(request): Effect.Effect<A, DatabaseError> {
      if (request === undefined) return Effect.succeed(opening)
      const asked =
        request._tag === "Sealer"
          ? encryption.sealer(request.file)
          : readAt(file, { offset: request.offset, bytes: request.length })
      return Effect.flatMap(asked, (given: FileSealer | Uint8Array) =>
        Effect.flatMap(
          decoding(file.path, () => {
            opening.feed(given)
            return opening.next()
          }),
          answer
        )
      )
    }
  )

/**
 * The same on the calling stack; false if the disk, or the keys, need time. Throws `FormatError`, `DiskError` and what
 * the encryption fails with.
 */
export const driveNow = (encryption: FileEncryption, file: ReadFile, opening: Opening): boolean => {
  if (file.readUnsafe === undefined) return false
  for (let request = opening.next(); request !== undefined; request = opening.next()) {
    if (request._tag === "Range") {
      opening.feed(file.readUnsafe(request.offset, request.length))
      continue
    }
    const sealer: unknown = encryption.sealer(request.file)
    if (!Exit.isExit(sealer)) return false
    if (Exit.isFailure(sealer)) throw Cause.squash(sealer.cause)
    opening.feed(sealer.value as FileSealer)
  }
  return true
}
