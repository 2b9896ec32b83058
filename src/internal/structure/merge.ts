// Several sources as one: keys in order, each once, at the version of the first source that has it. Sources are given
// newest first, and each shows only what the reader may see, so the first one's version is the newest and sequences
// need no comparison.
//
// With at most a few dozen sources a linear search of the smallest key is as fast as a heap and has no state to keep;
// with one source it costs nothing.
import { compareBytes } from "../format/compare.ts"
import type { EntryView, Request } from "./entry.ts"
import type { Source, Target } from "./source.ts"

export class Merge {
  private readonly sources: ReadonlyArray<Source>
  /** Sources whose move is begun and not finished. */
  private readonly moving: Uint8Array
  /** Sources that stand on the current key. */
  private readonly tied: Uint8Array
  private current = -1
  private forward = true
  private settled = true

  constructor(sources: ReadonlyArray<Source>) {
    this.sources = sources
    this.moving = new Uint8Array(sources.length)
    this.tied = new Uint8Array(sources.length)
  }

  get valid(): boolean {
    return this.current >= 0
  }

  /** The current record. Only when valid. */
  get entry(): EntryView {
    return this.sources[this.current]!.entry
  }

  /** Which source the current record is of. */
  get source(): number {
    return this.current
  }

  seek(target: Target): void {
    for (let index = 0; index < this.sources.length; index++) this.sources[index]!.seek(target)
    this.begin(target.forward)
    this.moving.fill(1)
  }

  seekEnd(forward: boolean): void {
    for (let index = 0; index < this.sources.length; index++) this.sources[index]!.seekEnd(forward)
    this.begin(forward)
    this.moving.fill(1)
  }

  /** To the next key in the direction. Only when valid. */
  move(forward: boolean): void {
    if (forward !== this.forward) {
      const { bytes, keyEnd, keyStart } = this.entry
      this.seek({ key: bytes, start: keyStart, end: keyEnd, forward, inclusive: false })
      return
    }
    for (let index = 0; index < this.sources.length; index++) {
      if (this.tied[index] === 1) {
        this.sources[index]!.move(forward)
        this.moving[index] = 1
      }
    }
    this.begin(forward)
  }

  /** Finishes the move. What is needed for it is returned; call again when that is answered. */
  resume(): Request | undefined {
    if (this.settled) return undefined
    for (let index = 0; index < this.sources.length; index++) {
      if (this.moving[index] === 0) continue
      const needed = this.sources[index]!.resume()
      if (needed !== undefined) return needed
      this.moving[index] = 0
    }
    this.pick()
    this.settled = true
    return undefined
  }

  private begin(forward: boolean): void {
    this.forward = forward
    this.settled = false
  }

  private pick(): void {
    let best = -1
    for (let index = 0; index < this.sources.length; index++) {
      this.tied[index] = 0
      const source = this.sources[index]!
      if (!source.valid) continue
      const order = best < 0 ? -1 : this.order(source.entry, this.sources[best]!.entry)
      if (order > 0) continue
      if (order < 0) {
        if (best >= 0) this.tied.fill(0, 0, index)
        best = index
      }
      this.tied[index] = 1
    }
    this.current = best
  }

  /** Negative if `a` comes before `b` in the direction. */
  private order(a: EntryView, b: EntryView): number {
    const order = compareBytes(a.bytes, a.keyStart, a.keyEnd, b.bytes, b.keyStart, b.keyEnd)
    return this.forward ? order : -order
  }
}
