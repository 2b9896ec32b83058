// The ballast: a file of bytes that say nothing (ballastFile.ts), kept so that it can be removed when the disk is full.
//
//   held     there is room in reserve
//   in use   a flush, a compaction, a collection, the log or the manifest met a full disk: the ballast was removed at
//            once, and what met it was done again. Its room is for removals and for background work, which bring more;
//            every other commit fails `DiskFull` without being tried, and a value file that a commit was writing is
//            given up
//   held     there is room for the ballast twice (structure/ballastChoice.ts): it is made again, and writing goes on
//
// What gives its own room back when it fails, and leaves as much as the ballast has, is not what met a full disk: it is
// too large for the disk, and would be for both. Of compactions and collections that is asked; a commit's value file
// never takes the ballast, however long it is: its commit fails alone.
//
// The ballast is made in the background, and no error of it stops anything.
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import { type DatabaseError, DiskFull, fail } from "../../services/DatabaseError.ts"
import type { DiskError, DiskService } from "../../services/Disk.ts"
import type { ManifestService } from "../../services/Manifest.ts"
import type { OptionsShape } from "../../services/Options.ts"
import { type BallastChoice, chooseBallast } from "../structure/ballastChoice.ts"
import { BallastFile } from "./ballastFile.ts"
import type { Committer } from "./committer.ts"
import { isFull, ofDisk } from "./diskErrors.ts"
import { elapsedMillis } from "./elapsed.ts"
import { Gate } from "./gate.ts"
import type { LiveView } from "./view.ts"

export interface BallastParts {
  readonly options: OptionsShape
  readonly disk: DiskService
  readonly manifest: ManifestService
}

/** What it looks at, and acts upon. */
export interface BallastEngine {
  readonly live: LiveView
  readonly committer: Pick<Committer, "holdBack" | "refusal">
  /** Has removals brought into a table: the log's room for them comes back, and they free what they remove. */
  readonly flush: Effect.Effect<void>
}

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
  readonly file: BallastFile
  private readonly parts: BallastParts
  private engine: BallastEngine | undefined = undefined
  /** Whoever waits for its room while it is being made. */
  private givers = 0
  private readonly turn = Semaphore.makeUnsafe(1)
  private readonly gate = new Gate()
  private retryMillis = 0
  private madeMillis = Number.NEGATIVE_INFINITY
  private heldBackMillis = 0
  private resumesMillis = 0
  private patienceSince = Number.NEGATIVE_INFINITY

  constructor(parts: BallastParts) {
    this.parts = parts
    this.file = new BallastFile({
      ...parts,
      isUnwanted: () => this.givers > 0,
      stuck: (error) => this.failed(error)
    })
  }

  /** What it takes of the disk. */
  get bytes(): number {
    return this.file.bytes
  }

  /** From now on there may be one. */
  start(engine: BallastEngine): void {
    this.engine = engine
  }

  /** An open that met a full disk, which had said that there was room: the next one has the ballast's. */
  afterRecovery(error: DatabaseError): Effect.Effect<void> {
    return error.reason._tag === "DiskFull" ? Effect.asVoid(this.file.remove) : Effect.void
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

  /** For a group that the log refused: whether what removes may be offered to it again, or once more. */
  roomForRemovals(error: DatabaseError, isRetry: boolean): Effect.Effect<boolean> {
    return Effect.flatMap(this.giveUp(error), (isGiven) =>
      isGiven || this.reserve === undefined ? Effect.succeed(isGiven) : this.awaitJobs(isRetry)
    )
  }

  /** What it is for: a full disk is met by removing it, and by one more try; if it `isWorth` it. */
  payFor<A>(
    effect: Effect.Effect<A, DatabaseError>,
    isWorth: Effect.Effect<boolean> = Effect.succeed(true)
  ): Effect.Effect<A, DatabaseError> {
    return Effect.suspend(() => {
      const { removals } = this.file
      const room = (error: DatabaseError) =>
        this.file.removals > removals
          ? Effect.succeed(true)
          : Effect.flatMap(isWorth, (is) => (is ? this.giveUp(error) : Effect.succeed(false)))
      return Effect.catch(effect, (error) => {
        if (error.reason._tag !== "DiskFull") return Effect.fail(error)
        return Effect.flatMap(room(error), (hasRoom) => (hasRoom ? effect : Effect.fail(error)))
      })
    })
  }

  /** Where what failed has given its room back: whether the disk is full without it. */
  readonly isDiskFull: Effect.Effect<boolean> = Effect.suspend(() =>
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
        const { file } = this
        if (!file.isFound) return Effect.map(file.find(Infinity), () => file.removals > 0)
        if (file.number === undefined) return Effect.succeed(false)
        this.givers += 1
        // Before it is gone: nobody else is to see its room.
        const told = this.holdBack(error)
        return Effect.flatMap(Effect.andThen(told, elapsedMillis), (now) => {
          this.heldBackMillis = now - this.madeMillis < shortLifeMillis ? longer(this.heldBackMillis) : 0
          this.resumesMillis = now + this.heldBackMillis
          return Effect.map(this.turn.withPermit(this.file.remove), (isGone) => {
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
    this.engine?.committer.holdBack(this.reserve)
    return Effect.logWarning(`Strata: ${this.reserve.message}`)
  }

  /** Jobs may have the room for the moment. */
  private awaitJobs(isRetry: boolean): Effect.Effect<boolean> {
    return Effect.flatMap(elapsedMillis, (now) => {
      if (!isRetry) this.patienceSince = now
      if (now - this.patienceSince >= removalPatienceMillis) return Effect.succeed(false)
      return Effect.as(Effect.sleep(removalPauseMillis), true)
    })
  }

  private readonly pause: Effect.Effect<void> = Effect.suspend(() => {
    if (this.reserve !== undefined) return Effect.sleep(checkMillis)
    if (this.retryMillis > 0) return Effect.sleep(this.retryMillis)
    return Effect.andThen(this.gate.wait, Effect.yieldNow)
  })

  private check(isSettled: boolean): Effect.Effect<void> {
    return Effect.flatMap(elapsedMillis, (now) => {
      const isEarly = this.reserve !== undefined && now < this.resumesMillis
      if (this.engine?.committer.refusal !== undefined || this.givers > 0 || isEarly) return Effect.void
      // A disk is not asked where its answer would change nothing.
      if (this.choose(Infinity)._tag === "Keep") return this.settled()
      return Effect.flatMap(this.freeBytes, (bytes) => this.act(this.choose(bytes), isSettled))
    })
  }

  private choose(freeBytes: number): BallastChoice {
    const live = this.engine?.live
    const files = live === undefined ? [] : [...live.tables, ...live.valueFiles]
    const liveBytes = files.reduce((sum, { meta }) => sum + meta.bytes, 0)
    const state = { liveBytes, freeBytes, heldBytes: this.bytes, inUse: this.reserve !== undefined }
    return chooseBallast(state, this.parts.options)
  }

  private act(choice: BallastChoice, isSettled: boolean): Effect.Effect<void> {
    switch (choice._tag) {
      case "Keep":
        return Effect.void
      case "Remove":
        return this.turn.withPermit(
          Effect.flatMap(this.file.remove, (isGone) => (isGone ? this.settled() : Effect.void))
        )
      case "Reserve":
        if (this.reserve === undefined) return Effect.suspend(() => this.holdBack(this.noRoom()))
        return choice.isTight && this.engine !== undefined ? this.engine.flush : Effect.void
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
    return Effect.matchEffect(this.file.make(bytes), {
      onFailure: (error) =>
        Effect.andThen(
          this.failed(error),
          Effect.suspend(() => (isFull(error) ? Effect.void : this.resume()))
        ),
      onSuccess: (isWhole) =>
        Effect.flatMap(elapsedMillis, (now) => {
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
    return Effect.flatMap(elapsedMillis, (now) => {
      this.retryMillis = longer(this.retryMillis)
      this.resumesMillis = now + this.retryMillis
      if (isFull(error)) return this.holdBack(ofDisk(error))
      const first = this.failing === undefined
      this.failing = ofDisk(error)
      return first ? Effect.logWarning(`Strata: no ballast for a full disk: ${error.message}`) : Effect.void
    })
  }

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
