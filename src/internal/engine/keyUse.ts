// Files that are being made, by the generation of the data key that they may be sealed with. Until its file has a name
// in the directory with a header behind it, nobody else can tell that a generation is still needed; from then on the
// directory says so (olderFiles.ts).
import * as Effect from "effect/Effect"
import type { JobsService } from "../../services/Jobs.ts"
import type { ValueLogService, ValueWriter } from "../../services/ValueLog.ts"

export class KeyUse {
  /** Called when something ended that was begun with an older key. */
  onEnd: () => void = () => {}
  private readonly generation: () => number
  private readonly counts = new Map<number, number>()

  /** `generation`: what new files are sealed with. It only grows. */
  constructor(generation: () => number) {
    this.generation = generation
  }

  /** The oldest generation that a file in the making may have; `undefined` if there is none. */
  get oldest(): number | undefined {
    return this.counts.size === 0 ? undefined : Math.min(...this.counts.keys())
  }

  /** While it runs, it makes files of the generation of its beginning, or of later ones. */
  during<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      const end = this.begin()
      return Effect.ensuring(effect, Effect.sync(end))
    })
  }

  jobs(jobs: JobsService): JobsService {
    return {
      ...jobs,
      run: (job) => this.during(jobs.run(job)),
      collect: (job) => this.during(jobs.collect(job))
    }
  }

  /** A file that a commit brings along may take long to be written. */
  values(values: ValueLogService): ValueLogService {
    const create = Effect.suspend(() => {
      const end = this.begin()
      return values.create.pipe(
        Effect.map((writer) => ending(writer, end)),
        Effect.onError(() => Effect.sync(end))
      )
    })
    return { ...values, create }
  }

  /** Returns how to end it, once. */
  private begin(): () => void {
    const generation = this.generation()
    this.counts.set(generation, (this.counts.get(generation) ?? 0) + 1)
    let ended = false
    return () => {
      if (!ended) this.ended(generation)
      ended = true
    }
  }

  private ended(generation: number): void {
    const left = this.counts.get(generation)! - 1
    if (left > 0) this.counts.set(generation, left)
    else this.counts.delete(generation)
    if (generation < this.generation()) this.onEnd()
  }
}

const ending = (writer: ValueWriter, end: () => void): ValueWriter => ({
  id: writer.id,
  fileTag: writer.fileTag,
  get bytes() {
    return writer.bytes
  },
  begin: (owner) => writer.begin(owner),
  push: (bytes) => writer.push(bytes),
  end: () => writer.end(),
  finish: Effect.tap(writer.finish, () => Effect.sync(end)),
  discard: Effect.ensuring(writer.discard, Effect.sync(end))
})
