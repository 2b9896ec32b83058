// Changing the keys of an open database.
//
// The master key: a new keyring with the same data keys, wrapped anew. Nothing else is sealed with it.
//
// The data key:
//
//   1  add      the new key is in the keyring; what is sealed from now on is sealed with it
//   2  manifest the state goes to new files
//   3  log      its segment is left for a new one, and what was in memory goes to tables
//   4  rewrite  compaction and collection write the tables and value files of older keys again, when nothing else is
//               due, and tell when they have
//   5  forget   what no file is sealed with goes from the keyring
//
// Only 1 is asked for; everything after it is what one fiber does for as long as the keyring has more keys than one, so
// a database that is opened again goes on where it was. An open itself does 2 and 3: it begins with a new manifest and
// a new segment. A crash at any step leaves a keyring that has every key that a file needs: a key is added before the
// first file is sealed with it, and forgotten after the last one is gone.
//
// That the last one is gone takes three looks, which hold together because a new file is sealed with the newest key:
//
//   what is live      by the manifest, and by commits in memory that have brought a value file along
//   what is made      files that a job or a commit has begun (keyUse.ts)
//   what is there     each file's header (olderFiles.ts): it also finds what readers hold, and what nobody could remove
//
// A step that fails is tried again, after pauses that grow, and is a state of the database meanwhile. After a change of
// the keyring that failed, the one that is in force here is written once more before anything else: until then a power
// cut might leave either, and both have every key that a file needs.
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { Closed, type DatabaseError, fail, invalid, Io, isDamage, NotEncrypted } from "../../services/DatabaseError.ts"
import type { KeyControl, MasterKey } from "../../services/Encryption.ts"
import type { EncryptionStats, RotatedDataKey, RotateOptions } from "../../services/Maintenance.ts"
import type { ManifestService, OlderFile } from "../../services/Manifest.ts"
import type { OptionsShape } from "../../services/Options.ts"
import type { OracleService } from "../../services/Oracle.ts"
import { assert } from "../format/formatError.ts"
import type { Committer } from "./committer.ts"
import { Gate, WaitList } from "./gate.ts"
import { KeyClock } from "./keyClock.ts"
import type { KeyUse } from "./keyUse.ts"
import { progressOf, type KeyedFiles } from "./keyedFiles.ts"

export interface KeyRotationParts {
  readonly options: OptionsShape
  readonly manifest: ManifestService
  readonly oracle: OracleService
  readonly committer: Committer
  readonly use: KeyUse
  readonly files: KeyedFiles
  /** Bytes of commits since the database was opened. */
  readonly committedBytes: () => number
  /** Completes when what is in memory is in tables, and with "any" the log in a new segment, too. */
  readonly flush: (leaves: "full" | "any") => Effect.Effect<void, DatabaseError>
  /** New files are sealed with another key. */
  readonly changed: () => void
}

/** Between tries, for as long as the database is open. */
const retrySchedule = Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("10 seconds")])
/** While files are there that others write again or let go, it is looked for them so often at most, and at least. */
const pauseMillis = 100
const lookMillis = 1000
/** A log frame has 16 bits for it. */
const generationMax = 0xffff
/** Keys that are not forgotten yet. */
const generationsMax = 64

export class KeyRotation {
  readonly counters = { dataKeyRotations: 0, dataKeysForgotten: 0, masterKeyRotations: 0, keyRotationFailures: 0 }
  /** Why the last step failed, until one succeeds. */
  failing: DatabaseError | undefined = undefined
  private readonly parts: KeyRotationParts
  private readonly clock: KeyClock
  private readonly gate = new Gate()
  private readonly ended = new WaitList()
  /** Generations that the manifest and the log are sealed with, at least. */
  private manifestOf = 0
  private logOf = 0
  /** Of the keyring that stands alone, as far as this has seen it. */
  private oldest = 0
  /** Files of this number and above are sealed with the newest key. */
  private numberMin = 0
  /** The keyring has more keys than one. */
  private pending = false
  /** Files of older keys at the last look that was in vain. */
  private seen = ""
  /** A change of the keyring failed: which one a power cut would leave is not known. */
  private unsettled = false
  /** Steps that failed, one after the other or not. */
  private failures = 0
  private stopped = false
  private fiber: Fiber.Fiber<never> | undefined = undefined

  constructor(parts: KeyRotationParts) {
    this.parts = parts
    this.clock = new KeyClock(parts)
    parts.use.onEnd = () => this.changed()
  }

  /** Starts the background fiber in the current scope, if there are keys. */
  readonly start: Effect.Effect<void, never, Scope.Scope> = Effect.gen({ self: this as KeyRotation }, function* () {
    const { encryption } = this.parts.manifest
    const { keys } = encryption
    if (keys === undefined) return
    this.manifestOf = encryption.keyGeneration()
    this.logOf = this.manifestOf
    this.numberMin = this.parts.manifest.allocateFileNumber()
    yield* this.clock.start(keys)
    this.pending = true
    this.fiber = yield* Effect.forkScoped(this.loop, { startImmediately: true })
  })

  /** Starts nothing more; completes when no keyring is being written. */
  readonly stop: Effect.Effect<void> = Effect.suspend(() => {
    this.stopped = true
    this.ended.wakeAll()
    if (this.fiber === undefined) return Effect.void
    // A rotation of the master key runs in its caller's fiber. When its turn has ended, or was refused, so has the
    // change before it: the lock must not go to another writer amid one, who would find two keyrings.
    const turn = this.parts.manifest.changeKeys(() => Effect.void)
    return Effect.andThen(Fiber.interrupt(this.fiber), Effect.ignore(turn))
  })

  /** Files have changed, or one was let go. */
  changed(): void {
    if (!this.pending) return
    this.gate.wake()
    this.ended.wakeAll()
  }

  /** Commits have entered. They let no file go: what does tells of it. */
  committed(): void {
    if (this.clock.isSpent() && this.mayAdd()) this.gate.wake()
  }

  /** Whoever waits looks whether it is in vain. */
  troubled(): void {
    this.ended.wakeAll()
  }

  /** The key is made before its turn comes: flushes, and who closes the database, do not wait for a provider. */
  rotateMaster(to: MasterKey): Effect.Effect<void, DatabaseError> {
    return Effect.suspend(() => {
      const { directory, encryption } = this.parts.manifest
      if (encryption.keys === undefined) return Effect.fail(plain(directory))
      return Effect.map(
        Effect.flatMap(encryption.keys.prepareMaster(to), (master) =>
          this.change((keys, allocate) => keys.rotateMaster(master, allocate))
        ),
        () => {
          this.counters.masterKeyRotations += 1
        }
      )
    })
  }

  rotateData({ full = false, onProgress }: RotateOptions): Effect.Effect<RotatedDataKey, DatabaseError> {
    return Effect.flatMap(this.add, (generation) => {
      const isDone = full ? () => this.oldest >= generation : () => Math.min(this.manifestOf, this.logOf) >= generation
      const progress = progressOf(this.parts.files, generation)
      const report = onProgress === undefined ? Effect.void : Effect.suspend(() => onProgress(progress()))
      const { failures } = this
      const older = full ? this.parts.files.troubles() : undefined
      // What failed before, and is going to be tried again, says nothing of this rotation.
      const troubles = () => (this.failures > failures ? this.failing : undefined) ?? older?.()
      return Effect.as(this.until(isDone, report, troubles), { generation })
    })
  }

  stats(): EncryptionStats | undefined {
    const { encryption } = this.parts.manifest
    const { keys } = encryption
    if (keys === undefined) return undefined
    const { cipher, generations, masterKind, providerKeyId } = keys.facts()
    const sealed = this.parts.files.stats(generations)
    return { cipher, masterKind, providerKeyId, keyGeneration: encryption.keyGeneration(), generations: sealed }
  }

  private until(
    isDone: () => boolean,
    report: Effect.Effect<void>,
    troubles: () => DatabaseError | undefined
  ): Effect.Effect<void, DatabaseError> {
    return Effect.suspend(() => {
      const { turn } = this.ended
      if (isDone()) return report
      const error = this.refusal() ?? troubles()
      if (error !== undefined) return Effect.fail(error)
      return Effect.andThen(
        report,
        Effect.flatMap(this.ended.waitFrom(turn), () => this.until(isDone, report, troubles))
      )
    })
  }

  private refusal(): DatabaseError | undefined {
    return this.parts.committer.refusal ?? (this.stopped ? closed() : undefined)
  }

  private readonly add: Effect.Effect<number, DatabaseError> = Effect.suspend(() => {
    const { encryption } = this.parts.manifest
    const before = encryption.keyGeneration()
    const added = this.change((keys, allocate) => {
      if (!this.mayAdd()) return Effect.fail(tooMany(keys.facts().generations.length))
      return keys.addDataKey({ sequence: this.parts.oracle.assigned() }, allocate)
    })
    // It may fail and have added the key: when the keyring before could not be removed.
    return Effect.onExit(added, () => (encryption.keyGeneration() === before ? Effect.void : this.begin))
  }).pipe(Effect.uninterruptible)

  /** There is a new key. */
  private readonly begin: Effect.Effect<void> = Effect.suspend(() =>
    Effect.map(this.clock.start(this.parts.manifest.encryption.keys!), () => {
      this.counters.dataKeyRotations += 1
      this.numberMin = this.parts.manifest.allocateFileNumber()
      this.pending = true
      this.parts.changed()
      this.gate.wake()
    })
  )

  private mayAdd(): boolean {
    const { generations } = this.parts.manifest.encryption.keys!.facts()
    return generations.length < generationsMax && generations.at(-1)!.generation < generationMax
  }

  private change<A>(
    body: (keys: KeyControl, allocate: () => number) => Effect.Effect<A, DatabaseError>
  ): Effect.Effect<A, DatabaseError> {
    return Effect.suspend(() => {
      const { manifest } = this.parts
      if (manifest.encryption.keys === undefined) return Effect.fail(plain(manifest.directory))
      const refusal = this.refusal()
      if (refusal !== undefined) return Effect.fail(refusal)
      const changed = manifest.changeKeys((keys, allocate) =>
        // It may have waited for its turn.
        Effect.suspend(() => (this.stopped ? Effect.fail(closed()) : body(keys, allocate)))
      )
      return Effect.tapError(changed, () =>
        Effect.sync(() => {
          this.unsettled = true
          this.gate.wake()
        })
      )
    })
  }

  private readonly loop: Effect.Effect<never> = Effect.suspend(() =>
    Effect.forever(
      Effect.flatMap(this.retried, (worked) => (worked ? Effect.yieldNow : Effect.andThen(this.rest, Effect.yieldNow)))
    )
  )

  private readonly rest: Effect.Effect<void> = Effect.suspend(() => {
    // Nothing is done any more, but for what waits to be told.
    if (this.refusal() !== undefined) return this.gate.wait
    // A key that is due and cannot be is due all the time.
    const due = this.mayAdd() ? this.clock.bounded(this.gate.wait) : this.gate.wait
    if (!this.pending) return due
    const awake = Effect.timeoutOption(due, lookMillis)
    return Effect.andThen(awake, Effect.sleep(pauseMillis))
  })

  private readonly retried: Effect.Effect<boolean> = Effect.suspend(() =>
    this.step.pipe(
      Effect.tapError((error) => this.failed(error)),
      Effect.retry({ schedule: retrySchedule, while: (error) => this.refusal() === undefined && isPassing(error) }),
      Effect.orElseSucceed(() => false)
    )
  )

  /** Does what is next, if anything is. */
  private readonly step: Effect.Effect<boolean, DatabaseError> = Effect.suspend(() => {
    if (this.refusal() !== undefined) return Effect.succeed(false)
    if (this.unsettled) return this.settle
    return Effect.flatMap(this.clock.isDue, (isDue) =>
      isDue && this.mayAdd() ? Effect.as(this.add, true) : this.advance()
    )
  })

  /** Writes the keyring that is in force here once more, and removes the others. */
  private readonly settle: Effect.Effect<boolean, DatabaseError> = Effect.suspend(() => {
    const { manifest } = this.parts
    const { persist } = manifest.encryption
    return this.done(
      manifest.changeKeys((_, allocate) => persist(allocate)),
      () => (this.unsettled = false)
    )
  })

  private advance(): Effect.Effect<boolean, DatabaseError> {
    const { files, flush, manifest } = this.parts
    const current = manifest.encryption.keyGeneration()
    const oldest = oldestOf(manifest.encryption.keys!)
    if (oldest !== this.oldest) this.ended.wakeAll()
    this.oldest = oldest
    if (oldest === current) {
      this.pending = false
      this.failing = undefined
      this.ended.wakeAll()
      return Effect.succeed(false)
    }
    if (this.manifestOf < current) return this.done(manifest.rewrite, () => (this.manifestOf = current))
    if (this.logOf < current) return this.done(flush("any"), () => (this.logOf = current))
    if (files.oldestInMemory() < current) return this.done(flush("full"), () => {})
    return this.forget(oldest, current)
  }

  private done(step: Effect.Effect<void, DatabaseError>, note: () => void): Effect.Effect<boolean, DatabaseError> {
    return Effect.map(step, () => {
      note()
      this.failing = undefined
      this.ended.wakeAll()
      return true
    })
  }

  private forget(oldest: number, current: number): Effect.Effect<boolean, DatabaseError> {
    const { files, manifest, use } = this.parts
    const known = Math.min(current, files.oldestLive(), use.oldest ?? current)
    if (known <= oldest) return Effect.suspend(() => this.held(files.damage()))
    return Effect.flatMap(manifest.olderFiles(this.numberMin), (older) => {
      const below = older.reduce((lowest, { keyGeneration }) => Math.min(lowest, keyGeneration), known)
      if (below <= oldest) return Effect.suspend(() => this.held(this.leftover(older)))
      assert(below <= current, "the newest key is not forgotten")
      const forgotten = this.change((keys, allocate) => keys.forgetBelow(below, allocate))
      return this.done(forgotten, () => (this.counters.dataKeysForgotten += 1))
    })
  }

  /** Others come first: they write what is left again, or let it go. Not if nobody will. */
  private held(problem: DatabaseError | undefined): Effect.Effect<boolean, DatabaseError> {
    if (problem !== undefined) return Effect.fail(problem)
    this.failing = undefined
    return Effect.succeed(false)
  }

  /** What is wrong if the files were there at the last look, too, and nobody holds any of them. */
  private leftover(older: ReadonlyArray<OlderFile>): DatabaseError | undefined {
    const names = older.map(({ name }) => name).join(", ")
    const isStuck = names === this.seen && !older.some((file) => this.parts.files.isHeld(file))
    this.seen = names
    return isStuck ? unremoved(names) : undefined
  }

  private failed(error: DatabaseError): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (error.reason._tag === "Closed") return Effect.void
      if (error.reason._tag === "Poisoned") this.parts.committer.poison(error)
      this.failures += 1
      this.ended.wakeAll()
      // What is damaged or left over is found with every look.
      if (this.failing?.message === error.message) return Effect.void
      const first = this.failing === undefined
      this.failing = error
      this.counters.keyRotationFailures += 1
      return first ? Effect.logWarning(`Strata: a rotation of the data key failed: ${error.message}`) : Effect.void
    })
  }
}

const oldestOf = (keys: KeyControl): number => keys.facts().generations[0]!.generation

const plain = (directory: string): DatabaseError =>
  fail(new NotEncrypted({ message: `the database in ${directory} is not encrypted: it has no keys to rotate` }))

const tooMany = (count: number): DatabaseError =>
  invalid(
    count >= generationsMax
      ? `${count} data keys are in use, which is the limit; let the rotation that is under way end first`
      : `the data key was rotated ${generationMax} times, which is the limit; copy the data to a new database`
  )

const closed = (): DatabaseError =>
  fail(new Closed({ message: "the database was closed before the rotation had ended" }))

const unremoved = (names: string): DatabaseError => {
  const message = `could not remove ${names}: the next open removes them, and the keys that they are sealed with`
  return fail(new Io({ message, operation: "remove", file: names, code: "EIO" }))
}

/** A damaged file stays damaged; the others may succeed later. */
const isPassing = ({ reason }: DatabaseError): boolean => !isDamage(reason)
