// Runs a job over any disk, on the thread that asks for it: the kernel's requests are answered one by one, and it
// yields after each slice.
//
// New tables were read back when the job is done, and then their names are made durable. After a failure all that it
// created is given up and removed, also after a failed sync: nothing names it yet, and what it was made from is still
// there. The caller tries again, into files of other numbers (RELIABILITY.md §3.4).
import * as Effect from "effect/Effect"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import type { AppendFile, ReadFile } from "../../services/Disk.ts"
import type { Job } from "../../services/Jobs.ts"
import type { TableMeta } from "../../services/Manifest.ts"
import { assert } from "../format/formatError.ts"
import { FileDamage } from "../structure/fileDamage.ts"
import { JobKernel } from "../structure/jobKernel.ts"
import type { JobAnswer, JobRequest } from "../structure/jobRequest.ts"
import { fromDisk, ofDisk, ofFormat } from "./diskErrors.ts"
import { type JobParts, jobSetup, moreFiles } from "./jobSetup.ts"
import { ofRead } from "./opening.ts"
import { missingTable, tablePath } from "./tableFile.ts"

/** Bytes that jobs have moved. */
export interface JobCounters {
  bytesRead: number
  bytesWritten: number
}

type Answering = Effect.Effect<JobAnswer, DatabaseError>

/** The files of one job. */
class JobFiles {
  /** Numbers of the files that it made. */
  readonly created: Array<number> = []
  private readonly parts: JobParts
  private readonly counters: JobCounters
  private readonly reading = new Map<number, ReadFile>()
  private writing: AppendFile | undefined

  constructor(parts: JobParts, counters: JobCounters) {
    this.parts = parts
    this.counters = counters
  }

  answer(request: Exclude<JobRequest, { readonly _tag: "Done" }>): Answering {
    switch (request._tag) {
      case "Open":
        return this.open(request.number)
      case "Read":
        return this.read(request)
      case "Sealer":
        return this.parts.encryption.sealer(request.file)
      case "Files":
        return Effect.sync(() => moreFiles(this.parts))
      case "Create":
        return this.create(request.number)
      case "Append":
        return this.append(request.chunks)
      case "Publish":
        return this.publish
      case "Pause":
        return pause
    }
  }

  /** Closes what is open. Failures say nothing: what was written was closed before it was read back. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    const open = [...this.reading.values(), ...(this.writing === undefined ? [] : [this.writing])]
    this.reading.clear()
    this.writing = undefined
    return Effect.forEach(open, (file) => Effect.ignore(file.close), { discard: true })
  })

  readonly discard: Effect.Effect<void> = Effect.suspend(() => {
    const { disk } = this.parts
    return Effect.forEach(this.created, (number) => Effect.ignore(disk.remove(tablePath(this.parts, number))), {
      discard: true
    })
  })

  // What is opened or made is noted before the fiber can be interrupted.
  private open(number: number): Answering {
    const { disk } = this.parts
    return Effect.uninterruptible(
      Effect.map(disk.open(tablePath(this.parts, number)), (file) => {
        this.reading.set(number, file)
        return file.size
      })
    ).pipe(Effect.mapError((error) => (error.code === "ENOENT" ? missingTable(this.parts, number) : ofDisk(error))))
  }

  private read({ length, number, offset }: Extract<JobRequest, { readonly _tag: "Read" }>): Answering {
    this.counters.bytesRead += length
    return Effect.mapError(this.reading.get(number)!.read(offset, length), ofRead)
  }

  private create(number: number): Answering {
    const { disk } = this.parts
    return Effect.uninterruptible(
      Effect.map(fromDisk(disk.create(tablePath(this.parts, number))), (file): undefined => {
        assert(this.writing === undefined, "one table is written at a time")
        this.created.push(number)
        this.writing = file
      })
    )
  }

  private append(chunks: ReadonlyArray<Uint8Array>): Answering {
    const file = this.writing!
    const before = file.size()
    return Effect.map(fromDisk(file.append(chunks)), (): undefined => {
      this.counters.bytesWritten += file.size() - before
    })
  }

  private readonly publish: Answering = Effect.suspend(() => {
    const file = this.writing!
    const closed = Effect.andThen(fromDisk(file.sync), fromDisk(file.close))
    return Effect.map(closed, (): undefined => {
      this.writing = undefined
    })
  })
}

const pause: Answering = Effect.as(Effect.yieldNow, undefined)

/** A step of the kernel. Damage is an error, anything else that it throws a bug. */
const stepping = <A>(parts: JobParts, step: () => A): Effect.Effect<A, DatabaseError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(step())
    } catch (error) {
      if (!(error instanceof FileDamage)) throw error
      return Effect.fail(ofFormat(error.error, tablePath(parts, error.number)))
    }
  })

/** `check` is asked in each slice whether to go on. */
export const runJob = Effect.fnUntraced(function* (
  parts: JobParts,
  job: Job,
  run: { readonly counters: JobCounters; readonly check: Effect.Effect<void, DatabaseError> }
) {
  const { disk, manifest } = parts
  const kernel = new JobKernel(job, jobSetup(parts, job))
  const files = new JobFiles(parts, run.counters)
  const steps = Effect.gen(function* (): Effect.fn.Return<ReadonlyArray<TableMeta>, DatabaseError> {
    let request = yield* stepping(parts, () => kernel.next())
    while (request._tag !== "Done") {
      if (request._tag === "Pause") yield* run.check
      const answer = yield* files.answer(request)
      request = yield* stepping(parts, () => {
        kernel.feed(answer)
        return kernel.next()
      })
    }
    yield* files.close
    if (request.tables.length > 0) yield* fromDisk(disk.syncDirectory(manifest.directory))
    return request.tables
  })
  return yield* Effect.onError(steps, () => Effect.andThen(files.close, files.discard))
})
