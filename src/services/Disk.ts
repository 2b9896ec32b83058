/**
 * The whole operating system, as far as Strata needs one.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/**
 * A failed call of the operating system.
 *
 * @since 0.1.0
 * @category errors
 */
export class DiskError extends Data.TaggedError("DiskError")<{
  readonly operation: string
  /** The path the call was about. */
  readonly file: string
  /** Bytes from the start of the file, where the call has a position. */
  readonly offset?: number
  /** The errno's name: `EIO`, `ENOSPC`, `ENOENT`, `EEXIST`, … */
  readonly code: string
  /** For `append`: how many of the bytes the system accepted before it failed. They are in the file. */
  readonly bytesAccepted?: number
  readonly cause?: unknown
}> {
  override get message(): string {
    const at = this.offset === undefined ? "" : ` at offset ${this.offset}`
    return `${this.code}: ${this.operation} ${this.file}${at}`
  }
}

/**
 * The directory is locked by a living holder.
 *
 * @since 0.1.0
 * @category errors
 */
export class DirectoryLocked extends Data.TaggedError("DirectoryLocked")<{
  readonly directory: string
  readonly pid: number | undefined
  readonly startedAtMillis: number | undefined
}> {}

/**
 * What `list` tells of one name.
 *
 * @since 0.1.0
 * @category models
 */
export interface DirectoryEntry {
  readonly name: string
  readonly kind: "file" | "directory" | "other"
  /** Zero for anything but a file. */
  readonly bytes: number
}

/**
 * A file being written: created exclusively, appended to, synced, closed, and never opened for writing again.
 *
 * Invariants, checked by `test/suites/diskSuite.ts`:
 * 1. `append` writes all the bytes of all the chunks, in order, or fails and says how many it wrote.
 * 2. After `sync`, the bytes appended before it survive a power cut, if the file's name does (`syncDirectory`).
 * 3. After a failed `sync` the file is never synced again: the caller abandons it.
 *
 * Call from one fiber at a time. The chunks must not change until `append` completes; they are free afterwards.
 *
 * @since 0.1.0
 * @category models
 */
export interface AppendFile {
  readonly path: string
  /** Bytes accepted so far. */
  readonly size: () => number
  readonly append: (chunks: ReadonlyArray<Uint8Array>) => Effect.Effect<void, DiskError>
  /**
   * The same of the first `length` bytes, on the calling stack, when no `append` is under way. Throws `DiskError`. Left
   * out where the disk cannot.
   */
  readonly appendUnsafe?: ((bytes: Uint8Array, length: number) => void) | undefined
  readonly sync: Effect.Effect<void, DiskError>
  /** Idempotent. A failed close does not unwrite anything. */
  readonly close: Effect.Effect<void, DiskError>
}

/**
 * A file open for positional reads. Reads may run at the same time.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReadFile {
  readonly path: string
  /** Its size when it was opened. Published files do not grow. */
  readonly size: number
  /** Reads exactly `length` bytes at `offset` into a fresh array; fewer there is an error of code `ESHORT`. */
  readonly read: (offset: number, length: number) => Effect.Effect<Uint8Array, DiskError>
  /**
   * The same on the calling stack; the array is the beginning of `into` if that is given and long enough. Throws
   * `DiskError`. `undefined` where the disk has no synchronous reads.
   */
  readonly readUnsafe: ((offset: number, length: number, into?: Uint8Array) => Uint8Array) | undefined
  /** Idempotent. */
  readonly close: Effect.Effect<void, DiskError>
  /**
   * The same on the calling stack, when no `read` is under way. Throws `DiskError`. `undefined` where `readUnsafe` is.
   */
  readonly closeUnsafe: (() => void) | undefined
}

/**
 * The operating system. Its only write primitive is: create exclusively, append, sync, close. There is no rename, no
 * truncation and no opening for append; that rule alone removes nonce reuse, recycled-log hazards and renames over live
 * names.
 *
 * Invariants every layer keeps, checked by `test/suites/diskSuite.ts`:
 * 1. `create` fails with `EEXIST` if the name exists, and what it makes is empty.
 * 2. A created, linked or removed name survives a power cut after `syncDirectory` of its directory returned, and not
 *    surely before.
 * 3. `linkNew` gives a second name to the same bytes and fails with `EEXIST` if the target exists.
 * 4. Removing a file that is open for reading leaves the open handle readable.
 * 5. Every failure is a `DiskError` with the operation, the file and the errno's name; no failure is a defect.
 * 6. All operations are uninterruptible once they have begun; bytes handed to `append` are not read after it completes.
 * 7. At most one holder has the lock of a directory, across processes and within one; a dead holder's lock is free at
 *    once.
 *
 * @since 0.1.0
 * @category services
 */
export class Disk extends Context.Service<
  Disk,
  {
    /**
     * Creates the directory and its parents; nothing happens if it exists. Fails with `ENOTDIR` or `EEXIST` if a file
     * is in the way.
     */
    readonly makeDirectory: (directory: string) => Effect.Effect<void, DiskError>
    /** Names in the directory, sorted. Fails with `ENOENT` if there is none and `ENOTDIR` if it is a file. */
    readonly list: (directory: string) => Effect.Effect<ReadonlyArray<DirectoryEntry>, DiskError>
    readonly create: (path: string) => Effect.Effect<AppendFile, DiskError>
    readonly open: (path: string) => Effect.Effect<ReadFile, DiskError>
    /** The same on the calling stack. Throws `DiskError`. `undefined` where the disk has no synchronous reads. */
    readonly openUnsafe: ((path: string) => ReadFile) | undefined
    readonly remove: (path: string) => Effect.Effect<void, DiskError>
    /** A hard link, or a copy where the file system has none. */
    readonly linkNew: (from: string, to: string) => Effect.Effect<void, DiskError>
    /** Makes the names in the directory durable. Does nothing where the platform cannot (Windows). */
    readonly syncDirectory: (directory: string) => Effect.Effect<void, DiskError>
    /** Bytes an unprivileged writer may still use on the directory's file system. */
    readonly freeBytes: (directory: string) => Effect.Effect<number, DiskError>
    /**
     * Takes the directory's writer lock until the scope closes. Code `ENOTSUP` where the file system has no sockets.
     */
    readonly lock: (directory: string) => Effect.Effect<void, DirectoryLocked | DiskError, Scope.Scope>
    /** Fails if a living writer holds the directory; takes nothing and changes nothing. For read-only opens. */
    readonly probeLock: (directory: string) => Effect.Effect<void, DirectoryLocked | DiskError>
    /** Joins a directory and a name. */
    readonly join: (directory: string, name: string) => string
  }
>()("strata/Disk") {}

/**
 * The shape of `Disk`.
 *
 * @since 0.1.0
 * @category models
 */
export type DiskService = Disk["Service"]
