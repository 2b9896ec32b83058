// What a commit fails with that the log did not say, or not so.
import {
  Closed,
  CommitOutcomeUnknown,
  type DatabaseError,
  fail,
  invalid,
  Poisoned
} from "../../services/DatabaseError.ts"

export const closedError = (): DatabaseError =>
  fail(new Closed({ message: "the database was closed, or the commit interrupted" }))

/** The log has the bytes. That it was poisoned by something else before the sync does not take them back. */
export const outcomeUnknown = (cause: DatabaseError): DatabaseError =>
  cause.reason._tag === "CommitOutcomeUnknown"
    ? cause
    : fail(
        new CommitOutcomeUnknown({
          message: `${cause.reason.message}; the commit's bytes reached the log, reopen the database to see`,
          cause
        })
      )

export const poisoned = (error: DatabaseError): DatabaseError =>
  error.reason._tag === "Poisoned"
    ? error
    : fail(
        new Poisoned({
          message: `the log failed (${error.reason.message}); reopen the database to recover what is on disk`,
          cause: error
        })
      )

export const tooLarge = (bytes: number, limit: number): DatabaseError =>
  invalid(
    `the commit needs ${bytes} bytes and arenaBytes allows ${limit}; split it, or open the database with larger arenas`
  )
