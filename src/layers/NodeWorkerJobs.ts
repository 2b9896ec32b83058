/**
 * Jobs in worker threads, over the disk of the machine.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberHandle from "effect/FiberHandle"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { availableParallelism } from "node:os"
import { assert } from "../internal/format/formatError.ts"
import { fromDisk } from "../internal/engine/diskErrors.ts"
import { ofFailure } from "../internal/engine/jobFailure.ts"
import { discardFiles } from "../internal/engine/jobFiles.ts"
import { jobParts } from "../internal/engine/jobParts.ts"
import { JobQueue } from "../internal/engine/jobQueue.ts"
import { runJob } from "../internal/engine/jobRunner.ts"
import { type Job, type JobParts, jobSetup, moreFiles } from "../internal/engine/jobSetup.ts"
import { type CodecSource, JobWord, jobWords, type RunMessage } from "../internal/structure/jobMessages.ts"
import { type AnyWork, isCollect, type JobSetup } from "../internal/structure/jobWork.ts"
import { unionOf } from "../internal/structure/keySpans.ts"
import type { KnownCodec } from "../services/Compression.ts"
import { Closed, type DatabaseError, fail, JobFailed } from "../services/DatabaseError.ts"
import type { Disk } from "../services/Disk.ts"
import { Jobs, type JobsService, type Merged } from "../services/Jobs.ts"
import { Manifest } from "../services/Manifest.ts"
import { Options } from "../services/Options.ts"
import * as InlineJobs from "./InlineJobs.ts"
import { jobProgram } from "./NodeJobProgram.ts"
import { JobThread } from "./NodeJobThread.ts"

/**
 * Where the worker's program is, and how long a thread may be silent.
 *
 * @internal
 */
export interface ThreadOptions {
  readonly entry?: URL
  readonly silentMillisMax?: number
  /** Told of each new thread. */
  readonly onThread?: (thread: JobThread) => void
}

/** A thread that shows no progress for so long is replaced. */
const silentMillisDefault = 30_000
/** A thread that is stuck in a system call may not end when it is told to; it is not waited for any longer. */
const exitMillisMax = 5000
/** After so many threads in a row that did not come up, no further one is tried. */
const failedStartsMax = 3

const workersDefault = (): number => Math.max(1, Math.min(2, availableParallelism() - 1))

class Pool {
  replaced = 0
  readonly counters = { bytesRead: 0, bytesWritten: 0 }
  readonly queue: JobQueue
  private readonly parts: JobParts
  private readonly options: ThreadOptions
  private readonly threadsMax: number
  private readonly threads: Array<JobThread> = []
  private readonly watch: FiberHandle.FiberHandle<void>
  private failedStarts = 0
  private toldOfCodecs = false
  private nextId = 0

  constructor(given: {
    readonly parts: JobParts
    readonly options: ThreadOptions
    readonly threadsMax: number
    readonly watch: FiberHandle.FiberHandle<void>
  }) {
    this.parts = given.parts
    this.options = given.options
    this.threadsMax = given.threadsMax
    this.watch = given.watch
    this.queue = new JobQueue(given.threadsMax)
  }

  run(job: Job): Effect.Effect<Merged, DatabaseError> {
    return this.queue.run(
      job,
      Effect.suspend(() => {
        const thread = this.pick()
        if (thread === undefined) return this.runHere(job)
        thread.load += 1
        return Effect.ensuring(
          Effect.flatMap(Effect.interruptible(this.whenReady(thread)), (isReady) =>
            isReady || this.queue.isClosing ? this.runThere(thread, job) : this.runHere(job)
          ),
          Effect.sync(() => (thread.load -= 1))
        )
      })
    )
  }

  /** Ends every thread, and with them their jobs. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    const threads = [...this.threads]
    const closing = Effect.forEach(threads, (thread) => this.end(thread, "the database was closed"), {
      concurrency: "unbounded",
      discard: true
    })
    return Effect.andThen(Effect.all([this.queue.close, closing], { concurrency: "unbounded" }), Effect.void)
  })

  private runHere(job: Job): Effect.Effect<Merged, DatabaseError> {
    return runJob(this.parts, job, { counters: this.counters, check: this.queue.check })
  }

  /** A thread may lack what this one has: a loader, a variable of the environment, a file that has gone since. */
  private runWithCodecs({ message }: { readonly message: string }, job: Job): Effect.Effect<Merged, DatabaseError> {
    return Effect.suspend(() => {
      const isTold = this.toldOfCodecs
      this.toldOfCodecs = true
      const told = `Strata: ${message}; jobs that need it run on the thread of the database`
      return Effect.andThen(isTold ? Effect.void : Effect.logWarning(told), this.runHere(job))
    })
  }

  /** The thread with the fewest jobs, or a new one; `undefined` if there can be none. */
  private pick(): JobThread | undefined {
    const least = [...this.threads].sort((a, b) => a.load - b.load)[0]
    if (least !== undefined && (least.load === 0 || this.threads.length === this.threadsMax)) return least
    if (this.failedStarts >= failedStartsMax) return least
    try {
      const thread = new JobThread(this.options.entry ?? jobProgram.url(), (lost) => this.remove(lost))
      this.threads.push(thread)
      this.options.onThread?.(thread)
      return thread
    } catch {
      // The runtime has no threads for us.
      this.failedStarts += 1
      return least
    }
  }

  private remove(thread: JobThread): void {
    this.threads.splice(this.threads.indexOf(thread), 1)
    if (this.queue.isClosing) return
    if (thread.isReady) this.replaced += 1
    else this.failedStarts += 1
  }

  private whenReady(thread: JobThread): Effect.Effect<boolean> {
    if (thread.isReady) return Effect.succeed(true)
    const limit = Effect.andThen(Effect.sleep(this.silentMillisMax), this.end(thread, "it did not come up"))
    return Effect.tap(Effect.raceFirst(Deferred.await(thread.ready), Effect.as(limit, false)), (isReady) =>
      Effect.sync(() => {
        if (isReady) this.failedStarts = 0
      })
    )
  }

  private get silentMillisMax(): number {
    return this.options.silentMillisMax ?? silentMillisDefault
  }

  /** Completes when the thread has ended, or is given up. */
  private end(thread: JobThread, reason: string): Effect.Effect<void> {
    const limit = Effect.andThen(
      Effect.sleep(exitMillisMax),
      Effect.sync(() => {
        thread.terminateAnywhere()
        thread.lose(reason)
      })
    )
    const ending = Effect.andThen(thread.terminate(reason), Deferred.await(thread.exited))
    return Effect.raceFirst(Effect.interruptible(ending), Effect.interruptible(limit))
  }

  private runThere(thread: JobThread, job: Job): Effect.Effect<Merged, DatabaseError> {
    return Effect.uninterruptible(
      Effect.suspend(() => {
        const { disk, manifest } = this.parts
        const { files, message } = this.messageOf(job)
        const more = () => {
          const given = moreFiles(this.parts)
          files.push(...given)
          return given
        }
        const outcome = thread.start(message, more)
        const ended = Effect.onInterrupt(Effect.interruptible(Deferred.await(outcome)), () => {
          Atomics.store(message.words, JobWord.cancelled, 1)
          return Deferred.await(outcome)
        })
        const watched = Effect.andThen(this.watching, Effect.ensuring(ended, this.unwatch))
        return Effect.flatMap(watched, (end) => {
          if (end._tag === "Lost") return Effect.fail(this.lostError(end.message))
          this.counters.bytesRead += end.bytesRead
          this.counters.bytesWritten += end.bytesWritten
          if (end._tag === "Failed") {
            const { failure } = end
            return failure._tag === "Codecs" ? this.runWithCodecs(failure, job) : ofFailure(this.parts, failure)
          }
          const { tables, valueFiles } = end
          const isNothing = tables.length + valueFiles.length === 0
          const synced = isNothing ? Effect.void : fromDisk(disk.syncDirectory(manifest.directory))
          return Effect.as(Effect.interruptible(synced), { tables, valueFiles })
        }).pipe(
          Effect.onError(() =>
            discardFiles(
              this.parts,
              // Which kind each became is the job's own knowledge; no other file has its number.
              files
                .slice(0, Atomics.load(message.words, JobWord.created))
                .flatMap(({ number }) => [{ kind: "table", number } as const, { kind: "value", number } as const])
            )
          )
        )
      })
    )
  }

  private messageOf(job: Job) {
    const setup = jobSetup(this.parts, job)
    const words = new Int32Array(new SharedArrayBuffer(4 * jobWords))
    const id = this.nextId
    this.nextId += 1
    const { compression, directory, encryption } = this.parts.manifest
    assert(encryption.threadKeys !== undefined, "threads are for an encryption that gives them its keys")
    // With each job, as a rotation changes them; taken with the generation that the setup names, in one step.
    const keys = encryption.threadKeys()
    const codecs = neededBy(job, setup, compression.known).map(sourceOf)
    const message: RunMessage = { _tag: "Run", id, work: sent(job), setup, directory, words, keys, codecs }
    return { files: [...setup.files], message }
  }

  private lostError(message: string): DatabaseError {
    return this.queue.isClosing
      ? fail(new Closed({ message: "the database was closed before the job had ended" }))
      : fail(new JobFailed({ message: `${message}; it is replaced, and the job can be tried again` }))
  }

  /** While jobs run, the threads are looked after. */
  private readonly watching = Effect.suspend(() =>
    FiberHandle.run(this.watch, this.endSilent(new Map()), { onlyIfMissing: true })
  )

  private readonly unwatch = Effect.suspend(() =>
    this.threads.some(({ isBusy }) => isBusy) ? Effect.void : FiberHandle.clear(this.watch)
  )

  /** Ends busy threads that have made no progress since they were looked at last. */
  private endSilent(before: ReadonlyMap<JobThread, number>): Effect.Effect<void> {
    return Effect.flatMap(Effect.sleep(this.silentMillisMax), () => {
      const busy = this.threads.filter(({ isBusy }) => isBusy)
      const silent = busy.filter((thread) => before.get(thread) === thread.progress)
      const now = new Map(busy.map((thread) => [thread, thread.progress]))
      const reason = `it did not answer for ${this.silentMillisMax} ms`
      const ended = Effect.forEach(silent, (thread) => this.end(thread, reason), { discard: true })
      return Effect.andThen(ended, this.endSilent(now))
    })
  }
}

/** Without tables to read, those that it writes by; tables and value files may have any. */
const neededBy = (
  job: Job,
  { tableCodec, valuesCodec }: JobSetup,
  known: ReadonlyArray<KnownCodec>
): ReadonlyArray<KnownCodec> =>
  !isCollect(job) && job.runs.length === 0 ? known.filter(({ id }) => id === tableCodec || id === valuesCodec) : known

const sourceOf = ({ id, name, origin }: KnownCodec): CodecSource => {
  assert(origin !== undefined, "threads are for codecs that they can load")
  return { id, name, origin }
}

/** Only what the job needs: each table that is sent costs some microseconds. */
const sent = (job: Job): AnyWork => {
  if (isCollect(job)) return job
  const { deeper, from, grandparents, level, memtables, nowMillis, runs, snapshots, tableBytesMax, to, values } = job
  const kept = { memtables, runs, from, to, level, snapshots, nowMillis, grandparents, tableBytesMax, values }
  return { ...kept, deeper: unionOf(deeper) }
}

/**
 * The service, with its threads to be seen.
 *
 * @internal
 */
export const make = Effect.fnUntraced(function* (
  threadsMax: number,
  options: ThreadOptions = {}
): Effect.fn.Return<JobsService, never, Disk | Manifest | Scope.Scope> {
  const parts = yield* jobParts
  const watch = yield* FiberHandle.make<void>()
  const pool = new Pool({ parts, options, threadsMax, watch })
  yield* Effect.addFinalizer(() => pool.close)
  return Jobs.of({
    concurrency: threadsMax,
    run: (job) => pool.run(job),
    collect: (job) => Effect.map(pool.run(job), ({ valueFiles }) => valueFiles),
    stats: () => ({ ...pool.queue.stats(), replaced: pool.replaced, ...pool.counters })
  })
})

/**
 * Runs jobs in threads, which are started when the first job comes, and share memtables with this one. A flush does not
 * wait for a compaction. Where no thread can be started, where the encryption does not give its keys away, and where a
 * codec is a function and not a module, it is `InlineJobs`. A job whose codecs a thread cannot load runs on this one.
 *
 * **Details**
 *
 * `Options.workers` says how many threads; 0 is `InlineJobs`. A worker reads and writes by its own system calls, so the
 * `Disk` beside it must be that of the machine (`NodeDisk`).
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Jobs, never, Disk | Manifest> = Layer.unwrap(
  Effect.gen(function* () {
    const { workers = workersDefault() } = yield* Options
    const { compression, encryption } = yield* Manifest
    const isAble = encryption.threadKeys !== undefined && compression.known.every(({ origin }) => origin !== undefined)
    return workers === 0 || !isAble ? InlineJobs.layer : Layer.effect(Jobs, make(workers))
  })
)
