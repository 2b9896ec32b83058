// Which jobs of the database run at a moment, as their spans tell: whoever asked for them, in whatever fiber.
import { Tracer } from "effect"
import type { Exit } from "effect"

/** The names of their spans. */
export type JobName = "Flush.run" | "Compaction.run" | "Collection.run"

class WatchedSpan extends Tracer.NativeSpan {
  private readonly onEnd: (exit: Exit.Exit<unknown, unknown>) => void

  constructor(
    options: ConstructorParameters<typeof Tracer.NativeSpan>[0],
    onEnd: (exit: Exit.Exit<unknown, unknown>) => void
  ) {
    super(options)
    this.onEnd = onEnd
  }

  override end(endTime: bigint, exit: Exit.Exit<unknown, unknown>): void {
    super.end(endTime, exit)
    this.onEnd(exit)
  }
}

export class RunningJobs {
  private running = new Map<string, number>()
  private readonly onDone: (name: string) => void

  /** Is told of each job that has ended well. */
  constructor(onDone: (name: string) => void) {
    this.onDone = onDone
  }

  /** Nothing runs: of jobs that were cut off with their session nothing is heard. */
  clear(): void {
    this.running = new Map()
  }

  runs(name: JobName): boolean {
    return (this.running.get(name) ?? 0) > 0
  }

  readonly tracer: Tracer.Tracer = Tracer.make({
    span: (options) => {
      const { running } = this
      const count = (by: number) => running.set(options.name, (running.get(options.name) ?? 0) + by)
      count(1)
      return new WatchedSpan(options, (exit) => {
        count(-1)
        if (running === this.running && exit._tag === "Success") this.onDone(options.name)
      })
    }
  })
}
