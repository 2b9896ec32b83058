/**
 * The one error of every Strata operation. Its `reason` says what the caller can do next; two failures with the same
 * remedy share a reason.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

const message = { message: Schema.String }
const cause = { cause: Schema.optional(Schema.Defect()) }

/**
 * Another commit wrote what this transaction read (or, under snapshot isolation, what it writes). Nothing was written:
 * run it again.
 *
 * @since 0.1.0
 * @category reasons
 */
export class Conflict extends Schema.TaggedError<Conflict>("strata/Conflict")("Conflict", {
  ...message,
  /** The sequence of the commit that won, or of the floor below which conflicts are no longer remembered. */
  sequence: Schema.Number
}) {
  get isRetryable(): boolean {
    return true
  }
}

/**
 * An argument is outside its documented limits. Nothing was done; the message names the limit and the remedy.
 *
 * @since 0.1.0
 * @category reasons
 */
export class Invalid extends Schema.TaggedError<Invalid>("strata/Invalid")("Invalid", message) {
  get isRetryable(): boolean {
    return false
  }
}

/**
 * Another process, or this one, has the directory open. The message names the holder where it is known.
 *
 * @since 0.1.0
 * @category reasons
 */
export class Locked extends Schema.TaggedError<Locked>("strata/Locked")("Locked", {
  ...message,
  directory: Schema.String,
  pid: Schema.optional(Schema.Number),
  /** When the holder started, in Unix milliseconds. */
  startedAtMillis: Schema.optional(Schema.Number)
}) {
  get isRetryable(): boolean {
    return true
  }
}

/**
 * A read-only database found that a later writer removed a file it needs. Open it again to see the new state.
 *
 * @since 0.1.0
 * @category reasons
 */
export class Stale extends Schema.TaggedError<Stale>("strata/Stale")("Stale", { ...message, file: Schema.String }) {
  get isRetryable(): boolean {
    return false
  }
}

/**
 * The disk failed a sync or lost track of a write. No further write is taken until the database is reopened; reads of
 * what was visible go on.
 *
 * @since 0.1.0
 * @category reasons
 */
export class Poisoned extends Schema.TaggedError<Poisoned>("strata/Poisoned")("Poisoned", { ...message, ...cause }) {
  get isRetryable(): boolean {
    return false
  }
}

/**
 * The commit's bytes reached the log, but whether they survive is not known. Reopen the database and look; Strata never
 * retries it.
 *
 * @since 0.1.0
 * @category reasons
 */
export class CommitOutcomeUnknown extends Schema.TaggedError<CommitOutcomeUnknown>("strata/CommitOutcomeUnknown")(
  "CommitOutcomeUnknown",
  { ...message, ...cause }
) {
  get isRetryable(): boolean {
    return false
  }
}

/**
 * A file does not hold what was written to it. Reads of its range fail; the rest of the database serves.
 *
 * @since 0.1.0
 * @category reasons
 */
export class Corruption extends Schema.TaggedError<Corruption>("strata/Corruption")("Corruption", {
  ...message,
  file: Schema.String,
  /** Bytes from the start of the file. */
  offset: Schema.Number
}) {
  get isRetryable(): boolean {
    return false
  }
}

/**
 * The files were changed by somebody without the key: a seal does not match, a file that is not encrypted stands among
 * those that are, or the keyring is gone. Reads of its range fail; the rest of the database serves. Restore a backup,
 * and find out who.
 *
 * @since 0.1.0
 * @category reasons
 */
export class Tampered extends Schema.TaggedError<Tampered>("strata/Tampered")("Tampered", {
  ...message,
  file: Schema.String,
  /** Bytes from the start of the file. */
  offset: Schema.Number
}) {
  get isRetryable(): boolean {
    return false
  }
}

/**
 * The database is encrypted, and the key that was given is not its key, or no longer is. Nothing was touched.
 *
 * @since 0.1.0
 * @category reasons
 */
export class EncryptionKeyMismatch extends Schema.TaggedError<EncryptionKeyMismatch>("strata/EncryptionKeyMismatch")(
  "EncryptionKeyMismatch",
  message
) {
  get isRetryable(): boolean {
    return false
  }
}

/**
 * The database is encrypted, and no key was given. Nothing was touched.
 *
 * @since 0.1.0
 * @category reasons
 */
export class EncryptionKeyRequired extends Schema.TaggedError<EncryptionKeyRequired>("strata/EncryptionKeyRequired")(
  "EncryptionKeyRequired",
  message
) {
  get isRetryable(): boolean {
    return false
  }
}

/**
 * A key was given for a database that is not encrypted. Nothing was touched: open it without the key, or copy its data
 * into an encrypted one.
 *
 * @since 0.1.0
 * @category reasons
 */
export class NotEncrypted extends Schema.TaggedError<NotEncrypted>("strata/NotEncrypted")("NotEncrypted", message) {
  get isRetryable(): boolean {
    return false
  }
}

/**
 * The disk has no room. The write was definitely not made; reads go on, and writing resumes by itself when space
 * returns.
 *
 * @since 0.1.0
 * @category reasons
 */
export class DiskFull extends Schema.TaggedError<DiskFull>("strata/DiskFull")("DiskFull", {
  ...message,
  file: Schema.String
}) {
  get isRetryable(): boolean {
    return true
  }
}

/**
 * The operating system failed a call. For a write: definitely not made.
 *
 * @since 0.1.0
 * @category reasons
 */
export class Io extends Schema.TaggedError<Io>("strata/Io")("Io", {
  ...message,
  operation: Schema.String,
  file: Schema.String,
  offset: Schema.optional(Schema.Number),
  /** The errno's name, as `EIO` or `EMFILE`. */
  code: Schema.String
}) {
  get isRetryable(): boolean {
    return this.code === "EMFILE" || this.code === "ENFILE" || this.code === "EINTR" || this.code === "EAGAIN"
  }
}

/**
 * This version of Strata, or this platform, cannot do what was asked or what the files need.
 *
 * @since 0.1.0
 * @category reasons
 */
export class Unsupported extends Schema.TaggedError<Unsupported>("strata/Unsupported")("Unsupported", message) {
  get isRetryable(): boolean {
    return false
  }
}

/**
 * A background job's worker died or did not answer. Its leftovers are removed and the job is tried again; after
 * several failures in a row the database's `Maintenance.stats` say so.
 *
 * @since 0.1.0
 * @category reasons
 */
export class JobFailed extends Schema.TaggedError<JobFailed>("strata/JobFailed")("JobFailed", message) {
  get isRetryable(): boolean {
    return true
  }
}

/**
 * The database, transaction, snapshot or cursor was used after its scope closed.
 *
 * @since 0.1.0
 * @category reasons
 */
export class Closed extends Schema.TaggedError<Closed>("strata/Closed")("Closed", message) {
  get isRetryable(): boolean {
    return false
  }
}

/**
 * A write through a read-only database, transaction or snapshot.
 *
 * @since 0.1.0
 * @category reasons
 */
export class ReadOnly extends Schema.TaggedError<ReadOnly>("strata/ReadOnly")("ReadOnly", message) {
  get isRetryable(): boolean {
    return false
  }
}

/**
 * Every reason, as one schema.
 *
 * @since 0.1.0
 * @category reasons
 */
export const Reason = Schema.Union([
  Conflict,
  Invalid,
  Locked,
  Stale,
  Poisoned,
  CommitOutcomeUnknown,
  Corruption,
  Tampered,
  EncryptionKeyMismatch,
  EncryptionKeyRequired,
  NotEncrypted,
  DiskFull,
  Io,
  Unsupported,
  JobFailed,
  Closed,
  ReadOnly
])

/**
 * Any of the reasons.
 *
 * @since 0.1.0
 * @category reasons
 */
export type Reason = typeof Reason.Type

/**
 * Whether a file does not hold what was written to it, by accident or by somebody's hand.
 *
 * @since 0.1.0
 * @category reasons
 */
export const isDamage = (reason: Reason): reason is Corruption | Tampered =>
  reason._tag === "Corruption" || reason._tag === "Tampered"

/**
 * The failure of a Strata operation.
 *
 * **When to use**
 *
 * Handle one reason with `Effect.catchReason("DatabaseError", "Conflict", ...)`, or look at `isRetryable`.
 *
 * @since 0.1.0
 * @category errors
 */
export class DatabaseError extends Schema.TaggedError<DatabaseError>("strata/DatabaseError")("DatabaseError", {
  reason: Reason
}) {
  override get message(): string {
    return `${this.reason._tag}: ${this.reason.message}`
  }

  /** Whether the same call can succeed later without anyone changing its arguments or reopening the database. */
  get isRetryable(): boolean {
    return this.reason.isRetryable
  }
}

/**
 * Wraps a reason.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fail = (reason: Reason): DatabaseError => new DatabaseError({ reason })

/**
 * The error of an argument outside its limits.
 *
 * @since 0.1.0
 * @category constructors
 */
export const invalid = (message: string): DatabaseError => fail(new Invalid({ message }))
