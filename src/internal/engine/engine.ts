// The database as one object: the committer, the flusher and the readers over one live view, and the two services that
// users hold.
import * as Effect from "effect/Effect"
import type { BlockCacheService } from "../../services/BlockCache.ts"
import type { DatabaseService, RecoveryReport } from "../../services/Database.ts"
import { Closed, type DatabaseError, fail, invalid, ReadOnly } from "../../services/DatabaseError.ts"
import type { Counters, MaintenanceService } from "../../services/Maintenance.ts"
import type { MemoryShape } from "../../services/Memory.ts"
import { successor } from "../structure/removalStripes.ts"
import type { KeyRange } from "../structure/keyRange.ts"
import { attempt } from "./attempt.ts"
import { Ballast, type BallastParts } from "./ballast.ts"
import { checkpoint } from "./checkpoint.ts"
import { Collector } from "./collector.ts"
import { Committer } from "./committer.ts"
import { Compactor } from "./compactor.ts"
import { poisoning, withoutDefects } from "./defects.ts"
import { DirectValues } from "./directValues.ts"
import { Flusher } from "./flusher.ts"
import { KeyRotation, type KeyRotationParts } from "./keyRotation.ts"
import { KeyUse } from "./keyUse.ts"
import { ObsoleteFiles } from "./obsoleteFiles.ts"
import { payingParts } from "./payingParts.ts"
import type { Reading, ReadParts } from "./readContext.ts"
import { makeReader } from "./reader.ts"
import { type RecoveryParts, recover } from "./recovery.ts"
import type { Limits } from "./requests.ts"
import { KeyedFiles } from "./keyedFiles.ts"
import { EngineStats, type StatsParts } from "./stats.ts"
import { Transactions } from "./transactions.ts"
import { toKeyRange } from "./userKeys.ts"
import { ValueReads } from "./valueReads.ts"
import { ValueSlab } from "./valueSlab.ts"
import { verify } from "./verify.ts"
import type { LiveView } from "./view.ts"
import { Writes } from "./writes.ts"

export interface EngineParts extends RecoveryParts {
  readonly ballast: Ballast
  readonly cache: BlockCacheService
  readonly memory: MemoryShape
}

/** An idle database flushes its memtable if it holds so much, or anything that is removed. */
const idleFlushBytesMin = 1024 * 1024
/** What is collected by hand, if nothing is said. */
const garbageRatioDefault = 0.05
/** How long sequences wait for a manifest that could not be written. */
const reserveRetry = "100 millis"

export class Engine {
  readonly recovery: RecoveryReport
  private readonly parts: EngineParts
  private readonly live: LiveView
  private readonly committer: Committer
  private readonly flusher: Flusher
  private readonly compactor: Compactor
  private readonly collector: Collector
  private readonly obsolete: ObsoleteFiles
  private readonly rotation: KeyRotation
  private readonly limits: Limits
  private readonly reads: ReadParts
  private readonly direct: DirectValues
  private readonly transactions: Transactions
  private readonly writes: Writes
  private readonly look: EngineStats
  private closed = false

  constructor(given: EngineParts, live: LiveView, recovery: RecoveryReport) {
    const use = new KeyUse(() => given.manifest.encryption.keyGeneration())
    const counted = given.manifest.encryption.keys === undefined ? given : used(given, use)
    const parts = { ...counted, jobs: withoutDefects(counted.jobs) }
    const { cache, manifest, oracle, options } = parts
    this.parts = parts
    this.live = live
    this.recovery = recovery
    this.committer = new Committer({ ...parts, live })
    this.compactor = new Compactor({ ...parts, live, committer: this.committer, flushIdle: this.flushIdle })
    parts.ballast.start({ live, committer: this.committer, flush: this.flushIdle })
    this.collector = new Collector({
      ...parts,
      live,
      fileBytesMax: options.valueFileBytesMax,
      committer: this.committer,
      isAtRest: () => this.compactor.isAtRest
    })
    const logRemoved = () => this.rotation.changed()
    this.flusher = new Flusher({
      ...parts,
      live,
      committer: this.committer,
      flushed: () => this.rewritten(),
      logRemoved
    })
    this.obsolete = new ObsoleteFiles(this.committer)
    this.rotation = new KeyRotation(this.rotationParts(use))
    this.connect()
    this.limits = { options, nowMillis: oracle.nowMillis }
    const crowded = (range: KeyRange) => this.compactor.crowd(range)
    const separated = new ValueReads({ directory: manifest.directory, readOnly: options.readOnly })
    this.reads = { live, oracle, cache, values: new ValueSlab(parts.memory.keepHere), separated, crowded }
    this.direct = new DirectValues({ ...parts, live, refusal: () => this.committer.refusal ?? parts.ballast.reserve })
    this.look = new EngineStats(this.statsParts())
    const writing = { limits: this.limits, committer: this.committer, direct: this.direct }
    this.transactions = new Transactions({ ...writing, reads: this.reads, check: () => this.check() })
    this.writes = new Writes({ ...writing, oracle, check: () => this.checkWritable() })
  }

  /** Starts the background fibers in the current scope. */
  readonly start = Effect.suspend(() =>
    Effect.andThen(
      Effect.forEach(
        [...this.committer.loops(), this.flusher.loop, this.obsolete.loop, this.reserveLoop, this.parts.ballast.loop],
        (loop) => Effect.forkScoped(this.guarded(loop), { startImmediately: true }),
        { discard: true }
      ),
      Effect.andThen(Effect.andThen(this.compactor.start, this.collector.start), this.rotation.start)
    )
  )

  private guarded(work: Effect.Effect<never>): Effect.Effect<void> {
    return poisoning(work, (error) => this.committer.poison(error))
  }

  /** Has each part told of what the others do. */
  private connect(): void {
    const { collector, committer, compactor, live, obsolete, rotation } = this
    const { ballast, tables, values } = this.parts
    live.onRelease = () => committer.admission.wake()
    live.onObsolete = ({ meta }) => {
      obsolete.add(tables.remove(meta))
      ballast.look()
    }
    live.onObsoleteValue = ({ meta }) => {
      obsolete.add(values.remove(meta))
      ballast.look()
    }
    compactor.onChange = () => {
      collector.changed()
      rotation.changed()
    }
    collector.onChange = () => rotation.changed()
    obsolete.onRemoved = () => rotation.changed()
    committer.onGroup = () => {
      compactor.active.wake()
      rotation.committed()
    }
    committer.onTrouble = () => {
      compactor.troubled()
      collector.troubled()
      rotation.troubled()
    }
  }

  /** There is something new to write again. */
  private rewritten(): void {
    this.compactor.changed()
    this.collector.changed()
    this.parts.ballast.look()
  }

  database(): DatabaseService {
    const { oracle, options } = this.parts
    const reading: Reading = {
      sequence: oracle.visible,
      nowMillis: oracle.nowMillis,
      moment: undefined,
      writes: undefined,
      tracker: undefined,
      check: () => this.check()
    }
    return {
      ...makeReader(this.reads, reading),
      options,
      recovery: this.recovery,
      ...this.writes.service(),
      transaction: (body, settings) => Effect.suspend(() => this.transactions.run(body, settings ?? {})),
      begin: (settings) => Effect.suspend(() => this.transactions.begin(settings ?? {})),
      snapshot: this.snapshot,
      sync: attempt(() => {
        this.check()
        return options.readOnly ? Effect.succeed(oracle.visible()) : this.committer.sync
      })
    }
  }

  maintenance(): MaintenanceService {
    return {
      flush: attempt(() => {
        this.checkWritable()
        return this.flush()
      }),
      compact: (range) =>
        attempt(() => {
          this.checkWritable()
          const { from, to, toInclusive } = toKeyRange(range ?? {})
          const end = to !== undefined && toInclusive ? successor(to) : to
          return Effect.andThen(this.flush(), this.compactor.compact({ from, to: end }))
        }),
      collectValues: (options) =>
        attempt(() => {
          this.checkWritable()
          return this.collector.collect(checkedRatio(options?.garbageRatioMin ?? garbageRatioDefault))
        }),
      checkpoint: (directory) =>
        attempt(() => {
          this.checkWritable()
          return checkpoint({ ...this.parts, live: this.live, flush: this.flush() }, directory)
        }),
      rotateMasterKey: (to) =>
        attempt(() => {
          this.checkWritable()
          return this.rotation.rotateMaster(to)
        }),
      rotateDataKey: (options) =>
        attempt(() => {
          this.checkWritable()
          return this.rotation.rotateData(options ?? {})
        }),
      stats: Effect.sync(this.look.all),
      verify: attempt(() => {
        this.check()
        return verify(this.parts, this.live, this.log())
      })
    }
  }

  /** As metrics see them. */
  readonly counters = (): Counters => this.look.counters()

  /**
   * What waits is written or refused, then the log is sealed and the manifest says so. A memtable of some size is
   * flushed first, so that the next open has little to replay. Whatever fails here is left to the next recovery.
   */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.closed = true
    return this.parts.options.readOnly ? Effect.void : this.shutDown
  })

  private readonly shutDown: Effect.Effect<void> = Effect.gen({ self: this as Engine }, function* (this: Engine) {
    const { manifest, oracle, options, wal } = this.parts
    yield* this.rotation.stop
    yield* this.compactor.stop
    yield* this.collector.stop
    yield* this.direct.stop
    yield* this.committer.drain
    this.direct.releaseAll()
    // Those that are frozen: the next open would have to replay them, and there is an arena again for the last.
    yield* Effect.ignore(this.flusher.settled)
    if (this.live.active.memtable.arena.used > options.flushOnCloseBytesMin && this.committer.freeze()) {
      yield* this.committer.drain
      yield* Effect.ignore(this.flusher.settled)
    }
    yield* this.flusher.stop
    if (this.isPoisoned) return
    yield* this.obsolete.removeAll
    yield* wal.seal
    yield* manifest.publish({ cleanShutdown: { lastLsn: wal.lastLsn(), lastSequence: oracle.assigned() } })
  }).pipe(
    Effect.catch((error) =>
      Effect.logWarning(`Strata: not closed cleanly, the next open will recover: ${error.message}`)
    )
  )

  private get isPoisoned(): boolean {
    return this.committer.refusal?.reason._tag === "Poisoned"
  }

  private check(): void {
    if (this.closed) throw fail(new Closed({ message: "the database's scope was closed" }))
  }

  private checkWritable(): void {
    this.check()
    if (this.parts.options.readOnly) {
      throw fail(new ReadOnly({ message: "the database was opened with readOnly; open it without to write" }))
    }
  }

  private readonly snapshot = Effect.map(
    Effect.acquireRelease(
      attempt(() => {
        this.check()
        return Effect.succeed({ moment: this.parts.oracle.open(false), open: true })
      }),
      (held) =>
        Effect.sync(() => {
          held.open = false
          held.moment.release()
          // What only it could see may go.
          this.compactor.active.wake()
        })
    ),
    (held) => {
      const { moment } = held
      const reader = makeReader(this.reads, {
        sequence: () => moment.sequence,
        nowMillis: () => moment.nowMillis,
        moment,
        writes: undefined,
        tracker: undefined,
        check: () => {
          this.check()
          if (!held.open) throw fail(new Closed({ message: "the snapshot's scope was closed" }))
        }
      })
      return { ...reader, sequence: moment.sequence }
    }
  )

  /** Everything in memory goes to tables. With "any" the log goes on in a new segment, also if there is nothing. */
  private flush(leaves: "full" | "any" = "full"): Effect.Effect<void, DatabaseError> {
    return Effect.suspend(() => {
      const { committer } = this
      if (committer.refusal !== undefined) return Effect.fail(committer.refusal)
      const turn = committer.admission.turn
      if (committer.freeze(leaves)) return this.flusher.settled
      // No memtable is free: one is being flushed, or held by a read. Wait for that, and try again.
      const error = this.flusher.failing ?? committer.trouble
      if (error !== undefined) return Effect.fail(error)
      return Effect.flatMap(committer.admission.awaitRoom(turn), () => this.flush(leaves))
    })
  }

  /**
   * A memtable that hides what is in tables keeps their space: its removals must get there to free it. One with value
   * files keeps what was overwritten in them.
   */
  private readonly flushIdle: Effect.Effect<void> = Effect.suspend(() => {
    const { memtable, values } = this.live.active
    const isWorth = memtable.arena.used >= idleFlushBytesMin || memtable.removeCount > 0
    return (isWorth && this.live.tables.length > 0) || values.length > 0 ? Effect.ignore(this.flush()) : Effect.void
  })

  private readonly reserveLoop: Effect.Effect<never> = Effect.suspend(() =>
    Effect.forever(
      Effect.andThen(this.committer.admission.sequencesLow.wait, Effect.andThen(Effect.yieldNow, this.reserve))
    )
  )

  private readonly reserve: Effect.Effect<void> = Effect.suspend(() => {
    const { manifest, oracle, options } = this.parts
    if (oracle.remaining() * 2 >= options.sequencesReserved) return Effect.void
    const reserved = oracle.assigned() + 2 * options.sequencesReserved
    return Effect.matchEffect(manifest.publish({ sequencesReserved: reserved }), {
      onFailure: (error) => {
        if (error.reason._tag !== "DiskFull" && error.reason._tag !== "Io") {
          return Effect.sync(() => this.committer.poison(error))
        }
        return Effect.andThen(Effect.sleep(reserveRetry), this.reserve)
      },
      onSuccess: () =>
        Effect.sync(() => {
          oracle.extend(reserved)
          this.committer.admission.wake()
        })
    })
  })

  /** A reader has no log of its own: it has read the writer's. */
  private log(): { readonly segments: number; readonly bytes: number } {
    return this.parts.options.readOnly ? this.recovery : this.parts.wal.stats()
  }

  private rotationParts(use: KeyUse): KeyRotationParts {
    const { collector, committer, compactor, live } = this
    const { wal } = this.parts
    return {
      ...this.parts,
      committer,
      use,
      files: new KeyedFiles(live, { tables: compactor, values: collector }),
      committedBytes: () => wal.bytesWritten() + this.direct.bytesWritten,
      flush: (leaves) => this.flush(leaves),
      changed: () => this.rewritten()
    }
  }

  private statsParts(): StatsParts {
    const { collector, committer, compactor, flusher, live, rotation } = this
    const { ballast } = this.parts
    return {
      ...this.parts,
      live,
      committer,
      flusher,
      recovery: this.recovery,
      log: () => this.log(),
      tables: () => live.tables,
      openFiles: () => this.parts.tables.openFiles(),
      jobs: this.parts.jobs.stats,
      compaction: () => compactor.counters,
      collection: () => collector.counters,
      rotation: () => rotation.counters,
      encryption: () => rotation.stats(),
      directBytes: () => this.direct.bytesWritten,
      targets: (levelBytes) => compactor.targets(levelBytes),
      troubles: () => [
        committer.refusal,
        ballast.reserve,
        flusher.failing,
        compactor.failing,
        collector.failing,
        rotation.failing,
        ballast.failing
      ]
    }
  }
}

/** The same, noting which keys are in use for what they make. */
const used = (parts: EngineParts, use: KeyUse): EngineParts => ({
  ...parts,
  jobs: use.jobs(parts.jobs),
  values: use.values(parts.values)
})

const checkedRatio = (ratio: number): number => {
  if (ratio >= 0 && ratio <= 1) return ratio
  throw invalid(`garbageRatioMin is a share from 0 to 1, not ${ratio}`)
}

/** Recovers and starts an engine that lives as long as the current scope. */
export const open = Effect.fnUntraced(function* (given: Omit<EngineParts, "ballast"> & BallastParts) {
  const ballast = new Ballast(given)
  const parts: EngineParts = { ...given, ...payingParts(ballast, given, given.options), ballast }
  const { live, report } = yield* Effect.tapError(recover(parts), (error) => ballast.afterRecovery(error))
  const engine = new Engine(parts, live, report)
  if (!parts.options.readOnly) yield* Effect.andThen(ballast.begin, engine.start)
  // After the fibers, so that it runs before they are interrupted: closing needs them.
  yield* Effect.addFinalizer(() => engine.close)
  return engine
})
