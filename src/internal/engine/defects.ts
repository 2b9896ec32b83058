// What a bug of ours does to background work. A fiber that dies would leave those who wait for it waiting for ever, so
// a defect becomes a state of the database:
//
//   in a job       nothing was published yet: `JobFailed`, which is tried again and shown as any failure is
//   anywhere else  what is in memory may not be what is on disk: no further write is taken, and waiting ones are told
import * as Effect from "effect/Effect"
import { type DatabaseError, fail, JobFailed, Poisoned } from "../../services/DatabaseError.ts"
import type { JobsService } from "../../services/Jobs.ts"

const textOf = (defect: unknown): string =>
  defect instanceof Error ? (defect.stack ?? `${defect.name}: ${defect.message}`) : String(defect)

const asFailure = <A>(job: Effect.Effect<A, DatabaseError>): Effect.Effect<A, DatabaseError> =>
  Effect.catchDefect(job, (defect) =>
    Effect.fail(fail(new JobFailed({ message: `a bug in a job, please report it: ${textOf(defect)}` })))
  )

/** The service, whose jobs fail where they would die. */
export const withoutDefects = (jobs: JobsService): JobsService => ({
  ...jobs,
  run: (job) => asFailure(jobs.run(job)),
  collect: (job) => asFailure(jobs.collect(job))
})

/** Background work that poisons the database when it dies, and does not go on. */
export const poisoning = <A>(work: Effect.Effect<A>, poison: (error: DatabaseError) => void): Effect.Effect<A | void> =>
  Effect.catchDefect(work, (defect) => {
    const message = `a bug in background work, please report it; reopen the database to recover: ${textOf(defect)}`
    poison(fail(new Poisoned({ message, cause: defect })))
    return Effect.logError(`Strata: ${message}`)
  })
