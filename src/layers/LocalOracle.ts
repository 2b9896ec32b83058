/**
 * The oracle of a database that one process writes.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { assert } from "../internal/format/formatError.ts"
import { ConflictIndex } from "../internal/structure/conflictIndex.ts"
import { Options } from "../services/Options.ts"
import { type Moment, Oracle, type OracleService, type ReadSet } from "../services/Oracle.ts"

/**
 * Sequences, moments and the conflict index in memory. Time comes from `Clock`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Oracle> = Layer.effect(
  Oracle,
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const { conflictBytesMax } = yield* Options
    return Oracle.of(new OracleState(() => clock.currentTimeMillisUnsafe(), conflictBytesMax))
  })
)

/**
 * An open moment, in a list by age. Moments open in the order of their sequences, so the oldest has the lowest.
 *
 * Its release is a method: V8 makes closures that are put into objects old at once, and such a one would keep what a
 * short transaction has made until the next full collection.
 */
class OpenMoment implements Moment {
  readonly sequence: number
  readonly since: number
  readonly nowMillis: number
  newer: OpenMoment | undefined = undefined
  older: OpenMoment | undefined = undefined
  private isOpen = true
  private readonly oracle: OracleState
  private readonly list: MomentList

  constructor(oracle: OracleState, list: MomentList, since: number) {
    this.oracle = oracle
    this.list = list
    this.sequence = oracle.visible()
    this.since = since
    this.nowMillis = oracle.nowMillis()
    list.add(this)
  }

  release(): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.list.remove(this)
    this.oracle.forget()
  }
}

class MomentList {
  count = 0
  oldest: OpenMoment | undefined = undefined
  private newest: OpenMoment | undefined = undefined

  add(moment: OpenMoment): void {
    moment.older = this.newest
    if (this.newest === undefined) this.oldest = moment
    else this.newest.newer = moment
    this.newest = moment
    this.count += 1
  }

  remove(moment: OpenMoment): void {
    if (moment.older === undefined) this.oldest = moment.newer
    else moment.older.newer = moment.newer
    if (moment.newer === undefined) this.newest = moment.older
    else moment.newer.older = moment.older
    this.count -= 1
  }
}

class OracleState implements OracleService {
  private readonly millis: () => number
  private readonly conflicts: ConflictIndex
  private readonly tracked = new MomentList()
  private readonly untracked = new MomentList()
  private lastAssigned = 0
  private lastVisible = 0
  /** Nothing at or below it is in flight: it is visible or has failed. */
  private lastSettled = 0
  private reserved = 0
  private highestMillis = 0

  constructor(millis: () => number, conflictBytesMax: number) {
    this.millis = millis
    this.conflicts = new ConflictIndex({ bytesMax: conflictBytesMax })
  }

  readonly start: OracleService["start"] = ({ commitMillisMax, reserved, sequence }) => {
    this.lastAssigned = sequence
    this.lastVisible = sequence
    this.lastSettled = sequence
    this.reserved = reserved
    this.highestMillis = commitMillisMax
  }

  readonly assigned = (): number => this.lastAssigned
  readonly visible = (): number => this.lastVisible
  readonly remaining = (): number => this.reserved - this.lastAssigned
  readonly commitMillisMax = (): number => this.highestMillis

  readonly extend = (reserved: number): void => {
    assert(reserved >= this.reserved, "a reservation of sequences shrinks")
    this.reserved = reserved
  }

  readonly assign = (): number => {
    assert(this.lastAssigned < this.reserved, "a sequence above the reservation")
    this.lastAssigned += 1
    return this.lastAssigned
  }

  readonly publish = (sequence: number): void => {
    assert(sequence > this.lastVisible && sequence <= this.lastAssigned, "commits become visible in order")
    this.lastVisible = sequence
    this.lastSettled = Math.max(this.lastSettled, sequence)
    this.forget()
  }

  readonly settle = (): void => {
    if (this.lastSettled === this.lastAssigned) return
    this.lastSettled = this.lastAssigned
    this.forget()
  }

  readonly commitMillis = (): number => {
    this.highestMillis = this.nowMillis()
    return this.highestMillis
  }

  // A wall clock that was set back must neither bring expired entries back nor date a commit before the one that it
  // follows.
  readonly nowMillis = (): number => Math.max(this.millis(), this.highestMillis)

  readonly open = (isTracked: boolean): Moment =>
    new OpenMoment(this, isTracked ? this.tracked : this.untracked, this.lastSettled)

  readonly watermark = (): number =>
    Math.min(
      this.lastVisible,
      this.tracked.oldest?.sequence ?? Number.POSITIVE_INFINITY,
      this.untracked.oldest?.sequence ?? Number.POSITIVE_INFINITY
    )

  readonly horizon: OracleService["horizon"] = () => {
    // Whoever acts on an expiry by this time must not be contradicted by a clock that is set back later.
    this.highestMillis = this.nowMillis()
    let nowMillis = this.highestMillis
    const sequences = new Set([this.lastVisible])
    for (const { oldest } of [this.tracked, this.untracked]) {
      for (let moment = oldest; moment !== undefined; moment = moment.newer) {
        sequences.add(moment.sequence)
        nowMillis = Math.min(nowMillis, moment.nowMillis)
      }
    }
    return { snapshots: [...sequences].sort((a, b) => a - b), nowMillis }
  }

  readonly learning = (): boolean => this.tracked.count > 0

  readonly learn: OracleService["learn"] = (key, start, end, sequence) =>
    this.conflicts.learn(key, start, end, sequence)

  readonly learnRange: OracleService["learnRange"] = (from, to, sequence) =>
    this.conflicts.learnRange(from, to, sequence)

  readonly conflict = (reads: ReadSet, since: number): number => {
    if (since < this.conflicts.floor) return this.conflicts.floor
    for (const key of reads.keys) {
      const sequence = this.conflicts.newestFor(key, 0, key.length)
      if (sequence > since) return sequence
    }
    for (const range of reads.ranges) {
      const sequence = this.conflicts.writtenSince(range, since)
      if (sequence > 0) return sequence
    }
    return 0
  }

  readonly stats: OracleService["stats"] = () => ({
    moments: this.tracked.count + this.untracked.count,
    conflictBytes: this.conflicts.bytes,
    floor: this.conflicts.floor
  })

  /** An open transaction may ask since its moment, one that begins now since what is settled. */
  forget(): void {
    this.conflicts.forget(this.tracked.oldest?.since ?? this.lastSettled)
  }
}
