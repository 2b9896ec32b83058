// What a job asks of whoever drives it: plain values, one at a time, each with its answer. A job reads and writes
// nothing by itself, so the same code runs in a worker over system calls and in slices over any disk.
import type { FileHeader } from "../format/fileHeader.ts"
import type { Sealer } from "../format/sealer.ts"
import type { TableMeta } from "../format/tableMeta.ts"
import type { ValueFileMeta } from "../format/valueFileMeta.ts"

/** A number that names a file for ever, and 32 random bytes. */
export interface NewFile {
  readonly number: number
  readonly fileId: Uint8Array
}

/** A table or a value file. No two files have the same number, of whatever kind they are. */
export interface JobFile {
  readonly kind: "table" | "value"
  readonly number: number
}

/** What a job has made. */
export interface JobResult {
  readonly tables: ReadonlyArray<TableMeta>
  readonly valueFiles: ReadonlyArray<ValueFileMeta>
}

/** Which file's pieces are to be opened, or sealed: that is asked for once, when the file is made. */
export interface SealedFile extends Pick<FileHeader, "kind" | "fileId" | "databaseId" | "keyGeneration"> {
  readonly access: "seal" | "open"
}

/** How the pieces of a file with this header are opened. */
export const openedFile = ({ databaseId, fileId, keyGeneration, kind }: FileHeader): SealedFile => ({
  kind,
  fileId,
  databaseId,
  keyGeneration,
  access: "open"
})

/** The sealer of a file. */
export interface SealerRequest {
  readonly _tag: "Sealer"
  readonly file: SealedFile
}

/** Bytes of an open file. */
export interface RangeRequest {
  readonly _tag: "Range"
  readonly offset: number
  readonly length: number
}

/** What is needed to open a file. */
export type OpeningRequest = RangeRequest | SealerRequest

/**
 *     request   answer
 *     Open      the size of the file
 *     Read      exactly so many bytes; those of a lane are not looked at any more when the next of it is asked for
 *     Close     nothing; the file is not read any more
 *     Sealer    the sealer
 *     Files     at least one new file
 *     Create    nothing; the file is empty. Two may be written at once; in the order given
 *     Append    nothing; the chunks may be reused
 *     Publish   nothing; the file is synced and closed
 *     Pause     nothing; a slice is over
 *     Done      none: these are the new tables, ascending, and the new value files
 */
export type JobRequest =
  | { readonly _tag: "Open"; readonly file: JobFile }
  | {
      readonly _tag: "Read"
      readonly file: JobFile
      readonly offset: number
      readonly length: number
      readonly lane?: number
    }
  | { readonly _tag: "Close"; readonly file: JobFile }
  | SealerRequest
  | { readonly _tag: "Files" }
  | { readonly _tag: "Create"; readonly file: JobFile }
  | { readonly _tag: "Append"; readonly file: JobFile; readonly chunks: ReadonlyArray<Uint8Array> }
  | { readonly _tag: "Publish"; readonly file: JobFile }
  | { readonly _tag: "Pause" }
  | ({ readonly _tag: "Done" } & JobResult)

export type JobAnswer = number | Uint8Array | Sealer | ReadonlyArray<NewFile> | undefined

/** A file that is opened: it says which of its bytes it wants, and is given them. Both throw `FormatError`. */
export interface Opening {
  readonly next: () => OpeningRequest | undefined
  readonly feed: (answer: Uint8Array | Sealer) => void
}

/** A job as a machine: it says what it wants, and is given it. */
export interface Kernel {
  readonly next: () => JobRequest
  readonly feed: (answer: JobAnswer) => void
}
