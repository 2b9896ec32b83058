// Keeps the value files free of garbage, in the background, for as long as the database is open. Deciding is a pure
// function (structure/collectionPicker.ts); this asks it whenever something has changed: after a flush, after a
// compaction, which may have dropped references, after each collection, when a caller wants value files collected, and
// when the database is at rest. One collection runs at a time, as one job of those that may run.
//
// A collection that fails leaves everything as it was, and is tried again after a pause that doubles from try to try;
// one that met a full disk, with half as much as it would have written: so what room there is, or the ballast has made,
// is used for what fits into it. A file that is damaged is left alone. What keeps failing is a state of the database
// that `Maintenance.stats` shows.
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { Closed, type DatabaseError, fail, isDamage } from "../../services/DatabaseError.ts"
import type { CollectedValues } from "../../services/Maintenance.ts"
import type { ValueFileMeta } from "../../services/Manifest.ts"
import {
  chooseCollection,
  collectionBudget,
  type CollectionLimits,
  type CollectionReason,
  collectionLimits,
  type ManualCollection
} from "../structure/collectionPicker.ts"
import { valueFileName } from "../format/fileName.ts"
import { ValueReferences } from "../structure/valueReferences.ts"
import { collect, type Collected, type Collection, type CollectionParts } from "./collectionRun.ts"
import type { Committer } from "./committer.ts"
import { poisoning } from "./defects.ts"
import { Gate, WaitList } from "./gate.ts"
import { numberOfTable } from "./tableFile.ts"

export interface CollectorParts extends CollectionParts {
  readonly committer: Committer
  /** Nothing was written for a while, and nothing is left to compact. */
  readonly isAtRest: () => boolean
}

/** A caller that waits for value files to be collected. */
interface Wanted {
  readonly manual: ManualCollection
  files: number
  bytes: number
  outcome: "waiting" | "done" | DatabaseError
}

const pauseMillisMin = 100
const pauseMillisMax = 10_000

export class Collector {
  readonly counters = { collections: 0, collectedBytes: 0, reclaimedBytes: 0, collectionFailures: 0 }
  /** Why the last one failed, until one succeeds. */
  failing: DatabaseError | undefined = undefined
  /** Called when a collection has ended. */
  onChange: () => void = () => {}
  private readonly parts: CollectorParts
  private readonly limits: CollectionLimits
  private readonly gate = new Gate()
  private readonly ended = new WaitList()
  private readonly references = new ValueReferences()
  private readonly wanted: Array<Wanted> = []
  /** Of value files, and of tables: what these name cannot be known. */
  private readonly damaged = { files: new Map<number, DatabaseError>(), tables: new Map<number, DatabaseError>() }
  /** Files that were counted as made, or were made by a collection. */
  private seen = new Set<number>()
  private readonly written = { made: 0, collected: 0 }
  private failuresInRow = 0
  /** What may be tried, after a collection has met a full disk. */
  private roomBytes = Infinity
  private stopped = false
  private fiber: Fiber.Fiber<void> | undefined = undefined

  constructor(parts: CollectorParts) {
    this.parts = parts
    this.limits = collectionLimits(parts.fileBytesMax)
  }

  /** Tables or value files have changed, or the database has come to rest. */
  changed(): void {
    this.gate.wake()
  }

  /** What is wrong with the file of this number, or with a table that names it, if it is left alone. */
  damageOf(number: number): DatabaseError | undefined {
    const { files, tables } = this.damaged
    const error = files.get(number)
    if (error !== undefined || tables.size === 0 || !this.left(this.files()).has(number)) return error
    return [...tables.values()][0]
  }

  /** Whoever waits looks whether it is in vain. */
  troubled(): void {
    this.ended.wakeAll()
  }

  /** Starts the background fiber in the current scope. */
  readonly start: Effect.Effect<void, never, Scope.Scope> = Effect.gen({ self: this as Collector }, function* () {
    this.seen = new Set(this.files().map(({ number }) => number))
    this.fiber = yield* Effect.forkScoped(
      poisoning(this.loop, (error) => this.parts.committer.poison(error)),
      { startImmediately: true }
    )
  })

  /** Starts nothing more, and ends what runs: it is as if it had never begun. */
  readonly stop: Effect.Effect<void> = Effect.suspend(() => {
    this.stopped = true
    this.ended.wakeAll()
    return this.fiber === undefined ? Effect.void : Fiber.interrupt(this.fiber)
  })

  /** Collects the files that there are now and have a larger share of garbage. */
  collect(garbageRatioMin: number): Effect.Effect<CollectedValues, DatabaseError> {
    return Effect.suspend(() => {
      const numberBelow = Math.max(0, ...this.files().map(({ number }) => number)) + 1
      const wanted: Wanted = { manual: { garbageRatioMin, numberBelow }, files: 0, bytes: 0, outcome: "waiting" }
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

  private until(wanted: Wanted): Effect.Effect<CollectedValues, DatabaseError> {
    return Effect.suspend(() => {
      const { bytes, files, outcome } = wanted
      if (outcome === "done") return Effect.succeed({ files, bytes })
      if (outcome !== "waiting") return Effect.fail(outcome)
      if (this.stopped) return Effect.fail(closed())
      const { refusal } = this.parts.committer
      if (refusal !== undefined) return Effect.fail(refusal)
      return Effect.flatMap(this.ended.waitFrom(this.ended.turn), () => this.until(wanted))
    })
  }

  private readonly loop: Effect.Effect<never> = Effect.suspend(() => Effect.forever(this.step))

  private readonly step: Effect.Effect<void> = Effect.suspend(() => {
    const work = this.next()
    return work === undefined ? Effect.andThen(this.gate.wait, Effect.yieldNow) : this.work(work)
  })

  /** What to do now, if anything. */
  private next(): Collection | undefined {
    if (this.stopped || this.parts.committer.refusal !== undefined) {
      this.ended.wakeAll()
      return undefined
    }
    // Of a copy: who is told that it is done runs in this step, and takes itself out of the list.
    for (const wanted of this.wanted.slice()) {
      if (wanted.outcome !== "waiting") continue
      const work = this.chooseFor(wanted)
      if (work !== undefined) return work
      wanted.outcome = "done"
      this.ended.wakeAll()
    }
    const work = this.choose(undefined) ?? this.chooseAnew()
    // What failed was done, or went, in another way.
    if (work === undefined && this.damaged.files.size + this.damaged.tables.size === 0) this.failing = undefined
    return work
  }

  private choose(manual: ManualCollection | undefined): Collection | undefined {
    const { isAtRest, live } = this.parts
    const files = this.files()
    this.count(files)
    this.references.learn(live.tables)
    const choice = chooseCollection(
      {
        files: files.map((file) => this.references.of(file)),
        left: this.left(files),
        idle: isAtRest(),
        budgetBytes: collectionBudget(this.written, this.limits),
        roomBytes: this.roomBytes,
        manual
      },
      { ...this.limits, keyGeneration: this.parts.manifest.encryption.keyGeneration() }
    )
    return choice._tag === "Nothing" ? undefined : choice
  }

  private chooseFor({ manual }: Wanted): Collection | undefined {
    const work = this.choose(manual)
    return work !== undefined && isAskedFor(work) ? work : undefined
  }

  /** Nothing is left that is small enough: there may be more room by now. */
  private chooseAnew(): Collection | undefined {
    if (this.roomBytes === Infinity) return undefined
    this.roomBytes = Infinity
    return this.choose(undefined)
  }

  private files(): ReadonlyArray<ValueFileMeta> {
    return this.parts.live.valueFiles.map(({ meta }) => meta)
  }

  /** Files that flushes have made since. */
  private count(files: ReadonlyArray<ValueFileMeta>): void {
    for (const { bytes, number } of files) if (!this.seen.has(number)) this.written.made += bytes
    this.seen = new Set(files.map(({ number }) => number))
  }

  /** Files that are damaged, or named by tables that are. */
  private left(files: ReadonlyArray<ValueFileMeta>): ReadonlySet<number> {
    const { files: damaged, tables } = this.damaged
    if (tables.size === 0) return new Set(damaged.keys())
    const unknown = this.parts.live.tables.filter(({ meta }) => tables.has(meta.number))
    const ids = new Set(unknown.flatMap(({ meta }) => meta.valueRefs.map(({ file }) => file)))
    const named = files.filter(({ sections }) => sections.some(({ id }) => ids.has(id)))
    return new Set([...damaged.keys(), ...named.map(({ number }) => number)])
  }

  private work(work: Collection): Effect.Effect<void> {
    const isRest = this.parts.isAtRest()
    return Effect.matchEffect(collect(this.parts, work), {
      onFailure: (error) => this.failed(work, error),
      onSuccess: (collected) =>
        Effect.sync(() => {
          this.succeeded(work, collected, isRest)
          this.onChange()
        })
    })
  }

  private succeeded(work: Collection, { bytesRemoved, bytesWritten, made }: Collected, isRest: boolean): void {
    const bytes = bytesRemoved - bytesWritten
    this.failing = undefined
    this.failuresInRow = 0
    this.roomBytes *= 2
    this.counters.collections += 1
    this.counters.collectedBytes += bytesWritten
    this.counters.reclaimedBytes += bytes
    // Its own files are not what flushes have made; those that came meanwhile are, and are counted next.
    for (const number of made) this.seen.add(number)
    if (work._tag === "Collect" && isBudgeted(work.reason) && !isRest) this.written.collected += bytesWritten
    for (const wanted of this.wanted) {
      wanted.files += work.files.length
      wanted.bytes += bytes
    }
  }

  private failed(work: Collection, error: DatabaseError): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { reason } = error
      if (reason._tag === "Poisoned") this.parts.committer.poison(error)
      if (isDamage(reason)) this.leave(work, reason.file, error)
      const isTooLarge = reason._tag === "DiskFull" && work._tag === "Collect"
      if (isTooLarge) this.roomBytes = work.bytes / 2
      this.failing = error
      this.failuresInRow += 1
      this.counters.collectionFailures += 1
      for (const wanted of this.wanted) {
        if (wanted.outcome === "waiting" && !(isTooLarge && this.chooseFor(wanted) !== undefined))
          wanted.outcome = error
      }
      this.ended.wakeAll()
      this.onChange()
      const pause = Effect.sleep(Math.min(pauseMillisMax, pauseMillisMin * 2 ** (this.failuresInRow - 1)))
      if (this.failuresInRow > 1) return pause
      return Effect.andThen(Effect.logWarning(`Strata: a collection of values failed: ${error.message}`), pause)
    })
  }

  /** Leaves the damaged file, or what the damaged table names, or not knowing which, all of them. */
  private leave(work: Collection, path: string, error: DatabaseError): void {
    const { files, tables } = this.damaged
    const table = numberOfTable(path)
    if (table !== undefined) {
      tables.set(table, error)
      return
    }
    const name = path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1)
    const one = work.files.find(({ number }) => valueFileName(number) === name)
    for (const { number } of one === undefined ? work.files : [one]) files.set(number, error)
  }
}

/** What was asked for, by hand or by a new key, is not what overwriting costs. */
const isBudgeted = (reason: CollectionReason): boolean => reason !== "manual" && reason !== "olderKey"

/** Of what is chosen for a caller: the rest is what would be done without it. */
const isAskedFor = (work: Collection): boolean => work._tag === "Drop" || work.reason === "manual"

const closed = (): DatabaseError => fail(new Closed({ message: "the database was closed before the collection ended" }))
