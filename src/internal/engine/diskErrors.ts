// Where failures of the disk and of decoders become the one error of users. Everything is mapped here and once:
//
//   DiskError ENOSPC, EDQUOT     DiskFull      the write was not made
//   DiskError, any other         Io            with operation, file, offset and the errno's name
//   DirectoryLocked              Locked        with what is known of the holder
//   FormatError                  Corruption    with file and offset; `Tampered` if a seal with a key does not match,
//                                              `Unsupported` if a later version wrote the bytes
//   a failed sync                Poisoned      what the file holds is not known (RELIABILITY.md §3.4)
//
// Anything else that is thrown is a bug of ours, and stays a defect.
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import {
  Corruption,
  type DatabaseError,
  DiskFull,
  fail,
  Io,
  Locked,
  Poisoned,
  Tampered,
  Unsupported
} from "../../services/DatabaseError.ts"
import type { DirectoryLocked, DiskError } from "../../services/Disk.ts"
import { FormatError } from "../format/formatError.ts"

/** No space, or none that we may have. */
export const isFull = (error: DiskError): boolean => error.code === "ENOSPC" || error.code === "EDQUOT"

/** For everything but a sync. */
export const ofDisk = (error: DiskError): DatabaseError => {
  const { code, file, offset, operation } = error
  if (isFull(error)) {
    return fail(new DiskFull({ message: `no space for ${file} (${code}); free some, writing goes on by itself`, file }))
  }
  const at = offset === undefined ? {} : { offset }
  return fail(new Io({ message: `${error.message}`, operation, file, code, ...at }))
}

export const fromDisk = <A, R>(effect: Effect.Effect<A, DiskError, R>): Effect.Effect<A, DatabaseError, R> =>
  Effect.mapError(effect, ofDisk)

/** A sync or a close failed, or a write of which all bytes were accepted: nobody knows what is on the disk. */
export const poisonedBy = (error: DiskError): DatabaseError =>
  fail(
    new Poisoned({
      message: `${error.message}; no further write is taken, reopen the database to recover`,
      cause: error
    })
  )

export const ofLocked = (error: DirectoryLocked): DatabaseError => {
  const { directory, pid, startedAtMillis } = error
  const since = startedAtMillis === undefined ? "" : `, started ${isoOf(startedAtMillis)}`
  const holder = pid === undefined ? "" : ` by process ${pid}${since}`
  const known = { ...(pid === undefined ? {} : { pid }), ...(startedAtMillis === undefined ? {} : { startedAtMillis }) }
  return fail(
    new Locked({ message: `${directory} is open${holder}; close it there, or use that process`, directory, ...known })
  )
}

// The time is another process's word: whatever it is, it must not break the message.
const isoOf = (millis: number): string => {
  const time = DateTime.make(millis)
  return time._tag === "None" ? `${millis}` : DateTime.formatIso(time.value)
}

export const ofFormat = (error: FormatError, file: string): DatabaseError =>
  fail(
    error.unsupported
      ? new Unsupported({ message: `${file}: ${error.message}; use a newer version` })
      : damaged({ message: `${file}:${error.offset}: ${error.message}`, file, offset: error.offset }, error)
  )

/** Damage, by accident or by somebody, as far as can be told. */
export const damaged = (
  what: { readonly message: string; readonly file: string; readonly offset: number },
  { tampered }: { readonly tampered: boolean }
): Corruption | Tampered => (tampered ? new Tampered(what) : new Corruption(what))

/** Runs a decoder over the bytes of a file. */
export const decoding = <A>(file: string, decode: () => A): Effect.Effect<A, DatabaseError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(decode())
    } catch (error) {
      if (error instanceof FormatError) return Effect.fail(ofFormat(error, file))
      throw error
    }
  })

/** How many bytes of a failed append are in the file. */
export const acceptedBytes = (error: DiskError, grown: number): number => Math.max(error.bytesAccepted ?? 0, grown)
