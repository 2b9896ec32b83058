// Runs a job over any disk, on the thread that asks for it: the kernel's requests are answered one by one, and it
// yields after each slice.
//
// New files were read back when the job is done, and then their names are made durable. After a failure all that it
// created is given up and removed, also after a failed sync: nothing names it yet, and what it was made from is still
// there. The caller tries again, into files of other numbers (RELIABILITY.md §3.4).
import * as Effect from "effect/Effect"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import type { Merged } from "../../services/Jobs.ts"
import { FileDamage } from "../structure/fileDamage.ts"
import { kernelOf } from "../structure/kernelOf.ts"
import type { JobAnswer, JobRequest } from "../structure/jobRequest.ts"
import { fromDisk, ofFormat } from "./diskErrors.ts"
import { type JobCounters, jobFilePath, JobFiles } from "./jobFiles.ts"
import { type Job, type JobParts, jobSetup, moreFiles } from "./jobSetup.ts"

type Answering = Effect.Effect<JobAnswer, DatabaseError>

const pause: Answering = Effect.as(Effect.yieldNow, undefined)

const answerOf = (
  parts: JobParts,
  files: JobFiles,
  request: Exclude<JobRequest, { readonly _tag: "Done" }>
): Answering => {
  switch (request._tag) {
    case "Open":
      return files.open(request.file)
    case "Read":
      return files.read(request)
    case "Close":
      return files.closeInput(request.file)
    case "Sealer":
      return parts.encryption.sealer(request.file)
    case "Files":
      return Effect.sync(() => moreFiles(parts))
    case "Create":
      return files.create(request.file)
    case "Append":
      return files.append(request)
    case "Publish":
      return files.publish(request.file)
    case "Pause":
      return pause
  }
}

/** A step of the kernel. Damage is an error, anything else that it throws a bug. */
const stepping = <A>(parts: JobParts, step: () => A): Effect.Effect<A, DatabaseError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(step())
    } catch (error) {
      if (!(error instanceof FileDamage)) throw error
      return Effect.fail(ofFormat(error.error, jobFilePath(parts, error.file)))
    }
  })

/**
 * `check` is asked in each slice whether to go on. The job can be interrupted until its tables are made; run it where
 * nothing else can be, or they may be lost on their way.
 */
export const runJob = Effect.fnUntraced(function* (
  parts: JobParts,
  job: Job,
  run: { readonly counters: JobCounters; readonly check: Effect.Effect<void, DatabaseError> }
) {
  const { disk, manifest } = parts
  const kernel = kernelOf(job, jobSetup(parts, job))
  const files = new JobFiles(parts, run.counters)
  const steps = Effect.gen(function* (): Effect.fn.Return<Merged, DatabaseError> {
    let request = yield* stepping(parts, () => kernel.next())
    while (request._tag !== "Done") {
      if (request._tag === "Pause") yield* run.check
      const answer = yield* answerOf(parts, files, request)
      request = yield* stepping(parts, () => {
        kernel.feed(answer)
        return kernel.next()
      })
    }
    yield* files.close
    const { tables, valueFiles } = request
    if (tables.length + valueFiles.length > 0) yield* fromDisk(disk.syncDirectory(manifest.directory))
    return { tables, valueFiles }
  })
  return yield* Effect.onError(Effect.interruptible(steps), () => Effect.andThen(files.close, files.discard))
})
