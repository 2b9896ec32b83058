// What a worker and the thread that owns it say to each other, as values that can be sent.
//
//   owner                                  worker
//                                          ready                once, when it can take jobs
//   run      the job, in two arrays of
//            shared memory what is told
//            without messages
//                                          files                a job needs more numbers
//   files    for that job
//                                          done | failed        once for each job; its files are closed
//
// Shared memory of a thread: `progress` counts its answers, `gate` says whether it may be ended (threadGate.ts). That
// of a job: `cancelled` is set by the owner and looked at before each request; `created` counts the files, of whatever
// kind, that the job has begun to make, in the order in which it was given them, so that the owner can remove them also
// after the worker's death.
import type { JobFile, JobResult, NewFile } from "./jobRequest.ts"
import type { AnyWork, JobSetup } from "./jobWork.ts"

/** Places in the shared memory of a thread. */
export const ThreadWord = { progress: 0, gate: 1 } as const
export const threadWords = 2

/** Places in the shared memory of a job. */
export const JobWord = { cancelled: 0, created: 1 } as const
export const jobWords = 2

/** As in `services/Encryption.ts`, which this may not import: what sealers are made of in a worker. */
export interface ThreadKeys {
  readonly cipher: "none" | "aes-256-gcm"
  /** `key` is a `KeyObject`. */
  readonly generations: ReadonlyArray<{ readonly generation: number; readonly key: unknown }>
}

/** As in `services/Compression.ts`: a codec that is not built in, and where a worker finds it. */
export interface CodecSource {
  readonly id: number
  readonly name: string
  readonly origin:
    | { readonly _tag: "Package"; readonly codec: "lz4" | "snappy"; readonly url: string }
    | { readonly _tag: "Module"; readonly url: string }
}

export interface RunMessage {
  readonly _tag: "Run"
  readonly id: number
  readonly work: AnyWork
  readonly setup: JobSetup
  readonly directory: string
  readonly words: Int32Array
  readonly keys: ThreadKeys
  /** That it may need. */
  readonly codecs: ReadonlyArray<CodecSource>
}

export type ToWorker =
  | RunMessage
  | { readonly _tag: "Files"; readonly id: number; readonly files: ReadonlyArray<NewFile> }

/** Why a job failed. Files are given by their kinds and numbers. */
export type JobFailure =
  | {
      readonly _tag: "Disk"
      readonly operation: string
      readonly file: JobFile
      readonly offset: number | undefined
      /** The errno's name. */
      readonly code: string
    }
  | {
      readonly _tag: "Damage"
      readonly file: JobFile
      readonly message: string
      readonly offset: number
      readonly unsupported: boolean
      readonly tampered: boolean
    }
  /** Its codecs cannot be loaded in the worker, which has not begun with it. */
  | { readonly _tag: "Codecs"; readonly message: string }
  | { readonly _tag: "Cancelled" }
  | { readonly _tag: "Bug"; readonly message: string }

interface Ended {
  readonly id: number
  readonly bytesRead: number
  readonly bytesWritten: number
}

export type FromWorker =
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Files"; readonly id: number }
  | (Ended & JobResult & { readonly _tag: "Done" })
  | (Ended & { readonly _tag: "Failed"; readonly failure: JobFailure })
