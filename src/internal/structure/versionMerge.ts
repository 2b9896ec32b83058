// The versions of several sources as one sequence: keys ascending, sequences of a key descending; the same version of
// two sources comes from the earlier source first. Sources are given newest first.
//
// A binary heap: two sources take one comparison a version, twenty about eight.
import { compareBytes } from "../format/compare.ts"
import type { EntryView } from "../format/blockEntry.ts"
import { Step, type VersionSource } from "./versionSource.ts"

export class VersionMerge {
  private readonly sources: ReadonlyArray<VersionSource>
  /** Indexes of sources; the first stands on the current version. */
  private readonly heap: Array<number> = []
  /** How many sources have taken their first step. */
  private started = 0
  /** The first of the heap has to take a step. */
  private moving = false
  private waiting: VersionSource | undefined = undefined

  constructor(sources: ReadonlyArray<VersionSource>) {
    this.sources = sources
  }

  /** The current version. Only after `Step.version`. */
  get entry(): EntryView {
    return this.sources[this.heap[0]!]!.entry
  }

  /** The source that needs bytes. Only after `Step.bytes`. */
  get needy(): VersionSource {
    return this.waiting!
  }

  advance(): Step {
    while (this.started < this.sources.length) {
      const step = this.step(this.started)
      if (step === Step.bytes) return step
      if (step === Step.version) this.rise(this.heap.push(this.started) - 1)
      this.started += 1
    }
    if (this.moving) {
      const step = this.step(this.heap[0]!)
      if (step === Step.bytes) return step
      if (step === Step.end) {
        const last = this.heap.pop()!
        if (this.heap.length > 0) this.heap[0] = last
      }
      this.moving = false
      this.sink()
    }
    if (this.heap.length === 0) return Step.end
    this.moving = true
    return Step.version
  }

  private step(index: number): Step {
    const source = this.sources[index]!
    const step = source.advance()
    this.waiting = step === Step.bytes ? source : undefined
    return step
  }

  private rise(from: number): void {
    const { heap } = this
    const moved = heap[from]!
    let at = from
    while (at > 0) {
      const parent = (at - 1) >>> 1
      if (this.isBefore(heap[parent]!, moved)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = moved
  }

  private sink(): void {
    const { heap } = this
    const { length } = heap
    if (length < 2) return
    const moved = heap[0]!
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= length) break
      if (child + 1 < length && this.isBefore(heap[child + 1]!, heap[child]!)) child += 1
      if (this.isBefore(moved, heap[child]!)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = moved
  }

  private isBefore(first: number, second: number): boolean {
    const a = this.sources[first]!.entry
    const b = this.sources[second]!.entry
    const order = compareBytes(a.bytes, a.keyStart, a.keyEnd, b.bytes, b.keyStart, b.keyEnd)
    if (order !== 0) return order < 0
    return a.sequence === b.sequence ? first < second : a.sequence > b.sequence
  }
}
