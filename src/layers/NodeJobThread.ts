/**
 * One worker thread that runs jobs, and what is known of it.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { Worker } from "node:worker_threads"
import {
  type FromWorker,
  type RunMessage,
  ThreadWord,
  threadWords,
  type ToWorker
} from "../internal/structure/jobMessages.ts"
import type { NewFile } from "../internal/structure/jobRequest.ts"
import { ThreadGate } from "../internal/structure/threadGate.ts"

/**
 * How a job ended: as the worker says, or with the thread.
 *
 * @internal
 */
export type Outcome =
  | Extract<FromWorker, { readonly _tag: "Done" | "Failed" }>
  | { readonly _tag: "Lost"; readonly message: string }

/**
 * What a job holds in JavaScript's heap is small: indexes and range removals. Buffers are outside of it, and dead ones
 * stay until the young generation is full: with 3 MiB of it a process with 1,000 sets of 1 MiB at once peaks at 211
 * MiB, with 8 at 250, and compaction takes the same time (medians of 7 pairs: 1,610 and 1,604 ms of CPU).
 */
const heapMegabytesMax = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 3 }

/** Between two looks at a thread that is in a codec, where it spends some 50 microseconds for a block of 16 KiB. */
const gateMillis = 1
/** Not of the `Clock`: that of a test stands still. */
const gatePause = Effect.callback<void>((resume) => {
  const timer = setTimeout(() => resume(Effect.void), gateMillis)
  return Effect.sync(() => clearTimeout(timer))
})
/** A process that exits waits no longer for a thread that does not come out of a codec. */
const exitMillisMax = 200

/** Node ends what runs when the process exits: before that, each of them has to be where it may be ended. */
const running = new Set<JobThread>()
const shutAll = (): void => {
  for (const thread of running) thread.shutUnsafe()
}

const started = (thread: JobThread): void => {
  if (running.size === 0) process.on("exit", shutAll)
  running.add(thread)
}

const ended = (thread: JobThread): void => {
  running.delete(thread)
  if (running.size === 0) process.off("exit", shutAll)
}

interface ThreadJob {
  readonly outcome: Deferred.Deferred<Outcome>
  readonly moreFiles: () => ReadonlyArray<NewFile>
}

/**
 * A thread. It keeps the process alive only while it has a job.
 *
 * @internal
 */
export class JobThread {
  /** Whether it came up. */
  readonly ready = Deferred.makeUnsafe<boolean>()
  readonly exited = Deferred.makeUnsafe<void>()
  /** Jobs that were given to it or are about to be. */
  load = 0
  isReady = false
  isLost = false
  readonly worker: Worker
  private readonly words = new Int32Array(new SharedArrayBuffer(4 * threadWords))
  private readonly gate = new ThreadGate(this.words, ThreadWord.gate)
  private readonly jobs = new Map<number, ThreadJob>()
  private readonly onLost: (thread: JobThread) => void
  private reason: string | undefined

  /** Throws if there can be no thread. */
  constructor(entry: URL, onLost: (thread: JobThread) => void) {
    this.onLost = onLost
    this.worker = new Worker(entry, {
      name: "strata-jobs",
      workerData: this.words,
      resourceLimits: heapMegabytesMax,
      execArgv: [],
      env: {}
    })
    started(this)
    this.worker.unref()
    this.worker.on("message", (message: FromWorker) => this.hear(message))
    this.worker.on("error", (error: unknown) => {
      this.reason ??= error instanceof Error ? error.message : String(error)
    })
    this.worker.on("exit", (code) => {
      ended(this)
      this.lose(`it exited with code ${code}`)
      Deferred.doneUnsafe(this.exited, Effect.void)
    })
  }

  /** Changes as long as it answers. */
  get progress(): number {
    return Atomics.load(this.words, ThreadWord.progress)
  }

  get isBusy(): boolean {
    return this.jobs.size > 0
  }

  start(message: RunMessage, moreFiles: () => ReadonlyArray<NewFile>): Deferred.Deferred<Outcome> {
    const outcome = Deferred.makeUnsafe<Outcome>()
    if (this.isLost) Deferred.doneUnsafe(outcome, Effect.succeed(this.lost()))
    else {
      if (this.jobs.size === 0) this.worker.ref()
      this.jobs.set(message.id, { outcome, moreFiles })
      this.send(message)
    }
    return outcome
  }

  /** Ends it as soon as it is in no codec. Completes when it was told to end. */
  terminate(reason: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.reason ??= reason
      if (!this.gate.shut()) return Effect.andThen(gatePause, this.terminate(reason))
      void this.worker.terminate()
      return Effect.void
    })
  }

  /** Ends it, wherever it is. */
  terminateAnywhere(): void {
    void this.worker.terminate()
  }

  /** Blocks until it can be ended, and keeps it there. */
  shutUnsafe(): void {
    this.gate.shutUnsafe(exitMillisMax)
  }

  /** Nothing more is expected of it. */
  lose(reason: string): void {
    if (this.isLost) return
    this.reason ??= reason
    this.isLost = true
    this.worker.unref()
    const jobs = [...this.jobs.values()]
    this.jobs.clear()
    this.onLost(this)
    // Last: whoever waits goes on at once.
    Deferred.doneUnsafe(this.ready, Effect.succeed(false))
    for (const { outcome } of jobs) Deferred.doneUnsafe(outcome, Effect.succeed(this.lost()))
  }

  private lost(): Outcome {
    return { _tag: "Lost", message: `the worker thread of the job ended: ${this.reason}` }
  }

  private hear(message: FromWorker): void {
    if (message._tag === "Ready") {
      this.isReady = true
      Deferred.doneUnsafe(this.ready, Effect.succeed(true))
      return
    }
    const job = this.jobs.get(message.id)
    if (job === undefined) return
    if (message._tag === "Files") return this.send({ _tag: "Files", id: message.id, files: job.moreFiles() })
    this.jobs.delete(message.id)
    if (this.jobs.size === 0) this.worker.unref()
    Deferred.doneUnsafe(job.outcome, Effect.succeed(message))
  }

  private send(message: ToWorker): void {
    this.worker.postMessage(message)
  }
}
