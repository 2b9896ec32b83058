// From a path to a locked directory and what is in it, with a clear word for each way in which that can fail.
import * as Effect from "effect/Effect"
import {
  Corruption,
  type DatabaseError,
  fail,
  invalid,
  Io,
  Tampered,
  Unsupported
} from "../../services/DatabaseError.ts"
import type { DirectoryEntry, DiskError, DiskService } from "../../services/Disk.ts"
import { ofDisk, ofLocked } from "./diskErrors.ts"
import { dataFiles, type DirectoryState, directoryState } from "./directoryState.ts"
import { reasonsOf, type TornMarker } from "./manifestReader.ts"
import type { DirectoryParts } from "./ownFiles.ts"

export interface OpenDirectory {
  readonly state: DirectoryState
  /** Syncs that make the directory's own name durable. */
  readonly parents: ReadonlyArray<Effect.Effect<void, DiskError>>
}

interface OpenOptions extends DirectoryParts {
  readonly create: boolean
  /** It is to take a copy of a database, and nobody opens it yet. Default false. */
  readonly isCopy?: boolean
}

const isUnwritable = (code: string): boolean => code === "EACCES" || code === "EPERM" || code === "EROFS"

/** Makes the directory if it may and must, takes or probes the lock, and lists. Changes nothing in the directory. */
export const openDirectory = Effect.fnUntraced(function* (options: OpenOptions) {
  const { directory, disk, readOnly } = options
  const found = yield* Effect.result(disk.list(directory))
  const missing = found._tag === "Failure" && found.failure.code === "ENOENT"
  if (found._tag === "Failure" && !missing) return yield* refused(options, found.failure)
  if (missing && (readOnly || !options.create)) return yield* noDatabase(options, "there is no such directory")
  // Before the directories are made: what is missing now is what has to be synced. The last parent always is, also of
  // what looks like a finished database: a creation that failed after its marker was written looks the same.
  const parents = readOnly ? [] : yield* parentSyncs(disk, directory)
  if (missing) yield* Effect.catch(disk.makeDirectory(directory), (error) => refused(options, error))
  yield* takeLock(options)
  const entries: ReadonlyArray<DirectoryEntry> = yield* Effect.mapError(disk.list(directory), ofDisk)
  return { state: directoryState(entries), parents } satisfies OpenDirectory
})

/** Opens a directory for a copy of a database: one that did not exist, or that holds nothing. */
export const openEmptyDirectory = Effect.fnUntraced(function* (parts: DirectoryParts) {
  const { directory, disk } = parts
  // Before the lock too, whose holder would be blamed for what is no place for a copy in any case.
  yield* checkEmpty(directory, directoryState(yield* Effect.orElseSucceed(disk.list(directory), () => [])))
  const open = yield* openDirectory({ ...parts, readOnly: false, create: true, isCopy: true })
  yield* checkEmpty(directory, open.state)
  return open
})

const checkEmpty = (directory: string, state: DirectoryState): Effect.Effect<void, DatabaseError> => {
  const { ballasts, foreign, keyrings, logs, manifests, markers, tables, valueFiles } = state
  const ours = [markers, manifests, keyrings, tables, valueFiles, logs, ballasts]
  const names = [...ours.flatMap((files) => files.map(({ name }) => name)), ...foreign]
  if (names.length === 0) return Effect.void
  const some = `${names.slice(0, 3).join(", ")}${names.length > 3 ? ", …" : ""}`
  return Effect.fail(invalid(`${directory} is not empty (${some}); choose a new directory, or an empty one`))
}

const refused = ({ directory, isCopy }: OpenOptions, error: DiskError): Effect.Effect<never, DatabaseError> => {
  const { code } = error
  if (code === "ENOTDIR" || code === "EEXIST") {
    return Effect.fail(invalid(`${error.file} is a file, or one is in the way; the database needs a directory`))
  }
  if (!isUnwritable(code)) return Effect.fail(ofDisk(error))
  const remedy = `change its permissions, or ${isCopy === true ? "choose another" : "open with readOnly: true"}`
  const message = `${directory} may not be used: ${error.message}; ${remedy}`
  return Effect.fail(fail(new Io({ message, operation: error.operation, file: error.file, code })))
}

const takeLock = (options: OpenOptions) => {
  const { directory, disk, readOnly } = options
  return Effect.catch(readOnly ? disk.probeLock(directory) : disk.lock(directory), (error) => {
    if (error._tag === "DirectoryLocked") return Effect.fail(ofLocked(error))
    if (error.code !== "ENOTSUP" && error.code !== "EOPNOTSUPP") return refused(options, error)
    // Nobody can open it for writing there, so there is nobody to keep out.
    if (options.isCopy === true) return Effect.void
    const message =
      `the file system of ${directory} has no sockets, by which the writer's lock works; ` +
      "put the database on another one, or open it with readOnly: true"
    return Effect.fail(fail(new Unsupported({ message })))
  })
}

/** Deep enough for any path that a system accepts. */
const depthMax = 256

/**
 * The parents of all directories on the way that do not exist yet, and of the last one in any case: an unfinished
 * creation may have made it and not synced its name.
 */
const parentSyncs = Effect.fnUntraced(function* (disk: DiskService, directory: string) {
  const syncs: Array<Effect.Effect<void, DiskError>> = []
  let path = directory
  for (let depth = 0; depth < depthMax; depth++) {
    // Where directories cannot be synced this does nothing, and then nothing has to be.
    const probe = yield* Effect.result(disk.syncDirectory(path))
    const missing = probe._tag === "Failure" && probe.failure.code === "ENOENT"
    if (!missing && depth > 0) break
    path = disk.join(path, "..")
    syncs.push(missing ? disk.syncDirectory(path) : whereAllowed(disk.syncDirectory(path)))
    if (!missing) break
  }
  return syncs
})

// A parent that was there before may be closed to us.
const whereAllowed = (sync: Effect.Effect<void, DiskError>): Effect.Effect<void, DiskError> =>
  Effect.catch(sync, (error) => (isUnwritable(error.code) ? Effect.void : Effect.fail(error)))

/** Fails unless a database may be created in a directory without a valid marker. */
export const checkCreation = (
  options: OpenOptions,
  state: DirectoryState,
  torn: ReadonlyArray<TornMarker>
): Effect.Effect<void, DatabaseError> => {
  const { directory, disk } = options
  const data = dataFiles(state)
  if (data.length > 0) {
    const file = disk.join(directory, data[0]!.name)
    const why = torn.length === 0 ? "there is none" : reasonsOf(torn)
    const message =
      `${directory} holds ${data.length} files with data (${data[0]!.name}, …), but no valid marker ` +
      `(current-*.mark) says which are live: ${why}. Nothing was touched; restore the marker or a backup, ` +
      "or if this is a checkpoint that was not finished, remove it and make it again"
    const changed = torn.find(({ tampered }) => tampered)
    if (changed !== undefined) return Effect.fail(fail(new Tampered({ message, file: changed.file, offset: 0 })))
    return Effect.fail(fail(new Corruption({ message, file, offset: 0 })))
  }
  const { keyrings, logs, manifests, markers } = state
  const unfinished = [keyrings, logs, manifests, markers].some(({ length }) => length > 0)
  if (options.readOnly || !options.create) {
    return noDatabase(options, unfinished ? "its creation was not finished" : "the directory holds none")
  }
  if (state.foreign.length === 0) return Effect.void
  return Effect.fail(
    invalid(`${directory} holds other files (${state.foreign.slice(0, 3).join(", ")}, …); choose an empty directory`)
  )
}

const noDatabase = ({ directory, readOnly }: OpenOptions, why: string): Effect.Effect<never, DatabaseError> => {
  const how = readOnly ? "open it without readOnly and with create: true" : "create: true makes one"
  return Effect.fail(invalid(`no database at ${directory}: ${why}; ${how}`))
}
