// A database whose worker threads are killed while they flush and compact: writers, and a reader, over the disk of the
// machine, with limits so small that there is always a job.
//
// The moments are drawn by commits: after so many, a random thread that has a job is ended, or as soon as there is one;
// now and then one that is idle or still starting, and one in the step in which the database is closed. What a reader
// has seen is held against the model when every commit's sequence is known.
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert } from "@effect/vitest"
import { Context, Effect, Layer, Stream } from "effect"
import * as ArenaMemtable from "../../src/layers/ArenaMemtable.ts"
import * as FileManifest from "../../src/layers/FileManifest.ts"
import * as FileSsTable from "../../src/layers/FileSsTable.ts"
import * as FileValueLog from "../../src/layers/FileValueLog.ts"
import * as FileWal from "../../src/layers/FileWal.ts"
import * as LocalOracle from "../../src/layers/LocalOracle.ts"
import * as LsmDatabase from "../../src/layers/LsmDatabase.ts"
import type { JobThread } from "../../src/layers/NodeJobThread.ts"
import * as NodeDisk from "../../src/layers/NodeDisk.ts"
import * as NodeWorkerJobs from "../../src/layers/NodeWorkerJobs.ts"
import * as NoEncryption from "../../src/layers/NoEncryption.ts"
import * as SieveBlockCache from "../../src/layers/SieveBlockCache.ts"
import * as WaryDisk from "../../src/layers/WaryDisk.ts"
import { Database } from "../../src/services/Database.ts"
import type { DatabaseError } from "../../src/services/DatabaseError.ts"
import { Directory } from "../../src/services/Directory.ts"
import type { Encryption } from "../../src/services/Encryption.ts"
import { Jobs } from "../../src/services/Jobs.ts"
import { Maintenance } from "../../src/services/Maintenance.ts"
import * as Options from "../../src/services/Options.ts"
import { killThread } from "./killThread.ts"
import { hex, Model, type ModelEntry, type ModelWrite, toModelEntry } from "./model.ts"
import { contentsOf, type Opened, quiet } from "./opened.ts"
import { assertNoOrphans } from "./orphans.ts"
import { Dice, randomBounds, toOperation } from "./randomPlan.ts"

const writers = 3
const sessions = 2
const commitsPerWriter = 80
const readsPerSession = 20
/** Of one writer, between two collections of value files. */
const commitsPerCollection = 8
const keys = 300
/** Between two kills. */
const commitsApartMax = 25

/** What happened in all runs together. */
export interface Tally {
  runs: number
  commits: number
  kills: number
  replaced: number
  flushes: number
  compactions: number
  /** Value files that were rewritten or dropped. */
  collected: number
  /** Calls that said that a worker had died, and were made again. */
  refused: number
}

export const newTally = (): Tally => ({
  runs: 0,
  commits: 0,
  kills: 0,
  replaced: 0,
  flushes: 0,
  compactions: 0,
  collected: 0,
  refused: 0
})

const randomOptions = (dice: Dice): Options.OptionsInput => ({
  arenaBytes: dice.pick([4096, 16 * 1024]),
  arenaCount: dice.pick([2, 3]),
  valueBytesMax: 1024,
  valueThreshold: dice.pick([0, 100, 400]),
  valueFileBytesMax: dice.pick([64, 4096, 1024 * 1024]),
  blockBytes: dice.pick([256, 4096]),
  cacheBytes: dice.pick([0, 64 * 1024]),
  openFilesMax: dice.pick([8, 512]),
  flushOnCloseBytesMin: dice.pick([0, 1024 * 1024]),
  manifestBytesMax: dice.pick([4096, 4 * 1024 * 1024]),
  level0TablesMin: dice.pick([1, 2, 4]),
  baseLevelBytes: dice.pick([4096, 32 * 1024]),
  levelRatio: dice.pick([2, 10]),
  tableBytesMax: dice.pick([2048, 16 * 1024])
})

/** Ends threads, as if they had died. */
class Killer {
  readonly threads: Array<JobThread> = []
  private readonly killed = new Set<JobThread>()
  private commitsLeft = 1
  private readonly dice: Dice

  constructor(dice: Dice) {
    this.dice = dice
  }

  /** A commit was acknowledged. */
  commit(): void {
    this.commitsLeft -= 1
    if (this.commitsLeft <= 0 && this.kill(this.dice.chance(90))) {
      this.commitsLeft = 1 + this.dice.below(commitsApartMax)
    }
  }

  /** One of those that live, or of those that have a job. */
  kill(mustBeBusy: boolean): boolean {
    const able = this.alive.filter((thread) => !this.killed.has(thread) && (thread.isBusy || !mustBeBusy))
    if (able.length === 0) return false
    const victim = this.dice.pick(able)
    this.killed.add(victim)
    killThread(victim)
    return true
  }

  get kills(): number {
    return this.killed.size
  }

  get alive(): ReadonlyArray<JobThread> {
    return this.threads.filter(({ worker }) => worker.threadId > 0)
  }
}

type Sealing = Layer.Layer<Encryption, DatabaseError>

/** `LsmDatabase.layer`, with its threads to be seen. */
const openIn = (
  directory: string,
  input: Options.OptionsInput,
  given: { killer: Killer; workers: number; encryption: Sealing }
) =>
  Effect.gen(function* () {
    const options = yield* Options.make(input)
    const onThread = (thread: JobThread) => void given.killer.threads.push(thread)
    const parts = LsmDatabase.layerNoDeps.pipe(
      Layer.provide([FileWal.layer, ArenaMemtable.layer, LocalOracle.layer]),
      Layer.provide([
        FileSsTable.layer,
        FileValueLog.layer,
        Layer.effect(Jobs, NodeWorkerJobs.make(given.workers, { onThread }))
      ]),
      Layer.provideMerge(SieveBlockCache.layer),
      Layer.provide(FileManifest.layer),
      Layer.provide(WaryDisk.layer),
      Layer.provide([NodeDisk.layer, given.encryption]),
      Layer.provide(Layer.succeed(Directory, { path: directory })),
      Layer.provide(Layer.succeed(Options.Options, options)),
      Layer.fresh
    )
    const context = yield* Layer.build(parts)
    return { database: Context.get(context, Database), maintenance: Context.get(context, Maintenance) }
  })

/** A job that failed because its worker died, and not by a bug of its own. */
const isDeath = ({ reason }: DatabaseError): boolean =>
  reason._tag === "JobFailed" && !reason.message.includes("a bug in a job")

interface Seen {
  readonly sequence: number
  readonly entries: ReadonlyArray<ModelEntry>
}

const randomWritesOf = (dice: Dice): ReadonlyArray<ModelWrite> =>
  Array.from({ length: 1 + dice.below(3) }, () => {
    if (dice.chance(2)) return { removed: randomBounds(dice) }
    const key = hex(new TextEncoder().encode(`${dice.pick(["a", "b", "c", "z"])}${dice.below(keys)}`))
    return {
      key,
      value: dice.chance(15) ? undefined : dice.below(256).toString(16).padStart(2, "0").repeat(dice.below(800))
    }
  })

class Run {
  readonly model = new Model()
  private readonly seen: Array<Seen> = []
  private readonly dice: Dice
  private readonly directory: string
  private readonly tally: Tally
  private readonly options: Options.OptionsInput
  private readonly encryption: Sealing

  constructor(
    seed: number,
    given: { readonly directory: string; readonly tally: Tally; readonly encryption: Sealing }
  ) {
    const { directory, encryption, tally } = given
    this.encryption = encryption
    this.dice = new Dice(seed)
    this.directory = directory
    this.tally = tally
    this.options = randomOptions(this.dice)
  }

  /** Writes and reads with kills, closed in the midst of it. */
  readonly session = Effect.suspend(() => {
    const killer = new Killer(this.dice)
    const body = Effect.gen({ self: this as Run }, function* (this: Run) {
      const opened = yield* this.open(killer)
      yield* this.checkContents(opened)
      const writing = Array.from({ length: writers }, () => this.write(opened, killer))
      const all = [...writing, this.read(opened), this.compact(opened)]
      yield* Effect.all(all, { concurrency: "unbounded", discard: true })
      yield* this.count(opened)
      // No yield from here to the close.
      if (this.dice.chance(50)) killer.kill(this.dice.chance(90))
    })
    return Effect.andThen(Effect.scoped(body), this.closed(killer))
  })

  /** Nothing is killed any more: all work ends well, and everything is there. */
  readonly lastSession = Effect.suspend(() => {
    const killer = new Killer(this.dice)
    const body = Effect.gen({ self: this as Run }, function* (this: Run) {
      const opened = yield* this.open(killer)
      yield* this.checkContents(opened)
      yield* opened.maintenance.flush
      yield* opened.maintenance.compact()
      yield* this.checkContents(opened)
      assert.deepStrictEqual((yield* opened.maintenance.verify).damage, [])
      const { counters, state } = yield* opened.maintenance.stats
      assert.strictEqual(state, "healthy")
      assert.deepInclude(counters, { workersReplaced: 0, jobsFailed: 0 })
    })
    return Effect.andThen(Effect.scoped(body), this.closed(killer))
  })

  private open(killer: Killer) {
    const { encryption } = this
    return openIn(this.directory, this.options, { killer, workers: this.dice.pick([1, 2]), encryption })
  }

  private closed(killer: Killer) {
    return Effect.suspend(() => {
      assert.lengthOf(killer.alive, 0, "threads after the close")
      this.tally.kills += killer.kills
      const { directory, encryption } = this
      return assertNoOrphans({ disk: NodeDisk.make(), directory, encryption, logSegments: undefined })
    })
  }

  private write(opened: Opened, killer: Killer) {
    const one = Effect.suspend(() => {
      const writes = randomWritesOf(this.dice)
      const durability = this.dice.pick(["disk", "os", "os", "buffered", "buffered"] as const)
      return Effect.map(this.again(opened.database.write(writes.map(toOperation), { durability })), ({ sequence }) => {
        this.model.commit(sequence, writes)
        killer.commit()
      })
    })
    return Effect.forEach(
      Array.from({ length: commitsPerWriter }, (_, index) => index + 1),
      (count) => (count % commitsPerCollection === 0 ? Effect.andThen(one, this.collect(opened)) : one),
      { discard: true }
    )
  }

  /** A caller is told of the first failure; the work itself is tried again. */
  private compact({ maintenance }: Opened) {
    return Effect.catch(maintenance.compact(), (error) => {
      if (!isDeath(error)) return Effect.fail(error)
      this.tally.refused += 1
      return Effect.void
    })
  }

  private collect({ maintenance }: Opened) {
    return Effect.map(this.again(maintenance.collectValues({ garbageRatioMin: 0.1 })), ({ files }) => {
      this.tally.collected += files
    })
  }

  /** What failed because a worker died has not happened, and may be tried again. */
  private again<A>(effect: Effect.Effect<A, DatabaseError>): Effect.Effect<A, DatabaseError> {
    return Effect.catch(effect, (error) => {
      if (!isDeath(error)) return Effect.fail(error)
      this.tally.refused += 1
      return Effect.andThen(Effect.yieldNow, this.again(effect))
    })
  }

  private read({ database }: Opened) {
    const one = Effect.scoped(
      Effect.gen({ self: this as Run }, function* (this: Run) {
        const snapshot = yield* database.snapshot
        const { sequence } = snapshot
        yield* Effect.yieldNow
        const entries = yield* Stream.runCollect(snapshot.scan())
        this.seen.push({ sequence, entries: Array.from(entries, toModelEntry) })
      })
    )
    return Effect.forEach(Array.from({ length: readsPerSession }), () => one, { discard: true })
  }

  private checkContents({ database }: Opened) {
    return Effect.map(contentsOf(database), (entries) => {
      assert.deepStrictEqual(entries, this.model.at(this.model.lastSequence, 0), "what is there now")
      for (const seen of this.seen.splice(0)) {
        assert.deepStrictEqual(seen.entries, this.model.at(seen.sequence, 0), `the snapshot at ${seen.sequence}`)
      }
    })
  }

  private count({ maintenance }: Opened) {
    return Effect.map(maintenance.stats, ({ counters }) => {
      this.tally.flushes += counters.flushes
      this.tally.compactions += counters.compactions
      this.tally.replaced += counters.workersReplaced
    })
  }
}

/** One run, in a directory of its own, to its end. */
export const killedWorkersRun = (seed: number, tally: Tally, encryption: Sealing = NoEncryption.layer) =>
  Effect.acquireUseRelease(
    Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "strata-killed-"))),
    (directory) =>
      Effect.gen(function* () {
        const run = new Run(seed, { directory, tally, encryption })
        for (let session = 0; session < sessions; session++) yield* run.session
        yield* run.lastSession
        tally.runs += 1
        tally.commits += run.model.commits.length
      }).pipe(quiet),
    (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true, force: true }))
  )
