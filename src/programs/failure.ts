// How a command ends when it has not done what was asked: one line on standard error and exit code 1. A line never is a
// stack trace; that is left to defects, which are bugs of ours.
import * as Data from "effect/Data"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as PlatformError from "effect/PlatformError"
import * as Runtime from "effect/Runtime"
import { type DatabaseError, isDamage } from "../services/DatabaseError.ts"
import type { Damage } from "../services/Maintenance.ts"

/** Goes to standard error, behind the program's name. */
export class CommandFailed extends Data.TaggedError("CommandFailed")<{ readonly message: string }> {}

/** The command has said all there is to say, and its answer is no. `runMain` sets the exit code and logs nothing. */
export class Negative extends Data.TaggedError("Negative")<{}> {
  override readonly [Runtime.errorReported] = false
  override readonly [Runtime.errorExitCode]: number

  constructor(exitCode = 1) {
    super()
    this[Runtime.errorExitCode] = exitCode
  }
}

/** What scripts tell apart: another key helps, or none does. */
const exitCodes: Readonly<Record<string, number>> = {
  EncryptionKeyRequired: 3,
  EncryptionKeyMismatch: 4,
  NotEncrypted: 5,
  Tampered: 6
}

/** The end of a command that was stopped by this, which was told. */
export const negativeFor = (error: CommandFailed | DatabaseError): Negative =>
  new Negative(error._tag === "CommandFailed" ? 1 : exitCodes[error.reason._tag])

/** The reader of standard output went away, as `head` does when it has enough. No failure: the command just stops. */
export class OutputClosed extends Data.TaggedError("OutputClosed")<{}> {}

export const failed = (message: string): CommandFailed => new CommandFailed({ message })

/** The errno names that people meet, in their words. */
const errnoTexts: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  ENOTDIR: "not a directory",
  EISDIR: "is a directory",
  EACCES: "permission denied",
  EPERM: "not permitted",
  ENOSPC: "no space left on the device",
  EMFILE: "too many open files",
  EIO: "input/output error",
  ELOOP: "too many symbolic links"
}

/** The errno's name in a failure of Node, wrapped as Effect's platform services wrap it. */
export const errnoOf = (error: PlatformError.PlatformError): string | undefined => {
  const cause = error.reason.cause
  return typeof cause === "object" && cause !== null && "code" in cause && typeof cause.code === "string"
    ? cause.code
    : undefined
}

/** Without the path: callers name the file as the user did. */
export const platformText = (error: PlatformError.PlatformError): string => {
  const code = errnoOf(error)
  return code === undefined ? error.message : `${errnoTexts[code] ?? "the system call failed"} (${code})`
}

/** A damaged place as editors and people find it. Some messages begin with the place themselves. */
export const damageText = ({ file, message, offset }: Damage): string => {
  const place = `${file}:${offset}: `
  return message.startsWith(place) ? message : `${place}${message}`
}

/** What happened and where, without the reason's tag. */
export const databaseText = ({ reason }: DatabaseError): string => {
  if (isDamage(reason)) return damageText(reason)
  if (reason._tag === "EncryptionKeyRequired") return `${reason.message} (--key-file, --passphrase-file or STRATA_KEY)`
  if (reason._tag !== "Locked" || reason.pid === undefined) return reason.message
  const since =
    reason.startedAtMillis === undefined
      ? ""
      : `, which started at ${DateTime.formatIso(DateTime.makeUnsafe(reason.startedAtMillis))}`
  return `${reason.directory} is in use by process ${reason.pid}${since}`
}

/** Whatever stops a command, in one line. */
export const failureText = (error: CommandFailed | DatabaseError): string =>
  error._tag === "CommandFailed" ? error.message : databaseText(error)

/** Platform failures of a step on one file, named as the user knows it. */
export const onFile =
  (name: string) =>
  <A, E, R>(
    effect: Effect.Effect<A, E | PlatformError.PlatformError, R>
  ): Effect.Effect<A, Exclude<E, PlatformError.PlatformError> | CommandFailed, R> =>
    Effect.mapError(effect, (error) =>
      PlatformError.isPlatformError(error)
        ? failed(`${name}: ${platformText(error)}`)
        : (error as Exclude<E, PlatformError.PlatformError>)
    )
