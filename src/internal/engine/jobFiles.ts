// The files of one job over any disk: those it reads, and those it makes.
import * as Effect from "effect/Effect"
import { Corruption, type DatabaseError, fail } from "../../services/DatabaseError.ts"
import type { AppendFile, ReadFile } from "../../services/Disk.ts"
import { tableFileName, valueFileName } from "../format/fileName.ts"
import type { JobAnswer, JobFile, JobRequest } from "../structure/jobRequest.ts"
import { fromDisk, ofDisk } from "./diskErrors.ts"
import type { JobParts } from "./jobSetup.ts"
import { ofRead } from "./opening.ts"
import { missingTable } from "./tableFile.ts"

/** Bytes that jobs have moved. */
export interface JobCounters {
  bytesRead: number
  bytesWritten: number
}

type Answering = Effect.Effect<JobAnswer, DatabaseError>

type Asked<Tag extends JobRequest["_tag"]> = Extract<JobRequest, { readonly _tag: Tag }>

export const jobFilePath = ({ disk, manifest }: Pick<JobParts, "disk" | "manifest">, file: JobFile): string =>
  disk.join(manifest.directory, (file.kind === "table" ? tableFileName : valueFileName)(file.number))

/** The error for an input that is not there. */
export const missingFile = (parts: JobParts, { kind, number }: JobFile): DatabaseError => {
  if (kind === "table") return missingTable(parts, number)
  const file = jobFilePath(parts, { kind, number })
  return fail(new Corruption({ message: `value file ${file} named by the manifest is missing`, file, offset: 0 }))
}

/** Removes what a job has left. Failures say nothing: no manifest names the files. */
export const discardFiles = (parts: JobParts, files: ReadonlyArray<JobFile>): Effect.Effect<void> =>
  Effect.forEach(files, (file) => Effect.ignore(parts.disk.remove(jobFilePath(parts, file))), { discard: true })

export class JobFiles {
  private readonly created: Array<JobFile> = []
  private readonly parts: JobParts
  private readonly counters: JobCounters
  private readonly reading = new Map<number, ReadFile>()
  private readonly writing = new Map<number, AppendFile>()

  constructor(parts: JobParts, counters: JobCounters) {
    this.parts = parts
    this.counters = counters
  }

  /**
   * Closes what is open, and is not interrupted half-way. Failures say nothing: what was written was closed before it
   * was read back.
   */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    const open = [...this.reading.values(), ...this.writing.values()]
    this.reading.clear()
    this.writing.clear()
    return Effect.forEach(open, (file) => Effect.ignore(file.close), { discard: true })
  }).pipe(Effect.uninterruptible)

  /** Removes what it made. */
  readonly discard: Effect.Effect<void> = Effect.suspend(() => discardFiles(this.parts, this.created))

  // What is opened or made is noted before the fiber can be interrupted.
  open(named: JobFile): Answering {
    return Effect.uninterruptible(
      Effect.map(this.parts.disk.open(jobFilePath(this.parts, named)), (file) => {
        this.reading.set(named.number, file)
        return file.size
      })
    ).pipe(Effect.mapError((error) => (error.code === "ENOENT" ? missingFile(this.parts, named) : ofDisk(error))))
  }

  read({ file, length, offset }: Asked<"Read">): Answering {
    this.counters.bytesRead += length
    return Effect.mapError(this.reading.get(file.number)!.read(offset, length), ofRead)
  }

  closeInput({ number }: JobFile): Answering {
    return Effect.uninterruptible(
      Effect.suspend(() => {
        const file = this.reading.get(number)!
        this.reading.delete(number)
        return Effect.as(Effect.ignore(file.close), undefined)
      })
    )
  }

  create(named: JobFile): Answering {
    return Effect.uninterruptible(
      Effect.map(fromDisk(this.parts.disk.create(jobFilePath(this.parts, named))), (file): undefined => {
        this.created.push(named)
        this.writing.set(named.number, file)
      })
    )
  }

  append({ chunks, file: { number } }: Asked<"Append">): Answering {
    const file = this.writing.get(number)!
    const before = file.size()
    return Effect.map(fromDisk(file.append(chunks)), (): undefined => {
      this.counters.bytesWritten += file.size() - before
    })
  }

  publish({ number }: JobFile): Answering {
    const file = this.writing.get(number)!
    const closed = Effect.andThen(fromDisk(file.sync), fromDisk(file.close))
    return Effect.map(closed, (): undefined => void this.writing.delete(number))
  }
}
