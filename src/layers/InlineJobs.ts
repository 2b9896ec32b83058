/**
 * Jobs on the thread of whoever asks for them, in slices.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { jobParts } from "../internal/engine/jobParts.ts"
import { JobQueue } from "../internal/engine/jobQueue.ts"
import { runJob } from "../internal/engine/jobRunner.ts"
import type { Job } from "../internal/engine/jobSetup.ts"
import type { Disk } from "../services/Disk.ts"
import { Jobs } from "../services/Jobs.ts"
import type { Manifest } from "../services/Manifest.ts"

const concurrency = 1

/**
 * Runs jobs over any disk and encryption, one at a time and a flush beside it. They yield after each millisecond or so,
 * and share the thread with everything else.
 *
 * **When to use**
 *
 * Use for disks and encryptions that cannot be used in another thread, for memory, and for simulation.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Jobs, never, Disk | Manifest> = Layer.effect(
  Jobs,
  Effect.gen(function* () {
    const parts = yield* jobParts
    const queue = new JobQueue(concurrency)
    const counters = { bytesRead: 0, bytesWritten: 0 }
    yield* Effect.addFinalizer(() => queue.close)
    const run = (job: Job) => queue.run(job, runJob(parts, job, { counters, check: queue.check }))
    return Jobs.of({
      concurrency,
      run,
      collect: (job) => Effect.map(run(job), ({ valueFiles }) => valueFiles),
      stats: () => ({ ...queue.stats(), replaced: 0, ...counters })
    })
  })
)
