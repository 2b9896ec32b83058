// Keeps the tables in shape, in the background, for as long as the database is open. Deciding is a pure function
// (structure/compactionPicker.ts); this asks it whenever something has changed, as long as a job can be started: after
// a flush, after a compaction, when a caller wants a range compacted, and when the database has been idle for a while.
//
// A compaction that fails leaves everything as it was. Its tables stay taken during a pause that doubles from try to
// try. After one that met a full disk smaller ones are chosen, at most half of it, for as long as there are any: so the
// room there is, or the ballast has made, grows with each of them. What is only sealed with an older key waits until
// then: to write it again frees nothing. A table that is damaged is left alone, for its range is all that is lost. What
// keeps failing is a state of the database that `Maintenance.stats` shows.
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import { Closed, type DatabaseError, fail, isDamage } from "../../services/DatabaseError.ts"
import type { OptionsShape } from "../../services/Options.ts"
import type { OracleService } from "../../services/Oracle.ts"
import type { Table } from "../../services/SsTable.ts"
import type { ManualCompaction, PickerInput, PickerRange } from "../structure/compactionChoice.ts"
import { type CompactionLimits, compactionLimits } from "../structure/compactionLimits.ts"
import { levelTargets } from "../structure/levelTargets.ts"
import { choose, isManualPending } from "../structure/compactionPicker.ts"
import { bytesOf, mergedBytes } from "../structure/levelShape.ts"
import { pressure } from "../structure/writePressure.ts"
import { type CompactionParts, type Horizon, perform, tablesOf, type Work } from "./compactionRun.ts"
import type { Committer } from "./committer.ts"
import { poisoning } from "./defects.ts"
import { Gate, WaitList } from "./gate.ts"
import { KnownRemovals } from "./knownRemovals.ts"
import { numberOfTable } from "./tableFile.ts"

export interface CompactorParts extends CompactionParts {
  readonly options: OptionsShape
  readonly oracle: OracleService
  readonly committer: Committer
  /** Has what is in memory flushed, if that can free space. */
  readonly flushIdle: Effect.Effect<void>
}

/** A caller that waits for a range to be compacted. */
interface Wanted {
  readonly manual: ManualCompaction
  done: boolean
  /** Why not all of it can be compacted. */
  error: DatabaseError | undefined
}

/** Without a commit for so long the database is idle. */
const idleMillis = 5000
const pauseMillisMin = 100
const pauseMillisMax = 10_000
/** A table of the last level is at most so many times one of the first. */
const tableGrowth = 8
/** Writers are slowed, and stopped, when so many times the base level waits to be merged. */
const debtSlow = 128
const debtStop = 512
/** Ranges that wait to be thinned; others are found again by the scans that cross them. */
const crowdedMax = 8
/** Failures in a row from which on writers are told. */
const failuresTold = 3

export class Compactor {
  readonly counters = { compactions: 0, compactedBytes: 0, moves: 0, drops: 0, compactionFailures: 0 }
  /** Why the last one failed, until one succeeds. */
  failing: DatabaseError | undefined = undefined
  /** Woken by commits. */
  readonly active = new Gate()
  /** Called when tables went, and when nothing is left to do at rest. */
  onChange: () => void = () => {}
  private readonly parts: CompactorParts
  private readonly limits: CompactionLimits
  private readonly gate = new Gate()
  private readonly ended = new WaitList()
  private readonly running = new Set<Work>()
  /** Tables that are left alone, and why. */
  private readonly damaged = new Map<number, DatabaseError>()
  private readonly removals = new KnownRemovals()
  private readonly wanted: Array<Wanted> = []
  /** Ranges that scans found full of removals. */
  private crowded: Array<PickerRange> = []
  private failuresInRow = 0
  /** What may be tried, after a compaction has met a full disk. */
  private roomBytes = Infinity
  /** It has, and none of any size has succeeded since. */
  private isScarce = false
  private stopped = false
  /** The last sequence when idleness was found. */
  private idleAt = -1
  /** Likewise, and nothing was left to do. */
  private restedAt = -1
  private fibers: FiberSet.FiberSet<void> | undefined = undefined

  constructor(parts: CompactorParts) {
    this.parts = parts
    this.limits = limitsOf(parts.options)
  }

  /** A scan passed over thousands of keys that are not there: what hides them is merged down early. */
  crowd({ from, to }: PickerRange): void {
    if (this.crowded.length >= crowdedMax) return
    this.crowded.push({ from, to })
    this.gate.wake()
  }

  /** What each level should hold at most, if the levels hold so much. */
  targets(levelBytes: ReadonlyArray<number>): ReadonlyArray<number> {
    return levelTargets(levelBytes, this.limits).bytes
  }

  /** The tables have changed. */
  changed(): void {
    this.restedAt = -1
    const { severity } = pressure(this.input(undefined), this.limits)
    this.parts.committer.admission.setPressure(severity)
    this.gate.wake()
  }

  /** What is wrong with the table of this number, if it is left alone. */
  damageOf(number: number): DatabaseError | undefined {
    return this.damaged.get(number)
  }

  /** Whoever waits looks whether it is in vain. */
  troubled(): void {
    this.ended.wakeAll()
  }

  /** Starts the background fibers in the current scope. */
  readonly start: Effect.Effect<void, never, Scope.Scope> = Effect.gen({ self: this as Compactor }, function* () {
    this.fibers = yield* FiberSet.make<void>()
    yield* Effect.forkScoped(this.guarded(this.loop), { startImmediately: true })
    yield* Effect.forkScoped(this.guarded(this.idleLoop), { startImmediately: true })
    // What the process before has left may be all that there is to do.
    this.active.wake()
    this.changed()
  })

  /** Starts nothing more, and ends what runs: it is as if it had never begun. */
  readonly stop: Effect.Effect<void> = Effect.suspend(() => {
    this.stopped = true
    this.ended.wakeAll()
    return this.fibers === undefined ? Effect.void : FiberSet.clear(this.fibers)
  })

  /** Compacts what the range holds now down to the last level. */
  compact(range: Pick<ManualCompaction, "from" | "to">): Effect.Effect<void, DatabaseError> {
    return Effect.suspend(() => {
      const manual = { ...range, sequence: this.parts.oracle.visible() }
      const wanted: Wanted = { manual, done: false, error: undefined }
      this.wanted.push(wanted)
      this.roomBytes = Infinity
      this.gate.wake()
      return Effect.ensuring(
        this.until(wanted),
        Effect.sync(() => {
          this.wanted.splice(this.wanted.indexOf(wanted), 1)
        })
      )
    })
  }

  private until(wanted: Wanted): Effect.Effect<void, DatabaseError> {
    return Effect.suspend(() => {
      if (wanted.done) return wanted.error === undefined ? Effect.void : Effect.fail(wanted.error)
      if (this.stopped) return Effect.fail(closed())
      const error = this.parts.committer.trouble ?? this.failing
      if (error !== undefined) return Effect.fail(error)
      return Effect.flatMap(this.ended.waitFrom(this.ended.turn), () => this.until(wanted))
    })
  }

  private readonly loop: Effect.Effect<never> = Effect.suspend(() =>
    Effect.forever(Effect.andThen(this.learnRemovals, this.step))
  )

  private guarded(work: Effect.Effect<void>): Effect.Effect<void> {
    return poisoning(work, (error) => this.parts.committer.poison(error))
  }

  private readonly learnRemovals: Effect.Effect<void> = Effect.suspend(() =>
    this.removals.learn(this.parts.live.tables)
  )

  private readonly step: Effect.Effect<unknown> = Effect.suspend(() => {
    const work = this.next()
    if (work === undefined) {
      this.rest()
      return Effect.andThen(this.gate.wait, Effect.yieldNow)
    }
    // In this step: the fiber may begin later, and its tables must not be chosen again before.
    this.running.add(work)
    return FiberSet.run(this.fibers!, this.work(work, this.parts.oracle.horizon()))
  })

  /** Nothing was written for a while, and nothing is left to do. */
  get isAtRest(): boolean {
    return this.restedAt === this.parts.oracle.assigned()
  }

  private rest(): void {
    if (this.running.size > 0 || this.idleAt !== this.parts.oracle.assigned()) return
    this.restedAt = this.idleAt
    this.onChange()
  }

  private get mayStart(): boolean {
    const { committer, jobs } = this.parts
    return !this.stopped && committer.refusal === undefined && this.running.size < jobs.concurrency
  }

  /** What to do now, if anything. */
  private next(): Work | undefined {
    if (!this.mayStart) return undefined
    const work = this.nextSmall()
    if (work !== undefined || this.roomBytes === Infinity || this.running.size > 0) return work
    // There may be more room by now.
    this.roomBytes = Infinity
    return this.nextSmall()
  }

  /** Of what there may be room for. */
  private nextSmall(): Work | undefined {
    // Of a copy: who is told that it is done runs in this step, and takes itself out of the list.
    for (const wanted of this.wanted.slice()) {
      if (wanted.done) continue
      const work = this.choose(wanted.manual)
      if (work !== undefined) return work
      if (this.running.size > 0) continue
      if (isManualPending({ manual: wanted.manual, runs: this.parts.live.current.runs }, this.limits)) {
        // There may be room for it later; but a damaged table stays in its way.
        if (this.roomBytes < Infinity || this.damaged.size === 0) continue
        wanted.error = this.damaged.values().next().value
      }
      wanted.done = true
      this.ended.wakeAll()
    }
    const work = this.choose(undefined)
    if (work === undefined && this.running.size === 0) this.crowded = []
    return work
  }

  private choose(manual: ManualCompaction | undefined): Work | undefined {
    const { isScarce, roomBytes } = this
    const keyGeneration = roomBytes === Infinity ? this.parts.manifest.encryption.keyGeneration() : 0
    const choice = choose(this.input(manual), { ...this.limits, keyGeneration, roomBytes, isScarce })
    const isTooLarge = choice._tag === "Merge" && costOf(choice) > roomBytes
    return choice._tag === "Nothing" || isTooLarge ? undefined : choice
  }

  private input(manual: ManualCompaction | undefined): PickerInput<Table> {
    const { live, manifest, oracle } = this.parts
    const busy = new Set(this.damaged.keys())
    for (const work of this.running) for (const { number } of tablesOf(work)) busy.add(number)
    return {
      runs: live.current.runs,
      busy,
      running: [...this.running].flatMap((work) => (work._tag === "Merge" ? [work.claim] : [])),
      snapshots: oracle.horizon().snapshots,
      idle: this.idleAt === oracle.assigned(),
      rangeRemovals: this.removals.of(live.tables),
      codecs: manifest.compression,
      manual,
      crowded: this.crowded
    }
  }

  private work(work: Work, horizon: Horizon): Effect.Effect<void> {
    const performed = Effect.matchEffect(perform(this.parts, work, horizon), {
      onFailure: (error) => this.failed(work, error),
      onSuccess: ({ bytesWritten }) => Effect.sync(() => this.succeeded(work, bytesWritten))
    })
    // The stop may have come when the work was chosen and its fiber, which it ends, not there yet.
    return this.guarded(Effect.suspend(() => (this.stopped ? Effect.void : performed))).pipe(
      Effect.ensuring(
        Effect.sync(() => {
          this.running.delete(work)
          this.ended.wakeAll()
          this.changed()
          this.onChange()
        })
      )
    )
  }

  private succeeded(work: Work, bytesWritten: number): void {
    this.failing = undefined
    this.failuresInRow = 0
    if (work._tag === "Merge" && this.roomBytes === Infinity) this.isScarce = false
    this.roomBytes *= 2
    this.parts.committer.admission.compactionRefused = undefined
    if (work._tag === "Move") this.counters.moves += 1
    else if (work._tag === "Drop") this.counters.drops += 1
    else {
      this.counters.compactions += 1
      this.counters.compactedBytes += bytesWritten
    }
  }

  private failed(work: Work, error: DatabaseError): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { committer } = this.parts
      const { reason } = error
      if (reason._tag === "Poisoned") committer.poison(error)
      if (isDamage(reason)) this.leave(work, reason.file, error)
      if (reason._tag === "DiskFull" && work._tag === "Merge") {
        this.roomBytes = costOf(work) / 2
        this.isScarce = true
      }
      this.failing = error
      this.failuresInRow += 1
      this.counters.compactionFailures += 1
      if (this.failuresInRow >= failuresTold) {
        committer.admission.compactionRefused = error
        committer.admission.wake()
      }
      this.ended.wakeAll()
      const pause = Effect.sleep(Math.min(pauseMillisMax, pauseMillisMin * 2 ** (this.failuresInRow - 1)))
      if (this.failuresInRow > 1) return pause
      return Effect.andThen(Effect.logWarning(`Strata: a compaction failed: ${error.message}`), pause)
    })
  }

  /** Leaves the damaged table, or not knowing which, all of them, out of what is chosen from now on. */
  private leave(work: Work, file: string, error: DatabaseError): void {
    const tables = tablesOf(work)
    const number = numberOfTable(file)
    const one = tables.find((table) => table.number === number)
    for (const table of one === undefined ? tables : [one]) this.damaged.set(table.number, error)
  }

  private readonly idleLoop: Effect.Effect<never> = Effect.suspend(() =>
    Effect.forever(Effect.andThen(this.active.wait, Effect.andThen(Effect.yieldNow, this.untilIdle)))
  )

  private readonly untilIdle: Effect.Effect<void> = Effect.suspend(() => {
    const { oracle } = this.parts
    const before = oracle.assigned()
    return Effect.andThen(
      Effect.sleep(idleMillis),
      Effect.suspend(() => {
        if (oracle.assigned() !== before) return this.untilIdle
        this.idleAt = before
        this.gate.wake()
        return this.parts.flushIdle
      })
    )
  })
}

/** About what it writes. In level 0 removals stay. */
const costOf = (work: Work): number => {
  const tables = tablesOf(work).map((meta) => ({ meta }))
  return work._tag === "Merge" && work.level === 0 ? bytesOf(tables) : mergedBytes(tables)
}

/** The picker's numbers, as far as they are options. */
const limitsOf = (options: OptionsShape): CompactionLimits => ({
  ...compactionLimits,
  level0Trigger: options.level0TablesMin,
  level0Slow: options.level0TablesSlow,
  level0Stop: options.level0TablesStop,
  level0Relief: 2 * options.level0TablesMin,
  baseBytes: options.baseLevelBytes,
  levelRatio: options.levelRatio,
  tableBytes: options.tableBytesMax,
  tableBytesMax: tableGrowth * options.tableBytesMax,
  jobBytesMax: tableGrowth * options.tableBytesMax,
  debtBytesSlow: debtSlow * options.baseLevelBytes,
  debtBytesStop: debtStop * options.baseLevelBytes
})

const closed = (): DatabaseError => fail(new Closed({ message: "the database was closed before the compaction ended" }))
