/**
 * The files that are open for reading, under one bound.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Deferred from "effect/Deferred"
import type * as Effect from "effect/Effect"
import type { DatabaseError } from "./DatabaseError.ts"
import type { DiskError, ReadFile } from "./Disk.ts"

/**
 * Where the owner of a file stands. Made by the owner, as `{ file: undefined, bytes: 0, users: 0, opening: undefined,
 * closed: false }`; only `OpenFiles` changes it.
 *
 * @since 0.1.0
 * @category models
 */
export interface FileState {
  file: ReadFile | undefined
  /** Of the parts in memory. */
  bytes: number
  /** Effects that use the file, or wait for it. */
  users: number
  opening: Deferred.Deferred<ReadFile, DatabaseError> | undefined
  closed: boolean
}

/**
 * A table or value file, whose file is opened and closed here.
 *
 * @since 0.1.0
 * @category models
 */
export interface FileHolder {
  readonly path: string
  /** What went wrong in opening its file, as the reader is told. */
  readonly ofOpen: (error: DiskError) => DatabaseError
  /** Its parts leave the memory, and its blocks the cache. */
  readonly forget: () => void
  /** Its parts were used since the bound was last reached. */
  visited: boolean
  readonly state: FileState
}

/**
 * The open files of one database, and what is in memory of their indexes and filters. Whoever needs one more makes room
 * for it: others are closed, or their parts dropped, and opened and read again when they are needed.
 *
 * Invariants every layer keeps:
 * 1. At most so many files are open at once, and at most so many bytes of parts in memory, but for those of the file
 *    that was loaded last.
 * 2. A file that an effect uses is not closed. When all are in use, the next one waits for its turn.
 * 3. What somebody holds of a file's parts stays as it is when they are dropped here.
 *
 * @since 0.1.0
 * @category services
 */
export class OpenFiles extends Context.Service<
  OpenFiles,
  {
    /** Files that are open, or being opened or closed. */
    readonly openCount: number
    /** The holder's file, for the synchronous step that asks. `undefined` if it cannot be had at once. */
    readonly fileUnsafe: (holder: FileHolder) => ReadFile | undefined
    /** The holder's file stays open while the effect uses it. */
    readonly use: <A>(
      holder: FileHolder,
      body: (file: ReadFile) => Effect.Effect<A, DatabaseError>
    ) => Effect.Effect<A, DatabaseError>
    /** The holder's parts came to memory. Others give theirs up if there are too many bytes of them. */
    readonly loaded: (holder: FileHolder, bytes: number) => void
    /** Closes the holder's file when nobody uses it any more; from now on nobody can. */
    readonly close: (holder: FileHolder) => Effect.Effect<void>
    /** Closes the file, unless others are using it: the next who needs it opens it anew. */
    readonly giveUp: (holder: FileHolder) => Effect.Effect<void>
    readonly giveUpNow: (holder: FileHolder) => void
  }
>()("strata/OpenFiles") {}

/**
 * The shape of `OpenFiles`.
 *
 * @since 0.1.0
 * @category models
 */
export type OpenFilesService = OpenFiles["Service"]
