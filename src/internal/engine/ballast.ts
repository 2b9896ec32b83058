// The ballast: a file of bytes that say nothing, kept so that it can be removed when the disk is full.
//
//   held     there is room in reserve
//   in use   a flush, a compaction, the log or the manifest met a full disk: the ballast was removed at once, and what
//            met it was done again. Its room is for removals and for background work, which bring more; every other
//            commit fails `DiskFull` without being tried. A compaction that leaves as much room as the ballast has is
//            not what met a full disk: it is too large for the disk, and would be for both
//   held     there is room for the ballast twice (structure/ballastChoice.ts): it is made again, and writing goes on
//
// It is made in the background, in slices, each of them synced, of bytes that no file system can make smaller. It is
// worth nothing but its room: no error of it stops anything, its name need not be durable, and what a crash leaves of
// it goes at the next open, before recovery writes, which may need that room.
//
// After a failed sync of the manifest it stays, as everything does.
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Semaphore from "effect/Semaphore"
import { type DatabaseError, DiskFull, fail } from "../../services/DatabaseError.ts"
import type { AppendFile, DiskError, DiskService } from "../../services/Disk.ts"
import type { JobsService } from "../../services/Jobs.ts"
import type { ManifestService } from "../../services/Manifest.ts"
import type { OptionsShape } from "../../services/Options.ts"
import type { WalService } from "../../services/Wal.ts"
import { ballastFileName, parseFileName } from "../format/fileName.ts"
import { type BallastChoice, chooseBallast } from "../structure/ballastChoice.ts"
import { SeededRandom } from "../structure/random.ts"
import type { Committer } from "./committer.ts"
import { isFull, ofDisk } from "./diskErrors.ts"
import { Gate } from "./gate.ts"
import type { LiveView } from "./view.ts"

/** What may meet a full disk, and what the ballast itself needs. */
export interface BallastParts {
  readonly options: OptionsShape
  readonly disk: DiskService
  readonly manifest: ManifestService
  readonly jobs: JobsService
  readonly wal: WalService
}

/** Made up in a third of a millisecond, and written in less. */
const sliceBytes = 256 * 1024
/** An open of this much or less makes none. */
const settleMillis = 1000
/** How often the disk is asked for room while the reserve is in use. */
const checkMillis = 500
/** After an error of its own it is tried again after so long, doubled from try to try. */
const retryMillisMin = 1000
const retryMillisMax = 10_000
/** Given up within so long of being made, it is made again later and later: a quota may refuse what a disk has. */
const shortLifeMillis = 30_000
/** A removal that meets a full disk is tried again so often, for so long: what a job has half written goes again. */
const removalPauseMillis = 25
const removalPatienceMillis = 1000

export class Ballast {
  /** Why only removals are taken, while it is in use. */
  reserve: DatabaseError | undefined = undefined
  /** Why it could not be made or removed, until it can. */
  failing: DatabaseError | undefined = undefined
  /** What it takes, and while it is made, has taken so far. */
  bytes = 0
  private readonly parts: BallastParts
  private live: LiveView | undefined = undefined
  private committer: Pick<Committer, "holdBack" | "refusal"> | undefined = undefined
  /** Of the file there is, whole or not. */
  private name: string | undefined = undefined
  /** What an earlier open left was looked for. */
  private isCleared = false
  /** How often room was made. */
  private releases = 0
  /** Whoever waits for its room while it is being made. */
  private givers = 0
  private readonly turn = Semaphore.makeUnsafe(1)
  private readonly gate = new Gate()
  private retryMillis = 0
  private madeMillis = Number.NEGATIVE_INFINITY
  private heldBackMillis = 0
  private resumesMillis = 0
  private patienceSince = Number.NEGATIVE_INFINITY
  private patienceLast = Number.NEGATIVE_INFINITY

  constructor(parts: BallastParts) {
    this.parts = parts
  }

  /** What it is for: a full disk is met by removing it, and by one more try. */
  paying({ jobs, manifest, wal }: BallastParts): Pick<BallastParts, "jobs" | "manifest" | "wal"> {
    return {
      jobs: {
        ...jobs,
        run: (job) => this.payFor(jobs.run(job), job.memtables.length > 0 ? undefined : this.isDiskFull)
      },
      manifest: { ...manifest, publish: (change) => this.payFor(manifest.publish(change)) },
      wal: {
        ...wal,
        // The first that a recovery writes, unless it had tables to write.
        start: (chunks) => Effect.andThen(this.clear, wal.start(chunks)),
        switchSegment: this.payFor(wal.switchSegment)
      }
    }
  }

  /** From now on there may be one. */
  start(live: LiveView, committer: Pick<Committer, "holdBack" | "refusal">): void {
    this.live = live
    this.committer = committer
  }

  /** Before the first commit: where an open found a full disk, it is that for the first commit too. */
  readonly begin: Effect.Effect<void> = Effect.suspend(() =>
    this.choose(0)._tag === "Keep"
      ? Effect.void
      : Effect.flatMap(this.freeBytes, (bytes) =>
          this.choose(bytes)._tag === "Reserve" ? this.holdBack(this.noRoom()) : Effect.void
        )
  )

  /** The tables have changed. */
  look(): void {
    this.gate.wake()
  }

  /** Run in a fiber of the database's scope. */
  readonly loop: Effect.Effect<never> = Effect.suspend(() =>
    Effect.forever(Effect.andThen(this.check(false), this.pause))
  )

  /** For a group that the log refused: whether what removes may be offered to it again. */
  roomForRemovals(error: DatabaseError): Effect.Effect<boolean> {
    return Effect.flatMap(this.giveUp(error), (isGiven) =>
      isGiven || this.reserve === undefined ? Effect.succeed(isGiven) : this.awaitJobs
    )
  }

  private payFor<A>(
    effect: Effect.Effect<A, DatabaseError>,
    isWorth: Effect.Effect<boolean> = Effect.succeed(true)
  ): Effect.Effect<A, DatabaseError> {
    return Effect.suspend(() => {
      const { releases } = this
      const room = (error: DatabaseError) =>
        this.releases > releases
          ? Effect.succeed(true)
          : Effect.flatMap(isWorth, (is) => (is ? this.giveUp(error) : Effect.succeed(false)))
      return Effect.catch(effect, (error) => {
        if (error.reason._tag !== "DiskFull") return Effect.fail(error)
        return Effect.flatMap(room(error), (hasRoom) => (hasRoom ? effect : Effect.fail(error)))
      })
    })
  }

  /** What failed has given its room back. */
  private readonly isDiskFull: Effect.Effect<boolean> = Effect.suspend(() =>
    Effect.map(this.freeBytes, (bytes) => bytes < this.bytes)
  )

  /** Where the disk does not say, only writing tells. */
  private readonly freeBytes: Effect.Effect<number> = Effect.suspend(() => {
    const { disk, manifest } = this.parts
    return Effect.orElseSucceed(disk.freeBytes(manifest.directory), () => Infinity)
  })

  /** Makes room. False if there was no ballast, or it could not be removed. */
  private giveUp(error: DatabaseError): Effect.Effect<boolean> {
    return Effect.uninterruptible(
      Effect.suspend(() => {
        if (!this.isCleared) return Effect.map(this.clear, () => this.releases > 0)
        if (this.name === undefined) return Effect.succeed(false)
        this.givers += 1
        // Before it is gone: nobody else is to see its room.
        const told = this.holdBack(error)
        return Effect.flatMap(Effect.andThen(told, Clock.currentTimeMillis), (now) => {
          this.heldBackMillis = now - this.madeMillis < shortLifeMillis ? longer(this.heldBackMillis) : 0
          this.resumesMillis = now + this.heldBackMillis
          return Effect.map(this.turn.withPermit(this.remove), (isGone) => {
            this.givers -= 1
            if (!isGone) this.reserve = undefined
            this.gate.wake()
            return isGone
          })
        })
      })
    )
  }

  private holdBack(error: DatabaseError): Effect.Effect<void> {
    if (this.reserve !== undefined) return Effect.void
    this.reserve = only(error)
    this.committer?.holdBack(this.reserve)
    return Effect.logWarning(`Strata: ${this.reserve.message}`)
  }

  /** Jobs may have the room for the moment. */
  private readonly awaitJobs: Effect.Effect<boolean> = Effect.flatMap(Clock.currentTimeMillis, (now) => {
    if (now - this.patienceLast > removalPatienceMillis) this.patienceSince = now
    this.patienceLast = now
    if (now - this.patienceSince >= removalPatienceMillis) return Effect.succeed(false)
    return Effect.as(Effect.sleep(removalPauseMillis), true)
  })

  /** Removes what an earlier open left. */
  private readonly clear: Effect.Effect<void> = Effect.suspend(() => {
    const { disk, manifest } = this.parts
    const { directory } = manifest
    if (this.isCleared) return Effect.void
    this.isCleared = true
    if (!manifest.exists) return Effect.void
    const removal = Effect.flatMap(disk.list(directory), (entries) =>
      Effect.forEach(
        entries.filter(({ kind, name }) => kind === "file" && parseFileName(name)?.kind === "ballast"),
        ({ name }) =>
          Effect.map(disk.remove(disk.join(directory, name)), () => {
            this.releases += 1
          }),
        { discard: true }
      )
    )
    // What is left here is removed with the orphans.
    return Effect.ignore(removal)
  })

  private readonly pause: Effect.Effect<void> = Effect.suspend(() => {
    if (this.reserve !== undefined) return Effect.sleep(checkMillis)
    if (this.retryMillis > 0) return Effect.sleep(this.retryMillis)
    return Effect.andThen(this.gate.wait, Effect.yieldNow)
  })

  private check(isSettled: boolean): Effect.Effect<void> {
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const isEarly = this.reserve !== undefined && now < this.resumesMillis
      if (this.committer?.refusal !== undefined || this.givers > 0 || isEarly) return Effect.void
      // A disk is not asked where its answer would change nothing.
      if (this.choose(Infinity)._tag === "Keep") return this.settled()
      return Effect.flatMap(this.freeBytes, (bytes) => this.act(this.choose(bytes), isSettled))
    })
  }

  private choose(freeBytes: number): BallastChoice {
    const files = this.live === undefined ? [] : [...this.live.tables, ...this.live.valueFiles]
    const liveBytes = files.reduce((sum, { meta }) => sum + meta.bytes, 0)
    const state = { liveBytes, freeBytes, heldBytes: this.bytes, inUse: this.reserve !== undefined }
    return chooseBallast(state, this.parts.options)
  }

  private act(choice: BallastChoice, isSettled: boolean): Effect.Effect<void> {
    switch (choice._tag) {
      case "Keep":
        return Effect.void
      case "Remove":
        return this.turn.withPermit(Effect.flatMap(this.remove, (isGone) => (isGone ? this.settled() : Effect.void)))
      case "Reserve":
        return Effect.suspend(() => this.holdBack(this.noRoom()))
      case "Make":
        if (isSettled || this.reserve !== undefined) return this.turn.withPermit(this.remake(choice.bytes))
        return Effect.andThen(
          Effect.sleep(settleMillis),
          Effect.suspend(() => this.check(true))
        )
    }
  }

  /** In turn. What is not there for another reason than a full disk holds nobody back. */
  private remake(bytes: number): Effect.Effect<void> {
    return Effect.matchEffect(this.make(bytes), {
      onFailure: (error) =>
        Effect.andThen(
          this.failed(error),
          Effect.suspend(() => (isFull(error) ? Effect.void : this.resume()))
        ),
      onSuccess: (isWhole) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => {
          if (!isWhole) return Effect.void
          this.madeMillis = now
          return this.settled()
        })
    })
  }

  /** It is as it should be. */
  private settled(): Effect.Effect<void> {
    this.retryMillis = 0
    this.failing = undefined
    return this.resume()
  }

  /** Nobody is held back any more; unless somebody needs its room already again. */
  private resume(): Effect.Effect<void> {
    if (this.reserve === undefined || this.givers > 0) return Effect.void
    this.reserve = undefined
    return Effect.logInfo("Strata: there is space again, all commits are taken")
  }

  private failed(error: DiskError): Effect.Effect<void> {
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      this.retryMillis = longer(this.retryMillis)
      this.resumesMillis = now + this.retryMillis
      if (isFull(error)) return this.holdBack(ofDisk(error))
      const first = this.failing === undefined
      this.failing = ofDisk(error)
      return first ? Effect.logWarning(`Strata: no ballast for a full disk: ${error.message}`) : Effect.void
    })
  }

  /** True if it is whole: not if somebody needs its room. In turn. */
  private make(bytes: number): Effect.Effect<boolean, DiskError> {
    return Effect.flatMap(this.remove, (isGone) =>
      isGone
        ? Effect.acquireUseRelease(
            this.create,
            (file) => this.fill(file, bytes),
            (file) =>
              Effect.andThen(
                Effect.ignore(file.close),
                Effect.suspend(() => (this.bytes < bytes ? this.remove : Effect.void))
              )
          )
        : Effect.succeed(false)
    )
  }

  private readonly create: Effect.Effect<AppendFile, DiskError> = Effect.suspend(() => {
    const { disk, manifest } = this.parts
    const name = ballastFileName(manifest.allocateFileNumber())
    this.name = name
    return Effect.tapError(disk.create(disk.join(manifest.directory, name)), () =>
      Effect.sync(() => {
        this.name = undefined
      })
    )
  })

  private readonly fill = Effect.fnUntraced(
    { self: this as Ballast },
    function* (this: Ballast, file: AppendFile, bytes: number) {
      const random = new SeededRandom(yield* Random.nextIntBetween(0, 2 ** 32))
      const words = new Uint32Array(sliceBytes / 4)
      while (this.bytes < bytes && this.givers === 0) {
        const slice = new Uint8Array(words.buffer, 0, Math.min(sliceBytes, bytes - this.bytes))
        for (let at = 0; at * 4 < slice.length; at++) words[at] = random.next32()
        yield* file.append([slice])
        yield* file.sync
        this.bytes += slice.length
        yield* Effect.yieldNow
      }
      return this.bytes === bytes
    }
  )

  /** True if there is none afterwards. In turn. */
  private readonly remove: Effect.Effect<boolean> = Effect.suspend(() => {
    const { disk, manifest } = this.parts
    const { name } = this
    if (name === undefined) return Effect.succeed(true)
    const removal = Effect.catch(disk.remove(disk.join(manifest.directory, name)), (error) =>
      error.code === "ENOENT" ? Effect.void : Effect.fail(error)
    )
    const noted = Effect.matchEffect(removal, {
      onFailure: (error) => this.failed(error),
      onSuccess: () =>
        Effect.sync(() => {
          this.name = undefined
          this.bytes = 0
          this.releases += 1
        })
    })
    return Effect.map(manifest.ifSound(noted), () => this.name === undefined)
  })

  private noRoom(): DatabaseError {
    const { directory } = this.parts.manifest
    return fail(
      new DiskFull({
        message: `hardly any space for ${directory}; free some, writing goes on by itself`,
        file: directory
      })
    )
  }
}

const longer = (millis: number): number => Math.min(retryMillisMax, Math.max(retryMillisMin, 2 * millis))

/** What a commit is told that does more than remove. */
const only = ({ reason }: DatabaseError): DatabaseError => {
  const file = reason._tag === "DiskFull" ? reason.file : ""
  return fail(new DiskFull({ message: `${reason.message}; until then only removals are taken`, file }))
}
