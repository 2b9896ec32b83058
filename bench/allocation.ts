// Bytes that an operation allocates on the main thread: in V8's heap, and as array buffers outside of it.
//
// A window is a part of a loop. What a window allocates is the difference of what is in use, if nothing was collected
// meanwhile; a window with a collection in it is left out. For that to be rare, the process that is measured so has a
// young generation of `youngMiB`, and its times count for nothing: `run.ts` starts it once for each group, beside those
// whose times are taken.
import { type GCProfiler as Profiler, GCProfiler, getHeapStatistics } from "node:v8"
import type { Awaitable } from "./drivers/driver.ts"

const youngMiB = 512

export const allocationFlags = [`--max-semi-space-size=${youngMiB}`, `--min-semi-space-size=${youngMiB}`]

const inUse = (): number => getHeapStatistics().used_heap_size + process.memoryUsage().arrayBuffers

class Meter {
  isOn = false
  private operations = 0
  private bytes = 0

  /** Counts what `run` allocates for so many operations, if the meter is on. */
  async around<A>(operations: number, run: () => Awaitable<A>): Promise<A> {
    if (!this.isOn) return run()
    const profiler: Profiler = new GCProfiler()
    profiler.start()
    const before = inUse()
    const result = await run()
    const bytes = inUse() - before
    const collections = profiler.stop()!.statistics.length
    if (collections === 0) {
      this.operations += operations
      this.bytes += bytes
    }
    return result
  }

  /** For each operation since it was last asked; nothing if there was none, or always a collection. */
  take(): number | undefined {
    const each = this.operations === 0 ? undefined : this.bytes / this.operations
    this.operations = 0
    this.bytes = 0
    return each
  }
}

export const meter = new Meter()
