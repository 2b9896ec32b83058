// Writing the manifest. Two ways to publish a state, both durable when they return:
//
//   append    frame → sync                                                         into the manifest that is open
//   install   the whole state, as a new manifest with a new marker (stateFiles.ts)
//             → remove older markers → sync directory → remove older manifests
//
// Every state and every edit names the keyring that is durable when it is made, and a change of the keys ends with such
// an edit: a crash before it leaves a keyring with a higher number than the manifest names, and never a lower one.
//
// `begin` makes the keyring durable, if there is one, and installs, as a new epoch; `publish` appends, or installs when
// the manifest has outgrown its limit or has torn bytes at its end (an append that the disk refused half-way: nothing
// may ever follow them); `rewrite` installs what there is, for a new data key.
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
import { type DatabaseError, fail, JobFailed } from "../../services/DatabaseError.ts"
import type { DiskError } from "../../services/Disk.ts"
import type { Allocate, KeyControl } from "../../services/Encryption.ts"
import type { ManifestChange } from "../../services/Manifest.ts"
import { assert } from "../format/formatError.ts"
import type { CodecRow } from "../format/manifestEdit.ts"
import { applyEdit, type ManifestFacts } from "../structure/manifestState.ts"
import { ofDisk, poisonedBy } from "./diskErrors.ts"
import { type DirectoryState, directoryState } from "./directoryState.ts"
import type { FileParts } from "./ownFiles.ts"
import { appendAll, type DatabaseIds, type FailureRules, type OpenManifest, writeState } from "./stateFiles.ts"

/** Files that a new manifest has made needless. */
interface Needless {
  readonly markers: Set<string>
  readonly manifests: Set<string>
}

/** Whether a file is needed. */
type Keep = (kind: "log" | "table" | "value" | "ballast", number: number) => boolean

export class ManifestWriter {
  facts: ManifestFacts
  readonly epochNext: number
  /** 16 bytes that no other epoch has, nor the same one of a copy of the directory. */
  readonly epochIdNext: Uint8Array
  private readonly codecs: ReadonlyArray<CodecRow>
  private readonly parts: FileParts & { readonly manifestBytesMax: number }
  private readonly ids: DatabaseIds
  /** Directories to sync for the database's own name to last. */
  private readonly parents: ReadonlyArray<Effect.Effect<void, DiskError>>
  private readonly needless: Needless
  private numberNext: number
  private open: OpenManifest | undefined = undefined
  private readonly bytesRead: number
  /** Into markers, and manifests that are closed. */
  private writtenBefore = 0
  private rewriteDue = false
  private poison: DatabaseError | undefined = undefined
  private readonly turn = Semaphore.makeUnsafe(1)
  /** After a failed sync a file stays: its name may be what a crash keeps. */
  private readonly rules: FailureRules = {
    unsure: (error) => this.poisoned(error),
    discards: () => this.poison === undefined
  }

  constructor(options: {
    readonly parts: FileParts & { readonly manifestBytesMax: number }
    readonly ids: DatabaseIds
    readonly facts: ManifestFacts
    readonly epochIdNext: Uint8Array
    /** That files may have from now on. */
    readonly codecs: ReadonlyArray<CodecRow>
    readonly directory: DirectoryState
    readonly parents: ReadonlyArray<Effect.Effect<void, DiskError>>
    /** Of the manifest that was read; 0 if there was none. */
    readonly bytesRead: number
  }) {
    const { directory, facts } = options
    this.parts = options.parts
    this.ids = options.ids
    this.facts = facts
    this.codecs = options.codecs
    this.epochNext = facts.epoch + 1
    this.epochIdNext = options.epochIdNext
    this.parents = options.parents
    this.bytesRead = options.bytesRead
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

  /** Before it is written to, of the one that was read. */
  bytes(): number {
    return this.open?.file.size() ?? this.bytesRead
  }

  bytesWritten(): number {
    return this.writtenBefore + (this.open?.file.size() ?? 0)
  }

  begin(change: ManifestChange): Effect.Effect<void, DatabaseError> {
    return this.alone(() => {
      assert(this.open === undefined, "a manifest begins once")
      const { encryption } = this.parts
      const install = Effect.suspend(() => {
        const { codecs, epochIdNext: epochId, epochNext: epoch } = this
        const own = { fileNumberNext: this.numberNext, epoch, epochId, codecs }
        const edit = { ...change, encryptionName: encryption.name, ...own, ...this.keyring() }
        return this.install(applyEdit(this.facts, edit))
      })
      // What is published could not be opened without the keyring.
      return Effect.andThen(
        encryption.persist(() => this.allocate()),
        install
      )
    })
  }

  publish(change: ManifestChange): Effect.Effect<void, DatabaseError> {
    return this.alone(() => this.add(change))
  }

  private add(change: ManifestChange): Effect.Effect<void, DatabaseError> {
    const { open } = this
    assert(open !== undefined, "a manifest is published to after it began")
    if (!this.hasKeysOf(change)) return Effect.fail(forgotten())
    const edit = { ...change, fileNumberNext: this.numberNext, ...this.keyring() }
    const next = applyEdit(this.facts, edit)
    if (this.rewriteDue) return this.install(next)
    const append = Effect.suspend(() =>
      Effect.map(
        Effect.andThen(appendAll(open.file, open.frames.frame(edit), this.rules.unsure), this.orPoison(open.file.sync)),
        () => {
          this.facts = next
        }
      )
    ).pipe(Effect.tapError(() => Effect.sync(() => (this.rewriteDue = true))))
    if (open.file.size() <= Math.max(this.parts.manifestBytesMax, 2 * open.snapshotBytes)) return append
    // On a full disk the few bytes of an edit may fit where a whole manifest does not, and the edit may free space.
    return Effect.catch(this.install(next), (error) => (this.poison === undefined ? append : Effect.fail(error)))
  }

  /** The number of the keyring in force, if it is not recorded yet. */
  private keyring(): { readonly keyringNumber?: number } {
    const { keys } = this.parts.encryption
    const keyringNumber = keys?.facts().ringNumber ?? 0
    return keyringNumber === this.facts.keyringNumber ? {} : { keyringNumber }
  }

  /** The same state in new files. */
  readonly rewrite: Effect.Effect<void, DatabaseError> = this.alone(() => {
    assert(this.open !== undefined, "a manifest is rewritten after it began")
    return this.install(applyEdit(this.facts, { fileNumberNext: this.numberNext, ...this.keyring() }))
  })

  /**
   * In turn with all else. The keyring's own failures are its own: what is published needs the one that was there. What
   * was changed is recorded; if that fails, the change was made.
   */
  changeKeys<A>(
    change: (keys: KeyControl, allocate: Allocate) => Effect.Effect<A, DatabaseError>
  ): Effect.Effect<A, DatabaseError> {
    return this.alone(() => {
      const { keys } = this.parts.encryption
      assert(this.open !== undefined && keys !== undefined, "keys are changed where there are some")
      const record = Effect.suspend(() => (this.keyring().keyringNumber === undefined ? Effect.void : this.add({})))
      return Effect.tap(
        change(keys, () => this.allocate()),
        () => record
      )
    })
  }

  /** In turn with all else, and so with one keyring and one state. */
  copy(effect: Effect.Effect<void, DatabaseError>): Effect.Effect<void, DatabaseError> {
    return this.turn.withPermit(effect)
  }

  /** Removes what no state names. */
  removeOrphans(keep: Keep): Effect.Effect<number, DatabaseError> {
    return this.alone(() => {
      assert(this.open !== undefined, "orphans are removed when the manifest has begun")
      return this.removeUnnamed(keep)
    })
  }

  /** Of the layer's scope. What was published was synced before; there is nothing that this could lose. */
  readonly close: Effect.Effect<void> = Effect.suspend(() =>
    this.open === undefined ? Effect.void : Effect.ignore(this.open.file.close)
  )

  /** In turn with all else, and not at all after a failed sync. */
  ifSound(effect: Effect.Effect<void>): Effect.Effect<void> {
    return this.turn.withPermit(Effect.suspend(() => (this.poison === undefined ? effect : Effect.void)))
  }

  /** A rotation forgets a data key in turn with this: nothing that is sealed with it is published afterwards. */
  private hasKeysOf({ addTables = [], addValueFiles = [] }: ManifestChange): boolean {
    const { keys } = this.parts.encryption
    if (keys === undefined || addTables.length + addValueFiles.length === 0) return true
    const known = new Set(keys.facts().generations.map(({ generation }) => generation))
    return [...addTables, ...addValueFiles].every(({ keyGeneration }) => known.has(keyGeneration))
  }

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
      const { ids, parents } = this
      const state = { ids, facts: next, manifestNumber, markerNumber, parents }
      const opened = yield* writeState(this.parts, state, this.rules)
      const previous = this.open
      this.writtenBefore += opened.markerBytes + (previous?.file.size() ?? 0)
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
    function* (this: ManifestWriter, keep: Keep) {
      const { disk, directory } = this.parts
      const state = directoryState(yield* Effect.mapError(disk.list(directory), ofDisk))
      const names = new Set([
        ...state.logs.filter(({ number }) => !keep("log", number)).map(({ name }) => name),
        ...state.tables.filter(({ number }) => !keep("table", number)).map(({ name }) => name),
        ...state.valueFiles.filter(({ number }) => !keep("value", number)).map(({ name }) => name),
        ...state.ballasts.filter(({ number }) => !keep("ballast", number)).map(({ name }) => name)
      ])
      return yield* removeAll(this.parts, names)
    }
  )
}

const forgotten = (): DatabaseError =>
  fail(new JobFailed({ message: "a data key was forgotten while a job sealed by it; it is run again by the new one" }))

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
