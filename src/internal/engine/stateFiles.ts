// Writing a whole state: a manifest that holds nothing else, and the marker that makes it the current one.
//
//   manifest-(n) whole state → sync → sync directory → current-(m) → sync, close → sync directory → sync parents
//
// Until the marker is durable the directory is what it was: what the manifest names is not looked at. From then on it
// is the state that was written. Whatever the manifest names must be durable before, but for its names: the directory
// is synced in between.
import * as Effect from "effect/Effect"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import type { AppendFile, DiskError } from "../../services/Disk.ts"
import { FileKind } from "../format/fileHeader.ts"
import { manifestFileName, markerFileName } from "../format/fileName.ts"
import { ManifestFrameWriter } from "../format/manifestFrame.ts"
import { encodeMarker } from "../format/marker.ts"
import { type ManifestFacts, snapshotOf } from "../structure/manifestState.ts"
import { acceptedBytes, ofDisk } from "./diskErrors.ts"
import { type FileParts, newFile } from "./ownFiles.ts"

/** What binds files to one database and one life of it. */
export interface DatabaseIds {
  readonly databaseId: Uint8Array
  readonly incarnation: Uint8Array
}

export interface NewState {
  readonly ids: DatabaseIds
  readonly facts: ManifestFacts
  readonly manifestNumber: number
  readonly markerNumber: number
  /** Directories to sync for the database's own name to last. */
  readonly parents: ReadonlyArray<Effect.Effect<void, DiskError>>
}

/** The manifest that was written, open for more. */
export interface OpenManifest {
  readonly file: AppendFile
  readonly frames: ManifestFrameWriter
  readonly manifestName: string
  readonly markerName: string
  /** Its size when it held nothing but a whole state. */
  readonly snapshotBytes: number
  readonly markerBytes: number
}

/** What a failure means to whoever writes. */
export interface FailureRules {
  /** Of a sync or a close, or an append of which all bytes were accepted: what is on the disk is not known. */
  readonly unsure: (error: DiskError) => DatabaseError
  /** Whether a file that was not finished is removed, now that it failed. */
  readonly discards: () => boolean
}

/** The state is durable, and the current one, when it returns. The manifest stays open. Not interruptible. */
export const writeState = (
  parts: FileParts,
  state: NewState,
  rules: FailureRules
): Effect.Effect<OpenManifest, DatabaseError> => Effect.uninterruptible(writeBoth(new StateFiles(parts, rules), state))

const writeBoth = Effect.fnUntraced(function* (files: StateFiles, state: NewState) {
  const { encryption } = files.parts
  const { facts, ids, manifestNumber, markerNumber } = state
  const [manifestName, markerName] = [manifestFileName(manifestNumber), markerFileName(markerNumber)]
  const header = { ...ids, epoch: facts.epoch }
  const made = yield* newFile(encryption, { ...header, kind: FileKind.manifest, fileNumber: manifestNumber })
  const frames = new ManifestFrameWriter(made)
  const file = yield* files.writeNew(manifestName, [frames.fileHeader, ...frames.frame(snapshotOf(facts))])
  const snapshotBytes = file.size()
  const writeMarker = Effect.gen(function* () {
    yield* files.syncDirectory
    const marker = yield* newFile(encryption, { ...header, kind: FileKind.marker, fileNumber: markerNumber })
    const named = { manifestNumber, manifestBytes: snapshotBytes, manifestFileId: made.header.fileId }
    const written = yield* files.writeNew(markerName, encodeMarker({ ...marker, marker: named }))
    yield* files.orUnsure(written.close)
    yield* files.syncDirectory
    for (const sync of state.parents) yield* files.orUnsure(sync)
    return written.size()
  })
  const markerBytes = yield* Effect.tapError(writeMarker, () => files.discard(file, manifestName))
  return { file, frames, manifestName, markerName, snapshotBytes, markerBytes } satisfies OpenManifest
})

class StateFiles {
  readonly parts: FileParts
  private readonly rules: FailureRules

  constructor(parts: FileParts, rules: FailureRules) {
    this.parts = parts
    this.rules = rules
  }

  /** Creates, fills and syncs a file, which stays open. */
  writeNew(name: string, chunks: ReadonlyArray<Uint8Array>): Effect.Effect<AppendFile, DatabaseError> {
    const { disk, directory } = this.parts
    return Effect.flatMap(Effect.mapError(disk.create(disk.join(directory, name)), ofDisk), (file) =>
      Effect.andThen(appendAll(file, chunks, this.rules.unsure), this.orUnsure(file.sync)).pipe(
        Effect.tapError(() => this.discard(file, name)),
        Effect.as(file)
      )
    )
  }

  get syncDirectory(): Effect.Effect<void, DatabaseError> {
    const { disk, directory } = this.parts
    return this.orUnsure(disk.syncDirectory(directory))
  }

  orUnsure(effect: Effect.Effect<void, DiskError>): Effect.Effect<void, DatabaseError> {
    return Effect.mapError(effect, this.rules.unsure)
  }

  /** Of a file that nothing names yet. */
  discard(file: AppendFile, name: string): Effect.Effect<void> {
    const { disk, directory } = this.parts
    return Effect.suspend(() =>
      this.rules.discards()
        ? Effect.andThen(Effect.ignore(file.close), Effect.ignore(disk.remove(disk.join(directory, name))))
        : Effect.ignore(file.close)
    )
  }
}

/** Fails definitely if a byte was not accepted; otherwise all of it may be there, and nobody knows. */
export const appendAll = (
  file: AppendFile,
  chunks: ReadonlyArray<Uint8Array>,
  unsure: FailureRules["unsure"]
): Effect.Effect<void, DatabaseError> => {
  const before = file.size()
  const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  return Effect.mapError(file.append(chunks), (error) =>
    acceptedBytes(error, file.size() - before) < total ? ofDisk(error) : unsure(error)
  )
}
