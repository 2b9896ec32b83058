// Writing the manifest. Two ways to publish a state, both durable when they return:
//
//   append    frame → sync                                                         into the manifest that is open
//   install   manifest-(n) whole state → sync → sync directory → current-(n + 1) → sync, close → sync directory
//             → remove older markers → sync directory → remove older manifests
//
// `begin` installs, as a new epoch; `publish` appends, or installs when the manifest has outgrown its limit or has torn
// bytes at its end (an append that the disk refused half-way: nothing may ever follow them).
//
// A crash at any step leaves a directory that opens: until the marker is durable, the older marker and its manifest are
// untouched; from then on they are not needed. The older markers are gone for good before anything of the new epoch is
// acknowledged, so that no damage to the newest can bring back an older state. What a crash leaves of an older or
// unfinished manifest is removed by the next `begin`.
//
// After a failed sync or close, nobody knows which state a crash would leave. Both must stay whole, so nothing is
// written or removed any more: every later call fails `Poisoned`.
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { DatabaseError } from "../../services/DatabaseError.ts"
import type { AppendFile, DiskError } from "../../services/Disk.ts"
import type { ManifestChange } from "../../services/Manifest.ts"
import { FileKind } from "../format/fileHeader.ts"
import { manifestFileName, markerFileName } from "../format/fileName.ts"
import { assert } from "../format/formatError.ts"
import { ManifestFrameWriter } from "../format/manifestFrame.ts"
import { encodeMarker } from "../format/marker.ts"
import { applyEdit, type ManifestFacts, snapshotOf } from "../structure/manifestState.ts"
import { acceptedBytes, ofDisk, poisonedBy } from "./diskErrors.ts"
import { type DirectoryState, directoryState } from "./directoryState.ts"
import { type FileParts, newFile } from "./ownFiles.ts"

/** The manifest that is open for appending. */
interface OpenManifest {
  readonly file: AppendFile
  readonly frames: ManifestFrameWriter
  readonly manifestName: string
  readonly markerName: string
  /** Its size when it held nothing but a whole state. */
  readonly snapshotBytes: number
}

/** Files that a new manifest has made needless. */
interface Needless {
  readonly markers: Set<string>
  readonly manifests: Set<string>
}

export class ManifestWriter {
  facts: ManifestFacts
  readonly epochNext: number
  private readonly parts: FileParts & { readonly manifestBytesMax: number }
  private readonly ids: { readonly databaseId: Uint8Array; readonly incarnation: Uint8Array }
  /** Directories to sync for the database's own name to last. */
  private readonly parents: ReadonlyArray<Effect.Effect<void, DiskError>>
  private readonly needless: Needless
  private numberNext: number
  private open: OpenManifest | undefined = undefined
  private rewriteDue = false
  private poison: DatabaseError | undefined = undefined
  private readonly turn = Semaphore.makeUnsafe(1)

  constructor(options: {
    readonly parts: FileParts & { readonly manifestBytesMax: number }
    readonly ids: { readonly databaseId: Uint8Array; readonly incarnation: Uint8Array }
    readonly facts: ManifestFacts
    readonly directory: DirectoryState
    readonly parents: ReadonlyArray<Effect.Effect<void, DiskError>>
  }) {
    const { directory, facts } = options
    this.parts = options.parts
    this.ids = options.ids
    this.facts = facts
    this.epochNext = facts.epoch + 1
    this.parents = options.parents
    this.needless = {
      markers: new Set(directory.markers.map(({ name }) => name)),
      manifests: new Set(directory.manifests.map(({ name }) => name))
    }
    this.numberNext = Math.max(facts.fileNumberNext, directory.numberMax + 1)
  }

  allocate(): number {
    const number = this.numberNext
    this.numberNext += 1
    return number
  }

  bytes(): number {
    return this.open?.file.size() ?? 0
  }

  begin(change: ManifestChange): Effect.Effect<void, DatabaseError> {
    return this.alone(() => {
      assert(this.open === undefined, "a manifest begins once")
      const next = applyEdit(this.facts, {
        ...change,
        encryptionName: this.parts.encryption.name,
        fileNumberNext: this.numberNext,
        epoch: this.epochNext
      })
      return this.install(next)
    })
  }

  publish(change: ManifestChange): Effect.Effect<void, DatabaseError> {
    return this.alone(() => {
      const { open } = this
      assert(open !== undefined, "a manifest is published to after it began")
      const edit = { ...change, fileNumberNext: this.numberNext }
      const next = applyEdit(this.facts, edit)
      if (this.rewriteDue) return this.install(next)
      const append = Effect.suspend(() =>
        Effect.map(
          Effect.andThen(this.append(open.file, open.frames.frame(edit)), this.orPoison(open.file.sync)),
          () => {
            this.facts = next
          }
        )
      ).pipe(Effect.tapError(() => Effect.sync(() => (this.rewriteDue = true))))
      if (open.file.size() <= Math.max(this.parts.manifestBytesMax, 2 * open.snapshotBytes)) return append
      // On a full disk the few bytes of an edit may fit where a whole manifest does not, and the edit may free space.
      return Effect.catch(this.install(next), (error) => (this.poison === undefined ? append : Effect.fail(error)))
    })
  }

  /** Removes what no state names. */
  removeOrphans(keep: (kind: "log" | "table", number: number) => boolean): Effect.Effect<number, DatabaseError> {
    return this.alone(() => {
      assert(this.open !== undefined, "orphans are removed when the manifest has begun")
      return this.removeUnnamed(keep)
    })
  }

  /** Of the layer's scope. What was published was synced before; there is nothing that this could lose. */
  readonly close: Effect.Effect<void> = Effect.suspend(() =>
    this.open === undefined ? Effect.void : Effect.ignore(this.open.file.close)
  )

  private alone<A>(body: () => Effect.Effect<A, DatabaseError>): Effect.Effect<A, DatabaseError> {
    return this.turn.withPermit(
      Effect.uninterruptible(Effect.suspend(() => (this.poison === undefined ? body() : Effect.fail(this.poison))))
    )
  }

  private readonly install = Effect.fnUntraced(
    { self: this as ManifestWriter },
    function* (this: ManifestWriter, facts: ManifestFacts) {
      const manifestNumber = this.allocate()
      const markerNumber = this.allocate()
      const next = { ...facts, fileNumberNext: this.numberNext }
      const names = { manifestName: manifestFileName(manifestNumber), markerName: markerFileName(markerNumber) }
      const opened = yield* this.writeBoth(next, { ...names, manifestNumber, markerNumber })
      const previous = this.open
      this.open = opened
      this.facts = next
      this.rewriteDue = false
      if (previous !== undefined) {
        this.needless.markers.add(previous.markerName)
        this.needless.manifests.add(previous.manifestName)
        yield* Effect.ignore(previous.file.close)
      }
      yield* this.removeNeedless
    }
  )

  private readonly writeBoth = Effect.fnUntraced(
    { self: this as ManifestWriter },
    function* (
      this: ManifestWriter,
      facts: ManifestFacts,
      names: {
        readonly manifestName: string
        readonly markerName: string
        readonly manifestNumber: number
        readonly markerNumber: number
      }
    ) {
      const { disk, directory, encryption } = this.parts
      const { manifestName, manifestNumber, markerName, markerNumber } = names
      const header = { ...this.ids, epoch: facts.epoch }
      const manifest = yield* newFile(encryption, { ...header, kind: FileKind.manifest, fileNumber: manifestNumber })
      const frames = new ManifestFrameWriter(manifest)
      const file = yield* this.writeNew(manifestName, [frames.fileHeader, ...frames.frame(snapshotOf(facts))])
      const snapshotBytes = file.size()
      const writeMarker = Effect.gen({ self: this }, function* () {
        yield* this.orPoison(disk.syncDirectory(directory))
        const marker = yield* newFile(encryption, { ...header, kind: FileKind.marker, fileNumber: markerNumber })
        const facts = { manifestNumber, manifestBytes: snapshotBytes, manifestFileId: manifest.header.fileId }
        const made = yield* this.writeNew(markerName, encodeMarker({ ...marker, marker: facts }))
        yield* this.orPoison(made.close)
        yield* this.orPoison(disk.syncDirectory(directory))
        for (const sync of this.parents) yield* this.orPoison(sync)
      })
      yield* Effect.tapError(writeMarker, () => this.discard(file, manifestName))
      return { file, frames, manifestName, markerName, snapshotBytes } satisfies OpenManifest
    }
  )

  /** Creates, fills and syncs a file, which stays open. One that the disk had no room for is gone again. */
  private writeNew(name: string, chunks: ReadonlyArray<Uint8Array>): Effect.Effect<AppendFile, DatabaseError> {
    const { disk, directory } = this.parts
    return Effect.flatMap(Effect.mapError(disk.create(disk.join(directory, name)), ofDisk), (file) =>
      Effect.andThen(this.append(file, chunks), this.orPoison(file.sync)).pipe(
        Effect.tapError(() => this.discard(file, name)),
        Effect.as(file)
      )
    )
  }

  /** Of a file that nothing names yet. After a failed sync it stays: its name may be what a crash keeps. */
  private discard(file: AppendFile, name: string): Effect.Effect<void> {
    const { disk, directory } = this.parts
    return Effect.suspend(() =>
      this.poison === undefined
        ? Effect.andThen(Effect.ignore(file.close), Effect.ignore(disk.remove(disk.join(directory, name))))
        : Effect.ignore(file.close)
    )
  }

  /** Fails definitely if a byte was not accepted; otherwise the whole frame may be there, and nobody knows. */
  private append(file: AppendFile, chunks: ReadonlyArray<Uint8Array>): Effect.Effect<void, DatabaseError> {
    const before = file.size()
    const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
    return Effect.mapError(file.append(chunks), (error) =>
      acceptedBytes(error, file.size() - before) < total ? ofDisk(error) : this.poisoned(error)
    )
  }

  private orPoison(effect: Effect.Effect<void, DiskError>): Effect.Effect<void, DatabaseError> {
    return Effect.mapError(effect, (error) => this.poisoned(error))
  }

  private poisoned(error: DiskError): DatabaseError {
    this.poison ??= poisonedBy(error)
    return this.poison
  }

  private readonly removeNeedless: Effect.Effect<void, DatabaseError> = Effect.suspend(() => {
    const { markers, manifests } = this.needless
    if (markers.size === 0 && manifests.size === 0) return Effect.void
    const { disk, directory } = this.parts
    return removeAll(this.parts, markers).pipe(
      Effect.andThen(this.orPoison(disk.syncDirectory(directory))),
      // A manifest whose marker could not be removed must stay: the marker would name nothing, which is damage.
      Effect.andThen(Effect.suspend(() => (markers.size === 0 ? removeAll(this.parts, manifests) : Effect.void))),
      Effect.asVoid
    )
  })

  private readonly removeUnnamed = Effect.fnUntraced(
    { self: this as ManifestWriter },
    function* (this: ManifestWriter, keep: (kind: "log" | "table", number: number) => boolean) {
      const { disk, directory } = this.parts
      const state = directoryState(yield* Effect.mapError(disk.list(directory), ofDisk))
      const names = new Set([
        ...state.logs.filter(({ number }) => !keep("log", number)).map(({ name }) => name),
        ...state.tables.filter(({ number }) => !keep("table", number)).map(({ name }) => name)
      ])
      return yield* removeAll(this.parts, names)
    }
  )
}

/** Removes files and takes those that are gone out of the set. The rest is left to the next open. Returns how many. */
const removeAll = Effect.fnUntraced(function* (parts: FileParts, names: Set<string>) {
  let count = 0
  for (const name of names) {
    const removed = yield* Effect.result(parts.disk.remove(parts.disk.join(parts.directory, name)))
    if (removed._tag === "Success") count += 1
    else if (removed.failure.code !== "ENOENT") {
      yield* Effect.logWarning(`Strata: ${name} could not be removed and is left: ${removed.failure.message}`)
      continue
    }
    names.delete(name)
  }
  return count
})
